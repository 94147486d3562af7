"""`coder-lsp demo`: from nothing to a first suggestion, and where to go from there."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from lsp_server.commands.complete import UsageError, complete_in_turn, timing
from lsp_server.completion.types import CompletionRequest
from lsp_server.inference.engines import chosen_model
from lsp_server.inference.models.cli import ProgressPrinter
from lsp_server.inference.models.store import ModelError, ModelStore
from lsp_server.settings import load

SAMPLE = Path(__file__).parent.parent / "demo" / "sample.py"
MARKER = '"█"'
LINES_SHOWN = 4

NEXT_STEPS = """\
Plug in an editor: any that speaks LSP can run the command

    {command}

Neovim 0.12:  see editors/neovim/README.md, three steps to ghost text
other files:  coder-lsp complete FILE --at LINE:COL
what is on:   coder-lsp doctor"""


def run(args: argparse.Namespace) -> int:
    """Fetch the model when it is missing, complete the sample, print. Returns 0 on success."""
    settings, problems = load()
    for problem in problems:
        print(problem, file=sys.stderr)
    text = SAMPLE.read_text(encoding="utf-8")
    offset = text.index(MARKER)
    text = text.replace(MARKER, "")
    request = CompletionRequest(SAMPLE.name, "python", text, offset)
    try:
        if settings.engine.url is None:
            with ProgressPrinter() as printer:
                ModelStore().pull(chosen_model(settings), printer)
        cold, warm = asyncio.run(complete_in_turn(settings, [request, request]))
    except (UsageError, ModelError) as error:
        print(f"coder-lsp demo: {error}", file=sys.stderr)
        return 1
    _show(text, offset, cold.text)
    print(f"\nfile just opened:   {timing(cold)}")
    print(f"asked again:        {timing(warm)} (the prompt is still in the KV cache)\n")
    print(NEXT_STEPS.format(command=Path(sys.argv[0]).absolute()))
    return 0 if cold.text else 1


def _show(text: str, offset: int, suggestion: str) -> None:
    """Print the lines around the cursor, the suggestion set off from them."""
    before = text[:offset].split("\n")[-LINES_SHOWN:]
    after = text[offset:].split("\n")[: LINES_SHOWN + 1]
    start, end = ("\033[1;32m", "\033[0m") if sys.stdout.isatty() else ("⟦", "⟧")
    print(f"{SAMPLE.name}, completed at its cursor:\n")
    print("\n".join(before) + start + suggestion + end + "\n".join(after).rstrip())
