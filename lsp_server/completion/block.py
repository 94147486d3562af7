"""Where a block of suggested lines ends: a statement, a body, or brackets.

Told by indentation and brackets alone, for every language, so that it can be asked at every token.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from lsp_server.completion.lexical import Open, open_at_end, opens_block, unopened
from lsp_server.completion.lines import has_words, indent_of, next_line
from lsp_server.completion.loops import loop_in_line, repeated_lines
from lsp_server.completion.place import Place
from lsp_server.context.languages.table import language_of

if TYPE_CHECKING:
    from lsp_server.completion.scope import Scope

_CONTINUING = frozenset(
    (
        *("else", "elif", "elsif", "elseif", "except", "catch", "finally", "rescue", "ensure"),
        *("end", "fi", "done", "esac", "until", "where", "then", "do"),
    )
)
"""Words that a line may start with that belongs to the statement above it."""

_CONTINUED = frozenset(("if", "else", "try", "catch", "do", ""))
"""First words of statements that may go on behind a closing brace."""

_ENDING = frozenset(("end", "fi", "done", "esac"))
_CONTINUING_MARKS = re.compile(r"[)\]}{]|\??\.\w|[?:+] |\|\||&&|\|>|->|=>|<<|>>")
_GOES_ON = re.compile(r"(?:\\|\||&&|(?<!\+)\+|=)$")
_LEADING = re.compile(r"@|#\[|\[\w[^\]]*\]$|template\s*<|/\*|\*(?:[ /]|$)")
_FENCE = "```"
_PROSE = ("markdown", "rmarkdown", "restructuredtext", "plain-text")
_WORD = re.compile(r"\w*")
_STARTS = sorted({word[:end] for word in _CONTINUING for end in range(1, len(word) + 1)})
_UNDECIDED = re.compile(rf"(?:{'|'.join(_STARTS)})|[?:+|&\-=<>.]\.?")
"""How a line starts of which more must be known."""


def end_of_block(text: str, place: Place, scope: Scope) -> int | None:
    """Where the block ends in `text`, or None when more text could still belong to it."""
    reader = _Reader(place, scope)
    lines = text.split("\n")
    position = 0
    for index, line in enumerate(lines):
        whole = index < len(lines) - 1
        if index or place.at_line_start:
            ends = reader.ends_before(line if index else place.before + line, index, whole)
            if ends or ends is None:
                return reader.end if ends else None
        if (loop := loop_in_line(line)) is not None:
            return position + loop
        if not whole:
            return None
        if index and reader.is_the_following(line):
            return reader.end
        position += len(line)
        if reader.ends_after(line, index, text[:position]):
            return reader.end
        position += 1
    return None


class _Reader:
    """Reads lines one by one. `end` is where the block ends when the line at hand ends it."""

    def __init__(self, place: Place, scope: Scope) -> None:
        self._place, self._scope = place, scope
        self._comment = language_of("", place.language).line_comment
        self._following = next_line(place.suffix)
        self._lines: list[str] = []
        self._ends: list[int] = [0]
        self._open = Open()
        self._blank_lines = 0
        self._base = -1  # columns that the block's own lines are indented
        self._last = -1  # and those of the last line

    @property
    def end(self) -> int:
        return self._ends[-1]

    def ends_before(self, line: str, index: int, whole: bool) -> bool | None:
        """Whether the block ends before a line. None: more of the line must be known."""
        stripped = line.strip()
        if not stripped:
            return self._ends_at_blank_line(index) if whole else None
        if len(self._lines) >= self._scope.max_lines:
            return True
        if self._is_in_string():
            return False
        if stripped.startswith(_FENCE) and self._place.language not in _PROSE:
            return True
        return index > 0 and self._leaves(line.lstrip(), indent_of(line), whole)

    def is_the_following(self, line: str) -> bool:
        """Whether the file has the line already, right after the cursor's. What has no words may
        be the block's own."""
        if not line.strip() or line.rstrip() != self._following:
            return False
        return has_words(line) or not self._is_open()

    def ends_after(self, line: str, index: int, text: str) -> bool:
        """Take a whole line, with which `text` ends. Whether the block ends after it."""
        if not line.strip():
            self._blank_lines += bool(self._lines)
            return False
        if index or self._place.at_line_start:
            line = line if index else self._place.before + line
            self._last = indent_of(line)
            self._base = self._base if self._base >= 0 else self._last
        self._blank_lines = 0
        self._lines.append(line.rstrip())
        self._ends.append(len(text))
        self._open, surplus = _brackets(text, self._place.language)
        if repeated := repeated_lines(self._lines):
            del self._ends[-repeated:]
            return True
        if surplus > self._scope.closers:
            if line.lstrip()[0] in ")]}":
                del self._ends[-1]
            return True
        if self._is_open():
            return False
        if surplus and self._scope.until != "statement":
            return True
        if self._base < 0:  # it went on behind what opens the block
            return not (line.endswith(",") or opens_block(line, self._place.language))
        if self._last < self._base:
            return True
        return self._scope.until == "statement" and self._is_final(line.strip())

    def _ends_at_blank_line(self, index: int) -> bool:
        if not self._lines:
            return index > 1
        if self._is_in_string():
            return False
        if self._blank_lines:
            return True
        if self._scope.until != "statement" or self._is_open() or self._last > self._base:
            return False
        return self._is_whole() and not opens_block(self._lines[-1], self._place.language)

    def _leaves(self, begun: str, columns: int, whole: bool) -> bool | None:
        """Whether a line is outside, by where and how it starts."""
        if self._is_open():
            return False
        if not whole and _UNDECIDED.fullmatch(begun):
            return None
        if self._base < 0:
            return self._is_outside(begun, columns)
        if columns < self._base or (begun[0] in ")]}" and self._scope.until != "statement"):
            return not self._closes(begun, columns)
        if columns > self._base or self._scope.until != "statement" or not self._is_whole():
            return False
        return self._is_another(begun)

    def _is_outside(self, begun: str, columns: int) -> bool:
        """Whether the first line is not in the body. Where brackets say that it is, it need not be
        indented so."""
        if begun[0] in ")]}":
            return not self._closes(begun, columns)
        return columns < self._scope.indent + (self._place.language == "python")

    def _is_another(self, begun: str) -> bool:
        """Whether a line at the statement's own indentation is another statement."""
        if _GOES_ON.search(self._lines[-1]):
            return False
        if word := _word(begun):
            return word not in _CONTINUING
        return self._blank_lines > 0 or not _CONTINUING_MARKS.match(begun)

    def _closes(self, begun: str, columns: int) -> bool:
        """Whether a line closes what the block is in, and the file does not have that yet."""
        if self._scope.until == "statement" or columns < self._scope.indent:
            return False
        if begun[0] in ")]}":
            return self._scope.closers > 0
        following = self._following
        has_it = indent_of(following) == columns and _word(following.lstrip()) == _word(begun)
        return _word(begun) in _ENDING and not has_it

    def _is_whole(self) -> bool:
        """Whether more was read than what leads to a statement."""
        return not all(map(self._is_leading, self._lines))

    def _is_final(self, line: str) -> bool:
        """Whether nothing can continue the statement that ends in `line`."""
        if self._last != self._base or self._is_leading(line):
            return False
        if self._place.language == "python":
            return not (line.endswith("\\") or opens_block(line, "python"))
        if line == "}":
            return self._first_word() not in _CONTINUED
        return line in _ENDING or line.endswith((";", ","))

    def _first_word(self) -> str:
        first = next(line for line in self._lines if not self._is_leading(line))
        return _word(first.lstrip())

    def _is_leading(self, line: str) -> bool:
        """Comments and annotations belong to what follows them."""
        line = line.strip()
        comment = bool(self._comment) and line.startswith(self._comment)
        return comment or _LEADING.match(line) is not None

    def _is_open(self) -> bool:
        return bool(self._open.closers) or self._is_in_string()

    def _is_in_string(self) -> bool:
        """Whether in a string or comment of several lines, or in a fenced piece of code."""
        fences = [line.strip() for line in self._lines if line.lstrip().startswith(_FENCE)]
        in_fence = bool(fences) and fences[-1] != _FENCE
        return in_fence or len(self._open.quote) > 1 or self._open.quote == "`"


def _word(line: str) -> str:
    """The word that a line starts with; empty when that is something else."""
    word = _WORD.match(line)
    return word[0] if word else ""


@lru_cache(maxsize=64)
def _brackets(text: str, language: str) -> tuple[Open, int]:
    """What is open at the end of a text, and how many brackets it closes that it did not open."""
    return open_at_end(text, language), sum(1 for _ in unopened(text, language))
