"""What tree-sitter says of the text around a cursor. Broken code is the normal case there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from lsp_server.completion.lines import last_line
from lsp_server.context.languages.extract import parse_in_steps, parser_of
from lsp_server.context.languages.table import language_of
from lsp_server.context.languages.unit import Unit

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Tree

PATIENCE = 20_000
"""Microseconds of the processor's time after which parsing is given up: some ten times what it
takes."""
STEP = 1_000
"""Microseconds on the clock that parsing ahead takes before its caller may do something else."""
TREES_KEPT = 16

# A statement or declaration that most bodies of a language take.
_STATEMENT = {
    **dict.fromkeys(("c", "cpp", "cuda", "java", "c-sharp"), "int x;"),
    **dict.fromkeys(("python", "ruby", "shell"), "x"),
    "lua": "x()",
}
_trees: dict[tuple[str, str], Tree | None] = {}
"""The latest, by text and language."""
_LONGEST_QUOTE = 8
_OPENING_QUOTE = re.compile(r"[@$\w]*(\"\"\"|'''|\"|'|`)")
_INTERPOLATION = re.compile(r"interpolation|substitution|^\$\{$|^\\\($")


@dataclass(frozen=True, slots=True)
class Syntax:
    """`inside` is what the cursor stands in, and `quote` what ends that, when it is known.
    `empty_body`: a body holds nothing but the cursor, comments and a docstring. `broken`: there are
    errors in the text, so that `code` may be a string that has no end yet."""

    inside: Literal["code", "comment", "string"] = "code"
    quote: str = ""
    empty_body: bool = False
    broken: bool = False


def parse_ahead(before: str, after: str, language: str) -> Iterator[None]:
    """Parse in small steps what `syntax_at` is going to ask for, which then takes no time."""
    typed, statement = _completed(before, language)
    # a parser of its own: it is not done when others come
    return _parsing(f"{typed}{statement}{after}", language, lambda unit: parser_of(unit, STEP))


def syntax_at(before: str, after: str, language: str) -> Syntax | None:
    """What stands around the cursor between two texts; None where that cannot be parsed."""
    typed, statement = _completed(before, language)
    at_line_start = bool(statement)
    source = f"{typed}{statement}{after}"
    tree = parsed(source, language)
    if tree is None:
        return None
    inside, quote = _inside(tree, _size(before), source.encode("utf-8", "replace"))
    if inside is not None:
        return Syntax(inside, quote)
    empty = at_line_start and _is_alone(tree, _size(typed), _size(typed) + len(statement))
    return Syntax(empty_body=empty, broken=tree.root_node.has_error)


def errors(text: str, language: str) -> int | None:
    """How many errors a parser finds in a text; None where there is no parser, or it gave up."""
    tree = parsed(text, language)
    return None if tree is None else _errors(tree.root_node)


def parsed(text: str, language: str) -> Tree | None:
    """The syntax tree of a text; None where there is no grammar, or parsing took too long."""
    for _ in _parsing(text, language, _parser):
        pass
    return _trees.get((text, language))


def _parsing(text: str, language: str, parser_for: Callable[[Unit], Parser]) -> Iterator[None]:
    """Puts a text's tree among the latest, in steps as long as the parser goes at a time."""
    unit = language_of("", language).symbols
    if unit is None or (text, language) in _trees:
        return
    parser = parser_for(_dialect(unit, text))
    tree = yield from parse_in_steps(parser, text.encode("utf-8", "replace"), PATIENCE)
    _trees[text, language] = tree
    if len(_trees) > TREES_KEPT:
        del _trees[next(iter(_trees))]


def _completed(before: str, language: str) -> tuple[str, str]:
    """The text before the cursor, and a statement for a line on which nothing is typed yet."""
    if before[before.rfind("\n") + 1 :].strip():
        return before, ""
    return before + _indentation(before), _STATEMENT.get(language, "x;")


def _dialect(unit: Unit, text: str) -> Unit:
    """Elements tell TSX from TypeScript where there is no file name."""
    if unit.dialect is None:
        return unit
    name = "x.tsx" if "</" in text or "/>" in text else "x.ts"
    return unit.dialect(name, text.encode("utf-8", "replace")) or unit


@cache
def _parser(unit: Unit) -> Parser:
    return parser_of(unit, PATIENCE // 4)  # so often is looked how much of it is used up


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _indentation(before: str) -> str:
    """That of the line above, where nothing is typed of the cursor's line."""
    above = last_line(before) if before.endswith("\n") else ""
    return above[: len(above) - len(above.lstrip())]


def _inside(
    tree: Tree, cursor: int, source: bytes
) -> tuple[Literal["code", "comment", "string"] | None, str]:
    """What the cursor stands in, and what ends that: code only where it is that of a string's
    interpolation, None where it stands in nothing."""
    node: Node | None = tree.root_node.descendant_for_byte_range(max(0, cursor - 1), cursor)
    while node is not None:
        if _INTERPOLATION.search(node.type):
            is_closed = source[cursor:].lstrip().startswith((b"}", b")"))
            return "code" if is_closed else None, ""
        starts = source[node.start_byte : node.start_byte + _LONGEST_QUOTE].decode(
            "utf-8", "replace"
        )
        if "comment" in node.type and node.start_byte < cursor <= node.end_byte:
            block = starts.startswith("/*")
            if not block or cursor < node.end_byte:
                return "comment", "*/" if block else "\n"
        if ("string" in node.type or "char" in node.type) and node.start_byte < cursor:
            quote = _OPENING_QUOTE.match(starts)
            if quote and cursor < node.end_byte:
                return "string", quote[1]
        node = node.parent
    return None, ""


def _is_alone(tree: Tree, start: int, end: int) -> bool:
    """Whether a statement is all that a body holds, but for comments and a docstring."""
    node = tree.root_node.descendant_for_byte_range(start, start + 1)
    while node is not None and node.start_byte == start and node.end_byte <= end:
        if "block" in node.type or "body" in node.type:  # without brackets it starts where it does
            return True
        node = node.parent
    if node is None or node.parent is None or node.type == "ERROR":
        return False
    return all(
        start <= child.start_byte < end or "comment" in child.type or _is_docstring(child)
        for child in node.named_children
    )


def _is_docstring(node: Node) -> bool:
    return (
        node.type == "expression_statement"
        and node.named_child_count == 1
        and node.named_children[0].type == "string"
    )


def _errors(node: Node) -> int:
    if not node.has_error:
        return 0
    own = int(node.is_error or node.is_missing)
    return own + sum(_errors(child) for child in node.children)
