"""What a language has to say for its symbols to be known: a grammar, a query, two functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsp_server.context.types import Import, SymbolIndex

if TYPE_CHECKING:
    from tree_sitter import Node

Imports = Callable[["Node", bytes], Iterator[Import]]
Resolver = Callable[[Import, str, SymbolIndex], list[str]]


def text_of(node: Node | None, source: bytes) -> str:
    """A node's text; empty for none."""
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace") if node else ""


def no_imports(node: Node, source: bytes) -> Iterator[Import]:
    """For languages whose imports are not read."""
    return iter(())


def unresolved(imp: Import, from_path: str, index: SymbolIndex) -> list[str]:
    """For imports that name no file: what they bring is found by name."""
    return []


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """One language's symbols, read by `extract.py`.

    `grammar` is `package.function` of its tree-sitter wheel. Each pattern of `query` captures a
    definition by its kind and its `@name`:

    - `@class`, `@function`, `@variable`, `@property`, `@type` become symbols: members where a class
      is around them, nothing where something else is;
    - `@field` is a member of the class around it, whatever stands between, once for each name;
    - `@extension` is no symbol: what it holds are members of the class `@name`;
    - `@ignored` is left out, with what it holds.

    `@base`, which needs no name, is what the class around it is derived from. A definition may also
    capture `@owner` (the class it is a member of), `@body` (the signature ends before it),
    `@type_of` (its declared or returned type) and `@value` (what it is first assigned from). The
    last three are else the children in the fields `body_fields`, `type_fields`, `value_fields`.
    Where two patterns name the same node, the first one in the query counts. Besides definitions:

    - `@import` is given to `imports`;
    - `@comment` is left out of signatures, and documents what it stands right above (unless
      `comments_document` is false); `@attribute` is left out, and documentation may stand above it;
    - `@docstring` documents the definition whose body starts where it does.

    `values` are the types of nodes whose text tells a type: calls and names; `returns` those of
    last statements that say what a function gives. `dialect` may hand a file to another unit.
    """

    grammar: str
    query: str
    values: frozenset[str] = frozenset()
    body_fields: tuple[str, ...] = ("body",)
    type_fields: tuple[str, ...] = ("type",)
    value_fields: tuple[str, ...] = ("value",)
    returns: frozenset[str] = frozenset()
    comments_document: bool = True
    imports: Imports = no_imports
    resolve: Resolver = unresolved
    dialect: Callable[[str, bytes], Unit | None] | None = None
