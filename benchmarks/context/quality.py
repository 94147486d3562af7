"""How much of what a cursor needs lies in the context.

Recall: of the names in the rest of the cursor's line that do not stand near it (last 60 and next 20
lines), the share that the context of 512 tokens holds. The mean over cursors, in percent, with a
95 % bootstrap interval over packages. `cursors` says where the cursors stand.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tqdm import tqdm

from benchmarks.context.methods import METHODS, Count, Workspace, cache_folder
from lsp_server.evaluation.cursors import IDENTIFIER, KINDS, Case, cases
from lsp_server.evaluation.packages import sources
from lsp_server.inference.models.store import ModelStore
from lsp_server.prompt.tokenizer import Tokenizer
from lsp_server.prompt.types import Snippet

SUMMARY = "recall of needed names in the context"
RESAMPLES = 2000
TOKENIZERS = ("deepseek", "qwen")


@dataclass(frozen=True, slots=True)
class Score:
    """One method at one cursor: recall from 0 to 1, and the tokens of its context."""

    kind: str
    method: str
    package: str
    recall: float
    tokens: int


def add_command(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--packages", nargs="+", required=True, metavar="NAME==VERSION[:sha256=HEX]"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=30, help="cursors per package and kind")
    parser.add_argument("--json", action="store_true", help="one JSON object, not a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    tokenizer, count = counter()
    scores: list[Score] = []
    for package in tqdm(args.packages, disable=not sys.stderr.isatty()):
        scores += measure(package, sources(package, cache_folder()), args.limit, args.seed, count)
    summary = summarise(scores)
    if args.json:
        print(json.dumps({**_recalls(summary), "details": summary, "tokenizer": tokenizer}))
    else:
        print(f"Seed {args.seed}, {', '.join(args.packages)}; tokens by {tokenizer}.\n")
        print(table(summary))


def measure(
    package: str, files: Mapping[str, str], limit: int, seed: int, count: Count
) -> list[Score]:
    """Scores of all methods at a package's cursors."""
    chosen = [case for kind in KINDS for case in cases(package, files, kind, limit, seed)]
    scores = []
    with Workspace(files, count) as workspace:
        for case in chosen:
            for method in METHODS:
                context = workspace.context(method, case)
                found = recall(case, context)
                tokens = workspace.tokens(context)
                scores.append(Score(case.kind, method, package, found, tokens))
    return scores


def recall(case: Case, context: Sequence[Snippet]) -> float:
    """The share of the needed names that the context holds."""
    assert all(snippet.path != case.path for snippet in context)
    held = {name for snippet in context for name in IDENTIFIER.findall(snippet.text)}
    return len(case.needed & held) / len(case.needed)


def summarise(scores: Sequence[Score]) -> dict[str, dict[str, dict[str, float]]]:
    """Kind to method to recall in percent, its interval, mean tokens, and number of cursors."""
    summary: dict[str, dict[str, dict[str, float]]] = {}
    for kind in KINDS:
        for method in METHODS:
            some = [each for each in scores if (each.kind, each.method) == (kind, method)]
            if some:
                summary.setdefault(kind, {})[method] = _summary(some)
    return summary


def table(summary: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """The summary in Markdown."""
    lines = ["| cursor | method | recall % | 95 % interval | tokens | cursors |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for kind, methods in summary.items():
        for method, row in methods.items():
            interval = f"[{row['low']:.0f}, {row['high']:.0f}]"
            cells = [kind, method, f"{row['recall']:.1f}", interval]
            cells += [f"{row['tokens']:.0f}", f"{row['cursors']:.0f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def counter() -> tuple[str, Count]:
    """Counts tokens by the tokenizer of an installed model; says whose, or that it is a guess."""
    for model in sorted(ModelStore().installed(), key=lambda each: _preference(each.name)):
        text = (model.directory / "tokenizer.json").read_text(encoding="utf-8")
        return f"the tokenizer of {model.name}", partial(_encoded_length, Tokenizer(text))
    return "approximation: words of 6 letters, signs and indentations", _approximate


def _encoded_length(tokenizer: Tokenizer, text: str) -> int:
    return len(tokenizer.encode(text))


def _preference(name: str) -> int:
    return next((i for i, each in enumerate(TOKENIZERS) if each in name), len(TOKENIZERS))


def _approximate(text: str) -> int:
    return len(re.findall(r"[A-Za-z]{1,6}|\d|\n|[ \t]+(?=\s)|[^\w\s]|_", text))


def _summary(scores: Sequence[Score]) -> dict[str, float]:
    low, high = _interval(scores)
    return {
        "recall": round(100 * statistics.fmean(score.recall for score in scores), 1),
        "low": low,
        "high": high,
        "tokens": round(statistics.fmean(score.tokens for score in scores), 1),
        "cursors": len(scores),
    }


def _interval(scores: Sequence[Score]) -> tuple[float, float]:
    """Bootstrap over packages: which ones were taken is what chance decides most."""
    by_package: dict[str, list[float]] = {}
    for score in scores:
        by_package.setdefault(score.package, []).append(score.recall)
    groups = list(by_package.values())
    draw = random.Random(0)
    means = []
    for _ in range(RESAMPLES):
        drawn = [recall for group in draw.choices(groups, k=len(groups)) for recall in group]
        means.append(100 * statistics.fmean(drawn))
    means.sort()
    low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]
    return round(low, 1), round(high, 1)


def _recalls(
    summary: Mapping[str, Mapping[str, Mapping[str, float]]],
) -> dict[str, dict[str, float]]:
    return {
        kind: {method: row["recall"] for method, row in methods.items()}
        for kind, methods in summary.items()
    }
