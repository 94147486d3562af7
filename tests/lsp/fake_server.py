"""The language server with a service that needs no model: it does what the document says.

Every suggestion is FAKE_TEXT, unless the document holds one of these words:
`!slow` waits until it is cancelled, `!raise` raises, `!print` prints to stdout, `!modules` suggests
the names of the loaded modules, `!stuck` makes the service hang when it is closed, `!ready` makes
the model ready, `!failed` makes it fail, `!private` makes the document private. FAKE_STATES (JSON)
are the states that the model goes through at the start, by default only `ready`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
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

TEXT = os.environ.get("FAKE_TEXT", "suggested()")
STATES = json.loads(os.environ.get("FAKE_STATES", '[["ready"]]'))


class FakeService:
    """Its receipts tell what it saw."""

    def __init__(
        self,
        settings: Settings,
        on_state: Callable[[EngineState], None],
        workspace: EditorWorkspace,
    ) -> None:
        self.settings = settings
        self.context = None
        self.receipts: deque[Receipt] = deque()
        self._on_state = on_state
        self._ready = False

    async def start(self) -> None:
        for state in STATES:
            self._be(EngineState(*state))
            await asyncio.sleep(0.05)

    def opened(self, document: CompletionRequest) -> None:
        pass

    def edited(self, document: CompletionRequest) -> None:
        pass

    def closed(self, document: str) -> None:
        pass

    def accepted(self, id: str) -> None:
        self.receipts.append(Receipt("accepted", 0, detail=id))

    def prompt_text(self, receipt: Receipt) -> str | None:
        return f"<|fim_prefix|>{receipt.path}<|fim_middle|>"

    async def why_off(self, document: CompletionRequest) -> str:
        disabled = self.settings.completion.disabled_languages
        if document.language in disabled:
            return f"{document.language} is disabled"
        return "private" if "!private" in document.text else ""

    async def configure(self, settings: Settings) -> None:
        self.settings = settings
        self.receipts.append(Receipt("settings", settings.completion.max_tokens))

    async def complete(self, request: CompletionRequest) -> Suggestion:
        seen = Receipt(request.path, request.offset, request.document, request.language)
        seen.detail = f"{request.repository} {request.language} {request.text!r}"
        self.receipts.append(seen)
        try:
            text, seen.outcome = await self._answer(request), Outcome.SUGGESTED
        except asyncio.CancelledError as error:
            seen.outcome = (
                Outcome.SUPERSEDED if error.args == ("superseded",) else Outcome.CANCELLED
            )
            raise
        if not self._ready:
            text, seen.outcome = "", Outcome.LOADING
        if why_off := await self.why_off(request):
            is_private = why_off == "private"
            text, seen.outcome = "", Outcome.PRIVATE if is_private else Outcome.DISABLED
        return Suggestion(text, seen)

    async def close(self) -> None:
        sys.stderr.write("closed\n")  # in one piece, also where Python does not buffer
        sys.stderr.flush()
        if any("!stuck" in each.detail for each in self.receipts):
            time.sleep(600)

    async def _answer(self, request: CompletionRequest) -> str:
        if "!slow" in request.text:
            await asyncio.Event().wait()
        if "!raise" in request.text:
            raise RuntimeError("a secret of the document")
        if "!print" in request.text:
            print("noise", flush=True)
        if "!ready" in request.text:
            self._be(EngineState("ready"))
        if "!failed" in request.text:
            self._be(EngineState("failed", "no space on the disk"))
        return " ".join(sys.modules) if "!modules" in request.text else TEXT

    def _be(self, state: EngineState) -> None:
        self._ready = state.status == "ready"
        self._on_state(state)


if __name__ == "__main__":
    with stdio.own_streams() as (stdin, stdout):
        sys.exit(stdio.serve(create_server(FakeService), stdin, stdout))
