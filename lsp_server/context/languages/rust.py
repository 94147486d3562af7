"""Rust's symbols and imports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lsp_server.context.languages.paths import folder_of, nearest, parts_of
from lsp_server.context.languages.unit import Unit, text_of
from lsp_server.context.types import Import, SymbolIndex

if TYPE_CHECKING:
    from tree_sitter import Node

QUERY = r"""
(struct_item name: (_) @name body: (ordered_field_declaration_list) ";" @body) @class
[(struct_item name: (_) @name) (enum_item name: (_) @name)
 (union_item name: (_) @name) (trait_item name: (_) @name)] @class
(trait_item bounds: (_) @base)
(impl_item type: [
  (type_identifier) @name
  (generic_type type: (type_identifier) @name)
  (scoped_type_identifier name: (_) @name)
  (generic_type type: (scoped_type_identifier name: (_) @name))]) @extension
(impl_item trait: (_) @base)
[(function_item name: (_) @name) (function_signature_item name: (_) @name)] @function
(macro_definition name: (_) @name ["{" "(" "["] @body) @function
[(const_item name: (_) @name) (static_item name: (_) @name)] @variable
[(field_declaration name: (_) @name) (enum_variant name: (_) @name)] @variable
[(type_item name: (_) @name) (associated_type name: (_) @name)] @type
[(use_declaration) (extern_crate_declaration) (mod_item !body)] @import
[(line_comment) (block_comment)] @comment
(attribute_item) @attribute
"""


def imports(node: Node, source: bytes) -> Iterator[Import]:
    """What a `use` brings, name by name; a module that is declared is one of the file's own."""
    line = node.start_point.row
    name = text_of(node.child_by_field_name("name"), source)
    if node.type == "mod_item":
        yield Import("self", name, name, line)
    elif node.type == "extern_crate_declaration":
        yield Import(name, "", text_of(node.child_by_field_name("alias"), source) or name, line)
    elif argument := node.child_by_field_name("argument"):
        yield from _used(text_of(argument, source), "", line)


def _used(tree: str, module: str, line: int) -> Iterator[Import]:
    """The names in `a::{self, b::c as d, e::*}`, below a module."""
    tree = tree.strip()
    if tree.endswith("}"):
        path, _, names = tree.partition("{")
        below = _path(module, path.strip().removesuffix("::"))
        for one in _split(names[:-1]):
            yield from _used(one, below, line)
        return
    path, _, alias = (part.strip() for part in tree.partition(" as "))
    above, _, name = _path(module, path).rpartition("::")
    if name == "self":
        above, _, name = above.rpartition("::")
    if name == "*":
        yield Import(above, "*", "", line)
    elif above:
        yield Import(above, name, alias or name, line)
    elif name:
        yield Import(name, "", alias or name, line)


def _path(module: str, path: str) -> str:
    return f"{module}::{path}" if module and path else module or path.removeprefix("::")


def _split(names: str) -> Iterator[str]:
    """At the commas that stand in no inner braces."""
    depth, start = 0, 0
    for at, character in enumerate(names):
        depth += (character == "{") - (character == "}")
        if character == "," and not depth:
            yield names[start:at]
            start = at + 1
    if names[start:].strip():
        yield names[start:]


def resolve(imp: Import, from_path: str, index: SymbolIndex) -> list[str]:
    """The file of the module that is named, or else of the one around it. Without `crate`, `self`
    or `super`, a path starts in the file's own module or at another crate of the workspace."""
    parts = [*imp.module.split("::"), *([imp.name] if imp.name not in ("", "*") else [])]
    head, *rest = parts
    if head == "crate":
        return _deepest(_crate(from_path, index), rest, from_path, index)
    if head in ("self", "super"):
        base = _module(from_path)
        while rest and head == "super":
            base = base[:-1]
            head = rest.pop(0) if rest[0] == "super" else "self"
        return _deepest(base, rest, from_path, index)
    own = _deepest(_module(from_path), parts, "", index)
    return own or _other_crate(head, rest, from_path, index)


def _module(path: str) -> tuple[str, ...]:
    """The folder in which a file's submodules lie."""
    parts = parts_of(path)
    return parts[:-1] if parts[-1] in ("mod", "lib", "main") else parts


def _crate(path: str, index: SymbolIndex) -> tuple[str, ...]:
    folder = folder_of(path)
    for length in range(len(folder), -1, -1):
        base = folder[:length]
        if any(index.exists("/".join((*base, root))) for root in ("lib.rs", "main.rs")):
            return base
    return folder


def _deepest(
    base: tuple[str, ...], parts: list[str], otherwise: str, index: SymbolIndex
) -> list[str]:
    """The file of the longest start of a module's path; `otherwise` what stands for none of it."""
    for length in range(len(parts), 0, -1):
        path = "/".join((*base, *parts[:length]))
        for candidate in (f"{path}.rs", f"{path}/mod.rs"):
            if index.exists(candidate):
                return [candidate]
    roots = ["/".join((*base, root)) for root in ("lib.rs", "main.rs", "mod.rs")]
    roots += ["/".join(base) + ".rs"]
    found = [root for root in roots if index.exists(root)]
    return found[:1] or [otherwise] if otherwise else []


def _other_crate(name: str, rest: list[str], from_path: str, index: SymbolIndex) -> list[str]:
    for folder in dict.fromkeys((name, name.replace("_", "-"))):
        roots = nearest(index.modules((folder, "src", "lib")), from_path)
        if roots:
            return _deepest(folder_of(roots[0]), rest, roots[0], index)
    return []


UNIT = Unit(
    grammar="tree_sitter_rust.language",
    query=QUERY,
    values=frozenset({"call_expression", "struct_expression", "identifier"}),
    type_fields=("return_type", "type"),
    imports=imports,
    resolve=resolve,
)
