"""Where another file goes on as the text at the cursor should.

A chunk that resembles the cursor's surroundings says which lines matter, not which of them is the
cursor's. Alignment finds the line that has the same neighbours.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from lsp_server.context.tokens import CHUNK_LINES
from lsp_server.context.types import Cursor, Window

NEAR_LINES = 40
"""Looked at on each side of the cursor, blank ones included."""
LINES_BEFORE, LINES_AFTER = 3, 7
"""Of a window, around the line that plays the cursor's part, which is the first of those after."""
MOST_WINDOWS = 8

_LONGEST_LINE = 500
_DECAY = 0.75
_COMPARED_BEFORE, _COMPARED_AFTER = 4, 3
_CURRENT_WEIGHT, _AFTER_WEIGHT, _SHIFTED_WEIGHT = 1.5, 0.5, 0.8
_ALIGNMENT_SHARE = 0.5
"""Of alignment in a window's score, beside similarity, whose best is 1."""
_WORDS = re.compile(r"\w+")


class FilledLines:
    """A file's lines, and those of them that are not blank, by their numbers."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        lines = enumerate(self.lines)
        self.numbers = [number for number, line in lines if line and not line.isspace()]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> str:
        return self.lines[self.numbers[index]]

    def index_of(self, number: int) -> int:
        """Which filled line is the first at or after a line number."""
        return bisect_left(self.numbers, number)


@dataclass(frozen=True, slots=True)
class Match:
    """A chunk of a file, by its first line's number, and how similar it is to the cursor's
    surroundings (above 0, comparable within one query)."""

    path: str
    first_line: int
    score: float


def lines_before(cursor: Cursor) -> list[str]:
    """The last filled lines up to the cursor; the last of them may be its own."""
    lines = cursor.prefix.rsplit("\n", NEAR_LINES)[-NEAR_LINES:]
    return [line[-_LONGEST_LINE:] for line in lines if line.strip()]


def lines_after(text: str) -> list[str]:
    """The first filled lines of the text after the cursor."""
    lines = text.split("\n", NEAR_LINES)[:NEAR_LINES]
    return [line[:_LONGEST_LINE] for line in lines if line.strip()]


def windows(cursor: Cursor, matches: Iterable[tuple[Match, FilledLines]]) -> list[Window]:
    """The lines of each match around its counterpart of the cursor, best first, not overlapping."""
    surroundings = _Surroundings(cursor)
    found = list(matches)
    most = max((match.score for match, _ in found), default=1.0)
    aligned = []
    for match, lines in found:
        similarity, index = surroundings.best(lines, match)
        score = match.score / most + _ALIGNMENT_SHARE * similarity
        aligned.append((score, match.path, index, lines))
    aligned.sort(key=lambda each: -each[0])
    return _without_overlaps(aligned)


def _without_overlaps(
    aligned: Iterable[tuple[float, str, int, FilledLines]],
) -> list[Window]:
    """Windows without the ends that better ones show; those that would lose half are left out."""
    shown: set[tuple[str, int]] = set()
    result: list[Window] = []
    for score, path, index, lines in aligned:
        whole = range(max(0, index - LINES_BEFORE), min(len(lines), index + LINES_AFTER))
        new = [each for each in whole if (path, each) not in shown]
        if not new or 2 * len(new) < len(whole):
            continue
        shown.update((path, each) for each in whole)
        first, last = lines.numbers[new[0]], lines.numbers[new[-1]]
        result.append(Window(path, first, tuple(lines.lines[first : last + 1]), score))
        if len(result) == MOST_WINDOWS:
            break
    return result


class _Surroundings:
    """The words of the lines around the cursor, nearest first on each side."""

    def __init__(self, cursor: Cursor) -> None:
        before = lines_before(cursor)
        typed = cursor.prefix.rpartition("\n")[2]
        self._current = _line_words(before.pop()) if typed.strip() else frozenset()
        self._before = [_line_words(line) for line in before[: -_COMPARED_BEFORE - 1 : -1]]
        following = lines_after(cursor.suffix.partition("\n")[2])[:_COMPARED_AFTER]
        self._after = [_line_words(line) for line in following]

    def best(self, lines: FilledLines, match: Match) -> tuple[float, int]:
        """How well, and with which filled line in the cursor's part, a chunk aligns; that may be
        the one after its last."""
        start = min(lines.index_of(match.first_line), len(lines) - 1)
        end = min(start + CHUNK_LINES, len(lines))
        near = range(max(0, start - _COMPARED_BEFORE), min(len(lines), end + _COMPARED_AFTER + 1))
        words = {index: _line_words(lines[index][:_LONGEST_LINE]) for index in near}
        scored = [(self._similarity(words, index), -index) for index in range(start, end + 1)]
        similarity, index = max(scored)
        return similarity, -index

    def _similarity(self, words: Mapping[int, frozenset[str]], index: int) -> float:
        total = 0.0
        for distance, expected in enumerate(self._before[:index]):
            total += _DECAY**distance * _jaccard(expected, words[index - 1 - distance])
        if self._current and index in words:
            total += _CURRENT_WEIGHT * len(self._current & words[index]) / len(self._current)
        for distance, expected in enumerate(self._after):
            following = index + 1 + distance
            if following not in words:
                break
            shifted = _SHIFTED_WEIGHT * _jaccard(expected, words[following - 1])
            same = max(_jaccard(expected, words[following]), shifted)
            total += _AFTER_WEIGHT * _DECAY**distance * same
        return total


@lru_cache(4096)
def _line_words(line: str) -> frozenset[str]:
    return frozenset(_WORDS.findall(line))


def _jaccard(left: frozenset[str], right: frozenset[str]) -> float:
    if not left or not right:
        return 0.0
    common = len(left & right)
    return common / (len(left) + len(right) - common)
