"""Where a workspace's index lies: a folder in the user's cache that may be deleted at any time.

    <cache>/index/<hash of the root>/
        root       the workspace's folder
        lock       held by the one indexer that writes
        current    the name of the folder in use
        1/         symbols.db and similar/

A damaged index is not mended: a new folder takes its place, so that a process which still reads the
old one is not disturbed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

CACHE_VARIABLE = "CODER_LSP_CACHE"


def cache_dir() -> Path:
    """The folder of everything that can be made anew; CODER_LSP_CACHE overrides it."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen or platformdirs.user_cache_dir("coder-lsp", appauthor=False))


def index_folder(root: Path) -> Path:
    """The folder of a workspace's index, which need not exist."""
    name = os.path.normcase(root.resolve())
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    return cache_dir() / "index" / digest[:16]


def prepare(folder: Path, root: Path) -> None:
    """Make the folder of an index, for its user only, and say whose it is."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "root").write_text(str(root.resolve()), "utf-8", "surrogateescape")


def lock(folder: Path) -> FileLock:
    """Held by the one process that writes this index; freed when that ends, however it does."""
    return FileLock(folder / "lock")


def current(folder: Path) -> Path | None:
    """The folder in use; None while there is none."""
    try:
        inner = folder / (folder / "current").read_text("utf-8").strip()
    except (OSError, ValueError):
        return None
    return inner if inner.parent == folder and inner.name.isdecimal() and inner.is_dir() else None


def renew(folder: Path) -> Path:
    """Put an empty folder in the place of the one in use; only for who holds the lock."""
    numbers = [int(each.name) for each in folder.iterdir() if each.name.isdecimal()]
    fresh = folder / str(max(numbers, default=0) + 1)
    fresh.mkdir()
    draft = folder / "current.tmp"
    draft.write_text(fresh.name, "utf-8")
    draft.replace(folder / "current")
    for number in numbers:  # where files in use cannot be deleted, the next renewal tries again
        shutil.rmtree(folder / str(number), ignore_errors=True)
    return fresh


def remove_orphans() -> None:
    """Delete the indexes of workspaces that are gone, unless somebody writes them."""
    for marker in (cache_dir() / "index").glob("*/root"):
        try:
            root = Path(marker.read_text("utf-8", "surrogateescape"))
            if not root.is_dir():
                with lock(marker.parent).acquire(timeout=0):
                    marker.unlink()
                shutil.rmtree(marker.parent, ignore_errors=True)
        except (OSError, ValueError, Timeout):
            continue
