"""Real files typed at human rhythm against real processes, in three conditions.

`all`: this server. `off`: this server with keep-alive, cache and prefetch off, every request asking
the model at once. `llama.vim`: llama-server's /infill driven as llama.vim drives it, with the same
weights. Segments, rhythm and the user who accepts what is right are the same for all (material.py,
rhythm.py, typist.py). Each segment is typed in each condition in turn, against processes started
for it, alone and with the model warm: nothing is carried over from one to the next, and a machine
that slows down does so for all.

    python -m benchmarks.replay
    python -m benchmarks.replay --segments 2 --condition all --condition off
    python -m benchmarks.replay --files a.py b.py --json
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import math
import shlex
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.common import print_setting
from benchmarks.replay import material, metrics, typist
from benchmarks.replay.assistant import Assistant
from benchmarks.replay.language_server import ALL_OFF, LanguageServer
from benchmarks.replay.llama_vim import LlamaVim
from benchmarks.replay.material import PACKAGES, Segment
from benchmarks.replay.metrics import Figure
from benchmarks.replay.rhythm import keys_of
from benchmarks.replay.typist import Trace, Typist
from lsp_server.completion.builder import load_builder
from lsp_server.evaluation.packages import FetchError
from lsp_server.inference.engines import chosen_model
from lsp_server.settings import Settings
from tests.editors.install import cache_folder

CONDITIONS = ("all", "off", "llama.vim")
QUICK_SEGMENTS = 2

_ROWS = {
    "saved_percent": "keys not typed, %",
    "visible_p50_ms": "key to visible suggestion, p50, ms",
    "visible_p95_ms": "… p95",
    "new_p50_ms": "those not visible already, p50, ms",
    "new_p95_ms": "… p95",
    "key_p50_ms": "of all keys, those without an answer too, p50, ms",
    "shown_percent": "keys with a visible answer, %",
    "reused_percent": "requests answered without a new generation, %",
    "generated_per_used": "tokens generated per token used",
    "rest_p50_ms": "disagreement to idle engine, p50, ms",
    "rest_p95_ms": "… p95",
}


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.replay",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--files", type=Path, nargs="+", help="type from these, not from packages")
    parser.add_argument("--segments", type=int, default=8, help="how many are typed")
    parser.add_argument("--quick", action="store_true", help=f"only {QUICK_SEGMENTS}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--condition", action="append", choices=CONDITIONS, help="not all of them; repeatable"
    )
    parser.add_argument(
        "--client-pause", type=float, default=50, help="of the editor after a key, ms (VS Code's)"
    )
    parser.add_argument(
        "--reaction", type=float, default=1000 * typist.REACTION_SECONDS, help="of the user, ms"
    )
    parser.add_argument("--server-command", default=f"{shlex.quote(sys.executable)} -m lsp_server")
    parser.add_argument(
        "--settings",
        type=json.loads,
        default={},
        help="of the server, as JSON; for both conditions",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    try:
        segments = _segments(args)
    except FetchError as error:
        raise SystemExit(str(error)) from None
    traces = asyncio.run(run(args, segments))
    count = load_builder(chosen_model(Settings())).count
    results = {name: metrics.figures(each, count) for name, each in traces.items()}
    if args.json:
        print(json.dumps(as_json(vars(args), traces, results), default=str))
    else:
        print_setting()
        print(f"segments: {', '.join(each.name for each in segments)}")
        print(table(results))
        print("\n".join(acceptance(results)))
        for name, each in traces.items():
            print(f"outcomes, {name}: {_outcomes(each)}")


def _segments(args: argparse.Namespace) -> list[Segment]:
    count = QUICK_SEGMENTS if args.quick else args.segments
    if args.files:
        found = material.from_files(args.files, count, args.seed)
    else:
        found = material.from_packages(PACKAGES, cache_folder() / "sdists", count, args.seed)
    if not found:
        raise SystemExit("there is no function to type in these files")
    return found


async def run(args: argparse.Namespace, segments: Sequence[Segment]) -> dict[str, list[Trace]]:
    """Type all segments in all conditions; the traces by condition."""
    conditions = args.condition or CONDITIONS
    traces: dict[str, list[Trace]] = {name: [] for name in CONDITIONS if name in conditions}
    rounds = [(segment, condition) for segment in segments for condition in traces]
    for segment, condition in tqdm(rounds, disable=not sys.stderr.isatty()):
        with tempfile.TemporaryDirectory() as folder:
            root = segment.write_workspace(Path(folder), cache_folder() / "sdists")
            async with _assistant(condition, root, segment.path, args) as assistant:
                trace = await _type(segment, assistant, args)
        traces[condition].append(trace)
    return traces


def _assistant(
    condition: str, root: Path, path: str, args: argparse.Namespace
) -> AbstractAsyncContextManager[Assistant]:
    if condition == "llama.vim":
        return LlamaVim.running()
    return LanguageServer.running(
        shlex.split(args.server_command),
        root,
        path,
        _settings(args.settings, off=condition == "off"),
        args.client_pause / 1000,
    )


def _settings(given: dict[str, Any], *, off: bool) -> dict[str, Any]:
    return {**given, "completion": {**given.get("completion", {}), **(ALL_OFF if off else {})}}


async def _type(segment: Segment, assistant: Assistant, args: argparse.Namespace) -> Trace:
    keys = keys_of(segment.text, f"{args.seed} {segment.name}")
    user = Typist(segment.name, segment.before, keys, assistant, args.reaction / 1000)
    await assistant.open(segment.before, segment.after)
    await user.run()
    user.trace.usage = await assistant.usage()
    return user.trace


def table(results: Mapping[str, Mapping[str, Figure]]) -> str:
    """Figures by row, conditions by column, in Markdown."""
    lines = [f"| | {' | '.join(results)} |", f"| --- |{' --- |' * len(results)}"]
    for name, label in _ROWS.items():
        cells = " | ".join(_shown(figures[name]) for figures in results.values())
        lines.append(f"| {label} | {cells} |")
    return "\n".join(lines)


def acceptance(results: Mapping[str, Mapping[str, Figure]]) -> list[str]:
    """What the server is held to, as far as the conditions for it were run."""
    lines = []
    mine, off, other = (results.get(name) for name in CONDITIONS)
    if mine:
        lines.append(f"without a new generation: {_shown(mine['reused_percent'])} %, wanted ≥ 50")
    if mine and off:
        for name, wanted in (("visible_p50_ms", "< 0.33"), ("new_p50_ms", "< 0.33")):
            lines.append(f"{_ROWS[name]}: {_ratio(mine, off, name)} of off, wanted {wanted}")
        ratio = _ratio(mine, off, "generated_per_used")
        lines.append(f"tokens generated per token used: {ratio} of off, wanted ≤ 0.5")
    if mine and other:
        for name, wanted in (
            ("visible_p50_ms", "< 1"),
            ("key_p50_ms", "< 1"),
            ("new_p50_ms", "< 1"),
            ("saved_percent", "> 1"),
        ):
            lines.append(
                f"{_ROWS[name]}: {_ratio(mine, other, name)} of llama.vim, wanted {wanted}"
            )
    return lines


def as_json(
    options: Mapping[str, object],
    traces: Mapping[str, Sequence[Trace]],
    results: Mapping[str, Mapping[str, Figure]],
) -> dict[str, object]:
    """Figures and traces as one object."""
    return {
        "options": dict(options),
        "figures": {
            name: {key: _plain(figure) for key, figure in figures.items()}
            for name, figures in results.items()
        },
        "traces": {
            name: [dataclasses.asdict(each) for each in some] for name, some in traces.items()
        },
    }


def _plain(figure: Figure) -> dict[str, float | str | None]:
    """A figure as JSON has it, which knows no infinity."""
    return {
        name: "never" if value == math.inf else value
        for name, value in dataclasses.asdict(figure).items()
    }


def _ratio(one: Mapping[str, Figure], other: Mapping[str, Figure], name: str) -> str:
    above, below = one[name].value, other[name].value
    return "?" if above is None or not below or math.isinf(above) else f"{above / below:.2f}"


def _shown(figure: Figure) -> str:
    if figure.value is None:
        return "none"
    if math.isinf(figure.value):
        return "never"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.1f}"
    return f"{figure.value:.1f} [{figure.low:.1f}, {figure.high:.1f}]"


def _outcomes(traces: Iterable[Trace]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for trace in traces:
        total.update(trace.usage.outcomes)
    return dict(total)


if __name__ == "__main__":
    main()
