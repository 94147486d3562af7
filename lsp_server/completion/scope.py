"""How much to suggest at a place: nothing, the rest of the line, or a block of lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from lsp_server.completion.block import end_of_block
from lsp_server.completion.lexical import end_of_string, opens_block, unopened
from lsp_server.completion.lines import indent_of, last_line, next_line
from lsp_server.completion.loops import loop_in_line, repeated_lines
from lsp_server.completion.place import Place
from lsp_server.context.languages.table import language_of

_CLOSING = re.compile(  # of a line without its blanks
    r"[)\]}>\"'`,;:]*(?:\*/|-->|\?>|%>|/>|(?:</[\w.:-]*>)+)?(?:=>|->)?(?:\{[)\]};,]*|\\)?"
)


@dataclass(frozen=True, slots=True)
class ScopeRules:
    """What the user wants: at most `max_lines` lines; suggestions before text on the line that is
    more than closing brackets, in comments, and in strings."""

    max_lines: int = 8
    before_text: bool = False
    in_comments: bool = True
    in_strings: bool = True


@dataclass(frozen=True, slots=True)
class Scope:
    """`why`, in words, is why nothing is suggested. A block goes `until` the end of a statement, of
    a body, of brackets that open before the cursor, or of the string that the cursor is in.
    `everything` has no end.

    `closers`: how many of the brackets open at the cursor have no end in the file, so that it may
    be suggested. `indent`: how far the line that opens a body is indented, in columns; -1 when that
    is not known. `quote`: what ends the string, if the suggestion goes no further. What is not
    fitted is cut at its end and else left as it is.
    """

    kind: Literal["nothing", "line", "block", "everything"]
    why: str = ""
    until: Literal["line", "statement", "body", "brackets", "string"] = "line"
    max_lines: int = 1
    closers: int = 0
    indent: int = -1
    quote: str = ""
    is_fitted: bool = True


def scope_at(place: Place, rules: ScopeRules, *, invoked: bool) -> Scope:
    """How much to suggest; `invoked`: the user asked for it, wherever the cursor is."""
    inside, quote = inside_of(place)
    if not invoked and (why := _why_not(place, rules, inside)):
        return Scope("nothing", why)
    closers = missing_closers(place)
    closed = inside == "string" and place.suffix.startswith(quote)
    line = Scope("line", closers=closers, quote=quote if closed else "")
    if rules.max_lines < 2 or not _only_closes(place):
        return line
    if inside != "code":
        starts = inside == "string" and len(quote) > 1 and _has_just_begun(place, quote)
        return Scope("block", "", "string", rules.max_lines, quote=quote) if starts else line
    if place.at_line_start:
        opener = _opener(place)
        if opener is not None or (place.syntax and place.syntax.empty_body):
            indent = -1 if opener is None else indent_of(opener)
            return Scope("block", "", "body", rules.max_lines, closers, indent)
        return Scope("block", "", "statement", rules.max_lines, closers)
    if not opens_block(place.before, place.language) or _has_body(place, place.before):
        return line
    if _is_in_interpolation(place):  # a bracket before the cursor is its own
        return line
    until: Literal["brackets", "body"] = "body"
    if place.before.rstrip().endswith(("(", "[")):
        if place.after.strip():
            return line
        until = "brackets"
    return Scope("block", "", until, rules.max_lines, closers, indent_of(place.before))


def inside_of(place: Place) -> tuple[Literal["code", "comment", "string"], str]:
    """What the cursor stands in, and what ends that."""
    if place.syntax is not None and (place.syntax.inside != "code" or not place.syntax.broken):
        return place.syntax.inside, place.syntax.quote
    quote = place.open.quote
    if quote in ("\n", "*/", "-->"):
        return "comment", quote
    return ("string", quote) if quote else ("code", "")


def _is_in_interpolation(place: Place) -> bool:
    """Whether the cursor is in code in a string; the lexer knows of the string alone."""
    return bool(place.open.quote) and inside_of(place)[0] == "code"


def missing_closers(place: Place) -> int:
    """How many of the brackets open at the cursor, innermost first, the text after it leaves open.

    A line that is indented like the one with the opening bracket, or less, tells that the closing
    one is missing, if that did not come before. In an interpolation none is: the text after it
    closes that, and then goes on with the string.
    """
    if _is_in_interpolation(place):
        return 0
    given = next(unopened(place.near_after, place.language), None)
    missing = 0
    for closer, opened in reversed([*zip(place.open.closers, place.open.openers, strict=True)]):
        line = place.near_before[place.near_before.rfind("\n", 0, opened) + 1 :]
        limit = _dedent(place.near_after, indent_of(line))
        if given is not None and given.kind == closer and (limit is None or given.start < limit):
            break
        if limit is None and not place.sees_the_end:
            break
        missing += 1
    return missing


def _dedent(text: str, columns: int) -> int | None:
    """Where the first line starts, after the first one, that is indented less; or as much, when it
    does not close anything and is no label or preprocessor's line."""
    start = text.find("\n") + 1
    while start:
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else len(text)].rstrip()
        own = indent_of(line)
        if line and own < columns and line.lstrip()[0] != "#":
            return start
        if line and own == columns and line.lstrip()[0] not in ")]}#" and not line.endswith(":"):
            return start
        start = end + 1
    return None


def end_of(text: str, place: Place, scope: Scope) -> int | None:
    """Where the suggestion ends in `text`, or None when more text could still belong to it.

    More text never moves an end that is known. Cheap enough to be called after every token.
    """
    if scope.kind == "nothing":
        return 0
    if scope.kind == "everything":
        return None
    if scope.until == "string":
        return _end_of_string(text, place, scope)
    if scope.until != "line":
        return end_of_block(text, place, scope)
    return _end_of_line(text, scope)


def _end_of_line(text: str, scope: Scope) -> int | None:
    end = text.find("\n")
    line = text if end < 0 else text[:end]
    if scope.quote and (closed := end_of_string(line, scope.quote)) is not None:
        line, end = line[:closed], closed
    if (loop := loop_in_line(line)) is not None:
        return loop
    return end if end >= 0 else None


def _end_of_string(text: str, place: Place, scope: Scope) -> int | None:
    closed = end_of_string(text, scope.quote)
    if closed is not None and not place.suffix.lstrip().startswith(scope.quote):
        closed += len(scope.quote)
    lines: list[str] = []
    ends = [0]
    position = 0
    for line in text.split("\n")[:-1]:
        if closed is not None and closed <= position + len(line):
            break
        position += len(line)
        if line.strip():
            lines.append(line)
            ends.append(position)
        if repeated := repeated_lines(lines):
            return ends[-repeated - 1]
        if len(lines) >= scope.max_lines:
            return ends[-1]
        position += 1
    return closed


def _why_not(place: Place, rules: ScopeRules, inside: str) -> str:
    """Why nothing is to be suggested; empty when something is."""
    following = place.suffix[:1]
    if following.isalnum() or following == "_":
        return "the cursor is inside or right before a word"
    if not rules.before_text and not _only_closes(place):
        return "there is text after the cursor"
    if inside == "comment" and not rules.in_comments:
        return "the cursor is in a comment"
    if inside == "string" and not rules.in_strings:
        return "the cursor is in a string"
    return ""


def _only_closes(place: Place) -> bool:
    """Whether what follows on the line only closes what is open, or is a comment."""
    rest = place.after
    comment = language_of("", place.language).line_comment
    if comment and (start := rest.find(comment)) >= 0:
        rest = rest[:start]
    return _CLOSING.fullmatch("".join(rest.split())) is not None


def _has_just_begun(place: Place, quote: str) -> bool:
    """Whether the string that the cursor is in is still to be written."""
    rest = place.suffix.lstrip()
    if place.after.strip() and not rest.startswith(quote):
        return False
    if rest.startswith(quote):
        return True
    text = place.near_before.rstrip()
    return text.endswith(quote) or quote in place.before


def _opener(place: Place) -> str | None:
    """The line above, where it opens a body that is still empty."""
    above = last_line(place.near_before)
    return None if not opens_block(above, place.language) or _has_body(place, above) else above


def _has_body(place: Place, opener: str) -> bool:
    following = next_line(place.suffix)
    return bool(following) and indent_of(following) > indent_of(opener)
