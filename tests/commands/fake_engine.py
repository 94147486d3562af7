"""An engine that is ready at once, or fails at once, and a tokenizer for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from lsp_server.completion import backend
from lsp_server.inference.client import Chunk
from lsp_server.inference.types import EngineState
from lsp_server.prompt.layout import PromptBuilder
from lsp_server.prompt.templates import TEMPLATES
from lsp_server.prompt.tokenizer import Tokenizer
from tests.prompt.tiny_tokenizers import byte_level_json

TEMPLATE = TEMPLATES["qwen2.5-coder"]


class FakeEngine:
    """Its client too: answers every request with the same texts, and keeps the prompts."""

    is_ours = False

    def __init__(self, texts: Sequence[str], failure: str | None) -> None:
        self.state = EngineState("starting")
        self.client = self
        self.prompts: list[str] = []
        self.models: list[str] = []
        self.tokenizer_json = byte_level_json(list(TEMPLATE.control_tokens))
        self.tokenizer = Tokenizer(self.tokenizer_json)
        self._texts = texts
        self._failure = failure
        self._on_state: Any = None

    def make(self, _settings: object, model: str, _user: str, on_state: Any) -> Any:
        self.models.append(model)
        self._on_state = on_state
        return self

    def start(self) -> None:
        if self._failure is None:
            self.state = EngineState("ready", "here")
        else:
            self.state = EngineState("failed", self._failure)
        self._on_state(self.state)

    def lost(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def stream(self, prompt: Sequence[int], **_: object) -> AsyncGenerator[Chunk, None]:
        self.prompts.append(self.tokenizer.decode(prompt))
        for text in self._texts:
            yield Chunk(text)


def install(monkeypatch: pytest.MonkeyPatch, *texts: str, failure: str | None = None) -> FakeEngine:
    """Have the completion service use such an engine."""
    engine = FakeEngine(texts, failure)
    monkeypatch.setattr(backend, "make_engine", engine.make)
    monkeypatch.setattr(
        backend, "load_builder", lambda _: PromptBuilder(engine.tokenizer, TEMPLATE, 2048)
    )
    return engine
