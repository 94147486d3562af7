"""Small questions about lines of text."""

from __future__ import annotations

import re

_TAB = 4
_WORD = re.compile(r"[^\W_]")
_LETTER = re.compile(r"[^\W\d_]")


def indent_of(line: str) -> int:
    """Width of the white space that a line starts with, in columns."""
    return width(line[: len(line) - len(line.lstrip())])


def width(blank: str) -> int:
    """Width of white space, in columns."""
    return len(blank.expandtabs(_TAB))


def has_words(line: str) -> bool:
    """Whether there is a letter or a digit in it."""
    return _WORD.search(line) is not None


def has_letters(text: str) -> bool:
    """Whether there is a letter in it."""
    return _LETTER.search(text) is not None


def last_line(text: str) -> str:
    """The last line that is not blank; empty when there is none."""
    end = len(text.rstrip())
    return text[text.rfind("\n", 0, end) + 1 : end]


def next_line(suffix: str) -> str:
    """The first line after the cursor's own that is not blank; empty when there is none."""
    return next(iter(next_lines(suffix, 1)), "")


def next_lines(suffix: str, most: int) -> list[str]:
    """The first lines after the cursor's own that are not blank, without blank space at the end."""
    lines: list[str] = []
    start = suffix.find("\n") + 1
    while start and len(lines) < most:
        end = suffix.find("\n", start)
        line = suffix[start : end if end >= 0 else len(suffix)].rstrip()
        if line:
            lines.append(line)
        start = end + 1
    return lines
