"""C++'s symbols and includes; CUDA's, too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lsp_server.context.languages import c
from lsp_server.context.languages.unit import Unit, text_of
from lsp_server.context.types import Import, SymbolIndex

if TYPE_CHECKING:
    from tree_sitter import Node

REFERENCE = ("(reference_declarator {})",)
NAMES = "[(identifier) (field_identifier) (operator_name) (destructor_name)]"
OUTSIDE = (
    f"scope: [(namespace_identifier) @owner (template_type name: (_) @owner)] name: {NAMES} @name"
)
QUALIFIED = (
    f"[(qualified_identifier name: (qualified_identifier {OUTSIDE}))"
    f" (qualified_identifier {OUTSIDE})]"
)
MEMBER = c.named(f"(function_declarator declarator: {QUALIFIED})", REFERENCE)

QUERY = (
    f"""
(function_definition
  declarator: (function_declarator declarator: (_) @name) (field_initializer_list) @body) @function
(function_definition declarator: {MEMBER}) @function
(field_declaration
  declarator: {c.named(f"(function_declarator declarator: {NAMES} @name)", REFERENCE)}) @function
(class_specifier name: (_) @name body: (_)) @class
(base_class_clause) @base
(alias_declaration name: (_) @name) @type
(using_declaration) @import
(template_parameter_list) @attribute
(attribute_declaration) @attribute
"""
    + c.functions(NAMES, REFERENCE)
    + c.variables(REFERENCE)
    + c.SHARED
)


def imports(node: Node, source: bytes) -> Iterator[Import]:
    """All that an included file defines, or the names that `using` brings."""
    if node.type != "using_declaration":
        yield from c.imports(node, source)
        return
    line = node.start_point.row
    name = text_of(node.named_children[-1], source) if node.named_children else ""
    if any(child.type == "namespace" for child in node.children):
        yield Import(name, "*", "", line)
    else:
        module, _, last = name.rpartition("::")
        yield Import(module, last, last, line)


def resolve(imp: Import, from_path: str, index: SymbolIndex) -> list[str]:
    """An included file. What `using` brings is found by name."""
    return c.resolve(imp, from_path, index) if imp.name == "*" and "::" not in imp.module else []


UNIT = Unit(
    grammar="tree_sitter_cpp.language",
    query=QUERY,
    values=c.VALUES,
    imports=imports,
    resolve=resolve,
)
