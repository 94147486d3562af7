"""Random sessions: typing, moving, asking, cancelling, tokens arriving, an engine failing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lsp_server.completion import read_ahead
from lsp_server.completion import service as module
from lsp_server.completion.cache import agreement
from lsp_server.completion.types import SUPERSEDED, Anchor, Outcome, Suggestion
from lsp_server.inference.client import Chunk, EngineError, EngineUnavailableError
from tests.completion.scripted import URI, Desk

T = TypeVar("T")

TEXT = "def f(a):\n    b = a\n    return b\n"
TOKENS = ["a", "b", "(", ")", " ", "\n", "\n    ", "ab", "a)", " = ", "return", "b\n"]
TYPED = ["a", "b", "(", " ", "\n    ", "x"]
ANSWERED = {Outcome.SUGGESTED, Outcome.CACHED, Outcome.ATTACHED}


class Sessions(RuleBasedStateMachine):
    """An editor, a service, and a model that writes anything."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(module, "PREPARE_SECONDS", 0.0)
        self.patch.setattr(read_ahead, "IDLE_SECONDS", 0.001)
        self.desk = Desk(self.patch, TEXT, len(TEXT))
        self.asked: list[tuple[Anchor, asyncio.Task[Suggestion]]] = []
        self.run(self.desk.start())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def settle(self) -> None:
        """Let everything run that can, without anything new from outside."""

        async def turns() -> None:
            for _ in range(20):
                await asyncio.sleep(0)
            await asyncio.sleep(0.002)  # threads and timers

        self.run(turns())

    def in_loop(self, action: Any) -> None:
        async def act() -> None:
            action()

        self.run(act())
        self.settle()

    @rule(text=st.sampled_from(TYPED))
    def types(self, text: str) -> None:
        self.in_loop(lambda: self.desk.type(text, ")" if text == "(" else ""))

    @rule(length=st.integers(1, 9))
    def types_what_is_written(self, length: int) -> None:
        """Letters along the latest text that the model wrote."""
        for stream in self.desk.client.streams[-1:]:
            self.in_loop(partial(self.desk.type, stream.written[:length]))

    @rule(count=st.integers(1, 4))
    def deletes(self, count: int) -> None:
        self.in_loop(lambda: self.desk.delete(count))

    @rule(share=st.floats(0, 1))
    def moves(self, share: float) -> None:
        self.desk.offset = int(share * len(self.desk.text))

    @rule(invoked=st.booleans())
    def asks(self, invoked: bool) -> None:
        desk = self.desk
        now = Anchor(URI, desk.text[: desk.offset], desk.text[desk.offset :])

        async def ask() -> None:
            self.asked.append((now, desk.ask(invoked)))

        self.run(ask())
        self.settle()

    @rule(superseded=st.booleans())
    def cancels(self, superseded: bool) -> None:
        for _, task in self.asked[-1:]:
            self.in_loop(partial(task.cancel, *[SUPERSEDED] * superseded))

    @rule(tokens=st.lists(st.sampled_from(TOKENS), min_size=1, max_size=6))
    def tokens_arrive(self, tokens: list[str]) -> None:
        for stream in self.desk.client.running:
            self.in_loop(partial(stream.write, *tokens))

    @rule(
        end=st.sampled_from(
            [
                Chunk("", "stop"),
                Chunk("", "length"),
                Chunk("", "abort"),
                EngineError("refused", 400),
                EngineUnavailableError("gone"),
                RuntimeError("a fault of ours"),
            ]
        )
    )
    def a_stream_ends(self, end: Chunk | Exception) -> None:
        for stream in self.desk.client.running:
            self.in_loop(partial(stream.write, end))

    @invariant()
    def one_generation_at_a_time(self) -> None:
        assert self.desk.client.at_once <= 1

    @invariant()
    def every_answer_is_for_its_document(self) -> None:
        for now, task in self.asked:
            if task.done() and not task.cancelled():
                self.check(now, task.result())
        self.asked = [(now, task) for now, task in self.asked if not task.done()]

    def check(self, now: Anchor, suggestion: Suggestion) -> None:
        assert bool(suggestion.text) == (suggestion.receipt.outcome in ANSWERED)
        if suggestion.text:
            assert any(self.wrote(stream, now, suggestion.text) for stream in self.streams())

    def streams(self) -> list[Any]:
        return self.desk.client.streams

    def wrote(self, stream: Any, now: Anchor, text: str) -> bool:
        """Whether a stream said this for this place, a blank that it did not see aside."""
        typed = agreement(stream.anchor, now)
        if typed is None:
            return False
        withheld = stream.anchor.prefix[-1:] if stream.anchor.prefix.endswith((" ", "\t")) else ""
        written = stream.written.removeprefix(withheld)
        squeezed = [" ".join(each.split()) for each in (typed + text, written, written.lstrip())]
        return any(whole.startswith(squeezed[0]) for whole in squeezed[1:])

    def teardown(self) -> None:
        self.run(self.desk.service.close())
        for _, task in self.asked:
            task.cancel()
        self.settle()
        began = time.monotonic()
        while left := asyncio.all_tasks(self.loop):
            assert time.monotonic() - began < 10, f"left over: {left}"
            self.settle()
        assert not self.desk.client.running
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.patch.undo()


TestSessions = Sessions.TestCase
TestSessions.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
