"""C's symbols and includes; what C++ shares with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from lsp_server.context.languages.paths import folder_of, joined, nearest, parts_of
from lsp_server.context.languages.unit import Unit, text_of
from lsp_server.context.types import Import, SymbolIndex

if TYPE_CHECKING:
    from tree_sitter import Node

CPLUSPLUS = re.compile(rb"^\s*(?:class|namespace|template|using|public:|private:)\b", re.MULTILINE)
"""What a header holds that is C++ though its name does not tell."""

OUTSIDE_FUNCTIONS = (
    *("translation_unit", "preproc_if", "preproc_ifdef", "preproc_else", "preproc_elif"),
    *("declaration_list", "linkage_specification"),
)


def named(name: str, wrappers: Iterable[str] = ()) -> str:
    """A declarator of up to two pointers, or one of the other wrappers, around a pattern."""
    pointer = "(pointer_declarator declarator: {})"
    shapes = ["{}", pointer, pointer.format(pointer), *wrappers]
    return f"[{' '.join(shape.format(name) for shape in shapes)}]"


def functions(names: str, wrappers: Iterable[str] = ()) -> str:
    """Patterns of functions with a body and of those that are declared."""
    function = named(f"(function_declarator declarator: {names} @name)", wrappers)
    places = f"(function_definition declarator: {function}) (declaration declarator: {function})"
    return f"[{places}] @function"


def variables(wrappers: Iterable[str] = ()) -> str:
    """Patterns of variables outside of functions, of fields, and of aliases."""
    array = "(array_declarator declarator: {})"
    pointer = "(parenthesized_declarator (pointer_declarator declarator: {}))"
    pointer = f"(function_declarator declarator: {pointer})"
    shapes = [array, f"(pointer_declarator declarator: {array})", pointer, *wrappers]
    variable = named("(identifier) @name", shapes)
    both = f"[{variable} (init_declarator declarator: {variable})]"
    declared = " ".join(
        f"({around} (declaration declarator: {both}) @variable)" for around in OUTSIDE_FUNCTIONS
    )
    return f"""
[{declared}]
(field_declaration declarator: {named("(field_identifier) @name", shapes)}) @variable
(type_definition
  type: [(struct_specifier !name body: (_) @body) (union_specifier !name body: (_) @body)
         (enum_specifier !name body: (_) @body)]
  declarator: (type_identifier) @name) @class
(type_definition
  type: [(struct_specifier name: (_) @type_of body: (_))
         (enum_specifier name: (_) @type_of body: (_))
         (union_specifier name: (_) @type_of body: (_))]
  declarator: {named("(type_identifier) @name", shapes)}) @type
(type_definition declarator: {named("(type_identifier) @name", shapes)}) @type
"""


SHARED = r"""
(struct_specifier name: (_) @name body: (_)) @class
(union_specifier name: (_) @name body: (_)) @class
(enum_specifier name: (_) @name body: (_)) @class
(enumerator name: (_) @name) @variable
(preproc_def name: (_) @name value: (_)) @variable
(preproc_function_def name: (_) @name value: (_)? @body) @function
(preproc_include path: (_)) @import
(comment) @comment
(attribute_specifier) @attribute
"""


def imports(node: Node, source: bytes) -> Iterator[Import]:
    """All that an included file defines."""
    path = text_of(node.child_by_field_name("path"), source).strip('"<>')
    yield Import(path, "*", "", node.start_point.row)


def resolve(imp: Import, from_path: str, index: SymbolIndex) -> list[str]:
    """The file beside the one that includes it, else the nearest whose path ends so."""
    beside = joined(folder_of(from_path), imp.module)
    if beside is not None and index.exists(beside):
        return [beside]
    ending = imp.module.lstrip("./")
    paths = index.modules(parts_of(ending)) if ending else []
    fitting = [path for path in paths if f"/{path}".endswith(f"/{ending}")]
    return nearest(fitting, from_path)[:1]


def _cplusplus(path: str, source: bytes) -> Unit | None:
    if path.endswith(".h") and CPLUSPLUS.search(source):
        from lsp_server.context.languages import cpp

        return cpp.UNIT
    return None


VALUES = frozenset({"call_expression", "new_expression", "identifier"})

UNIT = Unit(
    grammar="tree_sitter_c.language",
    query=functions("(identifier)") + variables() + SHARED,
    values=VALUES,
    imports=imports,
    resolve=resolve,
    dialect=_cplusplus,
)
