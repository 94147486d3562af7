"""What a model makes of the context.

Cursors as in `quality`, behind the dot of a member that another file defines. The rest of the line
as the server suggests it, with the context of each method, against what stands there: exact match
and edit similarity, in percent, paired at each cursor.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from tqdm import tqdm

from benchmarks.common import print_setting
from benchmarks.context.cursors import Case, cases
from benchmarks.context.methods import Workspace, cache_folder
from benchmarks.context.packages import sources
from benchmarks.context.quality import counter
from benchmarks.first_line import first_line, ready_service, settings_for
from lsp_server.completion.service import CompletionService
from lsp_server.completion.types import CompletionRequest
from lsp_server.prompt.types import Snippet

SUMMARY = "exact match and edit similarity of suggestions"
METHODS = ("none", "published", "full")
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Answer:
    """One suggestion against what stands in the file."""

    exact: bool
    similarity: float


def add_command(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--packages", nargs="+", required=True, metavar="NAME==VERSION")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=10, help="cursors per package")
    parser.add_argument("--model", help="another model than the default one")
    parser.add_argument("--order", choices=("auto", "psm", "spm"), default="auto")
    parser.set_defaults(run=lambda args: asyncio.run(run(args)))


async def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    service = await ready_service(settings_for(args))
    answers: dict[str, list[Answer]] = {method: [] for method in METHODS}
    try:
        for package in tqdm(args.packages, disable=not sys.stderr.isatty()):
            files = sources(package, cache_folder())
            with Workspace(files, counter()[1]) as workspace:
                for case in cases(package, files, "member", args.limit, args.seed):
                    for method in METHODS:
                        context = workspace.context(method, case)
                        answers[method].append(await answer(service, files, case, context))
    finally:
        await service.close()
    print_setting()
    print(table(answers))


async def answer(
    service: CompletionService, files: Mapping[str, str], case: Case, context: Sequence[Snippet]
) -> Answer:
    """What the server suggests at a cursor."""
    whole = files[case.path]
    truth = first_line(whole[len(case.prefix) : len(whole) - len(case.suffix)])
    request = CompletionRequest(
        path=case.path,
        language="python",
        text=case.prefix + case.suffix,
        offset=len(case.prefix),
        cross_file=tuple(context),
        repository=case.package.partition("==")[0],
    )
    got = first_line((await service.complete(request)).text)
    return Answer(got == truth, 100 * SequenceMatcher(None, got, truth, autojunk=False).ratio())


def table(answers: Mapping[str, Sequence[Answer]]) -> str:
    """In Markdown: each method, and its difference to no context with a 95 % bootstrap interval."""
    lines = ["| context | exact match | edit similarity | similarity against none | cursors |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for method, each in answers.items():
        exact = 100 * statistics.fmean(one.exact for one in each)
        similarity = statistics.fmean(one.similarity for one in each)
        gain = difference(each, answers["none"]) if method != "none" else ""
        lines.append(f"| {method} | {exact:.1f} | {similarity:.1f} | {gain} | {len(each)} |")
    return "\n".join(lines)


def difference(some: Sequence[Answer], others: Sequence[Answer]) -> str:
    """The mean paired difference of similarity, with its interval."""
    pairs = zip(some, others, strict=True)
    gains = [one.similarity - other.similarity for one, other in pairs]
    draw = random.Random(0)
    means = sorted(statistics.fmean(draw.choices(gains, k=len(gains))) for _ in range(RESAMPLES))
    low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]
    return f"{statistics.fmean(gains):+.1f} [{low:+.1f}, {high:+.1f}]"
