"""This project's language server, driven over stdio as VS Code does it.

Each key is a didChange. After the client's pause comes an inlineCompletion, and the one before is
withdrawn by `$/cancelRequest` if it is still open. Ghost text stays while what is typed agrees with
it, until the answer for the new text replaces it.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.replay.assistant import Assistant, Usage
from lsp_server.context.location import CACHE_VARIABLE
from lsp_server.inference import state
from lsp_server.inference.client import CompletionsClient
from lsp_server.inference.models.store import HOME_VARIABLE, default_root
from lsp_server.inference.supervisor import stop_all
from tests.lsp.client import LspError, LspProcess, initialize_params

ALL_OFF = {"reuse": False, "prefetch": False, "eagerness": "eager"}
"""Settings of `completion` with which every request asks the model, at once."""
SETTLE_SECONDS = 2.0
"""How long the user looks at a file before typing."""
READY_SECONDS = 120.0
_POLL_SECONDS = 0.003
_RECEIPTS_EVERY, _MOST_UNSEEN = 20, 60
"""Requests until receipts are taken over, when that is in nobody's way, and at the latest; the
server keeps the last hundred."""
_SPARE_RECEIPTS = 20
"""More than were asked for since: some end late."""
_WARM_UP = "def add(a, b):\n    return "
_NO_ANSWERS = frozenset(
    {"cancelled", "superseded", "loading", "no_model", "disabled", "private", "rejected"}
)
"""Outcomes of requests that were withdrawn, or that no suggestion was wanted for."""


class LanguageServer(Assistant):
    """One document in one server process; `running` makes it."""

    def __init__(
        self, process: LspProcess, health: Callable[[], Awaitable[Any]], uri: str, pause: float
    ) -> None:
        super().__init__()
        self._process = process
        self._health = health
        self._uri = uri
        self._pause = pause
        self._before = ""
        self._asking: asyncio.Task[None] | None = None
        self._collecting: asyncio.Task[None] | None = None
        self._open_request: int | None = None
        self._command: Any = None
        self._unseen = 0
        self._receipts: dict[str, Any] = {}
        self._not_ours: set[str] = set()
        self._generated_before = 0

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        command: Sequence[str],
        workspace: Path,
        path: str,
        settings: Mapping[str, Any],
        pause: float,
    ) -> AsyncIterator[LanguageServer]:
        """A fresh server with a warm model of its own, for a file of a workspace."""
        with tempfile.TemporaryDirectory() as home:
            variables = {
                state.STATE_VARIABLE: f"{home}/state",
                CACHE_VARIABLE: f"{home}/cache",
                HOME_VARIABLE: str(default_root()),
            }
            os.environ[state.STATE_VARIABLE] = variables[state.STATE_VARIABLE]
            try:
                async with LspProcess.start(*command, **variables) as process:
                    folder = {"uri": workspace.as_uri(), "name": workspace.name}
                    await process.initialize(
                        initialize_params("vscode"),
                        rootUri=folder["uri"],
                        workspaceFolders=[folder],
                        initializationOptions=settings,
                    )
                    await _warm_up(process, (workspace / "warm-up.py").as_uri())
                    [endpoint] = state.read_all()
                    engine = CompletionsClient(endpoint.url, token=endpoint.token)
                    uri = (workspace / path).as_uri()
                    try:
                        yield cls(process, engine.health, uri, pause)
                    finally:
                        await engine.close()
                        await process.shutdown()
            finally:
                await stop_all()
                del os.environ[state.STATE_VARIABLE]

    async def open(self, before: str, after: str) -> None:
        """Open the document and let things settle."""
        warming_up = await _receipts(self._process, 1000)
        self._not_ours = {receipt["id"] for receipt in warming_up}
        self._before = before
        self._process.open(self._uri, before + after)
        await asyncio.sleep(SETTLE_SECONDS)
        self._generated_before = (await self._health())["generated"]

    def change(self, before: str) -> None:
        """Send the change, withdraw what was asked, and ask anew after the pause."""
        grows = before.startswith(self._before)
        added = before[len(self._before) :] if grows else ""
        start, end = (self._before, self._before) if grows else (before, self._before)
        edit = {"range": {"start": _position(start), "end": _position(end)}, "text": added}
        self._process.change(self._uri, edit)
        self._withdraw()
        self._before, self.answered = before, None
        self.type_along(added)
        self._asking = asyncio.create_task(self._ask())

    def accept(self, before: str) -> None:
        """As an editor does: insert, then run the item's command."""
        self.change(before)
        if self._command:
            self._process.request("workspace/executeCommand", self._command)

    async def at_rest_after(self, moment: float) -> float | None:
        """By the model server's own account; its clock is this process's."""
        health = await self._health()
        if not health["busy"] and health["idle_since"] < moment:
            return None
        while health["idle_since"] < moment:
            await asyncio.sleep(_POLL_SECONDS)
            health = await self._health()
        return float(health["idle_since"])

    async def usage(self) -> Usage:
        """From the receipts, and from the model server's count of tokens."""
        self._withdraw()
        while (health := await self._health())["busy"]:
            await asyncio.sleep(_POLL_SECONDS)
        if self._collecting is not None:
            await self._collecting
        await self._collect()
        receipts = [each for name, each in self._receipts.items() if name not in self._not_ours]
        answered = [each for each in receipts if each["outcome"] not in _NO_ANSWERS]
        return Usage(
            answered=len(answered),
            reused=sum(map(_is_reused, answered)),
            generated=health["generated"] - self._generated_before,
            outcomes=dict(Counter(each["outcome"] for each in receipts)),
        )

    async def _ask(self) -> None:
        await asyncio.sleep(self._pause)
        where = _position(self._before)
        number, answer = self._process.inline(self._uri, where["line"], where["character"])
        self._open_request, self._unseen = number, self._unseen + 1
        self._collect_from(_MOST_UNSEEN)
        try:
            items = (await answer)["items"]
        except LspError:
            return
        finally:
            if answer.done() and not answer.cancelled():
                self._open_request = None
        here = [each for each in items if each["range"] == {"start": where, "end": where}]
        self._command = here[0].get("command") if here else None
        self.show(here[0]["insertText"] if here else "")
        self._collect_from(_RECEIPTS_EVERY)  # now, while nobody waits for anything

    def _withdraw(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        if self._open_request is not None:
            self._process.notify("$/cancelRequest", {"id": self._open_request})
            self._open_request = None

    def _collect_from(self, count: int) -> None:
        """Begin to take over receipts, if there are so many."""
        if self._unseen >= count:
            self._collecting = asyncio.create_task(self._collect())

    async def _collect(self) -> None:
        """Take over the latest receipts."""
        count, self._unseen = self._unseen + _SPARE_RECEIPTS, 0
        for receipt in await _receipts(self._process, count):
            self._receipts[receipt["id"]] = receipt


async def _receipts(process: LspProcess, count: int) -> list[dict[str, Any]]:
    """The latest receipts of the server, newest first."""
    params = {"command": "coder-lsp.receipt", "arguments": [None, count]}
    receipts: list[dict[str, Any]] = await process.call("workspace/executeCommand", params)
    return receipts


async def _warm_up(process: LspProcess, uri: str) -> None:
    """Have an answer of the model once, so that it is loaded and has run. Raises TimeoutError."""
    process.open(uri, _WARM_UP)
    where = _position(_WARM_UP)

    async def answered() -> None:
        while True:
            _, answer = process.inline(uri, where["line"], where["character"])
            if (await answer)["items"]:
                return
            await asyncio.sleep(0.1)

    await asyncio.wait_for(answered(), READY_SECONDS)
    process.notify("textDocument/didClose", {"textDocument": {"uri": uri}})


def _is_reused(receipt: dict[str, Any]) -> bool:
    """Whether a request began no generation: it was answered by an earlier one's, finished (then it
    took no tokens) or not."""
    return receipt["outcome"] == "attached" or not receipt["tokens"]


def _position(before: str) -> dict[str, int]:
    """The end of a text; its last line is ASCII."""
    return {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
