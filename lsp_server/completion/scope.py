"""How much to suggest at a cursor: the rest of the line, or a block of lines."""

from __future__ import annotations

from dataclasses import dataclass

_OPENERS = (":", "{", "(", "[", "=>", "->", " do", " then")
_CLOSERS = ")]}>\"'`,;: \t"


@dataclass(frozen=True, slots=True)
class Scope:
    """`at_line_start`: only white space stands before the cursor on its line. `multiline`: more
    than the rest of the line may be suggested. `indent`: width of the white space a block must keep
    to, in characters."""

    at_line_start: bool
    multiline: bool
    indent: int


def scope_at(prefix: str, suffix: str) -> Scope:
    """The scope between the text before the cursor and the text after it (newlines `\\n`)."""
    before = prefix[prefix.rfind("\n") + 1 :]
    after = suffix.split("\n", 1)[0]
    at_line_start = not before.strip()
    opens_block = before.rstrip().endswith(_OPENERS)
    multiline = not after.strip(_CLOSERS) and (at_line_start or opens_block)
    indent = len(before) - len(before.lstrip())
    return Scope(at_line_start, multiline, indent)
