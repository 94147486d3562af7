"""What was generated, found again by the text around the cursor."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from lsp_server.completion.types import Anchor, Outcome, Work
from lsp_server.prompt.boundary import AUTO_CLOSED

ENTRIES_KEPT = 200
CHARACTERS_KEPT = 8_000_000
"""Of documents: an entry holds the whole of one, and to look for one is to compare them all."""

MOST_CLOSED = 2
"""Characters that an editor may add after the cursor as a bracket or quote is typed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What was generated at an anchor: `text` as the model wrote it, and `shown`, the part of it
    that is worth inserting, None where nobody has asked for that. `whole`: the model had no more to
    say. `nothing` is why `shown` is empty; `work` is what it took."""

    anchor: Anchor
    text: str
    shown: str | None
    whole: bool
    nothing: Outcome | None = None
    work: Work = field(default_factory=Work, compare=False)


@dataclass(frozen=True, slots=True)
class Recalled:
    """What an entry holds for a place: the rest of what is `shown`, to be offered as it is; else
    only the text `ahead` of the cursor, not yet fitted to the place."""

    shown: str | None
    ahead: str
    whole: bool
    nothing: Outcome | None = None
    work: Work = field(default_factory=Work, compare=False)


def agreement(anchor: Anchor, now: Anchor) -> str | None:
    """What was typed between an anchor and now; None when the document differs in any other way.

    An editor closes brackets and quotes as they are opened: a few such characters at the start of
    the text after the cursor are no difference.
    """
    if anchor.document != now.document or not now.prefix.startswith(anchor.prefix):
        return None
    closed = len(now.suffix) - len(anchor.suffix)
    if not 0 <= closed <= MOST_CLOSED or not now.suffix.endswith(anchor.suffix):
        return None
    typed = now.prefix[len(anchor.prefix) :]
    if now.suffix[:closed].strip(AUTO_CLOSED) or closed > len(typed):
        return None
    return typed


class SuggestionCache:
    """The latest texts, whole and partial ones, of all documents."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()

    def add(self, entry: Entry) -> None:
        """Keep a text; of one anchor the latest is kept."""
        for old in self._entries:
            if old.anchor == entry.anchor:
                self._entries.remove(old)
                break
        self._entries.append(entry)
        while len(self._entries) > ENTRIES_KEPT or self._characters() > CHARACTERS_KEPT:
            self._entries.popleft()

    def _characters(self) -> int:
        return sum(len(each.anchor.prefix) + len(each.anchor.suffix) for each in self._entries)

    def recall(self, now: Anchor) -> Iterator[Recalled]:
        """What is known for a place, the latest first."""
        for entry in reversed(self._entries):
            typed = agreement(entry.anchor, now)
            if typed is None:
                continue
            shown = _rest(entry, typed) if now.suffix == entry.anchor.suffix else None
            if entry.text.startswith(typed):
                ahead = entry.text[len(typed) :]
                yield Recalled(shown, ahead, entry.whole, entry.nothing, entry.work)
            elif shown is not None:  # in the file's indentation, which is not the model's
                yield Recalled(shown, shown, entry.whole, entry.nothing, entry.work)


def _rest(entry: Entry, typed: str) -> str | None:
    """What is left of what is shown; None when it is all typed, or was not what was typed."""
    if entry.shown is None or not entry.shown.startswith(typed) or (typed and entry.shown == typed):
        return None
    return entry.shown[len(typed) :]
