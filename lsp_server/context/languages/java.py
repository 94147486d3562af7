"""Java's symbols and imports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lsp_server.context.languages.paths import nearest
from lsp_server.context.languages.unit import Unit, text_of
from lsp_server.context.types import Import, SymbolIndex

if TYPE_CHECKING:
    from tree_sitter import Node

QUERY = r"""
(class_declaration name: (_) @name) @class
(interface_declaration name: (_) @name) @class
(enum_declaration name: (_) @name) @class
(record_declaration name: (_) @name) @class
(annotation_type_declaration name: (_) @name) @class
[(superclass) (super_interfaces) (extends_interfaces)] @base
(method_declaration name: (_) @name) @function
(constructor_declaration name: (_) @name) @function
(annotation_type_element_declaration name: (_) @name) @function
(field_declaration declarator: (variable_declarator name: (_) @name)) @variable
(constant_declaration declarator: (variable_declarator name: (_) @name)) @variable
(enum_constant name: (_) @name body: (_)? @body) @variable
(record_declaration parameters: (formal_parameters (formal_parameter name: (_) @name) @variable))
(import_declaration) @import
[(line_comment) (block_comment)] @comment
[(annotation) (marker_annotation)] @attribute
"""


def imports(node: Node, source: bytes) -> Iterator[Import]:
    """The name that is imported, of a package or, if static, of a class; or `*`."""
    children = node.named_children
    if not children:
        return
    line = node.start_point.row
    dotted = text_of(children[0], source)
    module, _, name = dotted.rpartition(".")
    if children[-1].type == "asterisk":
        yield Import(dotted, "*", "", line)
    else:
        yield Import(module, name, name, line)


def resolve(imp: Import, from_path: str, index: SymbolIndex) -> list[str]:
    """The file of the class, or all files of the package where everything is imported from one."""
    module = tuple(imp.module.split("."))
    if imp.name == "*":
        return _classes(module, from_path, index) or index.folder(module)
    return _classes((*module, imp.name), from_path, index) or _classes(module, from_path, index)


def _classes(parts: tuple[str, ...], from_path: str, index: SymbolIndex) -> list[str]:
    """The file of a class. That of a nested class is named after the class around it."""
    while parts and parts[-1][:1].isupper():
        paths = [path for path in index.modules(parts) if path.endswith(".java")]
        if paths:
            return nearest(paths, from_path)[:1]
        parts = parts[:-1]
    return []


UNIT = Unit(
    grammar="tree_sitter_java.language",
    query=QUERY,
    values=frozenset({"object_creation_expression", "method_invocation"}),
    imports=imports,
    resolve=resolve,
)
