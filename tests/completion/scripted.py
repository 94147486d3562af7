"""A service whose model writes what a test says, token by token, when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from lsp_server.completion import backend
from lsp_server.completion.prompting import Prompter
from lsp_server.completion.service import CompletionService
from lsp_server.completion.types import Anchor, CompletionRequest, EngineState, Receipt, Suggestion
from lsp_server.inference.client import Chunk
from lsp_server.prompt.layout import PromptBuilder
from lsp_server.prompt.templates import TEMPLATES
from lsp_server.settings import Settings
from tests.prompt.tiny_tokenizers import byte_level

URI = "file:///a.py"
TEXT = "def f(a, b):\n    return \n\nprint(f(1, 2))\n"
AT = len("def f(a, b):\n    return ")
PATIENCE = 8.0
"""Seconds; fewer than a generation may take, which then ends in any case."""


@dataclass
class Stream:
    """One generation as the engine sees it: where, what it has written, and whether it still
    runs. `tokens` are what it is about to write; a Chunk or an exception is taken as it is."""

    anchor: Anchor
    background: bool
    max_tokens: int
    tokens: asyncio.Queue[str | Chunk | Exception] = field(default_factory=asyncio.Queue)
    written: str = ""
    open: bool = True

    def write(self, *tokens: str | Chunk | Exception) -> None:
        for token in tokens:
            self.tokens.put_nowait(token)


class ScriptedClient:
    """Keeps its streams, and the most that ever ran at once; reading ahead is not among them, and
    takes until `may_read` is set. A stream that is left is open for `closing` seconds more."""

    def __init__(self) -> None:
        self.is_ours = True
        self.anchor = Anchor("", "", "")
        self.streams: list[Stream] = []
        self.read: list[Anchor] = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.at_once = 0
        self.closing = 0.0

    @property
    def running(self) -> list[Stream]:
        return [stream for stream in self.streams if stream.open]

    async def stream(self, prompt: Sequence[int], **options: Any) -> AsyncGenerator[Chunk, None]:
        if options["max_tokens"] == 1:
            self.read.append(self.anchor)
            await self.may_read.wait()
            return
        stream = Stream(self.anchor, options["background"], options["max_tokens"])
        self.streams.append(stream)
        self.at_once = max(self.at_once, len(self.running))
        withheld = options["begins_with"]
        try:
            while True:
                token = await stream.tokens.get()
                if isinstance(token, Exception):
                    raise token
                chunk = token if isinstance(token, Chunk) else Chunk(token)
                if not options["logprobs"]:
                    chunk = replace(chunk, token_logprobs=())
                if chunk.text and not chunk.text.startswith(withheld):
                    yield Chunk(withheld)
                withheld = "" if chunk.text else withheld
                stream.written += chunk.text
                yield chunk
                if chunk.finish_reason is not None:
                    return
        finally:
            await asyncio.sleep(self.closing)  # as a real connection takes a moment to close
            stream.open = False


class ScriptedEngine:
    """An engine that a test makes ready, or not."""

    def __init__(self, client: ScriptedClient, on_state: Callable[[EngineState], None]) -> None:
        self.state = EngineState("starting")
        self.client: ScriptedClient | None = None
        self.times_lost = 0
        self._ready_client = client
        self._on_state = on_state

    def start(self) -> None:
        self.become(EngineState("ready"))

    def become(self, state: EngineState) -> None:
        self.state = state
        self.client = self._ready_client if state.status == "ready" else None
        self._on_state(state)

    def lost(self) -> None:
        self.times_lost += 1

    async def close(self) -> None:
        self.client = None


class Desk:
    """A document, its cursor, and the service that is asked about it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, text: str = "", offset: int = 0) -> None:
        self.client = ScriptedClient()
        self.engine: ScriptedEngine | None = None
        self.text, self.offset = text, offset
        self.service: CompletionService
        builder = PromptBuilder(
            byte_level(list(TEMPLATES["qwen2.5-coder"].control_tokens)),
            TEMPLATES["qwen2.5-coder"],
            window=4096,
        )
        ask = Prompter.ask

        async def noted(
            prompter: Prompter, request: Any, at: Anchor, *rest: Any, **options: Any
        ) -> Any:
            asked = await ask(prompter, request, at, *rest, **options)
            self.client.anchor = at
            return asked

        def make_engine(settings: Any, model: str, user: str, on_state: Any) -> ScriptedEngine:
            self.engine = ScriptedEngine(self.client, on_state)
            return self.engine

        monkeypatch.setattr(Prompter, "ask", noted)
        monkeypatch.setattr(backend, "make_engine", make_engine)
        monkeypatch.setattr(backend, "load_builder", lambda name: builder)

    async def start(self, settings: Settings | None = None) -> None:
        self.service = CompletionService(settings or Settings(model="a"), lambda state: None)
        await self.service.start()
        await self.until(lambda: self.service.state.status == "ready")

    @property
    def prefix(self) -> str:
        return self.text[: self.offset]

    def document(self, invoked: bool = False) -> CompletionRequest:
        return CompletionRequest(
            "a.py", "python", self.text, self.offset, document=URI, invoked=invoked
        )

    def type(self, text: str, closed: str = "") -> None:
        """Insert at the cursor, as a user does; the editor closes what was opened."""
        self.text = self.prefix + text + closed + self.text[self.offset :]
        self.offset += len(text)
        self.service.edited(self.document())

    def delete(self, count: int = 1) -> None:
        """Press backspace."""
        start = max(0, self.offset - count)
        self.text, self.offset = self.text[:start] + self.text[self.offset :], start
        self.service.edited(self.document())

    def ask(self, invoked: bool = False) -> asyncio.Task[Suggestion]:
        return asyncio.ensure_future(self.service.complete(self.document(invoked)))

    async def stream(self, number: int = -1) -> Stream:
        """The latest stream, or one by its number, once it has begun."""
        wanted = number + 1 if number >= 0 else 1
        await self.until(lambda: len(self.client.streams) >= wanted)
        return self.client.streams[number]

    async def answered(self, *tokens: str | Chunk | Exception) -> Suggestion:
        """Ask; the model, where it is asked anew, writes this."""
        before = len(self.client.streams)
        task = self.ask()
        await self.until(lambda: task.done() or len(self.client.streams) > before)
        if not task.done():
            self.client.streams[-1].write(*tokens)
        return await asyncio.wait_for(task, PATIENCE)

    async def prepared(self, *tokens: str | Chunk | Exception) -> Stream:
        """Wait for what the model prepares in the background, and have it write this."""
        await self.until(lambda: any(each.background for each in self.client.running))
        [stream] = self.client.running
        stream.write(*tokens)
        await self.until(lambda: not stream.open)
        await asyncio.sleep(0)
        return stream

    async def until(self, condition: Callable[[], object]) -> None:
        async def poll() -> None:
            while not condition():
                await asyncio.sleep(0.001)

        await asyncio.wait_for(poll(), PATIENCE)

    @property
    def receipt(self) -> Receipt:
        return self.service.receipts[-1]
