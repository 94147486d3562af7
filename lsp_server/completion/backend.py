"""The engine that answers, and what makes its prompts: brought up in the background."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import uuid
from collections.abc import Callable

from lsp_server.completion.builder import load_builder
from lsp_server.completion.types import EngineState
from lsp_server.inference.client import CompletionsClient, EngineError, EngineUnavailableError
from lsp_server.inference.engines import Engine, make_engine, usable_model
from lsp_server.inference.models.store import ModelError
from lsp_server.prompt.layout import PromptBuilder
from lsp_server.prompt.templates import NoTemplateError
from lsp_server.prompt.tokenizer import TokenizerError
from lsp_server.settings import Settings

log = logging.getLogger(__name__)


class Backend:
    """An engine and its model's prompt builder, for one editor. All methods belong to one event
    loop; `on_state` is called at every change of `state`, which is ready once both are."""

    def __init__(self, on_state: Callable[[EngineState], None]) -> None:
        self._on_state = on_state
        self._user = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._engine: Engine | None = None
        self._setup: asyncio.Task[None] | None = None
        self.builder: PromptBuilder | None = None
        self.state = EngineState("starting")

    @property
    def client(self) -> CompletionsClient | None:
        """Whom to ask; None while nobody answers or no prompts can be made."""
        return self._engine.client if self._engine and self.builder else None

    def start(self, settings: Settings) -> None:
        """Begin to bring up what the settings name."""
        self._setup = asyncio.get_running_loop().create_task(self._bring_up(settings))

    async def restart(self, settings: Settings) -> None:
        """Let go of the engine, and begin to bring up another one."""
        await self.close()
        self._set_state(EngineState("starting"))
        self.start(settings)

    async def close(self) -> None:
        """Let go of the engine; from the call on there is none."""
        engine, self._engine, self.builder = self._engine, None, None
        if self._setup is not None:
            self._setup.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._setup
            self._setup = None
        if engine is not None:
            await engine.close()

    def failed(self, error: EngineError) -> None:
        """Tell what a request ran into: an engine that is gone is looked for again."""
        gone = isinstance(error, EngineUnavailableError) or error.status in (401, 403, 404)
        if gone and self._engine is not None:
            self._engine.lost()

    def try_again(self) -> None:
        """Have a failed engine tried once more, with growing pauses."""
        if self._engine is not None and self._engine.state.status == "failed":
            self._engine.lost()

    async def _bring_up(self, settings: Settings) -> None:
        """Start the engine; as soon as it is ready, load its tokenizer. Failures become a state."""
        try:
            model = await asyncio.to_thread(usable_model, settings)
            ready = asyncio.Event()

            def changed(state: EngineState) -> None:
                if state.status == "ready":
                    ready.set()
                # ready to the editor means that prompts can be made as well
                if state.status != "ready" or self.builder is not None:
                    self._set_state(state)

            self._engine = make_engine(settings.engine, model, self._user, changed)
            self._engine.start()
            await ready.wait()
            self.builder = await asyncio.to_thread(load_builder, model)
        except (NoTemplateError, TokenizerError, ModelError, OSError) as error:
            log.warning("no prompts can be made: %s", error)
            self._set_state(EngineState("failed", str(error)))
        except Exception as error:
            log.exception("the model was not brought up")
            self._set_state(EngineState("failed", repr(error)))
        else:
            self._set_state(self._engine.state)

    def _set_state(self, state: EngineState) -> None:
        self.state = state
        self._on_state(state)
