"""The life of the server's process: how it starts, and that it ends with its editor."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lsp.client import (
    FAKE_SERVER,
    SECONDS,
    LspProcess,
    initialize_params,
    isolated_environment,
    within,
)

URI = "file:///workspace/a.py"
REAL_SERVER = (
    sys.executable,
    "-c",
    "import sys; from lsp_server.lsp.server import serve_stdio; sys.exit(serve_stdio())",
)
HEAVY = ("torch", "transformers", "huggingface_hub", "numpy")

EDITOR = """
import subprocess, sys, time
server = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
server.stdin.write(open(sys.argv[1], "rb").read())
server.stdin.flush()
server.stdout.read(1)
print("served", flush=True)
time.sleep(600)
"""


def framed(*messages: object) -> bytes:
    bodies = [json.dumps(message).encode() for message in messages]
    return b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies)


def loaded(modules: list[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules} & set(HEAVY)


def maps(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def log_text(folder: Path) -> str:
    (log,) = folder.rglob("server.log")
    return log.read_text()


async def test_initialize_is_answered_at_once_and_without_heavy_modules() -> None:
    began = time.monotonic()
    async with LspProcess.start(*REAL_SERVER) as server:
        await server.call("initialize", initialize_params("neovim"))
        assert time.monotonic() - began < 5
        if sys.platform == "linux":
            mapped = maps(server.process.pid)
            assert "python" in mapped
            assert "torch" not in mapped


async def test_the_answer_to_initialize_waits_for_no_import_it_does_not_need() -> None:
    command = (sys.executable, "-X", "importtime", "-m", "lsp_server")
    async with LspProcess.start(*command) as server:
        await server.call("initialize", initialize_params("vscode"))
    lines = (await server.stderr()).splitlines()
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert "lsp_server.lsp.server" in imported
    later = {"argparse", "tomllib", "tomli", "logging.handlers", "aiohttp", "tokenizers"}
    assert imported & later == set()


async def test_completing_loads_no_heavy_modules() -> None:
    async with LspProcess.start(*FAKE_SERVER) as server:
        await server.initialize(initialize_params("neovim"))
        server.open(URI, "!modules")
        _, answer = server.inline(URI, 0, 0)
        modules = (await within(answer))["items"][0]["insertText"].split()
        assert "lsp_server.lsp.server" in modules
        assert loaded(modules) == set()


@pytest.mark.parametrize("text", ["x", "!slow"])
async def test_stdin_closing_ends_the_server(text: str) -> None:
    async with LspProcess.start(*FAKE_SERVER) as server:
        await server.initialize(initialize_params("kate"))
        server.open(URI, text)
        server.inline(URI, 0, 1)
        await server.receipts()
        assert server.process.stdin is not None
        server.process.stdin.close()
        assert await within(server.process.wait()) == 1
        assert await server.stderr() == "closed\n"


async def test_exit_ends_the_server_while_a_request_runs() -> None:
    async with LspProcess.start(*FAKE_SERVER) as server:
        await server.initialize(initialize_params("vscode"))
        server.open(URI, "!slow")
        _, running = server.inline(URI, 0, 1)
        await server.receipts()
        assert await server.shutdown() == 0
        assert isinstance(running.exception(), Exception)
        assert await server.stderr() == "closed\n"


async def test_a_service_that_hangs_does_not_keep_the_process() -> None:
    async with LspProcess.start(*FAKE_SERVER) as server:
        await server.initialize(initialize_params("neovim"))
        server.open(URI, "!stuck")
        await within(server.inline(URI, 0, 1)[1])
        assert await server.shutdown() == 0


async def test_a_header_that_cannot_be_true_ends_the_server() -> None:
    async with LspProcess.start(*FAKE_SERVER) as server:
        await server.initialize(initialize_params("kate"))
        server.write(b"Content-Length: %d\r\n\r\n" % 10**30)
        assert await within(server.process.wait()) == 1


async def test_exit_without_shutdown_is_an_error() -> None:
    async with LspProcess.start(*FAKE_SERVER) as server:
        await server.initialize(initialize_params("vscode"))
        server.notify("exit")
        assert await within(server.process.wait()) == 1


async def test_a_service_that_does_not_start_is_told() -> None:
    async with LspProcess.start(
        *FAKE_SERVER, FAKE_STATES='[["failed","a",0,"too many"]]'
    ) as server:
        await server.initialize(initialize_params("neovim"))
        (message,) = await server.until(server.messages)
        assert message.startswith("coder-lsp: no suggestions: ")
        server.open(URI, "x")
        assert (await within(server.inline(URI, 0, 1)[1]))["items"] == []


@pytest.mark.parametrize("text", ["x", "!slow"])
def test_a_killed_editor_takes_the_server_along(tmp_path: Path, text: str) -> None:
    """The server's end is seen by the end of its stderr, which only it holds by then."""
    document = {"uri": URI, "languageId": "python", "version": 1, "text": text}
    place = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}}
    method = "textDocument/inlineCompletion"
    session = tmp_path / "session"
    session.write_bytes(
        framed(
            {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "initialize",
                "params": initialize_params("kate"),
            },
            {"jsonrpc": "2.0", "method": "initialized", "params": {}},
            {
                "jsonrpc": "2.0",
                "method": "textDocument/didOpen",
                "params": {"textDocument": document},
            },
            {
                "jsonrpc": "2.0",
                "id": 2,
                "method": method,
                "params": {**place, "context": {"triggerKind": 1}},
            },
        )
    )
    editor = subprocess.Popen(
        [sys.executable, "-c", EDITOR, str(session), *FAKE_SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=isolated_environment(tmp_path),
    )
    assert editor.stdout is not None
    assert editor.stdout.readline() == b"served\n"
    editor.kill()
    _, stderr = editor.communicate(timeout=SECONDS)
    assert stderr == b"closed\n"


async def test_the_server_ends_with_an_editor_whose_pipe_stays_open() -> None:
    editor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import time; time.sleep(600)"
    )
    async with LspProcess.start(*FAKE_SERVER) as server:
        await server.initialize(initialize_params("helix"), processId=editor.pid)
        await server.receipts()
        editor.kill()
        await editor.wait()
        assert await within(server.process.wait()) == 1


async def test_the_log_holds_no_text_of_documents(tmp_path: Path) -> None:
    program = "from lsp_server.lsp import logs; logs.set_up(); logs.set_level('debug');"
    script = f"{program} import runpy; runpy.run_path({FAKE_SERVER[1]!r}, run_name='__main__')"
    folders = {
        "XDG_STATE_HOME": str(tmp_path),
        "HOME": str(tmp_path),
        "LOCALAPPDATA": str(tmp_path),
    }
    async with LspProcess.start(sys.executable, "-c", script, **folders) as server:
        options = {"log_level": "debug"}
        await server.initialize(initialize_params("helix"), initializationOptions=options)
        server.open(URI, "!raise hush_hush")
        await within(server.inline(URI, 0, 1)[1])
        server.change(URI, {"text": "hush_hush"}, {"range": "hush_hush", "text": "hush_hush"})
        server.notify("textDocument/didOpen", {"textDocument": {"text": "hush_hush"}})
        server.send({"jsonrpc": "2.0", "id": 5, "method": "initialize", "params": "hush_hush"})
        server.send(
            {"jsonrpc": "2.0", "id": 6, "method": "textDocument/hover", "params": ["hush_hush"]}
        )
        await within(server.inline(URI, 0, 1)[1])
        await server.shutdown()
    log = log_text(tmp_path)
    assert "RuntimeError" in log
    assert "hush_hush" not in log
