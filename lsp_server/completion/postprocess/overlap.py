"""What the file already has after the cursor is not suggested again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from lsp_server.completion.lexical import open_at_end, unopened
from lsp_server.completion.lines import has_words, next_lines
from lsp_server.completion.place import Place

REACH = 30
"""Lines after the cursor's own that a suggestion is compared with."""
LEAST = 3
"""Characters that are not the same by chance, if a letter is among them."""


def without_following_lines(text: str, place: Place) -> str:
    """Cut before the line that follows the cursor's, and before several that follow, one after the
    other, further down."""
    following = next_lines(place.suffix, REACH)
    if not following:
        return text
    lines = text.split("\n")
    seen = [line.rstrip() for line in lines]
    seen[0] = "" if place.after.strip() else place.before + seen[0]
    for index, line in enumerate(seen):
        is_next = line == following[0] and (index > 0 or has_words(line))
        if is_next or _stand_in(following, [each for each in seen[index:] if each]):
            return "\n".join(lines[:index])
    return text


def _stand_in(following: Sequence[str], lines: Sequence[str]) -> bool:
    """Whether lines begin as some that follow do, for at least two lines with words."""
    for start in range(len(following)):
        same = takewhile(
            lambda pair: pair[0] == pair[1], zip(following[start:], lines, strict=False)
        )
        if sum(has_words(line) for line, _ in same) > 1:
            return True
    return False


def without_rest_of_line(text: str, place: Place) -> str:
    """Cut where the text begins to repeat what stands after the cursor on its line.

    Where brackets or quotes are repeated, only if the line is better balanced without them.
    """
    rest = place.after.strip()
    first = text.split("\n", 1)[0]
    if len(rest) >= LEAST and has_words(rest) and (start := first.find(rest)) >= 0:
        return text[:start].rstrip() if place.after[0].isspace() else text[:start]
    body = text.rstrip()
    for length in range(min(len(rest), len(body)), 0, -1):
        cut = body[: len(body) - length]
        if (
            body.endswith(rest[:length])
            and _is_whole(rest, length)
            and _is_better(cut, text, place)
        ):
            return cut
    return text


def _is_whole(rest: str, length: int) -> bool:
    """Whether the start of the rest is all of it, or more than what stands there by chance."""
    if length == len(rest) or set(rest[:length]) <= set(",;:"):
        return True
    in_word = _is_in_word(rest[length - 1]) and _is_in_word(rest[length])
    return length >= LEAST and has_words(rest[:length]) and not in_word


def _is_in_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _is_better(cut: str, text: str, place: Place) -> bool:
    balance = _imbalance(cut, place) - _imbalance(text, place)
    return balance < 0 or (balance == 0 and not set("()[]{}\"'`") & set(text[len(cut) :]))


def _imbalance(text: str, place: Place) -> int:
    """Brackets and quotes on the cursor's line that have no other half on it."""
    line = f"{place.before}{text}{place.after}"
    left = open_at_end(line, place.language)
    without_end = left.quote not in ("", "\n")
    return sum(1 for _ in unopened(line, place.language)) + len(left.closers) + without_end
