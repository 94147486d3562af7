"""C#'s symbols and imports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lsp_server.context.languages.unit import Unit, text_of
from lsp_server.context.types import Import

if TYPE_CHECKING:
    from tree_sitter import Node

QUERY = r"""
[(class_declaration name: (_) @name) (interface_declaration name: (_) @name)
 (struct_declaration name: (_) @name) (record_declaration name: (_) @name)
 (enum_declaration name: (_) @name)] @class
(base_list) @base
(constructor_declaration name: (_) @name (constructor_initializer) @body) @function
[(method_declaration name: (_) @name) (constructor_declaration name: (_) @name)] @function
(property_declaration name: (_) @name) @property
(record_declaration (parameter_list (parameter name: (_) @name) @property))
[(field_declaration (variable_declaration type: (_) @type_of (variable_declarator name: (_) @name)))
 (event_field_declaration
   (variable_declaration type: (_) @type_of (variable_declarator name: (_) @name)))] @variable
(enum_member_declaration name: (_) @name) @variable
(delegate_declaration name: (_) @name) @type
(using_directive) @import
(comment) @comment
(attribute_list) @attribute
"""


def imports(node: Node, source: bytes) -> Iterator[Import]:
    """All names of a namespace or of a static class, or one under another name."""
    line = node.start_point.row
    alias = text_of(node.child_by_field_name("name"), source)
    dotted = text_of(node.named_children[-1], source) if node.named_children else ""
    if alias:
        module, _, name = dotted.split("<")[0].rpartition(".")
        yield Import(module, name, alias, line)
    elif dotted:
        yield Import(dotted, "*", "", line)


UNIT = Unit(
    grammar="tree_sitter_c_sharp.language",
    query=QUERY,
    body_fields=("body", "accessors", "value"),
    type_fields=("type", "returns"),
    imports=imports,
)
