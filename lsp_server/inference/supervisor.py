"""The model server's life, as the language server sees it: found or started, followed, restarted.

Loading is never tied to a request: the model server loads on its own, and a request that comes too
early is simply answered with nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from filelock import FileLock, Timeout

from lsp_server import __version__
from lsp_server.inference import state
from lsp_server.inference.client import CompletionsClient, EngineError
from lsp_server.inference.types import EngineState

POLL_SECONDS = 0.1
START_SECONDS = 60.0
"""Longest a started process may take until it listens (a cold disk, a virus scanner)."""
BACKOFF_SECONDS = (0.0, 1.0, 2.0, 5.0, 15.0, 60.0)
"""Waits before the first, second, ... restart in a row."""
STABLE_SECONDS = 60.0
"""A server that was ready for so long starts the count of restarts anew."""

LOG_BYTES = 1 << 20
"""A log larger than this is begun anew with the next start."""

log = logging.getLogger(__name__)


class ServerStartError(Exception):
    """The model server could not be started; the message is for the user."""


class LocalEngine:
    """The shared model server of this user and machine.

    `on_state` is called on the event loop at every change. `client` is None until the model is
    ready.
    """

    def __init__(
        self,
        spec: state.ServerSpec,
        *,
        idle_minutes: float,
        user: str,
        on_state: Callable[[EngineState], None],
    ) -> None:
        self._spec = spec
        self._idle_minutes = idle_minutes
        self._user = user
        self._on_state = on_state
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._endpoint: state.Endpoint | None = None
        self._connection: CompletionsClient | None = None
        self.state = EngineState("starting")

    @property
    def client(self) -> CompletionsClient | None:
        """The client to ask, when the model is ready.

        After a server's end its port may be anybody's: without its state file there is no client.
        """
        if self.state.status != "ready":
            return None
        if state.read(self._spec.key()) != self._endpoint:
            self.lost()
            return None
        return self._connection

    def start(self) -> None:
        """Begin to bring the model up."""
        self._task = asyncio.get_running_loop().create_task(self._supervise())

    def lost(self) -> None:
        """Tell that a request found the server gone: it died, ended because it was idle, or failed.

        It is started again.
        """
        self._lost.set()

    async def close(self) -> None:
        """Let go of the model server, which goes on for other editors until it is idle."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._disconnect()

    async def _supervise(self) -> None:
        restarts = 0
        while True:
            began = time.monotonic()
            await self._bring_up()
            self._lost.clear()
            await self._lost.wait()
            self._set(EngineState("starting", "restarting the model server"))
            restarts = 0 if time.monotonic() - began > STABLE_SECONDS else restarts + 1
            if restarts:
                await asyncio.sleep(BACKOFF_SECONDS[min(restarts - 1, len(BACKOFF_SECONDS) - 1)])

    async def _bring_up(self) -> None:
        """Until the model is ready or has failed for a reason that waiting does not mend."""
        try:
            await self._connect()
            await self._follow()
        except Exception as error:  # whatever it is, requests have it tried again
            log.warning("the model server cannot be used: %r", error)
            self._set(EngineState("failed", str(error) or repr(error)))

    async def _connect(self) -> None:
        await self._disconnect()
        self._endpoint = await find_or_start(self._spec, self._idle_minutes)
        self._connection = CompletionsClient(
            self._endpoint.url,
            token=self._endpoint.token,
            user=self._user,
            is_ours=True,
        )

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _follow(self) -> None:
        assert self._connection is not None
        while True:
            health = await self._connection.health()
            self._set(EngineState(health["status"], health["message"], health["percent"]))
            if health["status"] in ("ready", "failed"):
                return
            await asyncio.sleep(POLL_SECONDS)

    def _set(self, new: EngineState) -> None:
        if new != self.state:
            self.state = new
            self._on_state(new)


async def find_or_start(spec: state.ServerSpec, idle_minutes: float) -> state.Endpoint:
    """A live model server for `spec`; started when there is none.

    Of several language servers that ask at once, one starts it and the others find it. Raises
    ServerStartError, with the end of the server's log, when it does not come up.
    """
    key = spec.key()
    lock = FileLock(state.lock_file(key))
    await _acquire(lock)
    try:
        endpoint = state.read(key)
        if endpoint is not None and await _is_usable(endpoint):
            return endpoint
        state.state_file(key).unlink(missing_ok=True)
        return await _start(spec, idle_minutes)
    finally:
        lock.release()


async def stop_all() -> int:
    """Ask all of this user's model servers to end; how many there were."""
    return sum([await _shut_down(endpoint) for endpoint in state.read_all()])


async def health_of(endpoint: state.Endpoint) -> dict[str, Any] | None:
    """What a model server says of itself; None when nobody answers there."""
    client = CompletionsClient(endpoint.url, token=endpoint.token)
    try:
        return await client.health()
    except EngineError:
        return None
    finally:
        await client.close()


async def _acquire(lock: FileLock) -> None:
    while True:
        try:
            lock.acquire(timeout=0)
            return
        except Timeout:
            await asyncio.sleep(POLL_SECONDS)


async def _is_usable(endpoint: state.Endpoint) -> bool:
    """Whether it lives, is of this version, and has not failed; a failed one is told to end."""
    health = await health_of(endpoint)
    if health is None or health.get("version") != __version__:
        return False
    if health["status"] != "failed":
        return True
    await _shut_down(endpoint)
    return False


async def _shut_down(endpoint: state.Endpoint) -> bool:
    """Ask a model server to end; whether it was there to hear it."""
    client = CompletionsClient(endpoint.url, token=endpoint.token)
    try:
        await client.shut_down()
    except EngineError:
        return False
    finally:
        await client.close()
    return True


async def _start(spec: state.ServerSpec, idle_minutes: float) -> state.Endpoint:
    key = spec.key()
    process = spawn(spec, idle_minutes)
    deadline = time.monotonic() + START_SECONDS
    try:
        while process.poll() is None and time.monotonic() < deadline:
            # its process id tells nothing: in a Windows venv `process` is only a launcher
            if (endpoint := state.read(key)) is not None:
                return endpoint
            await asyncio.sleep(POLL_SECONDS / 2)
    except asyncio.CancelledError:
        process.kill()  # the next to look for a server would not find it yet, and start another
        raise
    process.kill()
    raise ServerStartError(
        f"the model server did not start; {state.log_file(key)} ends with: {_log_end(key)}"
    )


def spawn(spec: state.ServerSpec, idle_minutes: float) -> subprocess.Popen[bytes]:
    """Start a model server that outlives this process, its output going to its log file."""
    command = [sys.executable, "-m", "lsp_server", "model-server", "--model", spec.model]
    command += ["--device", spec.device, "--kv-slots", str(spec.kv_slots)]
    command += ["--kv-megabytes", str(spec.kv_megabytes), "--idle-minutes", str(idle_minutes)]
    if spec.threads:
        command += ["--threads", str(spec.threads)]
    detached: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        detached = {"creationflags": flags}
    log_path = state.log_file(spec.key())
    if log_path.exists() and log_path.stat().st_size > LOG_BYTES:
        log_path.unlink(missing_ok=True)
    with log_path.open("ab") as log_output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log_output,
            stderr=log_output,
            cwd=state.state_dir(),  # `-m` imports from there: nobody's modules, and no repository's
            **detached,
        )


def _log_end(key: str) -> str:
    try:
        lines = state.log_file(key).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "(no log)"
    return " / ".join(lines[-3:])
