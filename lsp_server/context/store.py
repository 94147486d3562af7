"""Symbols on disk: one SQLite file, written by the indexer, read by language servers.

A file's top-level symbols, members inside them, lie in compressed pages of about 64 symbols, a line
of JSON each. A table leads from a name's checksum to the pages that define it, so a lookup decodes
the lines of a page or two in which the name is, and millions of symbols stay on disk.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from lsp_server.context.languages.paths import folder_of, parts_of
from lsp_server.context.types import FileSymbols, Import, Kind, Symbol

VERSION = 4
"""Of everything in an index folder. Raised when symbols, chunks, tokens or their form change."""

PACKAGE_FILES = ("__init__", "index", "mod")
"""Files that also go by their folder's name."""

PAGE_SYMBOLS = 64
MOST_SYMBOLS = 2000
"""Kept of one file: more are tables of generated constants."""
MOST_PAGES = 32
"""Read for one name: what more files than these define says nothing about any of them."""
CACHED_PAGES, CACHED_NAMES, CACHED_FILES, CACHED_IMPORTS, CACHED_ROWS = 512, 4096, 64, 1024, 8192
BUSY_SECONDS = 0.02
"""Longest that a lookup waits for the writer, which blocks readers hardly ever."""

_PAGE_BITS = 6  # a file has at most MOST_SYMBOLS / PAGE_SYMBOLS pages, and one that is not full
_LINE, _END_LINE, _CONTAINER, _MEMBERS = 2, 3, 8, 9
"""Places in a stored symbol."""
_SCHEMA = """
CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, left_out TEXT NOT NULL, language TEXT NOT NULL,
    module TEXT NOT NULL, folder TEXT NOT NULL, imports BLOB NOT NULL);
CREATE INDEX modules ON files (module);
CREATE INDEX folders ON files (folder);
CREATE TABLE pages (id INTEGER PRIMARY KEY, symbols BLOB NOT NULL);
CREATE TABLE names (key INTEGER NOT NULL, page INTEGER NOT NULL, PRIMARY KEY (key, page))
    WITHOUT ROWID;
"""


class Stat(NamedTuple):
    """What tells whether a file changed: its size in bytes and the time of its last change."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file's row: its symbols as pages, and for each page the keys of the names in it.

    `left_out` says why a file that was looked at is not indexed (binary, generated), else it is
    empty.
    """

    path: str
    stat: Stat
    left_out: str = ""
    language: str = ""
    imports: bytes = b""
    pages: tuple[tuple[bytes, frozenset[int]], ...] = ()


def encode(symbols: FileSymbols, stat: Stat) -> StoredFile:
    """A file's symbols as they are stored."""
    imports = _pack([[each.module, each.name, each.alias, each.line] for each in symbols.imports])
    pages = tuple((_pack_page(page), frozenset(_keys(page))) for page in _pages(symbols.symbols))
    return StoredFile(symbols.path, stat, "", symbols.language, imports, pages)


class Writer:
    """The one writer of a store; the file is made when missing.

    Nothing is on disk before `commit`. Raises sqlite3.DatabaseError for a file that is damaged or
    of another version.
    """

    def __init__(self, file: Path) -> None:
        self._db = sqlite3.connect(file, isolation_level=None)
        self._is_new = False
        try:
            self._prepare()
        except sqlite3.DatabaseError:
            self._db.close()
            raise

    def stats(self, path: str = "") -> dict[str, Stat]:
        """The files of the store, those left out included: all, or that path and what is below."""
        query = "SELECT path, size, mtime_ns FROM files"
        if path:
            query += " WHERE path = ?1 OR path >= ?1 || '/' AND path < ?1 || '0'"
        rows = self._db.execute(query, (path,) if path else ())
        return {path: Stat(size, mtime_ns) for path, size, mtime_ns in rows}

    def left_out(self) -> Counter[str]:
        """How many files were left out, by reason."""
        query = "SELECT left_out, count(*) FROM files WHERE left_out != '' GROUP BY left_out"
        return Counter(dict(self._db.execute(query)))

    def indexes(self, path: str) -> bool:
        """Whether there is a file at exactly this path that was not left out."""
        query = "SELECT 1 FROM files WHERE path = ? AND left_out = ''"
        return self._db.execute(query, (path,)).fetchone() is not None

    def put(self, file: StoredFile) -> None:
        """Store a file in place of what was stored under its path."""
        self.remove(file.path)
        cursor = self._db.execute(
            "INSERT INTO files (path, size, mtime_ns, left_out, language, module, folder, imports) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(file.path, *file.stat, file.left_out, file.language),
                *(
                    reversed_parts(parts_of(file.path)),
                    reversed_parts(folder_of(file.path)),
                    file.imports,
                ),
            ),
        )
        first = (cursor.lastrowid or 0) << _PAGE_BITS
        for page, (symbols, keys) in enumerate(file.pages, first):
            self._db.execute("INSERT INTO pages VALUES (?, ?)", (page, symbols))
            self._db.executemany("INSERT INTO names VALUES (?, ?)", [(key, page) for key in keys])

    def remove(self, path: str) -> None:
        """Forget a file; nothing happens when it is not stored."""
        row = self._db.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchone()
        if row is None:
            return
        for page, blob in self._db.execute(_PAGES_OF_FILE, _page_range(row[0])).fetchall():
            names = [(key, page) for key in _keys(_unpack_symbols(blob, path))]
            self._db.executemany("DELETE FROM names WHERE key = ? AND page = ?", names)
            self._db.execute("DELETE FROM pages WHERE id = ?", (page,))
        self._db.execute("DELETE FROM files WHERE id = ?", row)

    def commit(self) -> None:
        """Make all since the last commit visible to readers, at once."""
        self._db.execute("COMMIT")
        self._db.execute("BEGIN IMMEDIATE")

    def settle(self) -> None:
        """Commit, and free the space that building the store took."""
        self._db.execute("COMMIT")
        if self._is_new:  # names came in no order, which leaves a third of their pages empty
            self._db.execute("VACUUM")
            self._is_new = False
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.execute("BEGIN IMMEDIATE")

    def close(self) -> None:
        """Close the file; what was not committed is lost."""
        self._db.execute("ROLLBACK")
        self._db.close()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA cache_size = -65536")
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        self._is_new = not tables
        if self._is_new:
            script = f"BEGIN;{_SCHEMA}PRAGMA user_version = {VERSION};COMMIT;"
            self._db.executescript(script)
        _check_version(self._db)
        self._db.execute("BEGIN IMMEDIATE")


class Reader:
    """A `SymbolIndex` over a store that may be used from any thread.

    Sees a commit of the writer at the next `reload`; what was replaced by it may be missing until
    then. Raises sqlite3.Error for a file that is missing, damaged or of another version, when it is
    opened and in every lookup.
    """

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(
            f"{file.absolute().as_uri()}?mode=ro",
            timeout=BUSY_SECONDS,
            uri=True,
            check_same_thread=False,
        )
        try:
            _check_version(self._db)
        except sqlite3.DatabaseError:
            self._db.close()
            raise
        self.reload()
        # ids are never used twice, so what is cached of them stays true
        self._page = lru_cache(CACHED_PAGES)(self._read_page)
        self._named = lru_cache(CACHED_NAMES)(self._read_named)
        self._file = lru_cache(CACHED_FILES)(self._read_file)
        self._imports = lru_cache(CACHED_IMPORTS)(self._read_imports)

    def reload(self) -> None:
        """See what was committed."""
        # a new one: a lookup under way may still put into the old one what was read before
        self._rows = lru_cache(CACHED_ROWS)(self._read_rows)

    def named(self, name: str) -> list[Symbol]:
        """See `SymbolIndex`."""
        return self._look_up(name, member=False)

    def members_named(self, name: str) -> list[Symbol]:
        """See `SymbolIndex`."""
        return self._look_up(name, member=True)

    def named_in(self, path: str, name: str) -> list[Symbol]:
        """See `SymbolIndex`."""
        query = "SELECT page FROM names WHERE key = ? AND page BETWEEN ? AND ?"
        pages = [
            page
            for id_ in self._ids(path)
            for (page,) in self._rows(query, _key(name, False), *_page_range(id_))
        ]
        return [symbol for page in pages for symbol in self._named(page, name, False)]

    def file(self, path: str) -> FileSymbols | None:
        """See `SymbolIndex`."""
        return next(map(self._file, self._ids(path)), None)

    def imports(self, path: str) -> tuple[Import, ...]:
        """See `SymbolIndex`."""
        return next(map(self._imports, self._ids(path)), ())

    def modules(self, suffix: tuple[str, ...]) -> list[str]:
        """See `SymbolIndex`. Sorted."""
        return sorted(self._with("module", *module_keys(suffix)))

    def folder(self, parts: tuple[str, ...]) -> list[str]:
        """See `SymbolIndex`."""
        return sorted(self._with("folder", reversed_parts(parts))) if parts else []

    def exists(self, path: str) -> bool:
        """See `SymbolIndex`."""
        return bool(self._ids(path))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _ids(self, path: str) -> list[int]:
        """The id of a file, if there is one at exactly this path that was not left out."""
        query = "SELECT id FROM files WHERE path = ? AND left_out = ''"
        return [id_ for (id_,) in self._rows(query, path)]

    def _with(self, column: str, *starts: str) -> list[str]:
        """Paths of files whose column, of names with slashes at their ends, has one of these
        starts."""
        ranges = " OR ".join([f"{column} >= ? AND {column} < ?"] * len(starts))
        query = f"SELECT path FROM files WHERE ({ranges}) AND left_out = ''"
        values = [bound for start in starts for bound in (start, start[:-1] + "0")]
        return [path for (path,) in self._rows(query, *values)] if starts else []

    def _look_up(self, name: str, *, member: bool) -> list[Symbol]:
        query = "SELECT page FROM names WHERE key = ? ORDER BY page LIMIT ?"
        pages = self._rows(query, _key(name, member), MOST_PAGES)
        return [symbol for (page,) in pages for symbol in self._named(page, name, member)]

    def _read_named(self, page: int, name: str, member: bool) -> list[Symbol]:
        path, lines = self._page(page)
        stored = map(_unpack_line, _naming(name, lines))
        return [_from_list(fields, path) for fields in _defining(name, member, stored)]

    def _read_file(self, id_: int) -> FileSymbols | None:
        query = "SELECT path, language FROM files WHERE id = ?"
        for path, language in self._rows(query, id_):
            pages = self._rows("SELECT id FROM pages WHERE id BETWEEN ? AND ?", *_page_range(id_))
            lines = (line for (page,) in sorted(pages) for line in self._page(page)[1])
            symbols = tuple(_from_list(_unpack_line(line), path) for line in lines)
            return FileSymbols(path, language, symbols, self._imports(id_))
        return None

    def _read_imports(self, id_: int) -> tuple[Import, ...]:
        rows = self._read_rows("SELECT imports FROM files WHERE id = ?", id_)
        return tuple(Import(*each) for (blob,) in rows for each in _unpack(blob))

    def _read_page(self, page: int) -> tuple[str, list[str]]:
        """A page's path, and its symbols as lines: a lookup wants few of them."""
        query = "SELECT path, symbols FROM files, pages WHERE files.id = ? AND pages.id = ?"
        for path, blob in self._read_rows(query, page >> _PAGE_BITS, page):
            return path, _unpack_lines(blob)
        return "", []  # the writer replaced the file since the name was looked up

    def _read_rows(self, query: str, *values: Any) -> list[Any]:
        with self._lock, closing(self._db.execute(query, values)) as cursor:
            return cursor.fetchall()


_PAGES_OF_FILE = "SELECT id, symbols FROM pages WHERE id BETWEEN ? AND ? ORDER BY id"


def _page_range(file: int) -> tuple[int, int]:
    return file << _PAGE_BITS, (file + 1 << _PAGE_BITS) - 1


def _check_version(db: sqlite3.Connection) -> None:
    if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
        raise sqlite3.DatabaseError("a store of another version")


def _pages(symbols: tuple[Symbol, ...]) -> Iterator[list[Symbol]]:
    """Symbols in groups of about PAGE_SYMBOLS, members counted, and at most MOST_SYMBOLS in all."""
    page: list[Symbol] = []
    on_page = total = 0
    for symbol in symbols:
        size = sum(1 for _ in walk((symbol,)))
        if total + size > MOST_SYMBOLS:
            continue
        page.append(symbol)
        on_page, total = on_page + size, total + size
        if on_page >= PAGE_SYMBOLS:
            yield page
            page, on_page = [], 0
    if page:
        yield page


def walk(symbols: Iterable[Symbol], inside: bool = False) -> Iterator[tuple[Symbol, bool]]:
    """All symbols, and whether each counts as a member: nested classes do not, and what is written
    outside of its class does."""
    for symbol in symbols:
        yield symbol, (inside or bool(symbol.container)) and symbol.kind != "class"
        yield from walk(symbol.members, True)


def _keys(symbols: Iterable[Symbol]) -> Iterator[int]:
    return (_key(symbol.name, is_member) for symbol, is_member in walk(symbols))


def _key(name: str, member: bool) -> int:
    """Four bytes; readers compare the names, so two that share a key are told apart."""
    return zlib.crc32((f".{name}" if member else name).encode("utf-8", "replace")) - 2**31


def module_keys(suffix: tuple[str, ...]) -> tuple[str, ...]:
    """What the reversed parts of a module begin with: its own name, or one for its folder."""
    start = reversed_parts(suffix)
    return (start, *(f"{name}/{start}" for name in PACKAGE_FILES)) if suffix else ()


def reversed_parts(parts: tuple[str, ...]) -> str:
    """Parts from the last to the first, each with a slash: a suffix becomes a prefix."""
    return "".join(part + "/" for part in reversed(parts))


def _pack(value: list[Any]) -> bytes:
    return _compress(_to_json(value)) if value else b""


def _pack_page(symbols: Iterable[Symbol]) -> bytes:
    return _compress("\n".join(_to_json(_to_list(each)) for each in symbols))


def _unpack(blob: bytes) -> list[Any]:
    """Raises sqlite3.DatabaseError, as the rest of a damaged store does."""
    return _from_json(_decompress(blob)) if blob else []


def _unpack_lines(blob: bytes) -> list[str]:
    return _decompress(blob).split("\n") if blob else []


def _unpack_line(line: str) -> list[Any]:
    """A symbol as stored, but with lines that count from the file's start."""
    fields = _from_json(line)
    _count_lines([fields], 0)
    return fields


def _unpack_symbols(blob: bytes, path: str) -> tuple[Symbol, ...]:
    return tuple(_from_list(_unpack_line(line), path) for line in _unpack_lines(blob))


def _compress(text: str) -> bytes:
    return zlib.compress(text.encode("utf-8", "surrogatepass"))


def _decompress(blob: bytes) -> str:
    try:
        return zlib.decompress(blob).decode("utf-8", "surrogatepass")
    except (zlib.error, ValueError) as error:
        raise sqlite3.DatabaseError("a damaged page") from error


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _from_json(text: str) -> list[Any]:
    try:
        value: list[Any] = json.loads(text)
    except ValueError as error:
        raise sqlite3.DatabaseError("a damaged page") from error
    return value


def _count_lines(stored: list[Any], line: int) -> None:
    """Make lines that count from the symbol before count from the file's start."""
    for fields in stored:
        fields[_LINE] = line = line + fields[_LINE]
        fields[_END_LINE] += line
        if len(fields) > _MEMBERS:
            _count_lines(fields[_MEMBERS], line)


def _naming(name: str, lines: Iterable[str]) -> Iterator[str]:
    """Those of stored symbols' lines in which something has the name, or at least says it."""
    wanted = _to_json(name)
    return (line for line in lines if wanted in line)


def _defining(
    name: str, member: bool, stored: Iterable[list[Any]], inside: bool = False
) -> Iterator[list[Any]]:
    """Those of stored symbols that have the name and are members or not, as `walk` tells."""
    for fields in stored:
        if fields[0] == name:
            has_container = len(fields) > _CONTAINER and fields[_CONTAINER]
            if ((inside or bool(has_container)) and fields[1] != "class") == member:
                yield fields
        if len(fields) > _MEMBERS:
            yield from _defining(name, member, fields[_MEMBERS], True)


def _to_list(symbol: Symbol, line: int = 0) -> list[Any]:
    """A symbol as a list. Its line counts from the one given, a member's from that of the member
    before, or of the one around the first, and an end from its own line: small numbers compress
    better."""
    members, before = [], symbol.line
    for member in symbol.members:
        members.append(_to_list(member, before))
        before = member.line
    rest: list[Any] = [symbol.doc, symbol.type, list(symbol.bases), symbol.container, members]
    while rest and not rest[-1]:
        rest.pop()
    lines = [symbol.line - line, symbol.end_line - symbol.line]
    return [symbol.name, symbol.kind, *lines, symbol.signature, *rest]


def _from_list(fields: list[Any], path: str) -> Symbol:
    defaults: list[Any] = ["", "", [], "", []]
    name, kind, line, end_line, signature, *rest = fields
    doc, type_, bases, container, members = rest + defaults[len(rest) :]
    inner = tuple(_from_list(each, path) for each in members)
    exact: Kind = kind
    return Symbol(
        *(name, exact, path, line, end_line, signature, doc, type_, tuple(bases), container, inner)
    )
