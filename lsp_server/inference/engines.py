"""Which engine answers: the local model server, or another server with /v1/completions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from lsp_server.inference.client import CompletionsClient
from lsp_server.inference.hardware import default_model, gpu_memory_bytes
from lsp_server.inference.models.store import ModelError, ModelStore, is_local
from lsp_server.inference.remote import RemoteEngine
from lsp_server.inference.state import ServerSpec
from lsp_server.inference.supervisor import LocalEngine
from lsp_server.inference.types import EngineState
from lsp_server.settings import EngineSettings, Settings


class Engine(Protocol):
    """Where tokens come from. All methods belong to one event loop."""

    state: EngineState

    @property
    def client(self) -> CompletionsClient | None:
        """The client to ask; None until it is ready."""

    def start(self) -> None:
        """Begin to bring it up, in the background."""

    def lost(self) -> None:
        """Tell that a request found it gone."""

    async def close(self) -> None:
        """Let go of it."""


def chosen_model(settings: Settings) -> str:
    """The model that is set, else the one that suits the hardware; may take a second or two.

    A local path becomes absolute, since the model server runs in another folder. Raises ModelError
    when another server is to answer and it is not said with which model.
    """
    if settings.engine.url and not settings.model:
        raise ModelError(
            "engine.url is set, so set `model` as well, to the model that it serves: a name of "
            "`coder-lsp models list`, a hub id or a local directory"
        )
    gpu_bytes = 0 if settings.engine.device == "cpu" else gpu_memory_bytes()
    model = settings.model or default_model(gpu_bytes)
    return str(Path(model).expanduser().resolve()) if is_local(model) else model


def usable_model(settings: Settings) -> str:
    """The chosen model; where none may be fetched, only when it is installed.

    Raises ModelError, as `chosen_model` does, and with what to do where it is missing.
    """
    model = chosen_model(settings)
    store = ModelStore()
    find = store.find_tokenizer if settings.engine.url else store.find
    if not settings.engine.download and find(model) is None:
        raise ModelError(
            f"{model} is not installed, and not fetched by itself when an editor's settings choose "
            f"it or engine.download is off: run `coder-lsp models pull {model}`, then start the "
            "language server again"
        )
    return model


def make_engine(
    settings: EngineSettings, model: str, user: str, on_state: Callable[[EngineState], None]
) -> Engine:
    """The engine that the settings name, not yet started.

    `user` names this client to it; `on_state` is called on the event loop at every change.
    """
    if settings.url:
        return RemoteEngine(settings, user, on_state)
    spec = ServerSpec(
        model, settings.device, settings.threads, settings.kv_slots, settings.kv_megabytes
    )
    return LocalEngine(spec, idle_minutes=settings.idle_minutes, user=user, on_state=on_state)
