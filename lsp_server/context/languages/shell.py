"""Shell functions, variables and sourced files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lsp_server.context.languages.paths import folder_of, joined, nearest, parts_of
from lsp_server.context.languages.unit import Unit, text_of
from lsp_server.context.types import Import, SymbolIndex

if TYPE_CHECKING:
    from tree_sitter import Node

QUERY = r"""
(function_definition name: (_) @name) @function
(variable_assignment name: (variable_name) @name) @variable
(command name: (command_name) @source argument: (_)
  (#any-of? @source "source" ".")) @import
(comment) @comment
"""


def imports(node: Node, source: bytes) -> Iterator[Import]:
    """All that a sourced file defines; of a path with expansions, what follows the last one."""
    path = text_of(node.child_by_field_name("argument"), source).strip("'\"")
    for closing in (")", "}"):
        path = path.rpartition(closing)[2]
    if path.startswith("$"):
        path = path.partition("/")[2]
    if path.strip("/"):
        yield Import(path.lstrip("/"), "*", "", node.start_point.row)


def resolve(imp: Import, from_path: str, index: SymbolIndex) -> list[str]:
    """The file beside the one that sources it, else the nearest whose path ends so."""
    beside = joined(folder_of(from_path), imp.module)
    if beside is not None and index.exists(beside):
        return [beside]
    ending = imp.module.lstrip("./")
    paths = index.modules(parts_of(ending)) if ending else []
    return nearest((path for path in paths if f"/{path}".endswith(f"/{ending}")), from_path)[:1]


UNIT = Unit(grammar="tree_sitter_bash.language", query=QUERY, imports=imports, resolve=resolve)
