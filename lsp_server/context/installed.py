"""Signatures of installed packages: of what the open document imports, parsed when asked for."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol

from lsp_server.context import node_modules, site_packages
from lsp_server.context.files import MAX_FILE_BYTES, Skipped, read_text
from lsp_server.context.languages.table import language_of
from lsp_server.context.node_modules import NodeModules
from lsp_server.context.privacy import Privacy
from lsp_server.context.site_packages import SitePackages
from lsp_server.context.symbols import parse
from lsp_server.context.types import FileSymbols, Import, Symbol

FILES_KEPT = 256
PARSED_PER_REQUEST = 40
BYTES_PER_SECOND = 5_000_000
"""How fast files are parsed: what would take longer than is left is parsed for the next request."""


class _Layout(Protocol):
    folders: tuple[Path, ...]

    def file(self, path: str) -> Path | None: ...

    def modules(self, parts: tuple[str, ...]) -> list[str]: ...

    def resolve(self, imported: Import, by: str, index: Packages) -> list[str]: ...


class _Version(NamedTuple):
    path: str
    real: str
    size: int
    mtime_ns: int


class Installed:
    """The packages installed for the documents of a workspace folder, whose root and rules of
    privacy are given. `variables` are those of the process that name an active environment."""

    def __init__(
        self, root: Path, privacy: Privacy, variables: Mapping[str, str] = os.environ
    ) -> None:
        self._root = root
        self._privacy = privacy
        self._variables = variables
        self._kept: OrderedDict[_Version, FileSymbols | None] = OrderedDict()
        self._coming: set[_Version] = set()
        self._lock = threading.Lock()
        # one thread: what is parsed for later should not hold up the rest
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="packages")

    def packages(self, path: str, language: str, deadline: float | None = None) -> Packages:
        """What a document at a path from the root, in a language by its name, can import. For one
        request: after `deadline`, in `time.monotonic()` seconds, nothing is parsed."""
        document = self._root / path
        layout: _Layout | None = None
        if language == "python":
            folders = site_packages.folders(document, self._variables, self._root)
            layout = SitePackages(folders)
        elif language in ("typescript", "javascript"):
            layout = NodeModules(node_modules.folders(document))
        return Packages(layout, self, deadline)

    def close(self) -> None:
        """End what is parsed for later."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def kept(self, version: _Version) -> tuple[FileSymbols | None] | None:
        """What is known of a file; None for one that is not known yet."""
        with self._lock:
            if version not in self._kept:
                return None
            self._kept.move_to_end(version)
            return (self._kept[version],)

    def parse(self, version: _Version) -> FileSymbols | None:
        """What a file defines and imports, None where it may not be read; from now on kept."""
        symbols = self._parsed(version)
        with self._lock:
            self._kept[version] = symbols
            self._coming.discard(version)
            if len(self._kept) > FILES_KEPT:
                self._kept.popitem(last=False)
        return symbols

    def parse_later(self, version: _Version) -> None:
        """Parse a file in the background."""
        with self._lock:
            if version in self._coming:
                return
            self._coming.add(version)
        try:
            self._thread.submit(self.parse, version)
        except RuntimeError:  # closed
            return

    def _parsed(self, version: _Version) -> FileSymbols | None:
        file = Path(version.real)
        if version.size > MAX_FILE_BYTES or self._privacy.level_of_file(file, self._root) != "fine":
            return None
        text = read_text(file, Skipped())
        return None if text is None else parse(version.path, text, language_of(version.path))


class Packages:
    """The modules that one document can import, by the path that an import names. A `SymbolIndex`,
    but that nothing is found by a symbol's name alone. For one request, in one thread."""

    def __init__(
        self,
        layout: _Layout | None = None,
        installed: Installed | None = None,
        deadline: float | None = None,
    ) -> None:
        self._layout = layout
        self._installed = installed
        self._deadline = deadline
        self._left = PARSED_PER_REQUEST
        self._files: dict[str, FileSymbols | None] = {}
        self._places: dict[str, Path | None] = {}
        self._roots: tuple[str, ...] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there are none, whatever is imported."""
        return self._layout is None

    def resolve(self, imported: Import, by: str) -> list[str]:
        """Paths of the modules that an import means, in the document or in one of the modules."""
        if self._layout is None or (imported.module.startswith(".") and not self.exists(by)):
            return []
        return self._layout.resolve(imported, by, self)

    def has(self, symbol: Symbol) -> bool:
        """Whether a symbol is as it was found."""
        file = self.file(symbol.path)
        return file is not None and _is_in(symbol, file.symbols)

    def named(self, name: str) -> list[Symbol]:
        """None, see the class."""
        return []

    def members_named(self, name: str) -> list[Symbol]:
        """None, see the class."""
        return []

    def file(self, path: str) -> FileSymbols | None:
        """What a module defines and imports; None for one that has to wait for another request."""
        if path not in self._files:
            self._files[path] = self._load(path)
        return self._files[path]

    def named_in(self, path: str, name: str) -> list[Symbol]:
        """Those that a module defines at its top."""
        file = self.file(path)
        return [symbol for symbol in file.symbols if symbol.name == name] if file else []

    def imports(self, path: str) -> tuple[Import, ...]:
        """What a module imports."""
        file = self.file(path)
        return file.imports if file else ()

    def modules(self, suffix: tuple[str, ...]) -> list[str]:
        """The path of the module of exactly that name."""
        return self._layout.modules(suffix) if self._layout else []

    def folder(self, parts: tuple[str, ...]) -> list[str]:
        """None: folders are not listed."""
        return []

    def exists(self, path: str) -> bool:
        """Whether there is a module at exactly this path."""
        return self._place(path) is not None

    def _place(self, path: str) -> Path | None:
        if path not in self._places:
            self._places[path] = self._layout.file(path) if self._layout else None
        return self._places[path]

    def _load(self, path: str) -> FileSymbols | None:
        place = self._place(path)
        if place is None or self._installed is None:
            return None
        version = self._version(path, place)
        if version is None:
            return None
        if (kept := self._installed.kept(version)) is not None:
            return kept[0]
        if not self._has_time(version.size):
            self._installed.parse_later(version)
            return None
        self._left -= 1
        return self._installed.parse(version)

    def _version(self, path: str, place: Path) -> _Version | None:
        """A file as it is now; None for one that lies outside of the packages' folders."""
        try:
            real = os.path.realpath(place)
            status = os.stat(real)  # noqa: PTH116
        except (OSError, ValueError):
            return None
        if not real.startswith(self._real_roots()):
            return None
        return _Version(path, real, status.st_size, status.st_mtime_ns)

    def _real_roots(self) -> tuple[str, ...]:
        if self._roots is None:
            folders = self._layout.folders if self._layout else ()
            self._roots = tuple(os.path.join(os.path.realpath(each), "") for each in folders)  # noqa: PTH118
        return self._roots

    def _has_time(self, size: int) -> bool:
        if self._deadline is None:
            return self._left > 0
        seconds = self._deadline - time.monotonic()
        return self._left > 0 and min(size, MAX_FILE_BYTES) / BYTES_PER_SECOND < seconds


def _is_in(symbol: Symbol, symbols: tuple[Symbol, ...]) -> bool:
    return any(each == symbol or _is_in(symbol, each.members) for each in symbols)
