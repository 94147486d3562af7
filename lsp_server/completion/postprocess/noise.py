"""Comments and placeholders that say nothing."""

from __future__ import annotations

import re

from lsp_server.completion.lines import has_words, last_line, next_lines
from lsp_server.completion.place import Place
from lsp_server.completion.scope import inside_of
from lsp_server.context.languages.table import language_of

REACH = 30
"""Lines around the cursor whose comments are not said again."""
LEAST_WORDS = 3

_PLACEHOLDER = "..."
_NEVER_EMPTY = re.compile(
    r"\s*(?:async\s+)?(?:for|while|with|if|elif|else|try|except|finally)\b.*:"
)
_MARKS = " \t#/*-;%!\"'<>(){}=~_.:"
_EMPTY_WORDS = re.compile(
    r"(?:todo|fixme|xxx|hack|copyright|spdx|licen[cs]ed?|your code|(?:write|add|put) your|"
    r"(?:insert|implement|code|logic|implementation)(?: \w+)? (?:here|this|me)|"
    r"rest of|existing code|all rights|no newline|end of (?:the )?file)\b",
    re.IGNORECASE,
)


def without_noise(text: str, place: Place) -> str:
    """Nothing, when all lines are comments that say nothing, what the lines around them say, or a
    remark beside code; nor a placeholder where Python wants statements."""
    if _is_beside_code(text, place) or _is_placeholder(text, place):
        return ""
    if not is_only_comments(text, place):
        return text
    around = place.near_before.split("\n")[-REACH:] + next_lines(place.suffix, REACH)
    said = {line.strip() for line in around}
    lines = _filled_lines(text)
    return "" if all(_says_nothing(line) or _is_said(line, said) for line in lines) else text


def without_lone_comment(text: str, written: str, place: Place) -> str:
    """Nothing, when comments are all that is left of what was `written`, with code."""
    left_alone = is_only_comments(text, place) and not is_only_comments(written, place)
    return "" if left_alone else text


def is_only_comments(text: str, place: Place) -> bool:
    """Whether there is no code in the lines of a text."""
    if not place.at_line_start or inside_of(place)[0] != "code":
        return False
    marks = _comment_marks(place.language)
    lines = _filled_lines(text)
    return bool(lines) and all(line.startswith(marks) or line == "*" for line in lines)


def _is_beside_code(text: str, place: Place) -> bool:
    known = language_of("", place.language)
    stands_off = text.startswith((" ", "\t")) or place.before.endswith((" ", "\t"))
    # without a grammar what looks like a comment may be a colour, a name, a template's slot
    if not known.symbols or place.at_line_start or not stands_off or inside_of(place)[0] != "code":
        return False
    lines = _filled_lines(text)
    return bool(lines) and all(_is_comment(line, known.line_comment) for line in lines)


def _is_comment(line: str, mark: str) -> bool:
    return line.startswith(mark) or (line.startswith("/*") and line.endswith("*/"))


def _is_placeholder(text: str, place: Place) -> bool:
    in_python = place.language == "python" and text.strip() == _PLACEHOLDER
    opener = place.before if place.before.strip() else last_line(place.near_before)
    return in_python and _NEVER_EMPTY.fullmatch(opener.rstrip()) is not None


def _filled_lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _is_said(comment: str, said: set[str]) -> bool:
    """Whether a comment of some words stands there. Single words may stand in many places."""
    return comment in said and len(comment.strip(_MARKS).split()) >= LEAST_WORDS


def _says_nothing(comment: str) -> bool:
    return not has_words(comment) or _EMPTY_WORDS.match(comment.strip(_MARKS)) is not None


def _comment_marks(language: str) -> tuple[str, ...]:
    known = language_of("", language)
    if known.block_comment:
        return (known.block_comment[0],)
    blocks = ("/*", "*/", "* ") if known.line_comment == "//" else ()
    return (known.line_comment, *blocks)
