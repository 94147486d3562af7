"""Where a Python workspace's installed packages are, and which of their files says most."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from pathlib import Path

from lsp_server.context.languages import python
from lsp_server.context.types import Import, SymbolIndex

_FOLDERS = (".venv", "venv", "env")
LARGEST_PTH = 100_000
_VARIABLES = ("VIRTUAL_ENV", "CONDA_PREFIX")


def environment(document: Path, variables: Mapping[str, str]) -> Path | None:
    """The virtual environment beside a document or above it, else the one that is active."""
    above = (folder / name for folder in document.parents for name in _FOLDERS)
    for found in above:
        if os.path.isfile(found / "pyvenv.cfg"):  # noqa: PTH113 (Path's raises without permission)
            return found
    active = (Path(variables[name]) for name in _VARIABLES if variables.get(name))
    return next((each for each in active if each.is_absolute()), None)


def folders(document: Path, variables: Mapping[str, str], root: Path) -> tuple[Path, ...]:
    """The folders that the packages for a document are in: the environment's, then those that it
    names for editable installs. The latter may be anywhere but in the workspace or around it: what
    that has, and what of it is left out, the index says."""
    found = environment(document, variables)
    if found is None:
        return ()
    folders = [*sorted(found.glob("lib/python3*/site-packages")), found / "Lib/site-packages"]
    inside = os.path.join(os.path.realpath(found), "")  # noqa: PTH118
    held = [each for each in folders if os.path.realpath(each).startswith(inside)]
    named = (each for folder in held for each in _named_in(folder))
    return (*held, *(each for each in named if not _overlap(each, root)))


def _overlap(one: Path, other: Path) -> bool:
    left, right = (os.path.join(os.path.realpath(each), "") for each in (one, other))  # noqa: PTH118
    return left.startswith(right) or right.startswith(left)


def _named_in(folder: Path) -> tuple[Path, ...]:
    """The folders that an environment's .pth files add to it: those of editable installs. What such
    a file has Python run is not run."""
    try:
        changed = os.stat(folder).st_mtime_ns  # noqa: PTH116
    except OSError:
        return ()
    return _read_named(folder, changed)


@lru_cache(maxsize=64)
def _read_named(folder: Path, changed: int) -> tuple[Path, ...]:
    """`changed` is the time of the folder's last change, since it is read once for each."""
    lines = chain.from_iterable(_lines(file) for file in sorted(folder.glob("*.pth")))
    named = (Path(os.path.normpath(folder / line)) for line in lines if _is_path(line))
    return tuple(dict.fromkeys(each for each in named if os.path.isdir(each)))  # noqa: PTH112


def _lines(file: Path) -> list[str]:
    try:
        return file.read_bytes()[:LARGEST_PTH].decode("utf-8-sig").splitlines()
    except (OSError, ValueError):
        return []


def _is_path(line: str) -> bool:
    return (
        bool(line.strip())
        and "\0" not in line
        and not line.startswith(("#", "import ", "import\t"))
    )


class SitePackages:
    """Modules by their import path, such as `httpx/_client.py`. A stub hides what it stands for."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self.folders = tuple(folders)

    def file(self, path: str) -> Path | None:
        """The file that a path stands for, stubs in a distribution of their own first."""
        if path.endswith(".py") and self._existing(f"{path}i"):
            return None
        return self._existing(path) if path.endswith((".py", ".pyi")) else None

    def modules(self, parts: tuple[str, ...]) -> list[str]:
        """The path of the module of exactly that name."""
        name = "/".join(parts)
        paths = (f"{name}{rest}" for rest in ("/__init__.pyi", ".pyi", "/__init__.py", ".py"))
        return [path for path in paths if parts and self._existing(path)][:1]

    def resolve(self, imported: Import, by: str, index: SymbolIndex) -> list[str]:
        """Paths of the module that an import means, in a document or in another module."""
        return python.resolve(imported, by, index)

    def _existing(self, path: str) -> Path | None:
        places = (folder / each for folder in self.folders for each in _spellings(path))
        return next((place for place in places if os.path.isfile(place)), None)  # noqa: PTH113


def _spellings(path: str) -> Iterator[str]:
    package, slash, rest = path.partition("/")
    if path.endswith(".pyi"):
        stubs = f"{package.removesuffix('.pyi')}-stubs"
        yield f"{stubs}/{rest}" if slash else f"{stubs}/__init__.pyi"
    yield path
