"""What a simulated user types with: an editor with suggestions, behind one interface."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ghost:
    """A visible suggestion: what it would insert, and since when it reads so, typing along it left
    out."""

    text: str
    since: float


@dataclass(frozen=True, slots=True)
class Usage:
    """What a session took: requests that were answered, those of them without a new generation, and
    all tokens generated. `outcomes` has counts, by names of the assistant's own."""

    answered: int = 0
    reused: int = 0
    generated: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)


class Assistant(ABC):
    """Suggestions at one cursor of one document.

    `ghost` is what is visible; `answered` is when the answer for exactly the present text became
    visible; `changed` is set whenever either may have changed.
    """

    def __init__(self) -> None:
        self.ghost: Ghost | None = None
        self.answered: float | None = None
        self.changed = asyncio.Event()

    @abstractmethod
    async def open(self, before: str, after: str) -> None:
        """Open the document with the cursor between two texts, and let things settle."""

    @abstractmethod
    def change(self, before: str) -> None:
        """The text before the cursor is now this: a key was struck."""

    def accept(self, before: str) -> None:
        """The visible suggestion was accepted, which makes the text before the cursor this."""
        self.change(before)

    @abstractmethod
    async def at_rest_after(self, moment: float) -> float | None:
        """When the engine came to rest after a moment just now; None when it was at rest then."""

    @abstractmethod
    async def usage(self) -> Usage:
        """What the session took so far."""

    def type_along(self, added: str) -> None:
        """What was visible stays as far as it goes on with `added`; with nothing added it goes."""
        ghost, self.ghost = self.ghost, None
        if ghost and added and ghost.text.startswith(added) and ghost.text != added:
            self.ghost = Ghost(ghost.text[len(added) :], ghost.since)

    def show(self, text: str) -> None:
        """An answer for the present text: replaces what is visible, or hides it when empty."""
        now = time.monotonic()
        self.answered = now if text else None
        if self.ghost is None or self.ghost.text != text:
            self.ghost = Ghost(text, now) if text else None
        self.changed.set()
