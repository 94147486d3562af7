"""Lua's symbols and requires."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lsp_server.context.languages.paths import nearest
from lsp_server.context.languages.unit import Unit, text_of
from lsp_server.context.types import Import, SymbolIndex

if TYPE_CHECKING:
    from tree_sitter import Node

NAME = """name: [
  (identifier) @name
  (dot_index_expression table: (identifier) @owner field: (_) @name)
  (method_index_expression table: (identifier) @owner method: (_) @name)]"""
REQUIRED = '(function_call name: (identifier) @require (#eq? @require "require"))'

QUERY = rf"""
(variable_declaration (assignment_statement
  (variable_list name: (identifier) @name) (expression_list value: {REQUIRED}))) @ignored
(function_declaration {NAME} body: (_)) @function
(function_declaration {NAME} "end" @body) @function
(assignment_statement
  (variable_list name: (dot_index_expression table: (identifier) @owner field: (_) @name))
  (expression_list value: (function_definition body: (_)? @body))) @function
(chunk (variable_declaration
  (assignment_statement (variable_list name: (identifier) @name))) @variable)
(chunk (assignment_statement (variable_list name: (identifier) @name)) @variable)
(assignment_statement (expression_list value: {REQUIRED})) @import
(comment) @comment
"""


def imports(node: Node, source: bytes) -> Iterator[Import]:
    """A required module, by the name of the variable that holds it."""
    names, values = node.named_child(0), node.named_child(1)
    name = names.named_child(0) if names else None
    call = values.named_child(0) if values else None
    arguments = call.child_by_field_name("arguments") if call else None
    module = text_of(arguments, source).strip("()'\"[] ")
    if module and name is not None and name.type == "identifier":
        yield Import(module, "", text_of(name, source), node.start_point.row)


def resolve(imp: Import, from_path: str, index: SymbolIndex) -> list[str]:
    """The module's file, or the one named `init` in its folder, by the end of its path."""
    parts = tuple(part for part in imp.module.replace("/", ".").split(".") if part)
    if not parts:
        return []
    found = [*index.modules(parts), *index.modules((*parts, "init"))]
    return nearest((path for path in found if path.endswith((".lua", ".luau"))), from_path)[:1]


UNIT = Unit(grammar="tree_sitter_lua.language", query=QUERY, imports=imports, resolve=resolve)
