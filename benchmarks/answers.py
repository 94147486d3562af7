"""The figures behind the defaults: each default against its alternatives, on the same rows.

    python -m benchmarks.answers --rows DIRECTORY --limit 150
    python -m benchmarks.answers --rows DIRECTORY --only order suffix --model qwen2.5-coder-1.5b

Prints a table in Markdown for each question, with 95 % bootstrap intervals and, against the default
(the first line), the paired difference and its p-value. DIRECTORY holds rows as `coder-lsp eval`
takes them, or is one file of them. What is done is kept: started again, it goes on. Times are not
shown: texts do not depend on how busy the machine is.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import attrs

from benchmarks.common import print_setting
from lsp_server.commands.evaluate import all_results
from lsp_server.completion.types import Output
from lsp_server.evaluation import report
from lsp_server.evaluation.repository import with_published
from lsp_server.evaluation.results import Kept
from lsp_server.evaluation.rows import Row, RowsError, sample
from lsp_server.evaluation.setup import CursorPlace, Setup, as_in_the_paper, unhurried
from lsp_server.evaluation.sources import rows_of
from lsp_server.evaluation.suites import SUITES, Suite
from lsp_server.settings import Settings


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to complete the rows: settings of `prompt` and `completion`, and the setup's."""

    name: str
    prompt: dict[str, Any] = field(default_factory=dict)
    completion: dict[str, Any] = field(default_factory=dict)
    cross_file: str = "none"
    output: Output = "fitted"
    cursor: CursorPlace = "line"
    paper: bool = False

    def setup(self, model: str | None) -> Setup:
        """The setup that this is, with the project's own defaults for all else."""
        plain = Settings(model=model)
        settings = attrs.evolve(
            plain,
            prompt=attrs.evolve(plain.prompt, **self.prompt),
            completion=attrs.evolve(plain.completion, **self.completion),
        )
        setup = Setup(unhurried(settings), self.cross_file, self.output, self.cursor)
        return as_in_the_paper(setup) if self.paper else setup


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of which benchmarks, by their names in the rows; the first variant is the
    default, or what the others are measured against."""

    name: str
    suite: Suite
    benchmarks: tuple[str, ...]
    variants: tuple[Variant, ...]


HUMANEVAL, CROSSCODE = SUITES["humaneval-infilling"], SUITES["crosscodeeval"]
SAFIM, REPOSITORY = SUITES["safim"], SUITES["repository"]
LINES, SPANS, PYTHON = "heinfill-single-line", "heinfill-random-span-light", "cceval-python"
LANGUAGES = tuple(f"cceval-{each}" for each in ("python", "java", "typescript", "csharp"))
BM25 = "rg1_bm25"
"""The list in CrossCodeEval's rows that holds what the published retriever finds."""

ORDERS = ("auto", "psm", "spm", "line")
QUESTIONS = (
    Question(
        "order",
        HUMANEVAL,
        (LINES, SPANS),
        tuple(Variant(each, {"order": each}) for each in ORDERS),
    ),
    Question(
        "order-indented",
        HUMANEVAL,
        (LINES,),
        tuple(Variant(each, {"order": each}, cursor="indented") for each in ORDERS),
    ),
    Question(
        "order-cross-file",
        CROSSCODE,
        (PYTHON,),
        tuple(Variant(each, {"order": each}, cross_file=BM25) for each in (*ORDERS, "left")),
    ),
    Question(
        "order-languages",
        CROSSCODE,
        LANGUAGES[1:],
        tuple(
            Variant(f"{each}, {shown}", {"order": each}, cross_file=shown)
            for each in ("spm", "psm")
            for shown in (BM25, "none")
        ),
    ),
    Question(
        "cross-file",
        CROSSCODE,
        LANGUAGES,
        (
            Variant("none"),
            Variant("published BM25", cross_file=BM25),
        ),
    ),
    Question(
        "chunks",
        CROSSCODE,
        LANGUAGES,
        (
            Variant("published BM25", cross_file=BM25),
            Variant("as shipped", cross_file="given"),
            Variant("BM25 that knows the answer", cross_file="oracle_bm25"),
        ),
    ),
    Question(  # its answers are statements, of several lines too, where a suggestion is a line
        "cross-file-raw",
        CROSSCODE,
        LANGUAGES,
        (
            Variant("none", output="raw"),
            Variant("published BM25", cross_file=BM25, output="raw"),
        ),
    ),
    Question(
        "paper",
        CROSSCODE,
        LANGUAGES,
        (
            Variant("none", paper=True),
            Variant("published BM25", cross_file=BM25, paper=True),
        ),
    ),
    Question(
        "retriever",
        REPOSITORY,
        ("repository-member", "repository-random"),
        (
            Variant("none"),
            Variant("published BM25", cross_file="given"),
            Variant("ours", cross_file="workspace"),
        ),
    ),
    Question(
        "prefix",
        CROSSCODE,
        (PYTHON,),
        tuple(
            Variant(f"{each} tokens", {"prefix_tokens": each}, cross_file=BM25)
            for each in (1024, 256, 512, 2048)
        ),
    ),
    Question(
        "suffix",
        CROSSCODE,
        (PYTHON,),
        tuple(
            Variant(f"{each} tokens", {"suffix_tokens": each}, cross_file=BM25)
            for each in (256, 0, 64, 128, 512)
        ),
    ),
    Question(
        "suffix-lines",
        HUMANEVAL,
        (LINES,),
        tuple(Variant(f"{each} tokens", {"suffix_tokens": each}) for each in (256, 0, 64, 512)),
    ),
    Question(
        "budget",
        CROSSCODE,
        (PYTHON,),
        tuple(
            Variant(f"{each} tokens", {"cross_file_tokens": each}, cross_file=BM25)
            for each in (512, 128, 256, 1024)
        ),
    ),
    Question(
        "output",
        HUMANEVAL,
        (LINES, SPANS),
        (Variant("fitted"), Variant("cut", output="cut"), Variant("raw", output="raw")),
    ),
    Question(
        "output-cross-file",
        CROSSCODE,
        (PYTHON,),
        (
            Variant("fitted", cross_file=BM25),
            Variant("cut", cross_file=BM25, output="cut"),
            Variant("raw", cross_file=BM25, output="raw"),
        ),
    ),
    Question(
        "output-api",
        SAFIM,
        ("safim-api",),
        (Variant("fitted"), Variant("cut", output="cut"), Variant("raw", output="raw")),
    ),
    Question(
        "cursor",
        HUMANEVAL,
        (LINES,),
        (
            Variant("on a line of its own"),
            Variant("behind the indentation", cursor="indented"),
            Variant("right before the next line", cursor="published"),
        ),
    ),
    Question(
        "lines",
        HUMANEVAL,
        (LINES, "heinfill-multi-line"),
        tuple(Variant(f"{each} lines", completion={"max_lines": each}) for each in (8, 1, 4, 16)),
    ),
    Question(
        "confidence",
        CROSSCODE,
        (PYTHON,),
        tuple(
            Variant(f"{each}", completion={"min_confidence": each}, cross_file=BM25)
            for each in (0.0, 0.3, 0.5)
        ),
    ),
)


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=Path, required=True, help="a folder or file of rows")
    parser.add_argument("--model", help="another model than the default one")
    parser.add_argument("--limit", type=int, help="at most so many rows of each kind")
    parser.add_argument("--seed", type=int, default=0)
    names = [question.name for question in QUESTIONS]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    args = parser.parse_args()
    print_setting()
    with contextlib.closing(Kept()) as kept:
        for question in QUESTIONS:
            if question.name in args.only:
                asyncio.run(answer(question, args, kept))


async def answer(question: Question, args: argparse.Namespace, kept: Kept) -> None:
    """Run one question's variants and print their table."""
    try:
        rows = rows_for(question, args)
    except RowsError as error:
        print(f"\n### {question.name}\n\n{error}")
        return
    runs = []
    for variant in question.variants:
        setup, title = variant.setup(args.model), f"{question.name}: {variant.name}"
        results = await all_results(question.suite, rows, setup, kept, title)
        runs.append(report.run_of(variant.name, results))
    print(f"\n### {question.name}\n")
    print(table(runs), flush=True)


def rows_for(question: Question, args: argparse.Namespace) -> list[Row]:
    """The rows that a question is asked of. Raises RowsError where there are none."""
    if question.suite is REPOSITORY:
        rows = rows_of(REPOSITORY, (), args.seed)
    else:
        found = rows_of(question.suite, [str(args.rows)], args.seed)
        rows = [row for row in found if row.benchmark in question.benchmarks]
        if not rows:
            raise RowsError(f"{args.rows}: no rows of {', '.join(question.benchmarks)} in there")
    if args.limit is not None:
        rows = sample(rows, args.limit, args.seed)
    return with_published(rows) if question.suite is REPOSITORY else rows


def table(runs: Sequence[report.Run]) -> str:
    """The runs' scores, and each one's difference to the first."""
    first = runs[0]
    columns = [
        (run, {group.name: group for group in run.groups}, against(run, first)) for run in runs
    ]
    heads = ["rows", "", *first.rows[0].scores, f"{first.metric} against the first"]
    heads += ["prompt tokens"]
    lines = []
    for group in report.by_group(first.rows):
        for run, groups, gains in columns:
            this = groups[group]
            cells = [f"{group}, {this.rows}", run.name]
            cells += [report.percent(estimate) for estimate in this.scores.values()]
            cells.append(gains.get(group, ""))
            cells += [report.spread(this.tokens.get("prompt"))]
            lines.append(cells)
    return report.table(heads, lines)


def against(run: report.Run, first: report.Run) -> dict[str, str]:
    """The difference of the first metric and its p-value, by group; none to itself."""
    return {
        each.group: f"{report.percent(each.mean, '+')}, p {p_value(each.p_value)}"
        for each in (report.differences(run, first) if run is not first else ())
        if each.metric == run.metric
    }


def p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


if __name__ == "__main__":
    main()
