"""Scala's symbols and imports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lsp_server.context.languages.paths import class_or_package
from lsp_server.context.languages.unit import Unit, text_of
from lsp_server.context.types import Import, SymbolIndex

if TYPE_CHECKING:
    from tree_sitter import Node

QUERY = r"""
[(class_definition name: (_) @name) (object_definition name: (_) @name)
 (trait_definition name: (_) @name) (enum_definition name: (_) @name)] @class
(class_definition extend: (_) @base)
(object_definition extend: (_) @base)
(trait_definition extend: (_) @base)
(enum_definition extend: (_) @base)
[(function_definition name: (_) @name) (function_declaration name: (_) @name)] @function
[(val_definition pattern: (identifier) @name) (var_definition pattern: (identifier) @name)
 (val_declaration name: (identifier) @name) (var_declaration name: (identifier) @name)] @variable
(class_parameter ["val" "var"] name: (_) @name) @field
[(simple_enum_case name: (_) @name) (full_enum_case name: (_) @name)] @variable
(type_definition name: (_) @name) @type
(import_declaration) @import
[(comment) (block_comment)] @comment
(annotation) @attribute
"""

_RENAMED = re.compile(r"\s*(?:=>|\bas\b)\s*")


def imports(node: Node, source: bytes) -> Iterator[Import]:
    """Names, by their aliases if they have some, or all of a package."""
    text = text_of(node, source).removeprefix("import").strip().replace("`", "")
    path, _, braced = text.partition("{")
    for name in braced.rstrip("} \n").split(",") if braced else [path.rpartition(".")[2]]:
        name, _, alias = _RENAMED.sub("\n", name.strip()).partition("\n")
        module = path.strip().rstrip(".") if braced else path.rpartition(".")[0]
        every = name in ("_", "*", "given")
        yield Import(
            module, "*" if every else name, "" if every else alias or name, node.start_point.row
        )


def resolve(imp: Import, from_path: str, index: SymbolIndex) -> list[str]:
    """The file that is named after the class, else all files of the package."""
    endings = (".scala", ".sc", ".java")
    return class_or_package(tuple(imp.module.split(".")), imp.name, endings, from_path, index)


UNIT = Unit(
    grammar="tree_sitter_scala.language",
    query=QUERY,
    values=frozenset({"instance_expression", "call_expression", "identifier"}),
    type_fields=("type", "return_type"),
    imports=imports,
    resolve=resolve,
)
