"""The server process over raw stdio, as each of the editors speaks to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.lsp.client import EDITORS, FAKE_SERVER, LspError, LspProcess, initialize_params, within

URI = "file:///workspace/src/a.py"
WIDTHS = {"utf-8": 4, "utf-16": 2, "utf-32": 1}


@pytest.fixture
async def server() -> AsyncIterator[LspProcess]:
    """A server that Neovim talks to (in utf-8)."""
    async with LspProcess.start(*FAKE_SERVER) as process:
        await process.initialize(initialize_params("neovim"))
        yield process


def span(start: int, end: int, line: int = 0) -> dict[str, Any]:
    return {
        "start": {"line": line, "character": start},
        "end": {"line": line, "character": end},
    }


async def refused(answer: Any) -> int:
    with pytest.raises(LspError) as caught:
        await within(answer)
    assert "data" not in caught.value.error
    return caught.value.code


@pytest.mark.parametrize("editor", EDITORS)
async def test_each_editor_gets_suggestions_in_its_encoding(editor: str) -> None:
    params = initialize_params(editor)
    async with LspProcess.start(*FAKE_SERVER) as server:
        capabilities = await server.initialize(params)
        offered = params["capabilities"].get("general", {}).get("positionEncodings", ["utf-16"])
        encoding = capabilities["positionEncoding"]
        assert encoding == offered[0]
        assert capabilities["inlineCompletionProvider"] == {}
        assert capabilities["textDocumentSync"]["openClose"]
        assert capabilities["textDocumentSync"]["change"] == 2
        inline = "inlineCompletion" in params["capabilities"]["textDocument"]
        assert ("completionProvider" in capabilities) is not inline

        server.open(URI, "x = '😀' + na\n")
        column = 11 + WIDTHS[encoding]
        _, answer = server.inline(URI, 0, column)
        [item] = (await within(answer))["items"]
        accepted = item.pop("command")
        assert item == {"insertText": "suggested()", "range": span(column, column)}
        if not inline:
            _, answer = server.completion(URI, 0, column)
            result = await within(answer)
            assert result["isIncomplete"]
            (item,) = result["items"]
            assert item["textEdit"] == {
                "range": span(column - 2, column),
                "newText": "nasuggested()",
            }
            assert item["filterText"] == "nasuggested()"
        seen = (await server.receipts())[-1]
        assert seen["path"] == "src/a.py"
        assert seen["offset"] == 12
        assert seen["detail"].startswith("workspace python ")
        await server.call("workspace/executeCommand", accepted)
        told = (await server.receipts())[0]
        assert (told["path"], told["detail"]) == ("accepted", accepted["arguments"][0])
        assert await server.shutdown() == 0


async def test_the_engine_sees_the_document_as_it_was_asked_about(server: LspProcess) -> None:
    server.open(URI, "a😀\r\nb!slow")
    server.change(URI, {"range": span(1, 5), "text": "中"}, {"range": span(1, 1, 1), "text": "c"})
    _, answer = server.inline(URI, 1, 2)
    server.change(URI, {"text": "later"})
    assert await refused(answer) == -32800
    (receipt,) = await server.receipts()
    assert receipt["detail"].endswith(repr("a中\r\nbc!slow"))
    assert receipt["offset"] == 6


async def test_positions_past_the_end_are_clamped(server: LspProcess) -> None:
    server.open(URI, "ab\r\n")
    _, answer = server.inline(URI, 0, 99)
    assert (await within(answer))["items"][0]["range"] == span(2, 2)
    _, answer = server.inline(URI, 7, 3)
    assert (await within(answer))["items"][0]["range"] == span(0, 0, 1)


async def test_a_change_ends_the_running_request(server: LspProcess) -> None:
    server.open(URI, "!slow ")
    _, answer = server.inline(URI, 0, 6)
    server.change(URI, {"text": "quick"})
    assert await refused(answer) == -32800
    (receipt,) = await server.receipts()
    assert receipt["outcome"] == "superseded"


async def test_eglot_which_shows_errors_is_told_of_none() -> None:
    async with LspProcess.start(*FAKE_SERVER) as server:
        await server.initialize(initialize_params("emacs"))
        server.open(URI, "!slow ")
        _, answer = server.completion(URI, 0, 6)
        server.change(URI, {"text": "quick"})
        assert await within(answer) == {"isIncomplete": True, "items": []}
        (receipt,) = await server.receipts()
        assert receipt["outcome"] == "superseded"


async def test_a_newer_request_ends_the_older_one_of_its_document_only(server: LspProcess) -> None:
    other = "file:///workspace/b.py"
    server.open(URI, "!slow ")
    server.open(other, "!slow ")
    _, elsewhere = server.inline(other, 0, 0)
    _, older = server.inline(URI, 0, 5)
    _, newer = server.inline(URI, 0, 6)
    assert await refused(older) == -32800
    outcomes = {(each["path"], each["offset"]): each["outcome"] for each in await server.receipts()}
    assert outcomes == {
        ("src/a.py", 6): "failed",  # what a receipt says while its request runs
        ("src/a.py", 5): "superseded",
        ("b.py", 0): "failed",
    }
    assert not newer.done()
    assert not elsewhere.done()


async def test_a_cancelled_request_reaches_the_engine(server: LspProcess) -> None:
    server.open(URI, "!slow ")
    number, answer = server.inline(URI, 0, 6)
    server.notify("$/cancelRequest", {"id": number})
    assert await refused(answer) == -32800
    (receipt,) = await server.receipts()
    assert receipt["outcome"] == "cancelled"


async def test_closing_a_document_ends_its_request(server: LspProcess) -> None:
    server.open(URI, "!slow ")
    _, answer = server.inline(URI, 0, 6)
    server.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert await refused(answer) == -32800
    _, answer = server.inline(URI, 0, 6)
    assert await within(answer) == {"items": []}


async def test_an_error_in_a_handler_does_not_reach_the_client(server: LspProcess) -> None:
    server.open(URI, "!raise ")
    _, answer = server.inline(URI, 0, 7)
    assert await within(answer) == {"items": []}
    assert server.messages() == []


async def test_documents_that_are_not_open(server: LspProcess) -> None:
    server.change(URI, {"text": "x"})
    _, answer = server.inline(URI, 0, 0)
    assert await within(answer) == {"items": []}
    assert server.messages() == []


async def test_fields_that_are_missing_are_tolerated() -> None:
    async with LspProcess.start(*FAKE_SERVER) as server:
        odd = {"textDocument": None, "workspace": {"workspaceEdit": {"failureHandling": "unseen"}}}
        await server.call("initialize", {"capabilities": odd})
        server.send({"jsonrpc": "2.0", "method": "initialized"})
        server.notify("textDocument/didOpen", {"textDocument": {"uri": URI, "text": "a"}})
        edits = [{"range": None, "text": "bc"}]
        server.notify(
            "textDocument/didChange", {"textDocument": {"uri": URI}, "contentChanges": edits}
        )
        _, answer = server.completion(URI, 0, 2)
        assert (await within(answer))["items"][0]["textEdit"]["newText"] == "bcsuggested()"


async def test_selected_completion_info(server: LspProcess) -> None:
    server.open(URI, "    sug")
    chosen = {"range": span(4, 6), "text": "sugsuggested"}
    _, answer = server.inline(URI, 0, 7, selectedCompletionInfo=chosen)
    [item] = (await within(answer))["items"]
    assert item.pop("command")["command"] == "coder-lsp.accepted"
    assert item == {"insertText": "sugsuggested()", "range": span(4, 7)}
    _, answer = server.inline(URI, 0, 7, selectedCompletionInfo={**chosen, "text": "sugar"})
    assert (await within(answer))["items"] == []


@pytest.mark.parametrize(
    ("editor", "setting", "offered"),
    [
        ("neovim", "always", True),
        ("neovim", "auto", False),
        ("helix", "never", False),
        ("helix", "auto", True),
    ],
)
async def test_the_completion_list_is_offered_by_setting(
    editor: str, setting: str, offered: bool
) -> None:
    async with LspProcess.start(*FAKE_SERVER) as server:
        options = {"completion": {"completion_list": setting}}
        capabilities = await server.initialize(
            initialize_params(editor), initializationOptions=options
        )
        assert ("completionProvider" in capabilities) is offered


async def test_requests_that_cannot_be_served(server: LspProcess) -> None:
    _, answer = server.request("textDocument/inlineCompletion", {"textDocument": 1})
    assert await refused(answer) == -32602
    _, answer = server.request("textDocument/hover", {"textDocument": {"uri": URI}, "position": 1})
    assert await refused(answer) == -32602
    _, answer = server.request("no/such/method")
    assert await refused(answer) == -32601
    _, answer = server.request("workspace/executeCommand", {"command": "no.such"})
    assert await refused(answer) == -32602
    _, answer = server.request("initialize", initialize_params("kate"))
    assert await refused(answer) == -32600
    server.notify("no/such/notification", {"a": 1})
    server.notify("textDocument/didChange", {"textDocument": {}})
    for body in (b"{x}", b"[]", b"[" * 99_999):
        server.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    errors = await server.until(lambda: [each for each in server.received if "error" in each][7:])
    assert errors[0]["id"] is None
    codes = [each["error"]["code"] for each in server.received if "error" in each]
    assert codes[5:] == [-32700, -32600, -32700]
    assert await server.receipts() == []
    assert server.messages() == []


async def test_before_initialize_and_after_shutdown() -> None:
    async with LspProcess.start(*FAKE_SERVER) as server:
        _, answer = server.request("textDocument/inlineCompletion", {})
        assert await refused(answer) == -32002
        server.open(URI, "x")
        await server.initialize(initialize_params("emacs"))
        await server.call("shutdown")
        _, answer = server.inline(URI, 0, 0)
        assert await refused(answer) == -32600
        server.notify("exit")
        assert await within(server.process.wait()) == 0


async def test_header_names_in_any_case_and_messages_in_one_packet(server: LspProcess) -> None:
    body = (
        b'{"jsonrpc":"2.0","id":"x","method":"workspace/executeCommand","params":{"command":"%s"}}'
    )
    body %= b"coder-lsp.receipt"
    length = str(len(body)).encode()
    types = b"content-type: application/vscode-jsonrpc\r\n"
    server.write(2 * (types + b"content-length: " + length + b"\r\n\r\n" + body))
    answers = await server.until(
        lambda: [each for each in server.received if each.get("id") == "x"][1:]
    )
    assert answers[0]["result"] == []


async def test_wrong_settings_are_named_in_one_message() -> None:
    async with LspProcess.start(*FAKE_SERVER) as server:
        wrong = {"completion": {"max_tokens": "many"}, "no_such": 1}
        await server.initialize(initialize_params("helix"), initializationOptions=wrong)
        (message,) = await server.until(server.messages)
        assert "max_tokens" in message
        assert "no_such" in message
        assert server.of("window/showMessage")[0]["params"]["type"] == 2

        settings: dict[str, Any] = {"coder-lsp": {"completion": {"max_lines": -1}}}
        server.notify("workspace/didChangeConfiguration", {"settings": settings})
        second = (await server.until(lambda: server.messages()[1:]))[0]
        assert "max_lines" in second
        assert "no_such" not in second


async def configured(server: LspProcess) -> list[int]:
    """The `completion.max_tokens` that the service was given, waiting for the first."""
    for _ in range(100):
        seen = [each["offset"] for each in await server.receipts() if each["path"] == "settings"]
        if seen:
            break
        await asyncio.sleep(0.05)
    return seen


@pytest.mark.parametrize("nested", [True, False])
async def test_changed_settings_reach_the_service(server: LspProcess, nested: bool) -> None:
    ours = {"completion": {"max_tokens": 7}}
    settings = {"coder-lsp": ours, "other": {"a": 1}} if nested else ours
    for change in ({}, settings, settings, None):
        server.notify("workspace/didChangeConfiguration", {"settings": change})
    assert await configured(server) == [7]
    assert server.messages() == []


async def test_settings_of_initialization_stay_when_the_editor_sends_none() -> None:
    async with LspProcess.start(*FAKE_SERVER) as server:
        options = {"completion": {"max_tokens": 5}}
        await server.initialize(initialize_params("emacs"), initializationOptions=options)
        server.notify("workspace/didChangeConfiguration", {"settings": {}})
        more = {"completion": {"max_lines": 3}}
        server.notify("workspace/didChangeConfiguration", {"settings": more})
        assert await configured(server) == [5]


async def test_settings_of_other_servers_are_left_alone(server: LspProcess) -> None:
    """As Eglot sends them to every server."""
    others = {"pylsp": {"plugins": {}}, "gopls.usePlaceholders": True}
    server.notify("workspace/didChangeConfiguration", {"settings": others})
    for mine in ({"completion.max_lines": -1}, {**others, "coder-lsp": {"no_such": 1}}):
        server.notify("workspace/didChangeConfiguration", {"settings": mine})
    first, second = await server.until(lambda: server.messages()[1:] and server.messages())
    assert "max_lines" in first
    assert "no_such" in second
    assert "pylsp" not in first + second


STATES = (
    '[["starting","the model server starts"],["downloading","downloading",10],'
    '["downloading","downloading",20],["loading","loading the model",50]]'
)


async def test_a_model_that_comes_up_is_shown_as_progress() -> None:
    async with LspProcess.start(*FAKE_SERVER, FAKE_STATES=STATES) as server:
        await server.initialize(initialize_params("vscode"))
        await server.until(lambda: len(server.of("$/progress")) > 5)
        server.open(URI, "x")
        for _ in range(2):
            _, answer = server.inline(URI, 0, 1)
            assert await within(answer) == {"items": []}
        assert server.messages() == ["coder-lsp: loading the model …"]
        server.open(URI, "!ready")
        _, answer = server.inline(URI, 0, 1)
        assert (await within(answer))["items"]
        steps = [
            (each["params"]["value"]["kind"], each["params"]["value"].get("percentage"))
            for each in server.of("$/progress")
        ]
        assert steps == [
            ("begin", None),
            ("end", None),
            ("begin", 10),
            ("report", 20),
            ("end", None),
            ("begin", 50),
            ("end", None),
        ]
        created = [each["params"]["token"] for each in server.of("window/workDoneProgress/create")]
        begun = {each["params"]["token"] for each in server.of("$/progress")}
        assert len(created) == 3
        assert set(created) == begun


async def test_a_client_that_is_slow_to_take_progress() -> None:
    """Its answers come when the states that the progress was for are over."""
    async with LspProcess.start(*FAKE_SERVER, FAKE_STATES=STATES) as server:
        server.answering = False
        await server.initialize(initialize_params("vscode"))
        create = "window/workDoneProgress/create"
        await server.until(lambda: len(server.of(create)) == 3)
        for request in server.of(create):
            server.answer(request["id"])
        begun = (await server.until(lambda: server.of("$/progress")))[0]["params"]
        assert (begun["value"]["kind"], begun["value"]["percentage"]) == ("begin", 50)
        assert await server.receipts() == []
        assert len(server.of("$/progress")) == 1


async def test_an_answer_to_no_request_is_left_alone(server: LspProcess) -> None:
    server.answer("nobody asked")
    server.send({"jsonrpc": "2.0", "id": 3, "error": {"code": 1, "message": "no"}})
    server.send({"jsonrpc": "2.0", "id": 3, "error": None})
    assert await server.receipts() == []


async def test_no_progress_where_the_client_shows_none() -> None:
    params = initialize_params("neovim")
    del params["capabilities"]["window"]["workDoneProgress"]
    async with LspProcess.start(*FAKE_SERVER, FAKE_STATES=STATES) as server:
        await server.initialize(params)
        server.open(URI, "!ready")
        _, answer = server.inline(URI, 0, 1)
        await within(answer)
        assert not server.of("$/progress")
        assert not server.of("window/workDoneProgress/create")


async def test_a_model_that_fails_is_told_once() -> None:
    failed = '["failed","the disk is full"]'
    states = f"[{failed},{failed},{failed}]"
    async with LspProcess.start(*FAKE_SERVER, FAKE_STATES=states) as server:
        await server.initialize(initialize_params("vscode"))
        (message,) = await server.until(server.messages)
        assert "the disk is full" in message
        assert "coder-lsp doctor" in message
        server.open(URI, "x")
        _, answer = server.inline(URI, 0, 1)
        assert await within(answer) == {"items": []}
        await asyncio.sleep(0.2)
        await server.receipts()
        assert len(server.messages()) == 1


async def test_receipts_come_newest_first(server: LspProcess) -> None:
    server.open(URI, "abc")
    for column in (1, 2, 3):
        await within(server.inline(URI, 0, column)[1])
    receipts = await server.receipts()
    assert [each["offset"] for each in receipts] == [3, 2, 1]
    assert receipts[0]["outcome"] == "suggested"


async def test_workspace_folders_may_change(server: LspProcess) -> None:
    inner = {"uri": "file:///workspace/src", "name": "src"}
    server.notify(
        "workspace/didChangeWorkspaceFolders", {"event": {"added": [inner], "removed": []}}
    )
    server.open(URI, "abc")
    await within(server.inline(URI, 0, 1)[1])
    assert (await server.receipts())[0]["path"] == "a.py"


async def test_what_is_printed_does_not_disturb_the_protocol(server: LspProcess) -> None:
    server.open(URI, "!print")
    _, answer = server.inline(URI, 0, 1)
    assert (await within(answer))["items"]
