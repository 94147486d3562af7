"""What the workspace is known by: files' symbols and imports, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["class", "function", "variable", "property", "type"]
"""`class` also for interfaces, structs, enums, traits; `property` for what is called without
parentheses; `type` for aliases."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition. Lines count from 0; `path` is from the workspace's root, with slashes.

    `signature` is its head as one line of at most 240 characters; `doc` the first line of its
    documentation; `type` the text of its declared or returned type, or of the call or name it is
    first assigned from, else empty; `bases` the names of a class's bases as written; `container`
    the dotted names of the classes around it, else empty.
    """

    name: str
    kind: Kind
    path: str
    line: int
    end_line: int
    signature: str
    doc: str = ""
    type: str = ""
    bases: tuple[str, ...] = ()
    container: str = ""
    members: tuple[Symbol, ...] = ()


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name. `from a.b import c as d`: module `a.b`, name `c`, alias `d`. `import a.b`:
    module `a.b`, no name, alias `a` (what the file calls it). A star: name `*`. The module is kept
    as written, relative dots or slashes included. `line` counts from 0."""

    module: str
    name: str
    alias: str
    line: int


@dataclass(frozen=True, slots=True)
class FileSymbols:
    """What a file defines and imports. Top-level symbols in source order; members inside them."""

    path: str
    language: str
    symbols: tuple[Symbol, ...] = ()
    imports: tuple[Import, ...] = ()


class SymbolIndex(Protocol):
    """Lookups over all files of a workspace; open buffers win over the disk."""

    def named(self, name: str) -> list[Symbol]:
        """Symbols of that name that are not members: top-level ones, and nested classes."""

    def members_named(self, name: str) -> list[Symbol]:
        """Members of classes of that name; their `container` says of which."""

    def file(self, path: str) -> FileSymbols | None:
        """What a file defines and imports; None for one that is not indexed."""

    def named_in(self, path: str, name: str) -> list[Symbol]:
        """Those of `named` that a file defines: all of them, however frequent the name is."""

    def imports(self, path: str) -> tuple[Import, ...]:
        """What a file imports; nothing for one that is not indexed."""

    def modules(self, suffix: tuple[str, ...]) -> list[str]:
        """Paths of files whose path without its ending ends in these parts: `("a", "b")` finds
        `src/a/b.py`, and `src/a/b/__init__.py` or `src/a/b/index.ts`, too."""

    def folder(self, parts: tuple[str, ...]) -> list[str]:
        """Paths of files that lie directly in a folder whose path ends in these parts, sorted."""

    def exists(self, path: str) -> bool:
        """Whether there is an indexed file at exactly this path."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in an open document: its path from the workspace's root, its language's name, and the
    text on both sides of the cursor, with newlines as `\\n`."""

    path: str
    language: str
    prefix: str
    suffix: str


@dataclass(frozen=True, slots=True)
class Window:
    """Lines of another file that resemble the text around a cursor. `first_line` counts from 0;
    `lines` are without their line ends, blank ones included; scores compare within one query."""

    path: str
    first_line: int
    lines: tuple[str, ...]
    score: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far indexing is: files done of those that changed since they were last indexed; `skipped`
    counts the files left out, by reason; `ready` when all is indexed; `elsewhere` while another
    window's process does it."""

    done: int = 0
    total: int = 0
    ready: bool = False
    elsewhere: bool = False
    skipped: tuple[tuple[str, int], ...] = ()
