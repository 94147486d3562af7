"""Go's symbols and imports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lsp_server.context.languages.paths import nearest
from lsp_server.context.languages.unit import Unit, text_of
from lsp_server.context.types import Import, SymbolIndex

if TYPE_CHECKING:
    from tree_sitter import Node

QUERY = r"""
(type_declaration "(" (type_spec name: (_) @name type: (struct_type (_) @body)) @class)
(type_declaration "(" (type_spec name: (_) @name type: (interface_type "{" @body)) @class)
(type_declaration "(" [(type_spec name: (_) @name) (type_alias name: (_) @name)] @type)
(type_declaration (type_spec name: (_) @name type: (struct_type (_) @body))) @class
(type_declaration (type_spec name: (_) @name type: (interface_type "{" @body))) @class
(type_declaration
  [(type_spec name: (_) @name type: (_) @type_of)
   (type_alias name: (_) @name type: (_) @type_of)]) @type
(field_declaration !name type: (_) @base)
(interface_type (type_elem) @base)
(field_declaration name: (_) @name) @variable
(method_elem name: (_) @name) @function
(function_declaration name: (_) @name) @function
(method_declaration
  receiver: (parameter_list (parameter_declaration type: [
    (type_identifier) @owner
    (generic_type type: (type_identifier) @owner)
    (pointer_type (type_identifier) @owner)
    (pointer_type (generic_type type: (type_identifier) @owner))]))
  name: (_) @name) @function
(source_file (const_declaration "(" (const_spec name: (identifier) @name) @variable))
(source_file (const_declaration (const_spec name: (identifier) @name)) @variable)
(source_file (var_declaration (var_spec_list (var_spec name: (identifier) @name) @variable)))
(source_file (var_declaration (var_spec name: (identifier) @name)) @variable)
(import_spec) @import
(comment) @comment
"""


def imports(node: Node, source: bytes) -> Iterator[Import]:
    """A package by the name that the file calls it; a dot brings all its names."""
    module = text_of(node.child_by_field_name("path"), source).strip('"`')
    alias = text_of(node.child_by_field_name("name"), source)
    line = node.start_point.row
    if alias == ".":
        yield Import(module, "*", "", line)
    elif alias != "_":
        yield Import(module, "", alias or _package(module), line)


def _package(module: str) -> str:
    """A package is called by its last part; `v2` and the like are not its name."""
    parts = module.split("/")
    version = parts[-1][:1] == "v" and parts[-1][1:].isdigit()
    return parts[-2] if version and len(parts) > 1 else parts[-1]


def resolve(imp: Import, from_path: str, index: SymbolIndex) -> list[str]:
    """All files of the package's folder, the one that shares most with the import's path. The
    standard library's packages have no dot in their first part, nor has a folder of their name
    alone anything to do with them."""
    parts = tuple(imp.module.split("/"))
    shortest = 1 if "." in parts[0] else 2
    for start in range(len(parts) - shortest + 1):
        paths = [path for path in index.folder(parts[start:]) if path.endswith(".go")]
        if paths:
            folder = nearest(paths, from_path)[0].rpartition("/")[0]
            own = [path for path in paths if path.rpartition("/")[0] == folder]
            return [path for path in own if not path.endswith("_test.go")] or own
    return []


UNIT = Unit(
    grammar="tree_sitter_go.language",
    query=QUERY,
    values=frozenset(
        {
            "call_expression",
            "composite_literal",
            "identifier",
            "selector_expression",
            "unary_expression",
        }
    ),
    type_fields=("type", "result"),
    imports=imports,
    resolve=resolve,
)
