"""TypeScript's and JavaScript's symbols and imports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from lsp_server.context.languages.paths import folder_of, joined, nearest
from lsp_server.context.languages.unit import Unit, text_of
from lsp_server.context.types import Import, SymbolIndex

if TYPE_CHECKING:
    from tree_sitter import Node

ENDINGS = (".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
"""What an import may leave out, in the order in which files are looked for."""

ITSELF = ""
"""The module of what a file exports under another name than it is defined by."""


def _outside_functions(pattern: str) -> str:
    places = (
        f"(program {pattern})",
        f"(export_statement {pattern})",
        f"(ambient_declaration {pattern})",
        f"(ambient_declaration (statement_block {pattern}))",
        f"(internal_module (statement_block {pattern}))",
        f"(module (statement_block {pattern}))",
    )
    return f"[{' '.join(places)}]"


def _declared(declarator: str, kind: str) -> str:
    return "\n".join(
        _outside_functions(
            f"({declaration} (variable_declarator name: (identifier) @name {declarator})) {kind}"
        )
        for declaration in ("lexical_declaration", "variable_declaration")
    )


REQUIRE = 'value: (call_expression function: (identifier) @require (#eq? @require "require"))'
FUNCTION = """value: [
  (arrow_function return_type: (_)? @type_of body: (_) @body)
  (function_expression return_type: (_)? @type_of body: (_) @body)]"""

QUERY = "\n".join(
    (
        _declared(REQUIRE, "@ignored"),
        _declared(FUNCTION, "@function"),
        _declared("", "@variable"),
        _outside_functions(
            "[(class_declaration name: (_) @name) (abstract_class_declaration name: (_) @name)"
            " (interface_declaration name: (_) @name) (enum_declaration name: (_) @name)] @class"
        ),
        _outside_functions(
            "[(function_declaration name: (_) @name) (function_signature name: (_) @name)"
            " (generator_function_declaration name: (_) @name)] @function"
        ),
        _outside_functions("(type_alias_declaration name: (_) @name) @type"),
        r"""
[(class_heritage) (extends_type_clause)] @base
(class_body (method_definition "get" name: (_) @name) @property)
(class_body (method_definition "set" name: (_) @name) @ignored)
(class_body (method_definition name: (_) @name) @function)
(class_body (method_signature name: (_) @name) @function)
(abstract_method_signature name: (_) @name) @function
(interface_body (method_signature name: (_) @name) @function)
(interface_body (property_signature name: (_) @name) @variable)
(public_field_definition name: (_) @name
  value: (arrow_function return_type: (_)? @type_of body: (_) @body)) @function
(public_field_definition name: (_) @name) @variable
(enum_body name: (_) @name @variable)
(enum_assignment name: (_) @name) @variable
(required_parameter [(accessibility_modifier) "readonly"] pattern: (identifier) @name) @field
(optional_parameter [(accessibility_modifier) "readonly"] pattern: (identifier) @name) @field
(assignment_expression
  left: (member_expression object: (this) property: (property_identifier) @name)) @field
(program (expression_statement (assignment_expression
  left: (member_expression object: (_) @exports property: (property_identifier) @name)
  right: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]
  (#match? @exports "^(module\\.)?exports$")) @function))
(program (expression_statement (assignment_expression
  right: (class name: (_) @name) @class)))
(import_statement) @import
(export_statement source: (_)) @import
(export_statement "default") @import
(export_statement (export_clause)) @import
(variable_declarator
  value: (call_expression function: (identifier) @require arguments: (arguments (string)))
  (#eq? @require "require")) @import
(comment) @comment
(decorator) @attribute
""",
    )
)


def imports(node: Node, source: bytes) -> Iterator[Import]:
    """What a statement imports, exports from elsewhere, requires, or exports under another name."""
    line = node.start_point.row
    if node.type == "variable_declarator":
        yield from _required(node, source)
        return
    module = _string(node.child_by_field_name("source"), source)
    for child in node.named_children:
        if child.type == "import_clause":
            yield from _clause(child, module, source)
        elif child.type in ("export_clause", "namespace_export"):
            yield from _specified(child, module or ITSELF, source)
        elif child.type == "import_require_clause":
            required = _string(child.child_by_field_name("source"), source)
            yield Import(required, "", text_of(child.named_children[0], source), line)
    if node.type == "export_statement":
        kinds = {child.type for child in node.children}
        if "*" in kinds:
            yield Import(module, "*", "", line)
        elif "default" in kinds and (name := _default_name(node, source)):
            yield Import(ITSELF, name, "default", line)


def _clause(clause: Node, module: str, source: bytes) -> Iterator[Import]:
    for child in clause.named_children:
        if child.type == "identifier":
            yield Import(module, "default", text_of(child, source), child.start_point.row)
        else:
            yield from _specified(child, module, source)


def _specified(node: Node, module: str, source: bytes) -> Iterator[Import]:
    """`* as name`, or the names in braces."""
    if node.type in ("namespace_import", "namespace_export"):
        yield Import(module, "", text_of(node.named_children[0], source), node.start_point.row)
    for child in node.named_children:
        if name := text_of(child.child_by_field_name("name"), source):
            alias = text_of(child.child_by_field_name("alias"), source) or name
            if module or alias != name:
                yield Import(module, name, alias, child.start_point.row)


def _required(node: Node, source: bytes) -> Iterator[Import]:
    line = node.start_point.row
    name, call = node.child_by_field_name("name"), node.child_by_field_name("value")
    arguments = call.child_by_field_name("arguments") if call else None
    if name is None or arguments is None:
        return
    module = _string(arguments.named_children[0], source)
    if name.type == "identifier":
        yield Import(module, "", text_of(name, source), line)
    for child in name.named_children:
        key = text_of(child.child_by_field_name("key") or child, source)
        yield Import(module, key, text_of(child.child_by_field_name("value"), source) or key, line)


def _default_name(node: Node, source: bytes) -> str:
    declared = node.child_by_field_name("declaration")
    if declared is not None:
        return text_of(declared.child_by_field_name("name"), source)
    value = node.child_by_field_name("value")
    return text_of(value, source) if value is not None and value.type == "identifier" else ""


def _string(node: Node | None, source: bytes) -> str:
    return text_of(node, source).strip("'\"`")


def resolve(imp: Import, from_path: str, index: SymbolIndex) -> list[str]:
    """The module's file. Other than relative ones, modules are found by the end of their path, the
    nearest if several: `@/a/b` and what `paths` in a tsconfig.json commonly map. One word alone is
    an installed package."""
    if imp.module == ITSELF:
        return [from_path]
    if imp.module.startswith("."):
        base = joined(folder_of(from_path), imp.module)
        return [
            path for path in _candidates(base or "") if base is not None and index.exists(path)
        ][:1]
    parts = tuple(part for part in _stem(imp.module).lstrip("@~#/").split("/") if part)
    for suffix in (parts, parts[1:]):
        found = [path for path in index.modules(suffix) if path.endswith(ENDINGS)] if suffix else []
        if found and ("/" in imp.module):
            return nearest(found, from_path)[:1]
    return []


def _candidates(base: str) -> Iterator[str]:
    yield base
    for stem in dict.fromkeys((_stem(base), base)):
        yield from (stem + ending for ending in ENDINGS)
    index = f"{base}/index" if base else "index"
    yield from (index + ending for ending in ENDINGS)


def _stem(module: str) -> str:
    """Without the `.js` that is written for a `.ts`."""
    return re.sub(r"\.[cm]?[jt]sx?$", "", module)


def _tsx(path: str, source: bytes) -> Unit | None:
    """JavaScript and TSX: the same syntax tree, but `<` opens an element and no type assertion."""
    return None if path.endswith((".ts", ".mts", ".cts")) else TSX


UNIT = Unit(
    grammar="tree_sitter_typescript.language_typescript",
    query=QUERY,
    values=frozenset(
        {"new_expression", "call_expression", "identifier", "member_expression", "await_expression"}
    ),
    type_fields=("type", "return_type"),
    value_fields=("value", "right"),
    imports=imports,
    resolve=resolve,
    dialect=_tsx,
)
TSX = replace(UNIT, grammar="tree_sitter_typescript.language_tsx")
