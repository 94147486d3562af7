"""What files define and import, and which files an import stands for.

A class's members stand in its `members`, wherever in the file they are written: Rust's impl blocks,
Go's methods, C++'s definitions outside of the class. Where the class is in another file, such a
member is a symbol of the file's top level with its `container` set.

Signatures are heads as written, without what opens a body: Python's keep their colon, and the
others end before their brace.
"""

from __future__ import annotations

from lsp_server.context.languages.extract import extract
from lsp_server.context.languages.table import Language
from lsp_server.context.types import FileSymbols, Import, SymbolIndex

LARGEST = 2_000_000
"""Characters above which a text is not parsed."""


def parse(path: str, text: str, language: Language) -> FileSymbols:
    """The symbols of a text; none for a language without a unit, and what is whole in broken text.

    Never raises. Takes about 1 ms for an ordinary file; the first one of a language loads its
    grammar. `path` is from the workspace's root, with slashes.
    """
    unit = language.symbols
    if unit is None or len(text) > LARGEST:
        return FileSymbols(path, language.name)
    source = text.encode("utf-8", "replace")
    if unit.dialect is not None:
        unit = unit.dialect(path, source) or unit
    symbols, imports = extract(path, source, unit)
    return FileSymbols(path, language.name, symbols, imports)


def resolve(language: Language, imp: Import, from_path: str, index: SymbolIndex) -> list[str]:
    """Paths of the files that an import may stand for, best first; none for what is not in the
    workspace. For a name, the file of the module that it is imported from, or of the submodule
    that it is; `lookup.Lookup` follows re-exports from there."""
    unit = language.symbols
    return unit.resolve(imp, from_path, index) if unit is not None else []
