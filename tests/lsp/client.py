"""A language server process, spoken to in plain JSON-RPC over its stdin and stdout."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

Json = Any
SECONDS = 20.0
"""How long anything may take before a test is taken to hang."""
DATA = Path(__file__).parent / "data"
EDITORS = ("emacs", "helix", "kate", "neovim", "vscode")


class LspError(Exception):
    """An error response."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code: int = error["code"]
        self.error = error


def initialize_params(editor: str) -> dict[str, Any]:
    """What an editor really sends (one of EDITORS)."""
    params: dict[str, Any] = json.loads((DATA / f"initialize-{editor}.json").read_text())
    return params


def isolated_environment(home: Path) -> dict[str, str]:
    """This process's environment with all of the user's folders under `home`."""
    folders = ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "HOME")
    mine = {name: str(home) for name in (*folders, "LOCALAPPDATA", "APPDATA", "USERPROFILE")}
    return {**os.environ, **mine, "CODER_LSP_CONFIG": str(home / "config.toml")}


class LspProcess:
    """A running server. `received` has all that it sent, in order; its own requests are answered
    with null, at once unless `answering` is off. What it leaves unanswered fails when it ends."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.received: list[dict[str, Any]] = []
        self.answering = True
        self._ids = itertools.count(1)
        self._versions = itertools.count(2)
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._arrived = asyncio.Event()
        self._reader = asyncio.create_task(self._read())
        assert process.stderr is not None
        self._stderr = asyncio.create_task(process.stderr.read())

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls, *command: str, **environment: str) -> AsyncIterator[LspProcess]:
        """Run a command with these variables and folders of its own; it is killed at the end of
        the block if it still runs."""
        with tempfile.TemporaryDirectory() as home:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**isolated_environment(Path(home)), **environment},
            )
            server = cls(process)
            try:
                yield server
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
                await server._reader
                sys.stderr.write(await server.stderr())

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def send(self, message: Json) -> None:
        body = json.dumps(message).encode()
        self.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def notify(self, method: str, params: Json = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def request(self, method: str, params: Json = None) -> tuple[int, asyncio.Future[Json]]:
        """Send a request: its id, and its result to come (or LspError)."""
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number, answer

    def answer(self, number: Json) -> None:
        """Answer a request of the server's."""
        self.send({"jsonrpc": "2.0", "id": number, "result": None})

    async def call(self, method: str, params: Json = None) -> Json:
        return await within(self.request(method, params)[1])

    async def initialize(self, params: Mapping[str, Any], **options: Json) -> Json:
        """`initialize` and `initialized`; the server's capabilities. `options` replace params."""
        result = await self.call("initialize", {**params, **options})
        self.notify("initialized", {})
        return result["capabilities"]

    def open(self, uri: str, text: str, language: str = "python") -> None:
        document = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def change(self, uri: str, *changes: Json) -> None:
        document = {"uri": uri, "version": next(self._versions)}
        params = {"textDocument": document, "contentChanges": changes}
        self.notify("textDocument/didChange", params)

    def inline(self, uri: str, line: int, character: int, **context: Json) -> Json:
        """Ask for inline completion; as `request`."""
        return self.request(
            "textDocument/inlineCompletion",
            {**_place(uri, line, character), "context": {"triggerKind": 2, **context}},
        )

    def completion(self, uri: str, line: int, character: int) -> Json:
        """Ask for the completion list; as `request`."""
        return self.request("textDocument/completion", _place(uri, line, character))

    async def receipts(self) -> Json:
        """All that the server keeps, newest first."""
        params = {"command": "coder-lsp.receipt", "arguments": [None, 1000]}
        return await self.call("workspace/executeCommand", params)

    async def stderr(self) -> str:
        """All that it wrote to stderr, once it has ended."""
        written: bytes = await within(self._stderr)
        return written.decode()

    def messages(self) -> list[str]:
        """The texts shown to the user so far."""
        return [each["params"]["message"] for each in self.of("window/showMessage")]

    def of(self, method: str) -> list[dict[str, Any]]:
        return [each for each in self.received if each.get("method") == method]

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until something that depends on what was received is true, and return it."""

        async def wait() -> Any:
            while not (value := condition()):
                self._arrived.clear()
                await self._arrived.wait()
            return value

        return await within(wait())

    async def shutdown(self) -> int:
        """End the server as LSP has it; its exit code."""
        await self.call("shutdown")
        self.notify("exit")
        code: int = await within(self.process.wait())
        return code

    async def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                header = await stream.readuntil(b"\r\n\r\n")
                lengths = [line for line in header.split(b"\r\n") if b"Content-Length:" in line]
                body = await stream.readexactly(int(lengths[0].split(b":")[1]))
                self._take(json.loads(body))
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(EOFError("the server has ended"))
                answer.exception()  # seen: nobody needs to await it

    def _take(self, message: dict[str, Any]) -> None:
        self.received.append(message)
        self._arrived.set()
        if "method" not in message:
            answer = self._answers.pop(message["id"], None)
            if answer is None or answer.done():
                return
            if "error" in message:
                answer.set_exception(LspError(message["error"]))
            else:
                answer.set_result(message["result"])
        elif "id" in message and self.answering:
            self.answer(message["id"])


async def within(awaitable: Any, seconds: float = SECONDS) -> Any:
    """The awaitable's result; raises TimeoutError when it hangs, without cancelling it."""
    return await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(awaitable)), seconds)


def _place(uri: str, line: int, character: int) -> dict[str, Any]:
    return {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}


FAKE_SERVER = (sys.executable, str(Path(__file__).parent / "fake_server.py"))
