"""The language server with a service that answers late, and tells what it was asked for.

ECHO_SECONDS says how late. With ECHO_TEXT it suggests what is left of that text, behind what stands
of it before the cursor.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from collections.abc import Callable

from lsp_server.completion.types import (
    CompletionRequest,
    EditorWorkspace,
    EngineState,
    Outcome,
    Receipt,
    Suggestion,
)
from lsp_server.lsp import stdio
from lsp_server.lsp.server import create_server
from lsp_server.settings import Settings

# Longer than Neovim waits before it asks anew, so that requests overlap.
SECONDS = float(os.environ.get("ECHO_SECONDS", "0.6"))
TEXT = os.environ.get("ECHO_TEXT", "")


class EchoService:
    """Suggests the rest of TEXT, else `completes ` and the line's text before the cursor."""

    def __init__(
        self,
        settings: Settings,
        on_state: Callable[[EngineState], None],
        workspace: EditorWorkspace,
    ) -> None:
        self.context = None
        self.receipts: deque[Receipt] = deque()
        self._on_state = on_state

    async def start(self) -> None:
        self._on_state(EngineState("ready"))

    def opened(self, document: CompletionRequest) -> None:
        pass

    def edited(self, document: CompletionRequest) -> None:
        pass

    def closed(self, document: str) -> None:
        pass

    def accepted(self, id: str) -> None:
        pass

    async def why_off(self, document: CompletionRequest) -> str:
        return ""

    async def configure(self, settings: Settings) -> None:
        pass

    async def complete(self, request: CompletionRequest) -> Suggestion:
        await asyncio.sleep(SECONDS)
        before = request.text[: request.offset]
        line = before.rpartition("\n")[2]
        rest = _rest(before) if TEXT else f"completes {line}"
        return Suggestion(rest, Receipt(request.path, request.offset, outcome=Outcome.SUGGESTED))

    def prompt_text(self, receipt: Receipt) -> str | None:
        return None

    async def close(self) -> None:
        pass


def _rest(before: str) -> str:
    lengths = range(len(TEXT), -1, -1)
    return next(TEXT[length:] for length in lengths if before.endswith(TEXT[:length]))


if __name__ == "__main__":
    with stdio.own_streams() as (stdin, stdout):
        sys.exit(stdio.serve(create_server(EchoService), stdin, stdout))
