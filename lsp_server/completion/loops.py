"""Tells when a model says the same over and over."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from lsp_server.completion.lines import has_letters, has_words

REPETITIONS = 4
LEAST_REPEATED = 48
LEAST_RULER = 100
"""In a line, what stands so often, one after the other, over so many characters, is a loop. Rulers
and tables of numbers go on for longer."""
_LONGEST_UNIT = 30
_STEP = 4
LEAST_LINE = 8
"""Characters of a line that is not repeated by chance."""


def loop_in_line(line: str) -> int | None:
    """Where a loop starts in a line; None when there is no loop. More text does not change what is
    found."""
    ends = range(LEAST_REPEATED, len(line) + 1, _STEP)
    found = (_loop_at_end(line[:end]) for end in ends)
    return next((start for start in found if start is not None), None)


@lru_cache(maxsize=256)
def _loop_at_end(line: str) -> int | None:
    for size in range(1, _LONGEST_UNIT + 1):
        unit = line[-size:]
        if not line.endswith(unit * REPETITIONS):
            continue
        least = LEAST_REPEATED if has_letters(unit) else LEAST_RULER
        rounds = max(REPETITIONS, -(-least // size))
        if line.endswith(unit * rounds):
            start = len(line) - rounds * size
            while start and line[start - 1] == line[start - 1 + size]:
                start -= 1
            return start
    return None


def repeated_lines(lines: Sequence[str]) -> int:
    """How many of the last lines, which are not blank, only repeat the same number of lines before
    them: one long line or several lines of any length. 0 when none do."""
    for size in range(1, len(lines) // 2 + 1):
        last = lines[-size:]
        if last == lines[-2 * size : -size] and _counts(last):
            return size
    return 0


def _counts(lines: Sequence[str]) -> bool:
    if len(lines) == 1:
        return len(lines[0].strip()) >= LEAST_LINE
    return any(has_words(line) for line in lines)
