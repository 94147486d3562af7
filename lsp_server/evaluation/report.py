"""What the results come to: scores with what is chance in them, and what they took."""

from __future__ import annotations

import difflib
import json
import platform
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from lsp_server.evaluation.metrics import bootstrap_interval, paired_p_value
from lsp_server.evaluation.runner import Result


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over rows and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Group:
    """What the rows of one part and language come to: scores from 0 to 1; milliseconds and tokens
    by what they were spent on, at the median and the 95th percentile; how many requests ended
    how."""

    name: str
    rows: int
    scores: dict[str, Estimate]
    milliseconds: dict[str, tuple[float, float]]
    tokens: dict[str, tuple[float, float]]
    outcomes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Judged:
    """One row of a run, as it is kept in a file."""

    id: str
    group: str
    prediction: str
    groundtruth: str
    outcome: str
    scores: dict[str, float]
    milliseconds: dict[str, float]
    tokens: dict[str, int]


@dataclass(frozen=True)
class Run:
    """One run of a benchmark, as `--json` writes it and `--compare` reads it. `name` says what was
    run, in words; `machine` and `date` where and when."""

    name: str
    rows: list[Judged]
    machine: str = field(default_factory=lambda: f"{platform.node()}, {platform.machine()}")
    date: str = field(default_factory=lambda: time.strftime("%Y-%m-%d"))

    @property
    def metric(self) -> str:
        """The first of the metrics, by which the benchmark is known."""
        return next(iter(self.rows[0].scores))

    @cached_property
    def groups(self) -> list[Group]:
        """What the rows come to, part by part."""
        return [_group(name, rows) for name, rows in by_group(self.rows).items()]


def run_of(name: str, results: Sequence[Result]) -> Run:
    """A run's results, in the order of their ids."""
    rows = [
        Judged(
            result.row.id,
            result.row.group,
            result.answer.text,
            result.row.groundtruth,
            result.answer.outcome,
            result.scores,
            result.answer.milliseconds,
            result.answer.tokens,
        )
        for result in results
    ]
    return Run(name, sorted(rows, key=lambda row: row.id))


def save(run: Run, file: Path) -> None:
    """Write a run, its groups' figures beside its rows."""
    data = {**asdict(run), "groups": [asdict(group) for group in run.groups]}
    file.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(file: Path) -> Run:
    """Read a run that `save` wrote. Raises OSError, or ValueError for another file."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        rows = [Judged(**row) for row in data["rows"]]
        return Run(data["name"], rows, data["machine"], data["date"])
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{file} was not written by `coder-lsp eval --json`: {error!r}") from error


def by_group(rows: Sequence[Judged]) -> dict[str, list[Judged]]:
    """Rows by the group they are of."""
    groups: dict[str, list[Judged]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    return groups


@dataclass(frozen=True, slots=True)
class Difference:
    """How far the mean of a metric is above that of another run of the same rows, and how likely
    chance alone would part them so far."""

    group: str
    metric: str
    rows: int
    mean: Estimate
    p_value: float


def differences(run: Run, other: Run) -> list[Difference]:
    """The paired differences of all metrics, over the rows of which both runs wanted the same."""
    before = {_wanted(row): row for row in other.rows}
    found = []
    for name, rows in by_group([row for row in run.rows if _wanted(row) in before]).items():
        for metric in rows[0].scores:
            pairs = [(row.scores[metric], before[_wanted(row)].scores.get(metric)) for row in rows]
            known = [(new, old) for new, old in pairs if old is not None]
            if known:
                new, old = zip(*known, strict=True)
                gains = [a - b for a, b in known]
                found.append(
                    Difference(name, metric, len(known), _estimate(gains), paired_p_value(new, old))
                )
    return found


def _wanted(row: Judged) -> tuple[str, str]:
    """A row's place; white space around the answer depends on where the cursor is put."""
    return row.id, row.groundtruth.strip()


def markdown(run: Run) -> str:
    """The run as a table in Markdown."""
    metrics = list(run.rows[0].scores)
    heads = ["rows of", "rows", *(f"{metric}, %" for metric in metrics)]
    heads += ["first token, ms", "in all, ms", "prompt tokens", "new tokens"]
    body = []
    for group in run.groups:
        cells = [group.name, str(group.rows)]
        cells += [percent(group.scores[metric]) for metric in metrics]
        cells += [spread(group.milliseconds.get(stage)) for stage in ("first_token", "total")]
        cells += [spread(group.tokens.get(part)) for part in ("prompt", "generated")]
        body.append(cells)
    return table(heads, body)


def text(run: Run) -> str:
    """The run in words."""
    return "\n\n".join(_in_words(group) for group in run.groups)


def comparison(run: Run, other: Run) -> str:
    """The differences of two runs as a table in Markdown."""
    found = differences(run, other)
    if not found:
        return f"no rows in common with {other.name}"
    heads = ["rows of", "rows", "metric", f"against {other.name}", "p"]
    body = [
        [each.group, str(each.rows), each.metric, percent(each.mean, "+"), f"{each.p_value:.4f}"]
        for each in found
    ]
    return table(heads, body)


def failures(run: Run, count: int) -> str:
    """At most so many rows that are not right, with what was wanted and what was suggested."""
    wrong = [row for row in run.rows if row.scores[run.metric] < 1][:count]
    return "\n\n".join(_failure(row) for row in wrong)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _in_words(group: Group) -> str:
    figures = {metric: f"{percent(each)} %" for metric, each in group.scores.items()}
    stages = [stage for stage in ("first_token", "total") if stage in group.milliseconds]
    figures |= {f"{stage}, ms": spread(group.milliseconds[stage]) for stage in stages}
    figures |= {f"{part} tokens": spread(each) for part, each in group.tokens.items()}
    figures["outcomes"] = ", ".join(f"{count} {each}" for each, count in group.outcomes.items())
    lines = [f"  {name:18} {figure}" for name, figure in figures.items()]
    return "\n".join([f"{group.name}, {group.rows} rows", *lines])


def _failure(row: Judged) -> str:
    wanted, got = row.groundtruth.splitlines(), row.prediction.splitlines()
    lines = difflib.unified_diff(wanted, got, "wanted", f"got ({row.outcome})", lineterm="", n=1)
    return "\n".join([row.id, *lines])


def _group(name: str, rows: Sequence[Judged]) -> Group:
    metrics = list(rows[0].scores)
    return Group(
        name,
        len(rows),
        {metric: _estimate([row.scores[metric] for row in rows]) for metric in metrics},
        _spreads([row.milliseconds for row in rows]),
        _spreads([row.tokens for row in rows]),
        dict(Counter(row.outcome for row in rows).most_common()),
    )


def _estimate(values: Sequence[float]) -> Estimate:
    return Estimate(statistics.fmean(values), *bootstrap_interval(values))


def _spreads(figures: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Median and 95th percentile of each figure, over the rows that have it."""
    names = dict.fromkeys(name for each in figures for name in each)
    spreads = {}
    for name in names:
        values = sorted(each[name] for each in figures if name in each)
        spreads[name] = (
            statistics.median(values),
            values[min(len(values) - 1, 95 * len(values) // 100)],
        )
    return spreads


def percent(estimate: Estimate, sign: str = "") -> str:
    mean, low, high = (
        f"{100 * each:{sign}.1f}" for each in (estimate.mean, estimate.low, estimate.high)
    )
    return f"{mean} [{low}, {high}]"


def spread(figures: tuple[float, float] | None) -> str:
    return "" if figures is None else f"{figures[0]:.0f}, p95 {figures[1]:.0f}"
