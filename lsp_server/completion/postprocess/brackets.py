"""Brackets and quotes, balanced against those that the file has."""

from __future__ import annotations

from lsp_server.completion.lexical import end_of_string, open_at_end, tokens, unopened
from lsp_server.completion.place import Place
from lsp_server.completion.scope import Scope, inside_of


def without_surplus_closers(text: str, place: Place, scope: Scope) -> str:
    """Cut at a closing bracket or quote that the file has after the cursor, or that closes nothing.

    One whose opener is written again is fine: `a).b(c` in `f(|)`.
    """
    inside, quote = inside_of(place)
    if inside == "comment":
        return text
    start = 0
    if inside == "string":
        closed = end_of_string(text, quote)
        if closed is None or place.suffix.startswith(quote):
            return text[:closed]
        start = closed + len(quote)
    code = text[start:]
    surplus = list(unopened(code, place.language))[scope.closers :]
    if not surplus or _is_balanced(code, place, scope):
        return text
    line_end = code.find("\n", surplus[0].start)
    for token in reversed([*tokens(code, place.language)]):
        on_line = surplus[0].start <= token.start and (line_end < 0 or token.start < line_end)
        if on_line and token.kind in ")]}" and _is_balanced(code[: token.start], place, scope):
            return text[: start + token.start]
    return text[: start + surplus[0].start]


def _is_balanced(text: str, place: Place, scope: Scope) -> bool:
    """Whether a text opens again what it closes and the file closes after it."""
    surplus = [token.kind for token in unopened(text, place.language)][scope.closers :]
    return surplus[::-1] == list(open_at_end(text, place.language).closers)[: len(surplus)]


def wanted_closers(text: str, place: Place, scope: Scope) -> str:
    """The brackets that a text leaves open, and that the file does not close after it."""
    opened = open_at_end(text, place.language).closers
    taken = sum(1 for _ in unopened(text, place.language)) - scope.closers
    return "".join(reversed(opened[: len(opened) - max(0, taken)]))
