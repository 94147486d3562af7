"""The text of an open document: a list of lines, edited in the client's position units.

Our own because pygls' store corrupts text: it splits lines as `str.splitlines` does. In LSP a line
ends at `\\n`, `\\r\\n` or `\\r` and nowhere else; form feed, NEL, U+2028 and the like are ordinary
text.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Encoding = Literal["utf-8", "utf-16", "utf-32"]
"""What a client counts positions in: bytes, UTF-16 code units, or code points."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Position(NamedTuple):
    """A place in a document as the client says it: zero-based line, and units into that line."""

    line: int
    character: int


class Change(NamedTuple):
    """New text for the range `start` to `end`, or for the whole document when both are None."""

    text: str
    start: Position | None = None
    end: Position | None = None


class TextBuffer:
    """A document's text, with positions in the units of `encoding`.

    A position past the end of its line means the end of that line (before its line ending), one
    past the last line the end of the document, a negative one zero, and one inside a character (a
    surrogate pair, a UTF-8 sequence) the start of that character.
    """

    def __init__(self, text: str, encoding: Encoding) -> None:
        self.encoding = encoding
        self._lines = _split(_well_formed(text))
        self._text: str | None = None

    @property
    def text(self) -> str:
        """The whole text, line endings as the client sent them; joined once after each edit."""
        if self._text is None:
            self._text = "".join(self._lines)
        return self._text

    def copy(self) -> TextBuffer:
        """An independent copy; cheap, since lines and joined text are shared.

        Joined here if need be: each copy would join anew what all of them are asked for.
        """
        twin = TextBuffer.__new__(TextBuffer)
        twin.encoding, twin._lines, twin._text = self.encoding, self._lines.copy(), self.text
        return twin

    def apply(self, change: Change) -> None:
        """Replace a range, or everything. An end before the start is read as the two swapped."""
        new = _well_formed(change.text)
        self._text = None
        if change.start is None or change.end is None:
            self._lines = _split(new)
            return
        (first, head), (last, tail) = sorted(map(self._locate, (change.start, change.end)))
        new = self._lines[first][:head] + new + self._lines[last][tail:]
        if first and new.startswith("\n") and self._lines[first - 1].endswith("\r"):
            first -= 1  # the edit brought \r and \n together: they are one line ending now
            new = self._lines[first] + new
        lines = _split(new)
        if last + 1 < len(self._lines):
            lines.pop()  # empty: `new` ends with the line ending of `last`
        self._lines[first : last + 1] = lines

    def line(self, number: int) -> str:
        """Line `number` without its line ending; empty past the end."""
        return _body(self._lines[number]) if 0 <= number < len(self._lines) else ""

    def offset_at(self, position: Position) -> int:
        """The code point offset of a position in `text`."""
        line, column = self._locate(position)
        return sum(map(len, self._lines[:line])) + column

    def position_at(self, offset: int) -> Position:
        """The position of a code point offset; between `\\r` and `\\n` it is before both."""
        rest = max(offset, 0)
        for number, line in enumerate(self._lines):
            if rest < len(line):
                return Position(number, units(_body(line)[:rest], self.encoding))
            rest -= len(line)
        return Position(len(self._lines) - 1, units(self._lines[-1], self.encoding))

    def _locate(self, position: Position) -> tuple[int, int]:
        """The position's line, and code points into it, both within bounds."""
        if position.line < 0:
            return 0, 0
        if position.line >= len(self._lines):
            return len(self._lines) - 1, len(self._lines[-1])
        body = _body(self._lines[position.line])
        return position.line, code_points(body, position.character, self.encoding)


def units(text: str, encoding: Encoding) -> int:
    """The length of a text as the client counts."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    return len(text.encode("utf-8")) if encoding == "utf-8" else len(text.encode("utf-16-le")) // 2


def code_points(line: str, character: int, encoding: Encoding) -> int:
    """The code points before `character` units of a line, at most its length."""
    character = max(character, 0)
    if encoding == "utf-32" or line.isascii():
        return min(character, len(line))
    if encoding == "utf-8":
        data = line.encode("utf-8")
        while character < len(data) and data[character] & 0xC0 == 0x80:
            character -= 1
        return len(data[:character].decode("utf-8"))
    data = line.encode("utf-16-le")
    if 2 * character < len(data) and data[2 * character + 1] & 0xFC == 0xDC:
        character -= 1
    return len(data[: 2 * character].decode("utf-16-le"))


def _split(text: str) -> list[str]:
    """Lines with their endings; the last has none and may be empty."""
    lines = _LINE.findall(text)
    if not lines or lines[-1].endswith(("\n", "\r")):
        lines.append("")
    return lines


def _body(line: str) -> str:
    return line[:-2] if line.endswith("\r\n") else line.rstrip("\r\n")


def _well_formed(text: str) -> str:
    """Half a surrogate pair, which no tokenizer takes, as U+FFFD: as long in every encoding."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text
