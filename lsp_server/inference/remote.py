"""Another server with /v1/completions, such as vLLM or llama-server, instead of our own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from lsp_server.inference.client import CompletionsClient, EngineError
from lsp_server.inference.types import EngineState
from lsp_server.settings import API_KEY_VARIABLE, EngineSettings, config_file

RETRY_SECONDS = (1.0, 2.0, 5.0, 15.0)


class RemoteEngine:
    """A server that somebody else runs: found, named, and tried again while it is away.

    `on_state` is called on the event loop at every change. `client` is None until it answers.
    """

    def __init__(
        self, settings: EngineSettings, user: str, on_state: Callable[[EngineState], None]
    ) -> None:
        assert settings.url is not None
        self._settings = settings
        self._url: str = settings.url
        self._user = user
        self._on_state = on_state
        self._lost = asyncio.Event()
        self._connection: CompletionsClient | None = None
        self._task: asyncio.Task[None] | None = None
        self.state = EngineState("starting", f"connecting to {self._url}")

    @property
    def client(self) -> CompletionsClient | None:
        """The client to ask, when the server answers."""
        return self._connection if self.state.status == "ready" else None

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.get_running_loop().create_task(self._keep_connected())

    def lost(self) -> None:
        """Tell that a request found the server gone."""
        self._lost.set()

    async def close(self) -> None:
        """Let go of the server."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._connection is not None:
            await self._connection.close()

    async def _keep_connected(self) -> None:
        while True:
            model = await self._model_name()
            if self._connection is not None:
                await self._connection.close()
            self._connection = self._connect(model)
            self._set(EngineState("ready", self._url))
            self._lost.clear()
            await self._lost.wait()
            self._set(EngineState("starting", f"connecting to {self._url}"))

    async def _model_name(self) -> str | None:
        """The model to ask for; waits, with growing pauses, until the server tells."""
        attempt = 0
        while True:
            probe = self._connect(None)
            try:
                served = await probe.models()
                return self._settings.remote_model or (served[0] if served else None)
            except EngineError as error:
                self._set(_state_for(error, self._url))
            finally:
                await probe.close()
            await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
            attempt += 1

    def _connect(self, model: str | None) -> CompletionsClient:
        token = self._settings.api_key
        return CompletionsClient(self._url, token=token, model=model, user=self._user)

    def _set(self, new: EngineState) -> None:
        if new != self.state:
            self.state = new
            self._on_state(new)


def _state_for(error: EngineError, url: str) -> EngineState:
    """What to tell the user, and where there is something to do, what."""
    message = f"{url}: {error}"
    if error.status == 503:
        return EngineState("loading", message)
    if error.status in (401, 403):
        message += (
            f". Name the key in {API_KEY_VARIABLE}, or as engine.api_key in {config_file()}; "
            "it goes only to the engine.url of that file"
        )
    if error.status == 404:
        message += ". engine.url is to be the address before /v1/completions"
    return EngineState("failed", message)
