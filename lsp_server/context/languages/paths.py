"""Paths from the workspace's root, with slashes, as import resolvers see them."""

from __future__ import annotations

from collections.abc import Iterable

from lsp_server.context.types import SymbolIndex


def folder_of(path: str) -> tuple[str, ...]:
    """The folders above a file, from the root."""
    return tuple(path.split("/")[:-1])


def parts_of(path: str) -> tuple[str, ...]:
    """The folders and the file's name without its ending."""
    *folders, name = path.split("/")
    return (*folders, name.split(".")[0] or name)


def nearest(paths: Iterable[str], from_path: str) -> list[str]:
    """Sorted by what they share with a file's folder: most first, then the fewest other folders."""
    here = folder_of(from_path)

    def distance(path: str) -> tuple[int, int, str]:
        there = folder_of(path)
        shared = next(
            (i for i, (a, b) in enumerate(zip(here, there, strict=False)) if a != b),
            min(len(here), len(there)),
        )
        return -shared, len(there) - shared, path

    return sorted(paths, key=distance)


def joined(folder: tuple[str, ...], relative: str) -> str | None:
    """A relative path from a folder as one from the root; None for one that leaves the root."""
    parts = list(folder)
    for part in relative.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def class_or_package(
    module: tuple[str, ...], name: str, endings: tuple[str, ...], from_path: str, index: SymbolIndex
) -> list[str]:
    """The file that is named after a class, else all files of its package."""
    paths = index.modules((*module, name)) if name != "*" else []
    found = [path for path in paths if path.endswith(endings)]
    if found:
        return nearest(found, from_path)[:1]
    return [path for path in index.folder(module) if path.endswith(endings)]
