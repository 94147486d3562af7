"""The simulated user, who types a segment and accepts what is right.

He types on at his rhythm whatever is shown. A suggestion that has been visible for the reaction
time and is, as a whole, what he would type next is accepted with one key; blank space at line ends
does not count, and nothing is accepted that would not save a key. All else is ignored. The reaction
time is that of matching what is seen in the Model Human Processor (Card, Moran and Newell 1983):
one perceptual, two cognitive and one motor cycle, 100 + 2 · 70 + 70 = 310 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.replay.assistant import Assistant, Usage
from benchmarks.replay.rhythm import BACKSPACE, Key, Stroke

REACTION_SECONDS = 0.31
_REST_SECONDS = 10.0
"""Longest that an engine is watched after a disagreement."""
_LINE_END_SPACE = re.compile(r"[ \t]+(?=\n)")


@dataclass(slots=True)
class Struck:
    """A change of the text: when, and whether a suggestion was visible before and after it.
    `answered` is when the answer for exactly that text was visible, if before the next change."""

    at: float
    kind: Literal["typed", "wrong", "backspace", "accepted"]
    stayed: bool
    answered: float | None = None


@dataclass(slots=True)
class Trace:
    """How a segment was typed. `keys` is how many it has, `saved` how many of them were not struck;
    `rest_ms` are the times from a key that disagrees to an engine at rest, where it was busy."""

    segment: str
    keys: int
    struck: list[Struck] = field(default_factory=list)
    saved: int = 0
    accepted: list[str] = field(default_factory=list)
    rest_ms: list[float] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)


class Typist:
    """Types keys into an assistant's document; `trace` has how it went."""

    def __init__(
        self, segment: str, before: str, keys: Sequence[Key], assistant: Assistant, reaction: float
    ) -> None:
        self.trace = Trace(segment, len(keys))
        self._before = before
        self._keys = keys
        self._done = 0
        self._assistant = assistant
        self._reaction = reaction
        self._watching: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Type all of it."""
        while self._done < len(self._keys):
            key = self._keys[self._done]
            for stroke in key.strokes:
                if await self._accepts_within(stroke):
                    break
                self._strike(stroke)
            else:
                self._done += 1
        self._note_answer()
        await asyncio.gather(*self._watching)

    async def _accepts_within(self, stroke: Stroke) -> bool:
        """Wait for a stroke's time; whether a suggestion was accepted meanwhile."""
        due = time.monotonic() + stroke.pause
        while (left := due - time.monotonic()) > 0:
            self._assistant.changed.clear()
            ghost = self._assistant.ghost
            if ghost is not None and stroke.text != BACKSPACE:
                text = as_typed(ghost.text)
                if covered := keys_covered(text, self._keys[self._done :]):
                    seen = ghost.since + self._reaction - time.monotonic()
                    if seen <= 0:
                        self._accept(text, covered)
                        return True
                    left = min(left, seen)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._assistant.changed.wait(), left)
        return False

    def _accept(self, text: str, covered: int) -> None:
        self._note_answer()
        self._before += text
        self._done += covered
        self.trace.saved += covered
        self.trace.accepted.append(text)
        self._assistant.accept(self._before)
        self.trace.struck.append(Struck(time.monotonic(), "accepted", stayed=False))

    def _strike(self, stroke: Stroke) -> None:
        self._note_answer()
        shown = self._assistant.ghost
        erases = stroke.text == BACKSPACE
        self._before = self._before[:-1] if erases else self._before + stroke.text
        at = time.monotonic()
        self._assistant.change(self._before)
        stayed = shown is not None and self._assistant.ghost is not None and not erases
        kind: Literal["typed", "wrong", "backspace"] = (
            "wrong" if stroke.wrong else "backspace" if erases else "typed"
        )
        self.trace.struck.append(Struck(at, kind, stayed))
        if stroke.wrong or (shown and not erases and not shown.text.startswith(stroke.text)):
            task = asyncio.create_task(self._watch(at))
            self._watching.add(task)

    def _note_answer(self) -> None:
        """Before the text changes: when the last change's answer came."""
        if self.trace.struck:
            self.trace.struck[-1].answered = self._assistant.answered

    async def _watch(self, at: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            rest = await asyncio.wait_for(self._assistant.at_rest_after(at), _REST_SECONDS)
            if rest is not None:
                self.trace.rest_ms.append(1000 * (rest - at))


def as_typed(suggestion: str) -> str:
    """A suggestion without blank space at line ends and at its own end."""
    return _LINE_END_SPACE.sub("", suggestion).rstrip()


def keys_covered(text: str, keys: Sequence[Key]) -> int:
    """How many keys a text stands for that is what they make next; 0 when it is not, and when there
    is nothing to save."""
    made, count = "", 0
    while len(made) < len(text) and count < len(keys):
        made += keys[count].text
        count += 1
    return count if made == text and count > 1 else 0
