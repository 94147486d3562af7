"""Where another file goes on as the text at the cursor should.

A chunk that resembles the cursor's surroundings says which lines matter, not which of them is the
cursor's. Alignment finds the line that has the same neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise

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


def windows(cursor: Cursor, matches: Iterable[tuple[Match, Sequence[str]]]) -> list[Window]:
    """The lines of each match around its counterpart of the cursor, best first, not overlapping.
    With each match come all lines of its file."""
    surroundings = _Surroundings(cursor)
    found = list(matches)
    most = max((match.score for match, _ in found), default=1.0)
    aligned = []
    for match, lines in found:
        similarity, numbers = surroundings.best(lines, match.first_line)
        score = match.score / most + _ALIGNMENT_SHARE * similarity
        aligned.append((score, match.path, numbers, lines))
    aligned.sort(key=lambda each: -each[0])
    return _without_overlaps(aligned)


def _without_overlaps(
    aligned: Iterable[tuple[float, str, list[int], Sequence[str]]],
) -> list[Window]:
    """Windows without the ends that better ones show; those that would lose half are left out."""
    shown: set[tuple[str, int]] = set()
    result: list[Window] = []
    for score, path, numbers, lines in aligned:
        new = [each for each in numbers if (path, each) not in shown]
        if not new or 2 * len(new) < len(numbers):
            continue
        shown.update((path, each) for each in numbers)
        first, last = new[0], new[-1]
        result.append(Window(path, first, tuple(lines[first : last + 1]), score))
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

    def best(self, lines: Sequence[str], first_line: int) -> tuple[float, list[int]]:
        """How well the chunk that starts with a line aligns, and the numbers of the filled lines
        around the one in the cursor's part, which may be the one after the chunk's last."""
        before = _filled(lines, range(min(first_line, len(lines)) - 1, -1, -1), _COMPARED_BEFORE)
        after = _filled(lines, range(first_line, len(lines)), CHUNK_LINES + LINES_AFTER)
        numbers, start = before[::-1] + after, len(before)
        end = min(start + CHUNK_LINES, len(numbers))
        near = numbers[: end + _COMPARED_AFTER + 1]
        similarities = self._similarities([_line_words(lines[n][:_LONGEST_LINE]) for n in near])
        index = max(range(start, end + 1), key=similarities.__getitem__)
        return similarities[index], numbers[max(0, index - LINES_BEFORE) : index + LINES_AFTER]

    def _similarities(self, words: list[frozenset[str]]) -> list[float]:
        """How well each line of these words, and the one after the last, does as the cursor's."""
        totals = [0.0] * (len(words) + 1)
        for distance, expected in enumerate(self._before):
            weight = _DECAY**distance
            for index, alike in enumerate(_jaccard(expected, words[: -distance or None])):
                totals[index + 1 + distance] += weight * alike
        for index, found in enumerate(words):
            if shared := len(self._current & found):
                totals[index] += _CURRENT_WEIGHT * shared / len(self._current)
        for distance, expected in enumerate(self._after):
            weight = _AFTER_WEIGHT * _DECAY**distance
            alikes = _jaccard(expected, words[distance:])
            for index, (shifted, same) in enumerate(pairwise(alikes)):
                if shifted or same:
                    totals[index] += weight * max(same, _SHIFTED_WEIGHT * shifted)
        return totals


def _filled(lines: Sequence[str], numbers: Iterable[int], most: int) -> list[int]:
    """The first of these numbers whose lines are not blank."""
    filled = (number for number in numbers if lines[number] and not lines[number].isspace())
    return list(islice(filled, most))


@lru_cache(4096)
def _line_words(line: str) -> frozenset[str]:
    return frozenset(_WORDS.findall(line))


def _jaccard(expected: frozenset[str], words: Iterable[frozenset[str]]) -> list[float]:
    """How alike each of some lines' words is to those expected, from 0 to 1."""
    size = len(expected)
    return [
        common / (size + len(found) - common) if (common := len(expected & found)) else 0.0
        for found in words
    ]
