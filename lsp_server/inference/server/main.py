"""`coder-lsp model-server`: one process that holds the weights for all of a user's editors."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import time
from typing import NoReturn

from aiohttp import web

from lsp_server.inference import state
from lsp_server.inference.server.app import ModelServerApp
from lsp_server.inference.server.worker import Worker, load_model

FAILED_LINGER_SECONDS = 60.0
"""How long a server whose model cannot be loaded stays to say why."""

log = logging.getLogger(__name__)


def run(spec: state.ServerSpec, idle_minutes: float) -> NoReturn:
    """Serve until told to stop, or until no request came for `idle_minutes`; ends the process."""
    # waiting threads must not spin: they would take the cores that the editor needs
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    # only ours in full: httpx would log the signed addresses of downloads
    logging.getLogger("lsp_server").setLevel(logging.INFO)
    asyncio.run(_serve(spec, idle_minutes))
    # the engine's thread may be inside torch, which crashes when the interpreter is taken down
    os._exit(0)


async def _serve(spec: state.ServerSpec, idle_minutes: float) -> None:
    stop = asyncio.Event()
    _stop_on_signals(stop)
    token = secrets.token_urlsafe(32)
    worker = Worker(load_model(spec))
    served = ModelServerApp(worker, spec.model, token, stop.set)
    runner = web.AppRunner(
        served.application(), handler_cancellation=True, access_log=None, shutdown_timeout=1.0
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    state.write(spec.key(), state.Endpoint(os.getpid(), port, token))
    log.info("serving %s on port %d", spec.model, port)
    worker.start()
    try:
        await _until_idle(worker, served, stop, 60 * idle_minutes)
    finally:
        state.withdraw(spec.key(), os.getpid())
        await runner.cleanup()
        log.info("stopped")


async def _until_idle(
    worker: Worker, served: ModelServerApp, stop: asyncio.Event, idle_seconds: float
) -> None:
    """Wait for `stop`, or for a time without requests; a download is never idle time."""
    while not stop.is_set():
        limit = FAILED_LINGER_SECONDS if worker.state.status == "failed" else idle_seconds
        if worker.state.status not in ("ready", "failed") or worker.busy:
            served.last_request = time.monotonic()
        left = served.last_request + limit - time.monotonic()
        if left <= 0:
            log.info("no request for %.0f s", limit)
            return
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), min(left, 5.0))


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for name in ("SIGTERM", "SIGINT"):
        with contextlib.suppress(NotImplementedError):  # Windows: the process is simply ended
            loop.add_signal_handler(getattr(signal, name), stop.set)
