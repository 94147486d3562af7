"""Reads a file's definitions and imports out of its syntax tree, by the language's unit."""

from __future__ import annotations

import re
import time
import warnings
from bisect import bisect_left
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from lsp_server.context.languages.unit import Unit
from lsp_server.context.types import Import, Kind, Symbol

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Query, Tree

LONGEST_SIGNATURE = 240
LONGEST_VARIABLE = 120
LONGEST_TYPE = 120
LONGEST_DOC = 120
SLICE = 2_000
"""Bytes of source that are looked at for one line of text."""

DEEPEST = 100
"""Levels of the syntax tree below which no definition is looked for."""

PATIENCE = 500_000
"""Microseconds of the processor's time after which parsing is given up, and after which a query
ends with what it has: on broken text either can take a time that is quadratic in its length."""

SYMBOLS = ("class", "function", "variable", "property", "type")
KINDS = (*SYMBOLS, "field", "base", "extension", "ignored")

INFERRED = ("auto", "var")
"""Declared types that say to look at the value."""

_BRACKETS = re.compile(r"<[^<>]*>|\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
_BASE_KEYWORDS = re.compile(
    r"\b(?:extends|implements|with|public|protected|private|virtual|override|permits|derives)\b"
    r"|[:+&]"
)
_BASE = re.compile(r"[\w$@]+(?:(?:\.|::|\\)[\w$]+)*")
_COMMENT_MARKS = re.compile(r"^(?:/\*+!?|//+!?|\*+/?|#+|--+)\s?|\*+/\s*$")
_TAGS = re.compile(r"</?[a-zA-Z][^<>]*>")
_STRING_MARKS = re.compile(r"^[a-zA-Z]*('''|\"\"\"|'|\")|('''|\"\"\"|'|\")$")

Captures = Mapping[str, "list[Node]"]


@dataclass(slots=True, eq=False)
class Definition:
    """A match of the query, and what stands inside it."""

    kind: str
    node: Node
    name: Node
    captures: Captures
    start: int
    end: int
    members: list[Definition] = field(default_factory=list)
    same_line: bool = False
    """Whether what is around it is named on its line, and has the comment above that."""


Found = tuple[tuple[Symbol, ...], tuple[Import, ...]]


def extract(path: str, source: bytes, unit: Unit) -> Found:
    """Symbols and imports of a file, in source order. Broken text gives what is whole in it."""
    parser, query = compiled(unit)
    tree = parse(parser, source, PATIENCE)
    if tree is None:
        return (), ()
    matches = _Matches(_run(query, tree.root_node))
    imports = [
        imp for _, node in sorted(matches.imports.items()) for imp in unit.imports(node, source)
    ]
    reader = _Reader(path, source, unit, matches)
    return tuple(reader.symbols(nest(matches.definitions.values()))), tuple(imports)


@cache
def compiled(unit: Unit) -> tuple[Parser, Query]:
    """A unit's grammar is loaded when its first file is parsed."""
    from tree_sitter import Query

    parser = parser_of(unit, PATIENCE)
    assert parser.language is not None
    return parser, Query(parser.language, unit.query)


def parser_of(unit: Unit, patience: int) -> Parser:
    """A new parser of the unit's language. It raises ValueError after `patience` microseconds on
    the clock, and goes on when it is called again with the same text, unless it is reset."""
    from tree_sitter import Language, Parser

    package, function = unit.grammar.split(".")
    parser = Parser(Language(getattr(import_module(package), function)()))
    with warnings.catch_warnings():
        # What replaces them, progress callbacks, crashes the process in 0.25.2 (parse and query)
        # and in 0.26.1 (query).
        warnings.simplefilter("ignore", DeprecationWarning)
        parser.timeout_micros = patience  # type: ignore[misc]  # its stub lacks the setter
    return parser


# tree-sitter counts the time on the wall, most of which a process of low priority spends waiting:
# what ran out of time goes on until it has had that time for itself.


def parse(parser: Parser, source: bytes, patience: int) -> Tree | None:
    """The tree of a text; None where that takes more than `patience` microseconds of the thread's
    own time, which is looked at as often as the parser raises ValueError."""
    steps = parse_in_steps(parser, source, patience)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            tree: Tree | None = end.value
            return tree


def parse_in_steps(
    parser: Parser, source: bytes, patience: int
) -> Generator[None, None, Tree | None]:
    """The same in steps, each as long as the parser takes to raise ValueError."""
    spent = 0.0
    while _micros(spent) < patience:
        began = time.thread_time()
        try:
            return parser.parse(source)
        except ValueError:  # it ran out of time; called again it goes on
            spent += time.thread_time() - began
            yield
    parser.reset()
    return None


def _run(query: Query, root: Node) -> list[tuple[int, dict[str, list[Node]]]]:
    from tree_sitter import QueryCursor

    patience = PATIENCE
    while True:
        began, worked = time.monotonic(), time.thread_time()
        cursor = QueryCursor(query, timeout_micros=patience)
        cursor.set_max_start_depth(DEEPEST)
        matches = cursor.matches(root)
        is_done = _micros(time.monotonic() - began) < patience
        if is_done or _micros(time.thread_time() - worked) >= PATIENCE:
            return matches
        patience *= 2


def _micros(seconds: float) -> float:
    return 1e6 * seconds


class _Matches:
    """What a query found, by what it is for."""

    def __init__(self, matches: Iterable[tuple[int, dict[str, list[Node]]]]) -> None:
        self.definitions: dict[int, Definition] = {}
        self.imports: dict[int, Node] = {}
        self.comments: list[Node] = []
        self.attributes: list[Node] = []
        self.docstrings: dict[int, Node] = {}
        for _, captures in sorted(matches, key=lambda match: (match[0], -len(match[1]))):
            if names := captures.get("name") or captures.get("base"):
                self._define(names[0], captures)
            else:
                self._note(captures)

    def _define(self, name: Node, captures: Captures) -> None:
        kind = next(kind for kind in KINDS if kind in captures)
        node = captures[kind][0]
        self.definitions.setdefault(
            name.start_byte,
            Definition(kind, node, name, captures, node.start_byte, node.end_byte),
        )

    def _note(self, captures: Captures) -> None:
        self.imports.update((node.start_byte, node) for node in captures.get("import", ()))
        self.comments += captures.get("comment", ())
        self.attributes += captures.get("attribute", ())
        for node in captures.get("docstring", ()):
            self.docstrings[node.start_byte] = node


def nest(definitions: Iterable[Definition]) -> list[Definition]:
    """Puts members into their classes and drops what is local to a function. Gives what is left."""
    top: list[Definition] = []
    scopes: list[Definition] = []
    for definition in sorted(definitions, key=_place):
        while scopes and (scopes[-1].end <= definition.start or scopes[-1].node == definition.node):
            scopes.pop()
        scope = _scope(definition.kind, scopes)
        if scope is None:
            top.append(definition)
        elif scope.kind in ("class", "extension"):
            scope.members.append(definition)
            definition.same_line = scope.name.start_point.row >= definition.node.start_point.row
        scopes.append(definition)
    return top


def _place(definition: Definition) -> tuple[int, int, int]:
    return definition.start, -definition.end, definition.name.start_byte


def _scope(kind: str, scopes: list[Definition]) -> Definition | None:
    """What a definition belongs to. A class that is declared within a variable's or an alias's type
    stands beside that, as in C."""
    for scope in reversed(scopes):
        if kind == "field" and scope.kind != "class":
            continue
        if kind == "class" and scope.kind in ("variable", "type"):
            continue
        return scope
    return None


class _Reader:
    """Turns definitions into symbols; knows the text."""

    def __init__(self, path: str, source: bytes, unit: Unit, matches: _Matches) -> None:
        self._path = path
        self._source = source
        self._unit = unit
        self._docstrings = matches.docstrings
        hidden = [*matches.comments, *matches.attributes]
        self._hidden = sorted((node.start_byte, node.end_byte) for node in hidden)
        self._attributes = {_last_row(node): node for node in matches.attributes}
        documenting = matches.comments if unit.comments_document else ()
        self._comments = {_last_row(node): node for node in documenting if self._alone(node)}

    def symbols(self, definitions: Iterable[Definition]) -> list[Symbol]:
        """The symbols of a file's top level; members that stand outside their class join it."""
        symbols = _Unique()
        outside: dict[str, list[Symbol]] = {}
        bases: dict[str, list[str]] = {}
        for definition in definitions:
            owner = self._owner(definition)
            if definition.kind == "extension":
                outside.setdefault(owner, []).extend(self._members(definition, owner))
                bases.setdefault(owner, []).extend(self._bases(definition))
            elif owner:
                outside.setdefault(owner, []).append(self._symbol(definition, owner))
            elif definition.kind in SYMBOLS:
                symbols.add(self._symbol(definition, ""))
        return sorted(_joined(symbols.all, outside, bases), key=lambda symbol: symbol.line)

    def _members(self, definition: Definition, container: str) -> list[Symbol]:
        members = _Unique()
        wanted = [one for one in definition.members if one.kind in (*SYMBOLS, "field")]
        for member in sorted(wanted, key=lambda one: one.kind == "field"):
            members.add(self._symbol(member, container), once=member.kind == "field")
        return sorted(members.all, key=lambda symbol: symbol.line)

    def _symbol(self, definition: Definition, container: str) -> Symbol:
        name = self._text(definition.name).strip(":'\"`")
        inner = f"{container}.{name}" if container else name
        kind = "variable" if definition.kind == "field" else definition.kind
        line = definition.name.start_point.row
        body = self._child(definition, "body", self._unit.body_fields)
        return Symbol(
            name=name,
            kind=cast("Kind", kind),
            path=self._path,
            line=line,
            end_line=max(line, _last_row(definition.node)),
            signature=self._signature(definition, body),
            doc=self._doc(definition, body),
            type=self._type(definition),
            bases=tuple(self._bases(definition)) if kind == "class" else (),
            container=container,
            members=tuple(self._members(definition, inner)) if kind == "class" else (),
        )

    def _owner(self, definition: Definition) -> str:
        """The class, in dots, whose member a definition is though it stands outside of it."""
        if definition.kind == "extension":
            return self._text(definition.name).replace("::", ".")
        owner = definition.captures.get("owner")
        return self._text(owner[0]).replace("::", ".") if owner else ""

    def _text(self, node: Node) -> str:
        return self._source[node.start_byte : min(node.end_byte, node.start_byte + SLICE)].decode(
            "utf-8", "replace"
        )

    def _child(self, definition: Definition, capture: str, fields: Iterable[str]) -> Node | None:
        if captured := definition.captures.get(capture):
            return captured[0]
        if found := _field(definition.node, fields):
            return found
        declarator = definition.name.parent if definition.kind == "variable" else None
        return _field(declarator, fields) if declarator is not None else None

    def _signature(self, definition: Definition, body: Node | None) -> str:
        headed = definition.kind in ("class", "function", "property")
        cut = body is not None and (headed or "body" in definition.captures)
        text = self._visible(definition.start, body.start_byte if body and cut else definition.end)
        if body is not None and cut and body.end_byte <= definition.name.start_byte:
            text += self._visible(body.end_byte, definition.end)
        longest = LONGEST_SIGNATURE if headed or definition.kind == "type" else LONGEST_VARIABLE
        return one_line(one_line(text, longest + 1).rstrip(" {;=,"), longest)

    def _visible(self, start: int, end: int) -> str:
        """The text without comments and attributes."""
        end = min(end, start + SLICE)
        pieces: list[bytes] = []
        for first, last in self._hidden[bisect_left(self._hidden, (start, 0)) :]:
            if first >= end:
                break
            if first >= start:
                pieces.append(self._source[start:first])
                start = last
        pieces.append(self._source[start:end])
        return b" ".join(pieces).decode("utf-8", "replace")

    def _type(self, definition: Definition) -> str:
        if definition.kind == "class":
            return ""
        declared = self._child(definition, "type_of", self._unit.type_fields)
        if declared is not None:
            text = self._visible(declared.start_byte, declared.end_byte)
            if text not in INFERRED:
                return one_line(text.lstrip(": ->\t\n"), LONGEST_TYPE)
        if definition.kind in ("function", "property"):
            value = self._returned(self._child(definition, "body", self._unit.body_fields))
        else:
            value = self._child(definition, "value", self._unit.value_fields)
        if value is not None and value.type == "expression_list" and value.named_child_count == 1:
            value = value.named_child(0)
        if value is None or value.type not in self._unit.values:
            return ""
        return one_line(self._visible(value.start_byte, value.end_byte), LONGEST_TYPE)

    def _returned(self, body: Node | None) -> Node | None:
        """What a function returns or yields at its end; of a local variable what it was assigned
        there last."""
        statements = body.named_children if body is not None and self._unit.returns else []
        last = statements[-1] if statements else None
        if last is not None and last.type == "expression_statement":
            last = next(iter(last.named_children), None)
        if last is None or last.type not in self._unit.returns:
            return None
        value = next(iter(last.named_children), None)
        if value is None or value.type != "identifier":
            return value
        name = self._text(value)
        for statement in reversed(statements[:-1]):
            assignment = next(iter(statement.named_children), None)
            if assignment is not None and assignment.type == "assignment":
                left = assignment.child_by_field_name("left")
                if left is not None and self._text(left) == name:
                    return assignment.child_by_field_name("right")
        return value

    def _bases(self, definition: Definition) -> Iterator[str]:
        for node in (one.node for one in definition.members if one.kind == "base"):
            yield from base_names(self._visible(node.start_byte, node.end_byte))

    def _doc(self, definition: Definition, body: Node | None) -> str:
        if body is not None and (docstring := self._docstrings.get(body.start_byte)):
            return first_words(_STRING_MARKS.sub("", self._text(docstring)).splitlines())
        if definition.same_line:
            return ""
        return first_words(self._comment_above(definition.node.start_point.row))

    def _comment_above(self, row: int) -> list[str]:
        """Lines of the comment that ends right above a row, from the top."""
        lines: list[str] = []
        row -= 1
        while True:
            if attribute := self._attributes.get(row):
                row = attribute.start_point.row - 1
            elif comment := self._comments.get(row):
                text = self._text(comment)
                lines[:0] = text.splitlines()
                if text.startswith("/*"):
                    return lines
                row = comment.start_point.row - 1
            else:
                return lines

    def _alone(self, node: Node) -> bool:
        """Whether nothing stands before a node on its line."""
        column = node.start_point.column
        before = self._source[node.start_byte - column : node.start_byte]
        return len(before) < LONGEST_SIGNATURE and not before.strip()


class _Unique:
    """Symbols of one scope: a name is a variable only once, and only where it is nothing else."""

    def __init__(self) -> None:
        self.all: list[Symbol] = []
        self._names: set[str] = set()

    def add(self, symbol: Symbol, once: bool = False) -> None:
        again = (once or symbol.kind == "variable") and symbol.name in self._names
        if symbol.name and not again:
            self.all.append(symbol)
            self._names.add(symbol.name)


def _joined(
    symbols: list[Symbol], outside: Mapping[str, list[Symbol]], bases: Mapping[str, list[str]]
) -> Iterator[Symbol]:
    """The symbols with what stood outside of its class put into it, else beside it."""
    rest = dict(outside)
    for symbol in symbols:
        if symbol.kind in ("class", "type") and symbol.name in rest:
            known = {member.name for member in symbol.members}
            joining = [one for one in rest.pop(symbol.name) if one.name not in known]
            yield replace(
                symbol,
                members=(*symbol.members, *joining),
                bases=tuple(dict.fromkeys((*symbol.bases, *bases.get(symbol.name, ())))),
            )
        else:
            yield symbol
    yield from (symbol for left in rest.values() for symbol in left)


def base_names(text: str) -> Iterator[str]:
    """The names of the bases in `(A[int], b.C, metaclass=M)` or `extends A<T> implements B`."""
    text = text.strip()
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    while (shorter := _BRACKETS.sub("", text)) != text:
        text = shorter
    for part in _BASE_KEYWORDS.sub(",", text.replace("::", "\0")).replace("\0", "::").split(","):
        name = _BASE.match(part.strip(" \t\r\n<\\"))
        if name and "=" not in part:
            yield name.group()


def one_line(text: str, longest: int) -> str:
    """The text with single blanks, cut with an ellipsis at that many characters."""
    line = " ".join(text.split())
    for loose, tight in (("( ", "("), ("[ ", "["), (", )", ")"), (" )", ")"), (" ]", "]")):
        line = line.replace(loose, tight)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def first_words(lines: Iterable[str]) -> str:
    """The first line of a comment or docstring that says something."""
    for line in lines:
        words = _TAGS.sub("", _COMMENT_MARKS.sub("", line.strip())).strip()
        if any(character.isalnum() for character in words):
            return one_line(words, LONGEST_DOC)
    return ""


def _field(node: Node, fields: Iterable[str]) -> Node | None:
    return next(filter(None, map(node.child_by_field_name, fields)), None)


def _last_row(node: Node) -> int:
    """The last row that holds text of a node: some nodes end with their line's end."""
    row, column = node.end_point
    return row - 1 if column == 0 and row > node.start_point.row else row
