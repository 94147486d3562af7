"""The indexer as the language server sees it: started, told, listened to, restarted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lsp_server

RESTART_SECONDS = (1.0, 5.0, 30.0)
"""Waits before the first, second and third restart; then there is no further one."""
END_SECONDS = 2.0

log = logging.getLogger(__name__)


class IndexerProcess:
    """A child process that ends with this one. `on_message`, and `on_start` whenever it was
    started, are called on the event loop."""

    def __init__(
        self,
        arguments: Sequence[str],
        on_message: Callable[[dict[str, Any]], None],
        on_start: Callable[[], None],
    ) -> None:
        self._arguments = arguments
        self._on_message = on_message
        self._on_start = on_start
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it in the background."""
        self._task = asyncio.get_running_loop().create_task(self._supervise())

    def send(self, message: dict[str, Any]) -> None:
        """Send a message. While the process does not run it is dropped: the next one looks at all
        files when it starts."""
        stdin = self._process.stdin if self._process else None
        if stdin is not None and not stdin.is_closing():
            stdin.write(json.dumps(message).encode() + b"\n")

    async def close(self) -> None:
        """End it, and wait for that a short while."""
        if self._task is None:
            return
        self.send({"exit": True})
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._task), END_SECONDS)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _supervise(self) -> None:
        for wait in (*RESTART_SECONDS, None):
            try:
                if await self._run():
                    return
            except (OSError, ValueError) as error:
                log.warning("the indexer cannot be run: %s", type(error).__name__)
            if wait is not None:
                await asyncio.sleep(wait)
        self._on_message({"given up": True})

    async def _run(self) -> bool:
        """Run it to its end; whether that was a good one. Raises OSError, ValueError."""
        command = [sys.executable, "-m", "lsp_server.context.indexer", *self._arguments]
        # not in the workspace: Python would import the modules that lie there
        home = Path(lsp_server.__file__).parent.parent
        hidden: dict[str, Any] = {}
        if sys.platform == "win32":
            hidden = {"creationflags": subprocess.CREATE_NO_WINDOW}
        self._process = process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=home,
            **hidden,
        )
        assert process.stdout is not None and process.stderr is not None
        said = asyncio.create_task(process.stderr.read())
        try:
            self._on_start()
            while line := await process.stdout.readline():
                self._on_message(json.loads(line))
            code = await process.wait()
            if code:
                log.warning("the indexer ended with code %s: %s", code, _error_name(await said))
            return code == 0
        finally:
            self._process = None
            if process.returncode is None:
                process.kill()
                await process.wait()


def _error_name(said: bytes) -> str:
    """The name of the error that a traceback ends with; its message may hold text of files."""
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1].partition(":")[0][:80] if lines else "it said nothing"
