"""Ruby's symbols and requires."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lsp_server.context.languages.paths import folder_of, joined, nearest
from lsp_server.context.languages.unit import Unit, text_of
from lsp_server.context.types import Import, SymbolIndex

if TYPE_CHECKING:
    from tree_sitter import Node

NAME = "name: [(constant) @name (scope_resolution name: (_) @name)]"

QUERY = rf"""
[(class {NAME} body: (_)) (module {NAME} body: (_))] @class
[(class {NAME} "end" @body) (module {NAME} "end" @body)] @class
(superclass (_) @base)
[(method name: (_) @name body: (_)) (singleton_method name: (_) @name body: (_))] @function
[(method name: (_) @name "end" @body) (singleton_method name: (_) @name "end" @body)] @function
(call method: (identifier) @attribute_method
  arguments: (argument_list (simple_symbol) @name)
  (#any-of? @attribute_method "attr_reader" "attr_writer" "attr_accessor")) @property
(assignment left: (constant) @name) @variable
(call method: (identifier) @require arguments: (argument_list (string))
  (#any-of? @require "require" "require_relative")) @import
(comment) @comment
"""


def imports(node: Node, source: bytes) -> Iterator[Import]:
    """All that a required file defines; a relative path starts with `./` or `../`."""
    arguments = node.child_by_field_name("arguments")
    module = text_of(arguments.named_child(0) if arguments else None, source).strip("'\"")
    relative = text_of(node.child_by_field_name("method"), source) == "require_relative"
    yield Import(
        f"./{module}" if relative and module[:1] != "." else module, "*", "", node.start_point.row
    )


def resolve(imp: Import, from_path: str, index: SymbolIndex) -> list[str]:
    """The required file, by the end of its path where that is not relative."""
    if imp.module.startswith("."):
        path = joined(folder_of(from_path), imp.module)
        return [f"{path}.rb"] if path and index.exists(f"{path}.rb") else []
    found = [path for path in index.modules(tuple(imp.module.split("/"))) if path.endswith(".rb")]
    return nearest(found, from_path)[:1]


UNIT = Unit(grammar="tree_sitter_ruby.language", query=QUERY, imports=imports, resolve=resolve)
