"""PHP's symbols and uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lsp_server.context.languages.paths import nearest
from lsp_server.context.languages.unit import Unit, text_of
from lsp_server.context.types import Import, SymbolIndex

if TYPE_CHECKING:
    from tree_sitter import Node

QUERY = r"""
[(class_declaration name: (_) @name) (interface_declaration name: (_) @name)
 (trait_declaration name: (_) @name) (enum_declaration name: (_) @name)] @class
[(base_clause) (class_interface_clause)] @base
(use_declaration [(name) (qualified_name)] @base)
[(method_declaration name: (_) @name) (function_definition name: (_) @name)] @function
(property_declaration (property_element name: (variable_name (name) @name))) @variable
(property_promotion_parameter name: (variable_name (name) @name)) @field
(const_declaration (const_element . (name) @name)) @variable
(enum_case name: (_) @name) @variable
(namespace_use_declaration) @import
(comment) @comment
(attribute_list) @attribute
"""


def imports(node: Node, source: bytes) -> Iterator[Import]:
    """The names that a `use` brings, those in braces, too."""
    group = node.child_by_field_name("body")
    prefix = text_of(node.named_child(0), source).strip("\\") + "\\" if group else ""
    for clause in (group or node).named_children:
        if clause.type == "namespace_use_clause":
            path = prefix + text_of(clause.named_child(0), source).strip("\\")
            module, _, name = path.rpartition("\\")
            alias = text_of(clause.child_by_field_name("alias"), source) or name
            yield Import(module, name, alias, clause.start_point.row)


def resolve(imp: Import, from_path: str, index: SymbolIndex) -> list[str]:
    """The file that is named after the class. What a namespace starts with may stand for a folder
    of another name, as in PSR-4: the longest end of the path that is found counts."""
    parts = tuple(part for part in (*imp.module.split("\\"), imp.name) if part)
    for start in range(max(1, len(parts) - 1)):
        found = [path for path in index.modules(parts[start:]) if path.endswith(".php")]
        if found:
            return nearest(found, from_path)[:1]
    return []


UNIT = Unit(
    grammar="tree_sitter_php.language_php",
    query=QUERY,
    type_fields=("type", "return_type"),
    imports=imports,
    resolve=resolve,
)
