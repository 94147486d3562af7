"""One stream of tokens for a place in a document, alive while what is typed agrees with it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from lsp_server.completion import postprocess
from lsp_server.completion.cache import MOST_CLOSED, agreement
from lsp_server.completion.place import Place, place_at
from lsp_server.completion.prompting import Asked
from lsp_server.completion.scope import Scope, ScopeRules, end_of, scope_at
from lsp_server.completion.types import Anchor, Work
from lsp_server.inference.client import Chunk, CompletionsClient

LEAST_TOKENS = 3
"""Fewer say too little of how sure the model is, unless they are all there are."""
MOST_BLANK_LINES = 2

Ask = Callable[[Work], Awaitable[Asked]]
"""Makes the prompt, and notes what that took."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a generation ends at the latest: tokens, seconds, and the mean probability of its
    tokens (0 to 1) under which it is given up."""

    max_tokens: int
    seconds: float
    min_confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Aim:
    """What is wanted at an anchor, and where it ends. With `base`, it is prepared for a cursor that
    is expected there, on its way from `base`, the shortest prefix for which that still holds; then
    it goes on over the end of a line into the next one."""

    anchor: Anchor
    place: Place
    scope: Scope
    rules: ScopeRules
    base: str | None = None


class Abandoned(Exception):
    """The engine broke off, for a newer request of this editor or for somebody's real one."""


class Diverged(Exception):
    """The document became another than what is generated."""


class Generation:
    """Text that follows an anchor, as it comes. It runs as a task of its own, so that it outlives
    the request that began it.

    `text` follows the anchor's prefix. Once `done`, no more comes: then `whole` says that the model
    had no more to say, `unsure` that it was given up for that, and `error` why it broke off:
    CancelledError when we ended it, Diverged, Abandoned, TimeoutError, or the engine's error.
    """

    def __init__(self, aim: Aim, limits: Limits) -> None:
        self.aim = aim
        self.text = ""
        self.done = False
        self.whole = False
        self.unsure = False
        self.error: BaseException | None = None
        self.work = Work()
        self._limits = limits
        self._document: list[Anchor] | None = None
        self._logprobs: list[float] = []
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._after: Generation | None = None
        self._next_line: tuple[str, Place, Scope] | None = None

    def start(
        self,
        client: CompletionsClient,
        ask: Ask,
        on_end: Callable[[Generation], None],
        after: Generation | None = None,
    ) -> None:
        """Begin, once the one before it has let go of the engine. `on_end` is called when it is
        done, whatever ended it."""

        def finish(task: asyncio.Task[None]) -> None:
            self.error = asyncio.CancelledError() if task.cancelled() else task.exception()
            self.done = True
            try:
                on_end(self)
            except Exception as error:  # who waits is told; nobody else would tell them
                self.error = error
            self._tell()

        self._after = after
        self._task = asyncio.get_running_loop().create_task(self._run(client, ask))
        self._task.add_done_callback(finish)

    def serves(self, now: Anchor) -> bool:
        """Whether it will say, or has said, what follows the cursor there."""
        typed = agreement(self.aim.anchor, now)
        if typed is None:
            return False
        return self.text.startswith(typed) or (not self.done and typed.startswith(self.text))

    def outlives(self, document: str, text: str) -> bool:
        """Take note of a document as it reads now; ends, and returns False, when what was typed
        since, or any other edit, disagrees."""
        if self.done or document != self.aim.anchor.document:
            return True
        self._document = _cuts(document, text, self.aim.anchor.suffix)
        if self._disagrees():
            self.end()
            return False
        return True

    def is_wanted(self, now: Anchor) -> bool:
        """Whether it says what follows the cursor there, or will be where the cursor comes to."""
        return self.serves(now) or self._is_awaited(now)

    async def settled(self, now: Anchor) -> None:
        """Wait until it is done, or serves this place no more."""
        while not self.done and self.serves(now):
            await self._news.wait()

    def end(self) -> None:
        """End it at once: it is done, though it may take a moment to let go of the engine."""
        if self._task is not None and not self.done:
            self._task.cancel()
            self.done, self.error = True, asyncio.CancelledError()
            self._tell()

    async def ended(self) -> None:
        """Wait until it has let go of the engine, and those before it."""
        if self._after is not None:  # it was ended before it could wait for that itself
            await self._after.ended()
        if self._task is not None:
            await asyncio.wait({self._task})

    def _is_awaited(self, now: Anchor) -> bool:
        """Whether the cursor may still come to the anchor it was prepared for."""
        anchor, base = self.aim.anchor, self.aim.base
        if base is None or (now.document, now.suffix) != (anchor.document, anchor.suffix):
            return False
        return anchor.prefix.startswith(now.prefix) and now.prefix.startswith(base)

    async def _run(self, client: CompletionsClient, ask: Ask) -> None:
        if self._after is not None:
            await self._after.ended()
            self._after = None
        await asyncio.wait_for(self._stream(client, ask), self._limits.seconds)

    async def _stream(self, client: CompletionsClient, ask: Ask) -> None:
        asked = await ask(self.work)
        began = time.monotonic()
        raw, count = "", 0
        stream = client.stream(
            asked.prompt.ids,
            max_tokens=self._limits.max_tokens,
            stop_token_ids=asked.prompt.stop_ids,
            logprobs=self._limits.min_confidence > 0,
            background=self.aim.base is not None,
            begins_with=asked.withheld,
        )
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                if chunk.finish_reason == "abort":
                    raise Abandoned
                if chunk.text:
                    self.work.stages_ms.setdefault("first_token", _milliseconds_since(began))
                    count += 1
                    raw += chunk.text
                self.whole = chunk.finish_reason == "stop" or self.whole
                self._note(chunk, count)
                self.text = postprocess.after_withheld(raw, self.aim.anchor.prefix, asked.withheld)
                self._tell()
                if self._disagrees():
                    raise Diverged
                if self._is_unsure() or self._is_enough():
                    break
        if self._logprobs:
            self.work.confidence = self._confidence()
        self.unsure = self.unsure or self._confidence() < self._limits.min_confidence
        self.work.stages_ms["generate"] = _milliseconds_since(began)

    def _disagrees(self) -> bool:
        cuts = self._document
        return cuts is not None and not any(self.is_wanted(cut) for cut in cuts)

    def _is_enough(self) -> bool:
        aim = self.aim
        if aim.base is None or not self.text.startswith("\n"):
            return end_of(self.text, aim.place, aim.scope) is not None
        rest = self.text.lstrip()
        lead = self.text[: len(self.text) - len(rest)]
        if not rest:
            return lead.count("\n") > MOST_BLANK_LINES
        if self._next_line is None or self._next_line[0] != lead:
            place = place_at(aim.anchor.prefix + lead, aim.anchor.suffix, aim.place.language)
            self._next_line = (lead, place, scope_at(place, aim.rules, invoked=False))
        return end_of(rest, *self._next_line[1:]) is not None

    def _is_unsure(self) -> bool:
        if len(self._logprobs) >= LEAST_TOKENS:
            self.unsure = self._confidence() < self._limits.min_confidence
        return self.unsure

    def _confidence(self) -> float:
        """The geometric mean of the tokens' probabilities; 1 where the engine tells none."""
        if not self._logprobs:
            return 1.0
        return math.exp(sum(self._logprobs) / len(self._logprobs))

    def _note(self, chunk: Chunk, count: int) -> None:
        self.work.tokens["generated"] = count
        self._logprobs += [each for each in chunk.token_logprobs if each is not None]
        details = chunk.usage.get("prompt_tokens_details") or {}
        if "cached_tokens" in details:
            self.work.tokens["cached"] = details["cached_tokens"]
        for stage, milliseconds in chunk.timings_ms.items():
            self.work.stages_ms[f"engine_{stage}"] = milliseconds

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _cuts(document: str, text: str, suffix: str) -> list[Anchor]:
    """Where the cursor may be in a text that was typed before `suffix`, closing characters that
    the editor added taken into account; nowhere, when it does not end in `suffix`."""
    if not text.endswith(suffix):
        return []
    ends = range(len(text) - len(suffix), max(-1, len(text) - len(suffix) - MOST_CLOSED - 1), -1)
    return [Anchor(document, text[:end], text[end:]) for end in ends]


def _milliseconds_since(began: float) -> float:
    return 1000 * (time.monotonic() - began)
