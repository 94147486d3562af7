"""Swift's symbols. Its imports name modules, not files."""

from lsp_server.context.languages.unit import Unit

QUERY = r"""
(class_declaration "extension" name: (user_type (type_identifier) @name)) @extension
[(class_declaration name: (type_identifier) @name)
 (protocol_declaration name: (type_identifier) @name)] @class
(inheritance_specifier inherits_from: (_) @base)
(function_declaration name: (simple_identifier) @name
  name: [(user_type) (optional_type) (tuple_type) (array_type)]? @type_of) @function
(protocol_function_declaration name: (simple_identifier) @name) @function
(init_declaration "init" @name) @function
(property_declaration name: (pattern bound_identifier: (_) @name) .
  (type_annotation (_) @type_of) . computed_value: (_) @body) @property
(property_declaration name: (pattern bound_identifier: (_) @name) .
  (type_annotation (_) @type_of)) @variable
(property_declaration name: (pattern bound_identifier: (_) @name)) @variable
(protocol_property_declaration name: (pattern bound_identifier: (_) @name)
  (type_annotation (_) @type_of)) @property
(enum_entry name: (_) @name) @variable
(typealias_declaration name: (type_identifier) @name) @type
[(comment) (multiline_comment)] @comment
(attribute) @attribute
"""

UNIT = Unit(
    grammar="tree_sitter_swift.language",
    query=QUERY,
    values=frozenset({"call_expression", "simple_identifier", "navigation_expression"}),
)
