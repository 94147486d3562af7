"""The command `coder-lsp`."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsp_server import __version__

if TYPE_CHECKING:
    import argparse

SERVING = {"serve", "--stdio"}
"""What an editor's command line holds, if anything."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (without the program's name); returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # code is Unicode, a pipe on Windows is not
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    words = sys.argv[1:] if argv is None else argv
    # an editor waits for this one: the parser of all commands would only delay it
    args = None if SERVING.issuperset(words) else make_parser().parse_args(words)
    command = getattr(args, "command", None) or "serve"
    try:
        return _COMMANDS[command](args)
    except KeyboardInterrupt:
        return 130


def make_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="coder-lsp", description="Code completion for every LSP editor, from a local model."
    )
    parser.add_argument("--version", action="version", version=f"coder-lsp {__version__}")
    parser.add_argument("--stdio", action="store_true", help="accepted, since editors pass it")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    serve = commands.add_parser("serve", help="speak LSP on stdin and stdout (the default)")
    serve.add_argument("--stdio", action="store_true", help="accepted, since editors pass it")

    complete = commands.add_parser("complete", help="complete a file at a position")
    complete.add_argument("file", type=Path, metavar="FILE")
    cursor = complete.add_mutually_exclusive_group(required=True)
    cursor.add_argument(
        "--at", metavar="LINE:COL", help="the cursor, counted from 1, columns in characters"
    )
    cursor.add_argument("--marker", help="a text in the file that marks the cursor instead")
    complete.add_argument("--model", help="a model other than the configured one")
    complete.add_argument(
        "--no-context", action="store_true", help="leave out the other files of the repository"
    )
    complete.add_argument("--json", action="store_true", help="print one JSON object")

    commands.add_parser("demo", help="fetch the model and complete a sample file")

    from lsp_server.inference.models.cli import add_parser

    add_parser(commands)

    stats = commands.add_parser("stats", help="say what became of suggestions, as counted here")
    stats.add_argument("--days", type=_number, default=30, metavar="N", help="the last N days")
    stats.add_argument("--json", action="store_true", help="print one JSON object")
    stats.add_argument("--reset", action="store_true", help="forget all counts")

    why = commands.add_parser("why", help="say why there was a suggestion in the editor, or none")
    why.add_argument("--receipt", action="store_true", help="with the exact prompt")
    why.add_argument("--json", action="store_true", help="print the receipts as JSON")
    why.add_argument(
        "-n", type=_number, default=1, metavar="N", help="the last N requests, newest first"
    )

    settings = commands.add_parser("settings", help="print your settings, and where each is from")
    form = settings.add_mutually_exclusive_group()
    form.add_argument("--schema", action="store_true", help="print the JSON Schema of all settings")
    form.add_argument("--markdown", action="store_true", help="print tables of all settings")

    from lsp_server.commands.evaluate_options import add_parser as add_evaluation

    add_evaluation(commands)

    doctor = commands.add_parser("doctor", help="say what is installed and time one completion")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")

    server = commands.add_parser("model-server", help="hold the model for all of a user's editors")
    server.add_argument("--stop", action="store_true", help="end the ones that run, and exit")
    server.add_argument("--model", help="a registry name, hub id or local directory")
    server.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    server.add_argument("--threads", type=int)
    server.add_argument("--kv-slots", type=int, default=4)
    server.add_argument("--kv-megabytes", type=int, default=2048)
    server.add_argument("--idle-minutes", type=float, default=30.0)
    return parser


def _number(text: str) -> int:
    """An option's number from 1 to 9999. Raises ArgumentTypeError."""
    import argparse

    if not (text.isdecimal() and 1 <= len(text.lstrip("0")) <= 4):
        raise argparse.ArgumentTypeError(f"a number from 1 to 9999 is wanted, not {text!r}")
    return int(text)


def _serve(args: object) -> int:
    from lsp_server.lsp.server import serve_stdio

    return serve_stdio()


def _complete(args: argparse.Namespace) -> int:
    from lsp_server.commands.complete import run

    return run(args)


def _demo(args: argparse.Namespace) -> int:
    from lsp_server.commands.demo import run

    return run(args)


def _doctor(args: argparse.Namespace) -> int:
    from lsp_server.commands.doctor import run

    return run(args)


def _evaluate(args: argparse.Namespace) -> int:
    try:
        from lsp_server.commands.evaluate import run
    except ImportError as error:
        print(f"coder-lsp eval needs {error.name}: pip install 'coder-lsp[eval]'", file=sys.stderr)
        return 1
    return run(args)


def _settings(args: argparse.Namespace) -> int:
    from lsp_server.commands.settings import run

    return run(args)


def _stats(args: argparse.Namespace) -> int:
    from lsp_server.commands.stats import run

    return run(args)


def _why(args: argparse.Namespace) -> int:
    from lsp_server.commands.why import run

    return run(args)


def _models(args: argparse.Namespace) -> int:
    from lsp_server.inference.models.cli import run

    return run(args)


def _model_server(args: argparse.Namespace) -> int:
    if args.stop:
        import asyncio

        from lsp_server.inference.supervisor import stop_all

        print(f"{asyncio.run(stop_all())} stopped")
        return 0
    from lsp_server.inference.engines import chosen_model
    from lsp_server.inference.server.main import run
    from lsp_server.inference.state import ServerSpec
    from lsp_server.settings import EngineSettings, Settings

    model = chosen_model(Settings(args.model, engine=EngineSettings(device=args.device)))
    spec = ServerSpec(model, args.device, args.threads, args.kv_slots, args.kv_megabytes)
    return run(spec, args.idle_minutes)


_COMMANDS: dict[str, Callable[[Any], int]] = {
    "serve": _serve,
    "complete": _complete,
    "demo": _demo,
    "settings": _settings,
    "stats": _stats,
    "doctor": _doctor,
    "eval": _evaluate,
    "why": _why,
    "models": _models,
    "model-server": _model_server,
}

if __name__ == "__main__":
    sys.exit(main())
