from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server import endpoints
from lsp_server.completion.explain import explain, explain_many, show
from lsp_server.completion.types import Outcome, Receipt
from lsp_server.endpoints import Endpoint
from lsp_server.lsp import inspection
from lsp_server.lsp.inspection import FILES, NOTHING_YET, Inspection, ask
from lsp_server.prompt.types import Prompt
from tests.lsp.client import FAKE_SERVER, LspProcess, initialize_params, within

A, B = "file:///w/a.py", "file:///w/b.py"


class Service:
    """Its prompts are kept for the receipts that have one."""

    def __init__(self, *receipts: Receipt) -> None:
        self.receipts = deque(receipts)
        self.threads: set[threading.Thread] = set()

    def prompt_text(self, receipt: Receipt) -> str | None:
        self.threads.add(threading.current_thread())
        return f"<|fim|>{receipt.path}" if receipt.prompt else None


OLDEST = Receipt("a.py", 1, A, at=10.0, outcome=Outcome.CANCELLED)
OLDER = Receipt("b.py", 2, B, at=20.0, outcome=Outcome.PRIVATE)
LATEST = Receipt("a.py", 3, A, at=30.0, outcome=Outcome.EMPTY, prompt=Prompt((7, 8), "psm", {}, ()))


def inspected(service: Any) -> Inspection:
    return Inspection(lambda: service)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(endpoints.STATE_VARIABLE, str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """Of an open one."""
    opened = inspected(Service(OLDEST, OLDER, LATEST))
    await opened.open()
    [(_, endpoint)] = endpoints.running(FILES)
    yield endpoint
    opened.close()


async def test_why_in_words() -> None:
    asked = inspected(Service(OLDEST, OLDER, LATEST))
    assert await asked.why() == explain(LATEST)
    assert await asked.why(B) == explain(OLDER)
    assert await asked.why(None, 2) == explain_many([LATEST, OLDER])
    assert await asked.why(A, 9) == explain_many([LATEST, OLDEST])


@pytest.mark.parametrize("service", [None, Service()])
async def test_before_the_first_request(service: Service | None) -> None:
    assert await inspected(service).why() == NOTHING_YET
    assert await inspected(service).receipt() == []


async def test_the_receipt_has_the_exact_prompt() -> None:
    service = Service(OLDEST, OLDER, LATEST)
    [receipt] = await inspected(service).receipt()
    assert (receipt["offset"], receipt["outcome"]) == (3, "empty")
    assert (receipt["prompt"], receipt["prompt_ids"]) == ("<|fim|>a.py", [7, 8])
    assert receipt["text"] == show(LATEST, "<|fim|>a.py")
    assert threading.main_thread() not in service.threads


async def test_receipts_are_newest_first_and_say_where_there_is_no_prompt() -> None:
    asked = inspected(Service(OLDEST, OLDER, LATEST))
    receipts = await asked.receipt(None, 9)
    assert [each["offset"] for each in receipts] == [3, 2, 1]
    assert [each["prompt"] is None for each in receipts] == [False, True, True]
    assert [each["offset"] for each in await asked.receipt(B)] == [2]


@pytest.mark.parametrize("arguments", [None, [], [B], [B, 2], [None, 2]])
async def test_editors_may_leave_arguments_out(arguments: list[Any] | None) -> None:
    async with LspProcess.start(*FAKE_SERVER) as server:
        await server.initialize(initialize_params("neovim"))
        server.open(B, "x")
        await within(server.inline(B, 0, 1)[1])
        given = {} if arguments is None else {"arguments": arguments}
        for command in ("coder-lsp.why", "coder-lsp.receipt"):
            answer = await server.call("workspace/executeCommand", {"command": command, **given})
            assert "b.py at character 1" in str(answer)


async def test_the_shell_is_answered(endpoint: Endpoint) -> None:
    answer = await ask(endpoint, "why")
    assert answer == {"answer": explain(LATEST), "at": 30.0}
    answer = await ask(endpoint, "receipt", 2)
    assert answer is not None
    assert [each["offset"] for each in answer["answer"]] == [3, 2]


async def test_several_questions_on_one_connection(endpoint: Endpoint) -> None:
    first = {"token": endpoint.token, "question": "why", "document": B}
    second = {"token": endpoint.token, "question": "receipt"}
    answers = await conversation(endpoint, lines(first, second))
    assert [each["at"] for each in answers] == [20.0, 30.0]
    assert answers[0]["answer"] == explain(OLDER)


@pytest.mark.parametrize("token", ["wrong", "", None, 3, ["x"], "tökén", "\ud800"])
async def test_without_the_token_nothing_is_told(endpoint: Endpoint, token: Any) -> None:
    right = {"token": endpoint.token, "question": "why"}
    answers = await conversation(endpoint, lines({**right, "token": token}, right))
    assert answers == [{"error": "refused"}]


@pytest.mark.parametrize(
    "wrong",
    [
        {"question": "everything"},
        {"question": ["why"]},
        {"question": None},
        {"question": "why", "count": 0},
        {"question": "why", "count": True},
        {"question": "why", "count": "2"},
        {"question": "why", "document": 5},
    ],
)
async def test_questions_that_make_no_sense_are_refused(
    endpoint: Endpoint, wrong: dict[str, Any]
) -> None:
    [answer] = await conversation(endpoint, lines({"token": endpoint.token, **wrong}))
    assert list(answer) == ["error"]


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\n",
        b"[]\n",
        b"\xff\xfe\n",
        b"[" * 4000 + b"\n",
        b"x" * 100_000,
        b"x" * 100_000 + b"\n",
        b'{"token": ',
    ],
)
async def test_what_is_no_question_is_refused_and_hung_up_on(
    endpoint: Endpoint, data: bytes
) -> None:
    answers = await conversation(endpoint, data)
    assert [list(answer) for answer in answers] in ([["error"]], [])
    assert await ask(endpoint, "why") is not None


async def test_one_who_says_nothing_is_hung_up_on(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "IDLE_SECONDS", 0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    assert await within(reader.read()) == b""
    writer.close()


async def test_there_are_never_many_connections(endpoint: Endpoint) -> None:
    waiting = [
        await asyncio.open_connection("127.0.0.1", endpoint.port)
        for _ in range(inspection.CONNECTIONS)
    ]
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    assert await within(reader.read()) == b""
    for _, each in [*waiting, (reader, writer)]:
        each.close()


async def test_one_who_hangs_up_early_does_no_harm(endpoint: Endpoint) -> None:
    for data in (b"", b'{"token"', lines({"token": endpoint.token, "question": "receipt"})):
        _, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        writer.write(data)
        writer.transport.abort()
    assert await ask(endpoint, "why") is not None


async def test_only_the_user_can_read_the_token(endpoint: Endpoint, folder: Path) -> None:
    [file] = folder.iterdir()
    assert file.name == f"language-server-{os.getpid()}.json"
    if sys.platform != "win32":
        assert file.stat().st_mode & 0o777 == 0o600
    assert len(endpoint.token) >= 32


async def test_at_the_end_everybody_is_hung_up_on(folder: Path) -> None:
    opened = inspected(Service(LATEST))
    await opened.open()
    [(_, endpoint)] = endpoints.running(FILES)
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    await asyncio.sleep(0)
    opened.close()
    assert list(folder.iterdir()) == []
    assert await within(reader.read()) == b""
    with pytest.raises(ConnectionRefusedError):
        await ask(endpoint, "why")
    writer.close()


async def test_what_a_killed_server_left_is_cleared_away() -> None:
    ended = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await ended.wait()
    left = endpoints.state_dir() / f"language-server-{ended.pid}.json"
    endpoints.publish(left, Endpoint(ended.pid, 1, "x"))
    opened = inspected(None)
    await opened.open()
    assert not left.exists()
    opened.close()


async def test_where_there_is_no_place_to_publish_the_server_goes_on(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.write_text("a file where the folder would be")
    opened = inspected(Service(LATEST))
    await opened.open()
    assert "will not find this server" in caplog.text
    assert await opened.why() == explain(LATEST)
    opened.close()


@pytest.mark.parametrize("answer", [b"", b"nonsense\n", b'{"error": "refused"}\n', b"[]\n"])
async def test_something_else_on_the_port_is_no_answer(answer: bytes) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await ask(Endpoint(1, port, "x"), "why") is None
    server.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.binary() | JSON.map(lambda tree: json.dumps(tree).encode()))
async def test_whatever_comes_without_the_token_is_an_error(line: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        await inspected(Service(LATEST))._answer(line)


def lines(*questions: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(question).encode() + b"\n" for question in questions)


async def conversation(endpoint: Endpoint, data: bytes) -> list[Any]:
    """What comes back, up to the end; nothing when there was more to read than the other wanted,
    and the system said so in place of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    writer.write(data)
    writer.write_eof()
    try:
        answers = await within(reader.read())
    except ConnectionResetError:
        answers = b""
    writer.close()
    return [json.loads(line) for line in answers.splitlines()]
