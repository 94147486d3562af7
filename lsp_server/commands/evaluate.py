"""`coder-lsp eval`: benchmarks, run through the code that serves the editor."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
from tqdm import tqdm

from lsp_server.evaluation import plot, report, setup
from lsp_server.evaluation.pipeline import EvaluationError
from lsp_server.evaluation.repository import with_published
from lsp_server.evaluation.results import Kept
from lsp_server.evaluation.rows import Row, RowsError, sample
from lsp_server.evaluation.runner import Result, evaluate
from lsp_server.evaluation.sandbox import SandboxUnavailable
from lsp_server.evaluation.setup import Setup
from lsp_server.evaluation.sources import rows_of
from lsp_server.evaluation.suites import SUITES, Suite
from lsp_server.inference.engines import chosen_model
from lsp_server.inference.models.store import ModelError
from lsp_server.settings import Settings, load


class UsageError(Exception):
    """What was asked for cannot be done; the message is for the user."""


_ERRORS = (
    UsageError,
    RowsError,
    EvaluationError,
    ModelError,
    SandboxUnavailable,
    plot.PlotError,
    OSError,
    ValueError,
    sqlite3.Error,
)


def run(args: argparse.Namespace) -> int:
    """Evaluate and print. Returns 0, 1 on an error, and 130 when interrupted: the rows that were
    done until then are kept, and not done again."""
    try:
        others = [report.load(file) for file in args.compare]
        suite = SUITES[args.suite]
        wanted = setup_of(suite, args)
        rows = chosen_rows(suite, args, wanted)
        with contextlib.closing(Kept()) as kept:
            results = asyncio.run(all_results(suite, rows, wanted, kept))
        show(report.run_of(name_of(args, wanted), results), others, args)
    except _ERRORS as error:
        print(f"coder-lsp eval: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("What was done is kept: the same command goes on with the rest.", file=sys.stderr)
        return 130
    return 0


def setup_of(suite: Suite, args: argparse.Namespace) -> Setup:
    """The conditions that a command line asks for. Raises UsageError."""
    settings = setup.unhurried(_settings(args))
    wanted = Setup(settings, args.cross_file or suite.cross_file, args.output, args.cursor)
    if not args.paper:
        return wanted
    fixed = any(each.startswith(("prompt.", "completion.")) for each in args.set)
    if suite.name != "crosscodeeval" or fixed or not wanted.is_usual:
        raise UsageError(
            "--paper is a setting of crosscodeeval that leaves only --cross-file to choose: no "
            "--output or --cursor, and no --set of prompt or completion"
        )
    return setup.as_in_the_paper(wanted)


def chosen_rows(suite: Suite, args: argparse.Namespace, wanted: Setup) -> list[Row]:
    """The rows that a command line asks for. Raises RowsError and UsageError."""
    found = rows_of(suite, args.rows, args.seed)
    rows = [row for row in found if args.language in (None, row.language)]
    if args.limit is not None:
        rows = sample(rows, args.limit, args.seed)
    if not rows:
        raise UsageError("no rows are left by --language and --limit")
    if suite.short == "repository" and wanted.cross_file == "given":
        rows = with_published(rows)
    if wanted.cross_file == "workspace":
        without = sum(row.workspace is None for row in rows)
        rows = [row for row in rows if row.workspace]
        if rows and without:
            print(f"{without} rows without their repository are left out", file=sys.stderr)
    elif wanted.cross_file != "none" and not any(wanted.shown(row) for row in rows):
        rows = []
    if not rows:
        raise UsageError(f"no row brings what --cross-file {wanted.cross_file} wants")
    return rows


async def all_results(
    suite: Suite, rows: Sequence[Row], wanted: Setup, kept: Kept, title: str | None = None
) -> list[Result]:
    """The results of all rows, with a progress bar on a terminal. Raises as `evaluate` does."""
    silent = not sys.stderr.isatty()
    with tqdm(desc=title, total=len(rows), disable=silent, leave=False) as bar:
        results = []
        async for result in evaluate(suite, rows, wanted, kept):
            results.append(result)
            bar.update()
            if result.answer.failure:
                bar.write(f"{result.answer.failure}: counted as wrong", file=sys.stderr)
    return results


def name_of(args: argparse.Namespace, wanted: Setup) -> str:
    """What was run, in words."""
    model = Path(chosen_model(wanted.settings)).name
    usual = Setup(setup.unhurried(Settings()))
    if args.paper:
        usual = setup.as_in_the_paper(usual)
    words = [args.suite, model, f"cross-file {wanted.cross_file}"]
    words += _changed(wanted.settings, usual.settings)
    if args.paper:
        return ", ".join([*words, "as in the paper"])
    words += [f"output {args.output}"] * (args.output != "fitted")
    words += [f"cursor {args.cursor}"] * (args.cursor != "line")
    return ", ".join(words)


def _changed(settings: Settings, usual: Settings) -> list[str]:
    """The settings that are not the usual ones, of those that concern the text."""
    tree, other = attrs.asdict(settings), attrs.asdict(usual)
    return [
        f"{group}.{name}={value}"
        for group in ("prompt", "completion", "context")
        for name, value in tree[group].items()
        if value != other[group][name]
    ]


def show(this: report.Run, others: Sequence[report.Run], args: argparse.Namespace) -> None:
    """Print a run, and write what is asked for."""
    print(f"{this.name} ({this.machine}, {this.date})\n")
    print(report.markdown(this) if args.markdown else report.text(this))
    for other in others:
        print(f"\n{report.comparison(this, other)}")
    if args.show:
        print(f"\n{report.failures(this, args.show)}")
    if args.json:
        report.save(this, args.json)
    if args.plot:
        plot.draw([*others, this], args.plot)


def _settings(args: argparse.Namespace) -> Settings:
    """The user's settings, and what the command line sets."""
    _, known = load()
    for problem in known:
        print(problem, file=sys.stderr)
    settings, problems = load(dict(_assignment(each) for each in args.set))
    for problem in problems:
        if problem not in known:
            raise UsageError(problem.replace("the editor's settings", "--set"))
    return attrs.evolve(settings, model=args.model) if args.model else settings


def _assignment(text: str) -> tuple[str, Any]:
    """`NAME=VALUE`, the value as in JSON, or a plain word."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set wants NAME=VALUE, not {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
