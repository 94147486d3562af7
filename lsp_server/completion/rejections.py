"""Memory of no: a suggestion that was rejected is not offered again where nothing has changed."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST = 200
"""Rejections kept; the one that mattered least recently goes first."""
LINES_AROUND = 2
"""Lines with something on them, on each side, that make up the surroundings."""
LONGEST_LINE = 1000
"""Of a longer line, only so much is looked at, next to the cursor."""

_FIRST_LINE = re.compile(r"\s*[^\n]*")


@dataclass(frozen=True, slots=True)
class Rejection:
    """What the line would have become, and what is around it: the same for every cursor on the way
    along a suggestion, at `f|`, `fo|` and `foo|`."""

    document: str
    surroundings: tuple[str, ...]
    line: str
    first_line: str
    """`line` up to the end of the suggestion's first line that is not blank."""


class Rejections:
    """Suggestions that were not wanted. A place is a document's text before and after the cursor,
    with newlines as `\\n`; its surroundings are the rest of its line and the nearest lines."""

    def __init__(self) -> None:
        self._kept: dict[Rejection, None] = {}

    def remember(self, document: str, prefix: str, suffix: str, text: str) -> Rejection:
        """`text` was offered at this place, and rejected. Returns what `forget` takes."""
        rejection = _rejection(document, prefix, suffix, text)
        self._kept.pop(rejection, None)
        if text.strip():  # else it would be the beginning of everything
            self._kept[rejection] = None
        if len(self._kept) > MOST:
            del self._kept[next(iter(self._kept))]
        return rejection

    def forget(self, rejection: Rejection) -> None:
        """It was wanted after all."""
        self._kept.pop(rejection, None)

    def holds(self, document: str, prefix: str, suffix: str, text: str) -> bool:
        """Whether `text` here would come to what was rejected here: to the same first line, or one
        of the two is the beginning of the other."""
        if not self._kept:
            return False
        asked = _rejection(document, prefix, suffix, text)
        for kept in reversed(self._kept):
            if _is_as_good_as(asked, kept):
                self._kept[kept] = self._kept.pop(kept)
                return True
        return False

    def clear(self) -> None:
        """Forget all: another model or other settings suggest something else."""
        self._kept.clear()


def _rejection(document: str, prefix: str, suffix: str, text: str) -> Rejection:
    before = prefix[max(prefix.rfind("\n") + 1, len(prefix) - LONGEST_LINE) :]
    match = _FIRST_LINE.match(text)
    first = match[0] if match else ""
    return Rejection(
        document, _surroundings(prefix, suffix), (before + text).rstrip(), (before + first).rstrip()
    )


def _is_as_good_as(asked: Rejection, kept: Rejection) -> bool:
    if (asked.document, asked.surroundings) != (kept.document, kept.surroundings):
        return False
    return (
        asked.first_line == kept.first_line
        or asked.line.startswith(kept.line)
        or kept.line.startswith(asked.line)
    )


def _surroundings(prefix: str, suffix: str) -> tuple[str, ...]:
    """The rest of the cursor's line, and the nearest lines before and after it that are not blank;
    their indentation does not count."""
    before: list[str] = []
    end = prefix.rfind("\n")
    while end >= 0 and len(before) < LINES_AROUND:
        start = prefix.rfind("\n", 0, end) + 1
        before += _unless_blank(prefix[max(start, end - LONGEST_LINE) : end])
        end = start - 1
    after: list[str] = []
    start = _line_end(suffix, 0) + 1
    rest = suffix[: min(start - 1, LONGEST_LINE)].strip()
    while start < len(suffix) and len(after) < LINES_AROUND:
        end = _line_end(suffix, start)
        after += _unless_blank(suffix[start : min(end, start + LONGEST_LINE)])
        start = end + 1
    return (*before, "", rest, *after)


def _unless_blank(line: str) -> list[str]:
    return [stripped] if (stripped := line.strip()) else []


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return end if end >= 0 else len(text)
