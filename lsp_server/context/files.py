"""The files of a workspace that may be shown to a model when others are edited, and their text."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from lsp_server.context import noise
from lsp_server.context.ignore import Scope, scope_of
from lsp_server.context.patterns import Patterns
from lsp_server.context.privacy import Privacy, holds_private_key
from lsp_server.prompt.line_ends import with_plain_newlines

MAX_FILE_BYTES = 1_000_000
MOST_FILES = 300_000
"""Of one walk: a folder with more is no project, but holds many."""
TOO_MANY = "too many"

# also the separators that only some programs take for line ends, and undecodable bytes
_ODD_NAME = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
HOLDING_RULES = frozenset({".gitignore", ".git", *noise.MARKERS})
"""Entries that decide what of their folder is found."""
_NO_FILE, _NO_FOLDER = (os.stat_result((kind, *9 * (0,))) for kind in (stat.S_IFREG, stat.S_IFDIR))
_JUNCTION = 0xA0000003  # Windows' IO_REPARSE_TAG_MOUNT_POINT


class Skipped(Counter[str]):
    """How many files and folders were left out, by reason: `ignored` (by git), `excluded` (by a
    setting), `private`, `vendored`, `lock`, `minified`, `generated`, `binary`, `encoding`, `large`,
    `link`, `name`, `another root`, `special`, `unreadable`, `vanished`; `too many` when the
    walk ended at `MOST_FILES`."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is left out, as set by the user. `exclude`: patterns in .gitignore's syntax, from the
    workspace's root; the last three are `Privacy`'s."""

    exclude: tuple[str, ...] = ()
    max_file_bytes: int = MAX_FILE_BYTES
    never: tuple[str, ...] = ()
    not_shared: tuple[str, ...] = ()
    fine: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileStat:
    """A file: its path from `root`, with slashes; its size in bytes."""

    path: str
    absolute: Path
    size: int
    mtime_ns: int
    root: Path


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder that is entered. `path` is from the root, with a slash at its end."""

    root: Path
    absolute: Path
    path: str
    scope: Scope

    def enter(self, name: str) -> _Folder:
        inner = self.absolute / name
        return _Folder(self.root, inner, f"{self.path}{name}/", self.scope.enter(inner))


class Walk:
    """Iterates the files of all roots, in one order for one state of the disk. Links are not
    followed: what they lead to is found where it is, if that is in a root. A root within another is
    walked by itself only, and whether that one's rules leave it out does not matter.

    Iterating counts what was left out in `skipped`, afresh each time.
    """

    def __init__(self, roots: Iterable[Path], rules: Rules | None = None) -> None:
        self.skipped = Skipped()
        self._rules = rules or Rules()
        self._privacy = Privacy(self._rules.never, self._rules.not_shared, self._rules.fine)
        self._exclude = Patterns("\n".join(self._rules.exclude).encode())
        by_place = {os.path.realpath(root): Path(os.path.abspath(root)) for root in roots}  # noqa: PTH100
        self.roots = tuple(by_place.values())
        self._places = dict(zip(self.roots, by_place, strict=True))

    def __iter__(self) -> Iterator[FileStat]:
        self.skipped.clear()
        found = chain.from_iterable(
            self._below(self._top(root), self.skipped) for root in self.roots
        )
        yield from islice(found, MOST_FILES)
        if next(found, None) is not None:
            self.skipped[TOO_MANY] = 1

    def folders(self) -> Iterator[Path]:
        """The folders that are entered, absolute, in no order."""
        waiting = [self._top(root) for root in self.roots]
        while waiting:
            folder = waiting.pop()
            yield folder.absolute
            for name, status in _entries(folder.absolute, Skipped(), only_folders=True):
                found = self._visit(folder, name, status, Skipped())
                if isinstance(found, _Folder):
                    waiting.append(found)

    def enters(self, path: Path) -> bool:
        """Whether there is a folder at a path that is entered."""
        return isinstance(self._reach(path), _Folder)

    def within(self, path: Path) -> Iterator[FileStat]:
        """What of the walk is at a path or below it, now: nothing when it is gone or left out."""
        found = self._reach(path)
        if isinstance(found, _Folder):
            yield from self._below(found, Skipped())
        elif found is not None:
            yield found

    def admits(self, path: Path) -> bool:
        """Whether the walk finds a file at a path, or would were there one."""
        return isinstance(self._reach(path, imagined=True), FileStat)

    def concerned(self, path: Path) -> Path | None:
        """Where to look when a path changed, came or went, by its root's own spelling: there, or in
        the folder whose rules it holds. None where the walk finds nothing and found nothing."""
        root, parts = self._root_of(path) or (None, ())
        if root is None or ".." in parts:
            return None
        holds_rules = bool(parts) and parts[-1] in HOLDING_RULES
        parts = parts[:-1] if holds_rules else parts
        if not noise.TOOLS_FOLDERS.isdisjoint(parts):
            return None
        place = root.joinpath(*parts)
        # what is gone, or left out from now on, was found if what is around it is entered
        around = place.parent if holds_rules and parts else place
        there = next(each for each in (around, *around.parents) if os.path.lexists(each))
        return None if self._reach(there) is None else place

    def _top(self, root: Path) -> _Folder:
        return _Folder(root, root, "", scope_of(root))

    def _root_of(self, path: Path) -> tuple[Path, tuple[str, ...]] | None:
        """The innermost root that holds a path, and the parts of the path from there. Watchers may
        name a root by its real path."""
        held = [
            (root, path.relative_to(spelling).parts)
            for root in self.roots
            for spelling in (root, self._places[root])
            if path.is_relative_to(spelling)
        ]
        return min(held, key=lambda each: len(each[1]), default=None)

    def _reach(self, path: Path, *, imagined: bool = False) -> FileStat | _Folder | None:
        """What the walk finds at a path; or, where nothing is, would find were a file there."""
        root, parts = self._root_of(path) or (None, ())
        if root is None or ".." in parts:
            return None
        found: FileStat | _Folder | None = self._top(root)
        for left, name in zip(range(len(parts) - 1, -1, -1), parts, strict=True):
            if not isinstance(found, _Folder):
                return None
            try:
                status = os.lstat(found.absolute / name)
            except FileNotFoundError:
                if not imagined:
                    return None
                status = _NO_FOLDER if left else _NO_FILE
            except (OSError, ValueError):
                return None
            found = self._visit(found, name, status, Skipped())
        return found

    def _below(self, top: _Folder, skipped: Skipped) -> Iterator[FileStat]:
        folders = [top]  # a list, since trees may be deeper than the interpreter's stack
        while folders:
            folder = folders.pop()
            inner: list[_Folder] = []
            for name, status in _entries(folder.absolute, skipped):
                found = self._visit(folder, name, status, skipped)
                if isinstance(found, FileStat):
                    yield found
                elif found is not None:
                    inner.append(found)
            folders += reversed(inner)

    def _visit(
        self, folder: _Folder, name: str, status: os.stat_result, skipped: Skipped
    ) -> FileStat | _Folder | None:
        is_folder = stat.S_ISDIR(status.st_mode)
        reason = self._left_out(folder, name, status) or (
            self._folder_left_out(folder, name)
            if is_folder
            else self._file_left_out(folder, name, status)
        )
        if reason:
            skipped[reason] += 1
            return None
        if is_folder:
            return folder.enter(name)
        absolute = folder.absolute / name
        path = folder.path + name
        return FileStat(path, absolute, status.st_size, status.st_mtime_ns, folder.root)

    def _left_out(self, folder: _Folder, name: str, status: os.stat_result) -> str | None:
        is_folder = stat.S_ISDIR(status.st_mode)
        if stat.S_ISLNK(status.st_mode) or getattr(status, "st_reparse_tag", 0) == _JUNCTION:
            return "link"
        if _ODD_NAME.search(name):
            return "name"
        if is_folder and name in noise.TOOLS_FOLDERS:
            return "vendored"
        if folder.scope.ignores(name, is_folder):
            return "ignored"
        path = os.fsencode(folder.path + name)
        return "excluded" if self._exclude.verdict(path, is_folder) else None

    def _folder_left_out(self, folder: _Folder, name: str) -> str | None:
        if self._real(folder, name) in self._places.values():
            return "another root"
        markers = noise.MARKERS + (noise.VENDOR_MARKERS if name == "vendor" else ())
        inside = os.path.join(folder.absolute, name, "")  # noqa: PTH118 (Path's takes far longer)
        return "vendored" if any(os.path.lexists(inside + each) for each in markers) else None

    def _file_left_out(self, folder: _Folder, name: str, status: os.stat_result) -> str | None:
        if not stat.S_ISREG(status.st_mode):
            return "special"
        if self._privacy.level(folder.path + name, self._real(folder, name)) != "fine":
            return "private"
        if status.st_size > self._rules.max_file_bytes:
            return "large"
        return noise.by_name(name)

    def _real(self, folder: _Folder, name: str) -> str:
        return os.path.join(self._places[folder.root], folder.path, name)  # noqa: PTH118


def read_text(absolute: Path, skipped: Skipped, max_bytes: int = MAX_FILE_BYTES) -> str | None:
    """A file's text, with newlines as `\\n`; None when it is left out, and why is in `skipped`.

    Asks about the text only: whether the file may be read at all is the walk's matter. Never blocks
    on what is no file, nor follows a link at the path's end.
    """
    try:
        data = _read(absolute, max_bytes)
    except FileNotFoundError:
        skipped["vanished"] += 1
        return None
    except (OSError, ValueError):
        skipped["unreadable"] += 1
        return None
    text = _decode(data)
    reason = _text_left_out(data, text, max_bytes)
    if reason:
        skipped[reason] += 1
        return None
    return text


def _text_left_out(data: bytes, text: str | None, max_bytes: int) -> str | None:
    if len(data) > max_bytes:
        return "large"
    if b"\0" in data:
        return "binary"
    if text is None:
        return "encoding"
    return "private" if holds_private_key(text) else noise.by_text(text)


def _decode(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return with_plain_newlines(text)


def _read(absolute: Path, max_bytes: int) -> bytes:
    flags = os.O_RDONLY
    for flag in ("O_BINARY", "O_NOFOLLOW", "O_NONBLOCK"):
        flags |= getattr(os, flag, 0)
    with os.fdopen(os.open(absolute, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("not a regular file")
        return file.read(max_bytes + 1)


def _entries(
    folder: Path, skipped: Skipped, *, only_folders: bool = False
) -> Sequence[tuple[str, os.stat_result]]:
    """A folder's entries by name; those that cannot be looked at are counted."""
    found: list[tuple[str, os.stat_result]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    if not only_folders or entry.is_dir(follow_symlinks=False):
                        found.append((entry.name, entry.stat(follow_symlinks=False)))
                except OSError:
                    skipped["vanished"] += 1
    except FileNotFoundError:
        skipped["vanished"] += 1
    except OSError:
        skipped["unreadable"] += 1
    return sorted(found, key=lambda each: each[0])
