"""Open buffers over the stored symbols: what the rest of `context` looks symbols up in."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from lsp_server.context.languages.paths import folder_of, parts_of
from lsp_server.context.store import Reader, module_keys, reversed_parts, walk
from lsp_server.context.types import FileSymbols, Import, Symbol

T = TypeVar("T")


class Overlay:
    """Open buffers laid over a store; they win over it in every lookup. A `SymbolIndex`.

    `stored` gives the store of the moment, None while there is none; `on_damage` is called, from
    any thread, when it turns out to be damaged. Lookups never raise.
    """

    def __init__(self, stored: Callable[[], Reader | None], on_damage: Callable[[], None]) -> None:
        self._stored = stored
        self._on_damage = on_damage
        self._open: dict[str, _Buffer] = {}

    def put(self, path: str, symbols: FileSymbols) -> None:
        """Take what an open buffer defines."""
        self._open = {**self._open, path: _Buffer(symbols)}

    def remove(self, path: str) -> None:
        """Let the store speak for this path again."""
        self._open = {key: each for key, each in self._open.items() if key != path}

    def named(self, name: str) -> list[Symbol]:
        """See `SymbolIndex`. Those of open buffers first."""
        buffers = self._open
        on_disk: list[Symbol] = self._ask(lambda reader: reader.named(name), [])
        return _merged([each.named for each in buffers.values()], name, on_disk, buffers)

    def members_named(self, name: str) -> list[Symbol]:
        """See `SymbolIndex`. Those of open buffers first."""
        buffers = self._open
        on_disk: list[Symbol] = self._ask(lambda reader: reader.members_named(name), [])
        return _merged([each.members for each in buffers.values()], name, on_disk, buffers)

    def file(self, path: str) -> FileSymbols | None:
        """See `SymbolIndex`."""
        if buffer := self._open.get(path):
            return buffer.symbols
        return self._ask(lambda reader: reader.file(path), None)

    def named_in(self, path: str, name: str) -> list[Symbol]:
        """See `SymbolIndex`."""
        if buffer := self._open.get(path):
            return buffer.named.get(name, [])
        return self._ask(lambda reader: reader.named_in(path, name), [])

    def imports(self, path: str) -> tuple[Import, ...]:
        """See `SymbolIndex`."""
        if buffer := self._open.get(path):
            return buffer.symbols.imports
        return self._ask(lambda reader: reader.imports(path), ())

    def modules(self, suffix: tuple[str, ...]) -> list[str]:
        """See `SymbolIndex`. Sorted."""
        starts = module_keys(suffix)
        here = [path for path, each in self._open.items() if each.module.startswith(starts)]
        on_disk: list[str] = self._ask(lambda reader: reader.modules(suffix), [])
        return sorted({*here, *on_disk})

    def folder(self, parts: tuple[str, ...]) -> list[str]:
        """See `SymbolIndex`."""
        start = reversed_parts(parts)
        here = [
            path for path, each in self._open.items() if parts and each.folder.startswith(start)
        ]
        on_disk: list[str] = self._ask(lambda reader: reader.folder(parts), [])
        return sorted({*here, *on_disk})

    def exists(self, path: str) -> bool:
        """See `SymbolIndex`."""
        return path in self._open or self._ask(lambda reader: reader.exists(path), False)

    def _ask(self, question: Callable[[Reader], T], nothing: T) -> T:
        reader = self._stored()
        try:
            return question(reader) if reader else nothing
        except (sqlite3.OperationalError, sqlite3.ProgrammingError):  # busy, or closed meanwhile
            return nothing
        except sqlite3.DatabaseError:
            self._on_damage()
            return nothing


class _Buffer:
    """An open buffer's symbols by name."""

    def __init__(self, symbols: FileSymbols) -> None:
        self.symbols = symbols
        self.module = reversed_parts(parts_of(symbols.path))
        self.folder = reversed_parts(folder_of(symbols.path))
        self.named: dict[str, list[Symbol]] = {}
        self.members: dict[str, list[Symbol]] = {}
        for symbol, is_member in walk(symbols.symbols):
            names = self.members if is_member else self.named
            names.setdefault(symbol.name, []).append(symbol)


def _merged(
    tables: list[dict[str, list[Symbol]]],
    name: str,
    on_disk: list[Symbol],
    buffers: dict[str, _Buffer],
) -> list[Symbol]:
    found = [symbol for table in tables for symbol in table.get(name, ())]
    return found + [symbol for symbol in on_disk if symbol.path not in buffers]
