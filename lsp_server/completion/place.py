"""A cursor in a document, and what stands around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lsp_server.completion.lexical import Open, open_at_end
from lsp_server.completion.syntax import Syntax, parse_ahead, syntax_at

REACH_BEFORE = 5_000
REACH_AFTER = 2_500
"""Characters around the cursor that are looked at, some 130 and 60 lines: to read them takes two to
three milliseconds."""


@dataclass(frozen=True, slots=True)
class Place:
    """A document cut at the cursor; newlines are `\\n`. `language` is its name in the table of
    languages.

    `near_before` and `near_after` are the text close to the cursor, whole lines where they are cut.
    `open` is what is open at the cursor; `syntax` what a parser says, None without a grammar.
    """

    prefix: str
    suffix: str
    language: str
    near_before: str = field(repr=False)
    near_after: str = field(repr=False)
    open: Open = Open()
    syntax: Syntax | None = None

    @property
    def before(self) -> str:
        """The cursor's line up to the cursor; of a very long one, the end."""
        return self.near_before[self.near_before.rfind("\n") + 1 :]

    @property
    def after(self) -> str:
        """The rest of the cursor's line; of a very long one, the start."""
        end = self.near_after.find("\n")
        return self.near_after if end < 0 else self.near_after[:end]

    @property
    def at_line_start(self) -> bool:
        """Whether nothing but white space stands before the cursor on its line."""
        return not self.before.strip()

    @property
    def sees_the_end(self) -> bool:
        """Whether `near_after` is all that follows."""
        return len(self.near_after) == len(self.suffix)


def place_at(prefix: str, suffix: str, language: str) -> Place:
    """The place between two texts, which are the whole document. Takes some milliseconds at most,
    whatever their length."""
    before, after = _end_of(prefix), _start_of(suffix)
    return Place(
        prefix,
        suffix,
        language,
        before,
        after,
        open_at_end(before, language),
        syntax_at(before, after, language),
    )


def look_ahead(prefix: str, suffix: str, language: str) -> Iterator[None]:
    """Do in small steps what takes most of the time of `place_at`."""
    return parse_ahead(_end_of(prefix), _start_of(suffix), language)


def _end_of(text: str) -> str:
    """The end of a text, from a line that is not indented, where there is one: most likely nothing
    is open there."""
    if len(text) <= REACH_BEFORE:
        return text
    near = text[-REACH_BEFORE:]
    lines = near.split("\n")
    first = next((i for i, line in enumerate(lines[1:-1], 1) if line[:1].isidentifier()), 1)
    return "\n".join(lines[first:]) if len(lines) > 1 else near


def _start_of(text: str) -> str:
    if len(text) <= REACH_AFTER:
        return text
    end = text.rfind("\n", 0, REACH_AFTER)
    return text[: end if end >= 0 else REACH_AFTER]
