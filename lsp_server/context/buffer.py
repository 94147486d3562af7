"""What the open document says around the cursor."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import chain, pairwise

from lsp_server.context.declarations import Declaration, declarations
from lsp_server.context.expressions import Access, Chain, access_before, open_calls_before
from lsp_server.context.languages.table import language_of
from lsp_server.context.symbols import parse
from lsp_server.context.tokens import keywords, words
from lsp_server.context.types import Cursor, FileSymbols, Symbol

# How many lines before and after the cursor say what it is about, and how fast they lose weight
# with distance: the measured settings of the published prototype.
NAMES_BEFORE, NAMES_AFTER = 40, 20
ON_LINE, BEFORE, AFTER, DECAY = 8.0, 4.0, 1.5, 0.75
# The same for sub-tokens, which choose among the members of a class.
WORDS_BEFORE, WORDS_AFTER = 30, 10
WORD_DECAY, WORD_AFTER, WORD_AFTER_DECAY = 0.93, 0.5, 0.9
# Names in these lines need not be shown again.
SEEN_BEFORE, SEEN_AFTER = 60, 20
OPEN_CALLS = 2
# Of a very long document only its top (imports) and so many characters around the cursor are
# analysed: parsing all of it would take longer than a request may.
TOP, NEAR_BEFORE, NEAR_AFTER = 10_000, 60_000, 20_000

IDENTIFIER = re.compile(r"[A-Za-z_]\w*")

_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'')
_IMPORT_LINE = re.compile(
    r"\s*(from\s|import\s|using\s|use\s|#\s*include|package\s|export .* from)"
)
_INDENTED = frozenset({"python"})


class Buffer:
    """A document and its cursor. The text is analysed without the cursor's line, which is being
    typed: what was found stays valid, and cached, for as long as only that line changes."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.head, self.typed = _at_last_line(cursor.prefix)
        self.rest_of_line, _, self.tail = cursor.suffix.partition("\n")
        self.line = self.head.count("\n")
        self._near_head, self._near_tail = _without_middle(self.head), self.tail[:NEAR_AFTER]
        self.symbols: FileSymbols = _symbols(
            cursor.path, cursor.language, self._near_head, self._placeholder(), self._near_tail
        )

    @cached_property
    def lines_before(self) -> list[str]:
        """The lines before the cursor, its own up to it included."""
        return self.cursor.prefix.split("\n")

    @cached_property
    def lines_after(self) -> list[str]:
        """The first lines after the cursor, the rest of its own included."""
        return self.cursor.suffix.split("\n", SEEN_AFTER)[:SEEN_AFTER]

    @cached_property
    def classes(self) -> dict[str, Symbol]:
        """The file's classes, nested ones too, by name."""
        found: dict[str, Symbol] = {}
        for symbol in _classes(self.symbols.symbols):
            found.setdefault(symbol.name, symbol)
        return found

    @cached_property
    def enclosing(self) -> Symbol | None:
        """The innermost class around the cursor."""
        around = [symbol for symbol in self.classes.values() if self._is_around(symbol)]
        return max(around, key=lambda symbol: symbol.line, default=None)

    def access(self) -> Access | None:
        """The member access at the cursor."""
        return access_before(self.cursor.prefix)

    def open_calls(self) -> list[Chain]:
        """The callees of the open calls around the cursor, innermost first."""
        language = self.cursor.language
        blocks = language not in _INDENTED
        return open_calls_before(self.cursor.prefix, keywords(language), blocks, OPEN_CALLS)

    def used_on(self, receiver: Chain) -> list[str]:
        """The members that the file uses elsewhere on the same receiver, nearest to the cursor
        first: those before it, then those after it."""
        if not receiver or any(link.called for link in receiver):
            return []
        dotted = ".".join(link.name for link in receiver) + "."
        uses = [*reversed(list(_members_of(dotted, self.head))), *_members_of(dotted, self.tail)]
        return list(dict.fromkeys(uses))

    def is_declared(self, name: str) -> bool:
        """Whether the file says something of the variable's type."""
        return any(name in declarations(text, self.cursor.language) for text in self._near_texts())

    def declared(self, name: str, before: int) -> list[Declaration]:
        """What the file says of a variable's type: nearest before the offset first, then what comes
        after it; an annotation before an assignment on the same line."""
        offset = len(self.head) - len(self._near_head)
        found: list[Declaration] = []
        for text in self._near_texts():
            here = declarations(text, self.cursor.language).get(name, ())
            found += [each._replace(position=each.position + offset) for each in here]
            offset += len(text)
        return sorted(
            found, key=lambda d: (d.position >= before, abs(d.position - before), not d.is_type)
        )

    def names_near(self) -> dict[str, float]:
        """The identifiers near the cursor outside strings and imports, to their weights."""
        weights: defaultdict[str, float] = defaultdict(float)
        for distance, line in enumerate(reversed(self.lines_before[-NAMES_BEFORE:])):
            if _IMPORT_LINE.match(line):
                continue
            weight = BEFORE * DECAY**distance if distance else ON_LINE
            for name in set(IDENTIFIER.findall(_STRING.sub('""', line))):
                weights[name] += weight
        for distance, line in enumerate(self.lines_after[:NAMES_AFTER]):
            for name in set(IDENTIFIER.findall(_STRING.sub('""', line))):
                weights[name] += AFTER * DECAY**distance
        return weights

    @cached_property
    def words_near(self) -> dict[str, float]:
        """The lower-cased sub-tokens near the cursor, to their weights."""
        weights: defaultdict[str, float] = defaultdict(float)
        for distance, line in enumerate(reversed(self.lines_before[-WORDS_BEFORE:])):
            for word in _words(line):
                weights[word] += WORD_DECAY**distance
        for distance, line in enumerate(self.lines_after[:WORDS_AFTER]):
            for word in _words(line):
                weights[word] += WORD_AFTER * WORD_AFTER_DECAY**distance
        return weights

    @cached_property
    def seen(self) -> frozenset[str]:
        """The identifiers that stand near the cursor anyway."""
        lines = self.lines_before[-SEEN_BEFORE:] + self.lines_after
        return frozenset(IDENTIFIER.findall("\n".join(lines)))

    def is_used(self, name: str) -> bool:
        """Whether an imported name occurs anywhere besides its import."""
        occurrences = chain.from_iterable(_occurrences(name, text) for text in self._texts())
        return next(occurrences, None) is not None and next(occurrences, None) is not None

    def _texts(self) -> tuple[str, ...]:
        return self.head, self.typed, self.rest_of_line, self.tail

    def _near_texts(self) -> tuple[str, ...]:
        """What is analysed of the text."""
        return self._near_head, self.typed, self.rest_of_line, self._near_tail

    def _placeholder(self) -> str:
        """A statement for the cursor's line where the language needs one."""
        if self.cursor.language in _INDENTED and self.head.rstrip().endswith(":"):
            return self.typed[: _indentation(self.typed)] + "pass"
        return ""

    def _is_around(self, symbol: Symbol) -> bool:
        if symbol.line >= self.line:
            return False
        if self.cursor.language not in _INDENTED:
            return symbol.end_line >= self.line
        column = _indentation(self.lines_before[symbol.line])
        if self.typed.strip() and _indentation(self.typed) <= column:
            return False
        return not any(_dedents(line, column) for line in self.lines_before[symbol.line + 1 : -1])


@lru_cache(maxsize=16)
def _symbols(path: str, language: str, head: str, line: str, tail: str) -> FileSymbols:
    return parse(path, f"{head}{line}\n{tail}", language_of(path, language))


def _without_middle(head: str) -> str:
    """The text with empty lines for what is neither its top nor near its end; all line numbers
    stay."""
    start, end = head.find("\n", TOP), head.find("\n", max(0, len(head) - NEAR_BEFORE))
    if start < 0 or end <= start:
        return head
    return head[:start] + "\n" * head.count("\n", start, end) + head[end:]


def _at_last_line(text: str) -> tuple[str, str]:
    start = text.rfind("\n") + 1
    return text[:start], text[start:]


def _classes(symbols: tuple[Symbol, ...]) -> Iterator[Symbol]:
    for symbol in symbols:
        if symbol.kind == "class":
            yield symbol
            yield from _classes(symbol.members)


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _dedents(line: str, column: int) -> bool:
    """Whether a line ends a block whose head stands at the column. Closing brackets, comments and
    ends of strings do not."""
    text = line.lstrip()
    return bool(text) and len(line) - len(text) <= column and text[0] not in ")]}#\"'"


def _occurrences(name: str, text: str) -> Iterator[int]:
    """Where a name stands in a text. Many times as fast as a pattern with word boundaries."""
    start = text.find(name)
    while start >= 0:
        end = start + len(name)
        before, after = text[start - 1 : start], text[end : end + 1]
        if not (before.isalnum() or before == "_" or after.isalnum() or after == "_"):
            yield start
        start = text.find(name, end)


def _members_of(dotted: str, text: str) -> Iterator[str]:
    """The names that follow a receiver and its dot in a text."""
    for before, after in pairwise(text.split(dotted)):
        match = IDENTIFIER.match(after)
        if match and not (before[-1:].isalnum() or before[-1:] in ("_", ".")):
            yield match.group()


def _words(line: str) -> Iterator[str]:
    for name in IDENTIFIER.findall(line):
        yield from words(name) or (name.lower(),)


def overlap(near: dict[str, float], name: str) -> float:
    """How much the sub-tokens of a name are among the weighted words, at most 3 for each."""
    parts = words(name) or (name.lower(),)
    return sum(min(3.0, near.get(part, 0.0)) for part in parts) / math.sqrt(len(parts))
