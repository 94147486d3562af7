from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lsp_server import endpoints
from lsp_server.cli import main
from lsp_server.commands import why
from lsp_server.endpoints import Endpoint
from lsp_server.lsp.inspection import FILES, NOTHING_YET
from tests.lsp.client import FAKE_SERVER, LspProcess, initialize_params, within

URI = "file:///workspace/src/{}.py"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(endpoints.STATE_VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture
async def server(folder: Path) -> AsyncIterator[LspProcess]:
    """A language server to which requests were made for the characters 1, 2 and 3 of a.py."""
    async with started(folder) as process:
        for column in (1, 2, 3):
            await ask(process, "a", column)
        yield process


@pytest.mark.parametrize("options", [[], ["--receipt"], ["--json"], ["-n", "3"]])
def test_where_no_language_server_runs_that_is_said(options: list[str], capsys: Capture) -> None:
    assert main(["why", *options]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert (
        printed.err
        == "coder-lsp why: no language server runs: open a file in an editor that uses coder-lsp\n"
    )


async def test_the_last_request_in_words(server: LspProcess, capsys: Capture) -> None:
    assert await run() == 0
    printed = capsys.readouterr().out
    assert "src/a.py at character 3: suggested" in printed
    assert "<|fim_prefix|>" not in printed


async def test_the_last_requests_a_line_each(server: LspProcess, capsys: Capture) -> None:
    assert await run(n=2) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[4] for line in lines] == ["3", "2"]


async def test_the_exact_prompt(server: LspProcess, capsys: Capture) -> None:
    assert await run(receipt=True) == 0
    printed = capsys.readouterr().out
    assert "src/a.py at character 3: suggested" in printed
    assert printed.endswith("\n\n<|fim_prefix|>src/a.py<|fim_middle|>\n")


async def test_as_json(server: LspProcess, capsys: Capture) -> None:
    assert await run(json=True, n=9) == 0
    receipts = json.loads(capsys.readouterr().out)
    assert [each["offset"] for each in receipts] == [3, 2, 1]
    assert receipts[0]["prompt"] == "<|fim_prefix|>src/a.py<|fim_middle|>"


async def test_of_several_the_one_that_was_asked_last(
    server: LspProcess, folder: Path, capsys: Capture
) -> None:
    async with started(folder) as other:
        await run()
        assert "a.py at character 3" in capsys.readouterr().out
        await ask(other, "b", 1)
        await run()
        assert "b.py at character 1" in capsys.readouterr().out
        await ask(server, "a", 2)
        await run()
        assert "a.py at character 2" in capsys.readouterr().out
        assert await other.shutdown() == 0
    assert len(endpoints.running(FILES)) == 1


async def test_before_the_first_request(folder: Path, capsys: Capture) -> None:
    async with started(folder):
        assert await run() == 0
        assert await run(receipt=True) == 0
    assert capsys.readouterr().out == f"{NOTHING_YET}\n" * 2


async def test_a_server_that_was_killed_is_forgotten(
    server: LspProcess, folder: Path, capsys: Capture
) -> None:
    server.process.kill()
    await within(server.process.wait())
    assert await run() == 1
    assert "no language server runs" in capsys.readouterr().err
    assert list(folder.glob(FILES)) == []


async def test_one_whose_process_id_was_given_to_another(folder: Path, capsys: Capture) -> None:
    publish(folder, os.getpid(), unused_port())
    assert await run() == 1
    assert "no language server runs" in capsys.readouterr().err
    assert list(folder.glob(FILES)) == []


async def test_one_that_does_not_answer(folder: Path, capsys: Capture) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listening = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    publish(folder, os.getpid(), listening.sockets[0].getsockname()[1])
    assert await run() == 1
    assert "does not answer" in capsys.readouterr().err
    assert len(list(folder.glob(FILES))) == 1
    listening.close()


@pytest.mark.parametrize("number", ["0", "-1", "x", "10000"])
@pytest.mark.parametrize("option", ["why -n", "stats --days"])
def test_numbers_are_in_range(option: str, number: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main([*option.split(), number])
    assert f"{option.split()[1]}: a number from 1 to 9999 is wanted" in capsys.readouterr().err


def test_the_protocol_is_not_loaded_for_it() -> None:
    """That takes half a second."""
    program = "import sys, lsp_server.commands.why; print('lsprotocol' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n"


@contextlib.asynccontextmanager
async def started(folder: Path) -> AsyncIterator[LspProcess]:
    """A language server that can be asked."""
    state = {endpoints.STATE_VARIABLE: str(folder)}
    before = len(list(folder.glob(FILES)))
    async with LspProcess.start(*FAKE_SERVER, **state) as process:
        await process.initialize(initialize_params("neovim"))
        await within(until(lambda: len(list(folder.glob(FILES))) > before))
        yield process


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def ask(server: LspProcess, name: str, column: int) -> None:
    """Have it make a request."""
    server.open(URI.format(name), "abc")
    await within(server.inline(URI.format(name), 0, column)[1])


async def run(*, receipt: bool = False, json: bool = False, n: int = 1) -> int:
    """The command, in a thread as it has an event loop of its own."""
    return await asyncio.to_thread(why.run, Namespace(receipt=receipt, json=json, n=n))


def publish(folder: Path, pid: int, port: int) -> None:
    endpoints.publish(folder / f"language-server-{pid}.json", Endpoint(pid, port, "x"))


def unused_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
