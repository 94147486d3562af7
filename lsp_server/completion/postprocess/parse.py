"""A suggestion leaves the file no more broken than it was."""

from __future__ import annotations

import re

from lsp_server.completion.lexical import opens_block
from lsp_server.completion.lines import last_line
from lsp_server.completion.place import Place
from lsp_server.completion.postprocess.brackets import wanted_closers
from lsp_server.completion.postprocess.noise import is_only_comments
from lsp_server.completion.scope import Scope
from lsp_server.completion.syntax import errors


def before_errors(text: str, place: Place, scope: Scope) -> str:
    """Cut lines off the end until a parser finds no more errors than without the text.

    Where that would leave nothing, the text may be the start of a statement: what it opens is then
    closed for the parser.
    """
    if place.syntax is None or place.syntax.inside != "code" or not text.strip():
        return text
    most = errors(place.near_before + place.near_after, place.language)
    if most is None:
        return text
    parts = [text[: end.start()] for end in re.finditer(r"\n|\Z", text)]
    parts = [part for part in parts if part.strip()]
    for part in reversed(parts):
        if _is_whole(part, text, place) and _errors(part, "", place) <= most:
            return part
    return next((part for part in (text, parts[0]) if _may_begin(part, place, scope, most)), "")


def _is_whole(part: str, text: str, place: Place) -> bool:
    """Whether a part is more than what leads to the rest: comments, or the head of a body."""
    if part != text and is_only_comments(part, place):
        return False
    return not opens_block(last_line(part), place.language)


def _may_begin(text: str, place: Place, scope: Scope, most: int) -> bool:
    """Whether a text is the start of something without more than so many errors."""
    begun = text.rstrip().rstrip(",")
    closers = wanted_closers(begun, place, scope)
    body = " pass" if place.language == "python" and begun.endswith(":") else ""
    ends = dict.fromkeys((body, closers, closers + ";"))
    return any(_errors(begun, end, place) <= most for end in ends)


def _errors(text: str, added: str, place: Place) -> int:
    """Errors with a text at the cursor. What stands before a line takes a line of its own."""
    end = "\n" if place.at_line_start and place.after.strip() else ""
    found = errors(f"{place.near_before}{text}{added}{end}{place.near_after}", place.language)
    return 0 if found is None else found
