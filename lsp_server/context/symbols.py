"""What files define and import, and where an imported name is defined.

A class's members stand in its `members`, wherever in the file they are written: Rust's impl blocks,
Go's methods, C++'s definitions outside of the class. Where the class is in another file, such a
member is a symbol of the file's top level with its `container` set.

Signatures are heads as written, without what opens a body: Python's keep their colon, and the
others end before their brace.
"""

from __future__ import annotations

from collections.abc import Iterable

from lsp_server.context.languages.extract import extract
from lsp_server.context.languages.table import Language, language_of
from lsp_server.context.types import FileSymbols, Import, Symbol, SymbolIndex

LARGEST = 2_000_000
"""Characters above which a text is not parsed."""

REEXPORTS = 3
"""How often a name is followed from the file that it is imported from to where that has it from."""


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
    that it is; `find_definition` follows re-exports from there."""
    unit = language.symbols
    return unit.resolve(imp, from_path, index) if unit is not None else []


def find_definition(name: str, paths: Iterable[str], index: SymbolIndex) -> Symbol | None:
    """The symbol of that name at the top level of one of the files, or where they import it from.

    None where the name is a module's or is not found within three re-exports.
    """
    return _find(name, paths, index, REEXPORTS, set())


def _find(
    name: str, paths: Iterable[str], index: SymbolIndex, hops: int, seen: set[tuple[str, str]]
) -> Symbol | None:
    files = [file for path in paths if (path, name) not in seen and (file := index.file(path))]
    for file in files:
        seen.add((file.path, name))
        for symbol in file.symbols:
            if symbol.name == name and not symbol.container:
                return symbol
    if not hops:
        return None
    for file in files:
        for imp in sorted(file.imports, key=lambda one: one.name == "*"):
            if imp.name and (imp.alias == name or imp.name == "*"):
                wanted = name if imp.name == "*" else imp.name
                sources = resolve(language_of(file.path, file.language), imp, file.path, index)
                if found := _find(wanted, sources, index, hops - 1, seen):
                    return found
    return None
