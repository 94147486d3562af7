"""`coder-lsp/status`: what a client that shows it all the time is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import Mock

import pytest

from lsp_server.completion.types import CompletionRequest
from lsp_server.lsp.progress import STATUS
from lsp_server.lsp.server import create_server
from tests.lsp.client import FAKE_SERVER, LspProcess, initialize_params, within

PYTHON, MARKDOWN = "file:///w/a.py", "file:///w/b.md"
NO_MARKDOWN = {"completion": {"disabled_languages": ["markdown"]}}
OFF = {"kind": "off", "message": "markdown is disabled", "uri": MARKDOWN}
PRIVATE = {"kind": "off", "message": "private", "uri": PYTHON}
READY = {"kind": "ready", "message": ""}


@asynccontextmanager
async def client(states: Any = (("ready",),), **options: Any) -> AsyncIterator[LspProcess]:
    """A client that asks for the status; its server's model goes through these states."""
    params = initialize_params("vscode")
    params["capabilities"]["experimental"] = {"coderLspStatus": True}
    async with LspProcess.start(*FAKE_SERVER, FAKE_STATES=json.dumps(states)) as server:
        await server.initialize(params, **options)
        yield server


def told(server: LspProcess) -> list[Any]:
    return [each["params"] for each in server.of(STATUS)]


def focus(server: LspProcess, uri: str) -> None:
    server.notify("textDocument/didFocus", {"textDocument": {"uri": uri}})


async def test_the_way_of_the_model() -> None:
    states = [["downloading", "m: 1 of 3 MB", 33.3], ["loading"], ["loading"], ["ready", "on cpu"]]
    async with client(states) as server:
        await server.until(lambda: len(told(server)) == 3)
        assert told(server) == [
            {"kind": "loading", "message": "m: 1 of 3 MB", "percent": 33},
            {"kind": "loading", "message": "the model is loading"},
            {"kind": "ready", "message": "on cpu"},
        ]
        assert server.of("$/progress") == []


async def test_a_failure_stands_before_all_else() -> None:
    async with client([["failed", "no disk"]], initializationOptions=NO_MARKDOWN) as server:
        server.open(MARKDOWN, "a", "markdown")
        focus(server, MARKDOWN)
        await server.until(server.messages)
        await server.receipts()
        assert told(server) == [{"kind": "failed", "message": "no disk"}]


async def test_off_is_told_of_the_document_in_front() -> None:
    async with client(initializationOptions=NO_MARKDOWN) as server:
        server.open(PYTHON, "a")
        server.open(MARKDOWN, "a", "markdown")
        await server.until(lambda: told(server) == [READY])
        focus(server, MARKDOWN)
        await server.until(lambda: told(server)[1:] == [OFF])
        focus(server, PYTHON)
        await server.until(lambda: told(server)[2:] == [READY])


async def test_other_settings_are_told_at_once() -> None:
    async with client() as server:
        server.open(MARKDOWN, "a", "markdown")
        focus(server, MARKDOWN)
        await server.until(lambda: told(server) == [READY])
        server.notify("workspace/didChangeConfiguration", {"settings": NO_MARKDOWN})
        await server.until(lambda: told(server)[1:] == [OFF])


async def test_a_document_that_becomes_one_of_another_language_is_looked_at_anew() -> None:
    async with client(initializationOptions=NO_MARKDOWN) as server:
        server.open(MARKDOWN, "a", "markdown")
        focus(server, MARKDOWN)
        await server.until(lambda: OFF in told(server))
        server.notify("textDocument/didClose", {"textDocument": {"uri": MARKDOWN}})
        await server.until(lambda: told(server)[-1] == READY)
        server.open(MARKDOWN, "a", "markdown")
        await server.until(lambda: told(server)[-1] == OFF)


async def test_a_document_becomes_private_by_what_is_typed_and_is_so_no_more() -> None:
    async with client() as server:
        server.open(PYTHON, "a")
        focus(server, PYTHON)
        await server.until(lambda: told(server) == [READY])
        for text, status in (("!private", PRIVATE), ("a", READY)):
            server.change(PYTHON, {"text": text})
            await within(server.inline(PYTHON, 0, 1)[1])
            await server.until(lambda: told(server)[-1] == status)  # noqa: B023
        assert told(server) == [READY, PRIVATE, READY]


async def test_a_private_document_behind_is_not_told_of() -> None:
    async with client() as server:
        server.open(PYTHON, "!private")
        server.open(MARKDOWN, "a", "markdown")
        focus(server, MARKDOWN)
        await server.until(lambda: told(server) == [READY])
        await within(server.inline(PYTHON, 0, 1)[1])
        await server.receipts()
        assert told(server) == [READY]


async def test_of_two_looks_at_once_the_newer_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    server = create_server(lambda *_: None)  # type: ignore[arg-type]
    looks: list[asyncio.Future[str]] = []

    async def why_off(document: CompletionRequest) -> str:
        looks.append(asyncio.get_running_loop().create_future())
        return await looks[-1]

    server.service = Mock(context=None, why_off=why_off)
    server.status.supported = True
    told: list[str] = []
    monkeypatch.setattr(server.status, "look_at", lambda uri, why: told.append(why))
    document = {"uri": PYTHON, "languageId": "python", "version": 1, "text": ""}
    server.documents.did_open({"textDocument": document})
    for _ in range(2):
        server.focused(PYTHON)
        await asyncio.sleep(0)
    looks[1].set_result("new")
    if not looks[0].done():
        looks[0].set_result("old")
    for _ in range(5):
        await asyncio.sleep(0)
    assert told == ["new"]


async def test_asking_too_early_needs_no_message_beside_the_status() -> None:
    async with client([["loading"]]) as server:
        server.open(PYTHON, "a")
        await within(server.inline(PYTHON, 0, 1)[1])
        assert told(server) == [{"kind": "loading", "message": "the model is loading"}]
        assert server.messages() == []


async def test_a_client_that_does_not_ask_is_told_nothing() -> None:
    async with LspProcess.start(*FAKE_SERVER) as server:
        await server.initialize(initialize_params("vscode"), initializationOptions=NO_MARKDOWN)
        server.open(MARKDOWN, "a", "markdown")
        focus(server, MARKDOWN)
        await within(server.inline(MARKDOWN, 0, 1)[1])
        assert told(server) == []
