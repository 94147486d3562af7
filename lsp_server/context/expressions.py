"""Chains of names in source text, `a.b(c).d`, read forwards and backwards without a parser.

The text at a cursor is broken code more often than not; a chain of names and brackets is not.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# The text of one expression that is looked at, in characters.
REACH = 1500
# Brackets around more than this are not walked over.
BRACKETED = 400

_OPERATORS = ("?.", "!.", "->", "::", ".")
_NAME_AT_END = re.compile(r"[A-Za-z_]\w*$")
_NAME = re.compile(r"\s*([A-Za-z_]\w*)")
_TYPE_ARGUMENTS = re.compile(r"(?:::)?<[\w\s,.<>\[\]?&':]*>(?=\()")
_OPERATOR = re.compile(r"\s*(?:\?\.|!\.|\.|->|::)")
# What gives the elements of what it is called with passes for that.
_LEAD = re.compile(
    r"[\s&*(]*(?:(?:await|new|return|yield|mut)\b[\s&*]*"
    r"|(?:enumerate|sorted|reversed|list|tuple|iter|next)\()*"
)
_MEMBER_ACCESS = re.compile(r"(?:\?\.|!\.|\.|->|::)[ \t]*(\w*)$")
_NUMBER_AT_END = re.compile(r"(?:^|[^\w)\]])\d+$")
_CLOSING = ")]}"
_OPENING = "([{"


class Link(NamedTuple):
    """One name of a chain, and whether it is called."""

    name: str
    called: bool


Chain = tuple[Link, ...]


class Access(NamedTuple):
    """The member access that a cursor stands in: what is before the dot (empty when that is no
    chain of names), and what of the member's name is typed."""

    receiver: Chain
    typed: str


def access_before(text: str) -> Access | None:
    """The member access that `text` ends in, None when it ends in none."""
    match = _MEMBER_ACCESS.search(text[-200:])
    if not match:
        return None
    before = text[-REACH:][: -len(match.group())]
    if _NUMBER_AT_END.search(before[-12:]):
        return None
    return Access(chain_before(before), match.group(1))


def open_calls_before(text: str, keywords: frozenset[str], blocks: bool, most: int) -> list[Chain]:
    """The callees of calls whose brackets are open at the end of `text`, innermost first.

    With `blocks` an open brace ends the search, as it does where braces are blocks.
    """
    text = text[-REACH:]
    calls: list[Chain] = []
    depth = 0
    for index in range(len(text) - 1, -1, -1):
        char = text[index]
        if char in _CLOSING:
            depth += 1
        elif char in _OPENING:
            if depth:
                depth -= 1
            elif char == "(":
                chain = chain_before(text[:index])
                if chain and chain[-1].name not in keywords:
                    calls.append(chain)
            elif char == "{" and blocks:
                break
        if len(calls) == most:
            break
    return calls


def chain_before(text: str) -> Chain:
    """The chain that `text` ends in, empty when it ends in something else."""
    links: list[Link] = []
    while True:
        text = text.rstrip(" \t\n")
        called = False
        while text and text[-1] in ")]":
            opening = _opening_bracket(text)
            if opening is None:
                return ()
            called = called or text[-1] == ")"
            text = text[:opening].rstrip(" \t")
        text = text[:-1] if text.endswith(("!", "?")) else text
        match = _NAME_AT_END.search(text[-80:])
        if not match:
            return ()
        links.append(Link(match.group(), called))
        text = text[: -len(match.group())].rstrip(" \t\n")
        operator = next((op for op in _OPERATORS if text.endswith(op)), None)
        if operator is None:
            return tuple(reversed(links))
        text = text[: -len(operator)]


def chain_of(expression: str) -> Chain:
    """The chain that an expression starts with; of `a.b() or c` that is `a.b()`."""
    rest = expression[_LEAD.match(expression).end() :]  # type: ignore[union-attr]
    links: list[Link] = []
    while match := _NAME.match(rest):
        rest, called = _after_brackets(rest[match.end() :])
        links.append(Link(match.group(1), called))
        operator = _OPERATOR.match(rest)
        if not operator:
            break
        rest = rest[operator.end() :]
    return tuple(links)


def _opening_bracket(text: str) -> int | None:
    """Where the bracket opens that closes at the end of `text`."""
    depth = 0
    for index in range(len(text) - 1, max(-1, len(text) - BRACKETED), -1):
        if text[index] in _CLOSING:
            depth += 1
        elif text[index] in _OPENING:
            depth -= 1
            if not depth:
                return index
    return None


def _after_brackets(text: str) -> tuple[str, bool]:
    """What follows the brackets at the start of `text`, and whether any of them is a call."""
    called = False
    if match := _TYPE_ARGUMENTS.match(text):
        text = text[match.end() :]
    while text[:1] in ("(", "["):
        called = called or text[0] == "("
        text = text[_closing_bracket(text) + 1 :]
    return text, called


def _closing_bracket(text: str) -> int:
    """Where the bracket closes that opens at the start of `text`; its end when it does not."""
    depth = 0
    for index, char in enumerate(text):
        if char in _OPENING:
            depth += 1
        elif char in _CLOSING:
            depth -= 1
            if not depth:
                return index
    return len(text)
