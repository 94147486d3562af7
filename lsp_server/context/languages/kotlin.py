"""Kotlin's symbols and imports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lsp_server.context.languages.paths import class_or_package
from lsp_server.context.languages.unit import Unit, text_of
from lsp_server.context.types import Import, SymbolIndex

if TYPE_CHECKING:
    from tree_sitter import Node

TYPE = "[(user_type) (nullable_type) (function_type)] @type_of"

QUERY = rf"""
(class_declaration name: (_) @name [(class_body) (enum_class_body)]? @body) @class
(object_declaration name: (_) @name (class_body)? @body) @class
(delegation_specifiers) @base
(function_declaration name: (_) @name
  (function_value_parameters) . {TYPE} (function_body)? @body) @function
(function_declaration name: (_) @name (function_body)? @body) @function
(property_declaration (variable_declaration (identifier) @name . {TYPE})) @variable
(property_declaration (variable_declaration (identifier) @name)) @variable
(class_parameter ["val" "var"] (identifier) @name . {TYPE}) @field
(enum_entry (identifier) @name) @variable
(type_alias type: (identifier) @name (_) @type_of) @type
(import) @import
[(line_comment) (block_comment)] @comment
(annotation) @attribute
"""


def imports(node: Node, source: bytes) -> Iterator[Import]:
    """A name, by its alias if it has one, or all of a package."""
    path, _, alias = text_of(node, source).partition(" as ")
    words = path.split()
    module, _, name = words[-1].rstrip(";").rpartition(".")
    bound = "" if name == "*" else alias.strip(" ;") or name
    yield Import(module, name, bound, node.start_point.row)


def resolve(imp: Import, from_path: str, index: SymbolIndex) -> list[str]:
    """The file that is named after the class, else all files of the package."""
    endings = (".kt", ".kts", ".java")
    return class_or_package(tuple(imp.module.split(".")), imp.name, endings, from_path, index)


UNIT = Unit(grammar="tree_sitter_kotlin.language", query=QUERY, imports=imports, resolve=resolve)
