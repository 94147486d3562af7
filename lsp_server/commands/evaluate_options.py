"""The options of `coder-lsp eval`; what it runs is loaded only when it is asked for."""

from __future__ import annotations

import argparse
from pathlib import Path

SUITES = ("humaneval-infilling", "crosscodeeval", "safim", "repository")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `eval` to a command line."""
    parser = commands.add_parser("eval", help="measure a model with benchmarks")
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument(
        "rows",
        nargs="*",
        metavar="ROWS",
        help="files or folders of rows as JSON lines, plain, .gz or .xz; for the suite repository "
        "packages as NAME==VERSION. Without, the hub's, or the packages that are pinned",
    )
    parser.add_argument("--model", help="a model other than the configured one")
    parser.add_argument(
        "--limit", type=_positive, metavar="N", help="at most N rows of each part and language"
    )
    parser.add_argument("--seed", type=int, default=0, help="draws the rows (default 0)")
    parser.add_argument("--language", help="only rows in this language, such as java")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting, such as prompt.suffix_tokens=128",
    )
    parser.add_argument(
        "--cross-file",
        metavar="WHICH",
        help="what of other files is shown: none; given, what comes with the rows; workspace, what "
        "our own context chooses; or a list's name in the rows' meta",
    )
    parser.add_argument(
        "--output",
        choices=("fitted", "cut", "raw"),
        default="fitted",
        help="judge what the editor would show, or the model's text cut by the stop rules alone, "
        "or all of its text",
    )
    parser.add_argument(
        "--cursor",
        choices=("published", "line", "indented"),
        default="line",
        help="where whole lines are missing: the cursor as the benchmark has it, right before the "
        "next line; on a line of its own (the default); or there behind an editor's indentation",
    )
    parser.add_argument(
        "--paper",
        action="store_true",
        help="as in arXiv 2401.14196: only the text before the cursor, 2048 tokens of which 512 "
        "are of other files, 50 new ones",
    )
    parser.add_argument("--show", type=_positive, default=0, metavar="N", help="print N wrong ones")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the run to a file")
    parser.add_argument("--markdown", action="store_true", help="print tables in Markdown")
    parser.add_argument(
        "--compare",
        type=Path,
        nargs="+",
        default=[],
        metavar="RUN",
        help="print paired differences to runs that --json wrote",
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw quality against latency, of all these runs"
    )


def _positive(text: str) -> int:
    """An option's number above 0. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number above 0 is wanted, not {text!r}")
    return int(text)
