"""Python's symbols and imports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lsp_server.context.languages.paths import folder_of, nearest, parts_of
from lsp_server.context.languages.unit import Unit, text_of
from lsp_server.context.types import Import, SymbolIndex

if TYPE_CHECKING:
    from tree_sitter import Node

QUERY = r"""
(decorated_definition
  (decorator (_) @decorator (#match? @decorator "property"))
  definition: (function_definition name: (identifier) @name) @property)
(decorated_definition
  (decorator (attribute attribute: (identifier) @decorator))
  definition: (function_definition name: (identifier) @name) @ignored
  (#any-of? @decorator "setter" "deleter"))
(class_definition name: (identifier) @name) @class
(class_definition superclasses: (argument_list) @base)
(function_definition name: (identifier) @name) @function
(expression_statement (assignment left: (identifier) @name) @variable)
(expression_statement (assignment left: (pattern_list (identifier) @name)) @variable)
(assignment
  left: [(attribute object: (identifier) @self attribute: (identifier) @name)
         (pattern_list (attribute object: (identifier) @self attribute: (identifier) @name))]
  (#eq? @self "self")) @field
(type_alias_statement left: (type (identifier) @name)) @type
[(import_statement) (import_from_statement)] @import
(comment) @comment
(block . (expression_statement . (string) @docstring))
"""


def imports(node: Node, source: bytes) -> Iterator[Import]:
    """What an import statement brings, name by name."""
    line = node.start_point.row
    module = text_of(node.child_by_field_name("module_name"), source)
    for child in node.children_by_field_name("name"):
        name = text_of(child.child_by_field_name("name") or child, source)
        alias = text_of(child.child_by_field_name("alias"), source)
        if module:
            yield Import(module, name, alias or name, line)
        else:
            yield Import(name, "", alias or name.split(".")[0], line)
    if any(child.type == "wildcard_import" for child in node.children):
        yield Import(module, "*", "", line)


def resolve(imp: Import, from_path: str, index: SymbolIndex) -> list[str]:
    """The file of the module, or of the submodule where the name is one; the nearest if several."""
    module = _module(imp.module, imp.name, from_path, index)
    if imp.name in ("", "*"):
        return module
    if module and _defines(module[0], imp.name, index):
        return module
    joint = "" if imp.module.endswith(".") else "."
    return _module(f"{imp.module}{joint}{imp.name}", "", from_path, index) or module


def _module(module: str, name: str, from_path: str, index: SymbolIndex) -> list[str]:
    written = module.lstrip(".")
    parts = tuple(written.split(".")) if written else ()
    if dots := len(module) - len(written):
        return _relative(dots, parts, from_path, index)
    paths = [path for path in index.modules(parts) if path.endswith((".py", ".pyi"))]
    fitting = [
        path
        for path in paths
        if path != from_path and (len(parts) > 1 or _importable(path, name, index))
    ]
    return nearest(fitting, from_path)[:1]


def _relative(dots: int, parts: tuple[str, ...], from_path: str, index: SymbolIndex) -> list[str]:
    folder = folder_of(from_path)
    if dots > len(folder) + 1:
        return []
    base = "/".join((*folder[: len(folder) - dots + 1], *parts))
    stems = ([base] if parts else []) + [f"{base}/__init__" if base else "__init__"]
    candidates = [stem + ending for stem in stems for ending in (".py", ".pyi")]
    return [path for path in candidates if index.exists(path)][:1]


def _importable(path: str, name: str, index: SymbolIndex) -> bool:
    """A one-word module inside another package is most likely an installed one of the same name,
    unless it defines what is imported."""
    package = folder_of(path)
    if parts_of(path)[-1] == "__init__":
        package = package[:-1]
    inside = index.exists("/".join((*package, "__init__.py"))) and bool(package)
    return not inside or _defines(path, name, index)


def _defines(path: str, name: str, index: SymbolIndex) -> bool:
    file = index.file(path)
    return file is not None and (
        any(symbol.name == name for symbol in file.symbols)
        or any(imp.alias == name for imp in file.imports)
    )


UNIT = Unit(
    grammar="tree_sitter_python.language",
    query=QUERY,
    values=frozenset(
        {"call", "identifier", "attribute", "conditional_expression", "boolean_operator", "await"}
    ),
    type_fields=("type", "return_type"),
    value_fields=("right",),
    returns=frozenset({"return_statement", "yield"}),
    comments_document=False,
    imports=imports,
    resolve=resolve,
)
