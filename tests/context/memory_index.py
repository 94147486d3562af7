"""A workspace's symbols in memory, for tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lsp_server.context.languages.paths import folder_of, parts_of
from lsp_server.context.languages.table import language_of
from lsp_server.context.symbols import parse
from lsp_server.context.types import FileSymbols, Import, Symbol

PACKAGE_FILES = ("__init__", "index", "mod")
"""Files that also go by their folder's name."""


class MemoryIndex:
    """A `SymbolIndex` over `{path: text}`."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._files = {path: parse(path, text, language_of(path)) for path, text in texts.items()}
        symbols = [symbol for file in self._files.values() for symbol in file.symbols]
        self._all = [symbol for top in symbols for symbol in _with_members(top)]

    def named(self, name: str) -> list[Symbol]:
        return [one for one in self._all if one.name == name and not _is_member(one)]

    def members_named(self, name: str) -> list[Symbol]:
        return [one for one in self._all if one.name == name and _is_member(one)]

    def file(self, path: str) -> FileSymbols | None:
        return self._files.get(path)

    def named_in(self, path: str, name: str) -> list[Symbol]:
        return [one for one in MemoryIndex.named(self, name) if one.path == path]

    def imports(self, path: str) -> tuple[Import, ...]:
        file = self._files.get(path)
        return file.imports if file else ()

    def modules(self, suffix: tuple[str, ...]) -> list[str]:
        return [path for path in sorted(self._files) if _is_module(parts_of(path), suffix)]

    def folder(self, parts: tuple[str, ...]) -> list[str]:
        return [path for path in sorted(self._files) if _ends(folder_of(path), parts)]

    def exists(self, path: str) -> bool:
        return path in self._files


def _with_members(symbol: Symbol) -> Iterator[Symbol]:
    yield symbol
    for member in symbol.members:
        yield from _with_members(member)


def _is_member(symbol: Symbol) -> bool:
    return bool(symbol.container) and symbol.kind != "class"


def _is_module(parts: tuple[str, ...], suffix: tuple[str, ...]) -> bool:
    package = parts[-1] in PACKAGE_FILES and _ends(parts[:-1], suffix)
    return _ends(parts, suffix) or package


def _ends(parts: tuple[str, ...], suffix: tuple[str, ...]) -> bool:
    return len(suffix) > 0 and parts[-len(suffix) :] == suffix
