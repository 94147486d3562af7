"""What git would leave out: .gitignore files, .git/info/exclude and core.excludesFile.

A walk that asks about each entry, and does not enter ignored folders, finds what
`git ls-files --others --exclude-standard` does. What is tracked although a pattern matches it
counts as ignored here. Outside of a repository nothing is ignored, as for git and ripgrep: an
unpacked release may bring rules that were only ever meant for what is tracked.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from lsp_server.context.patterns import Patterns

MAX_FILE_BYTES = 1 << 20
"""How much of an ignore file is read."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The ignore rules in force in one folder. `path` is the folder's from the repository's top,
    with a slash at its end, None outside of all repositories; `lists` are those in force, each with
    the length of its own folder's path, and those that win come first."""

    path: bytes | None = None
    lists: tuple[tuple[int, Patterns], ...] = ()
    ignore_case: bool = False

    def ignores(self, name: str, is_folder: bool) -> bool:
        """Whether an entry of this folder is ignored."""
        path = (self.path or b"") + os.fsencode(name)
        for start, patterns in self.lists:
            verdict = patterns.verdict(path[start:], is_folder)
            if verdict is not None:
                return verdict
        return False

    def enter(self, folder: Path) -> Scope:
        """The rules in a folder directly in this one. A repository of its own starts anew, as for
        git."""
        if os.path.lexists(folder / ".git"):
            return _repository(folder)
        if self.path is None:
            return self
        path = self.path + os.fsencode(folder.name) + b"/"
        return replace(self, path=path)._with(folder, len(path))

    def _with(self, folder: Path, start: int) -> Scope:
        text = _read(folder / ".gitignore")
        if not text:
            return self
        innermost = (start, _compiled(text, self.ignore_case))
        return replace(self, lists=(innermost, *self.lists))


def scope_of(root: Path) -> Scope:
    """The rules in force in a workspace's root (absolute), those of a repository around it too."""
    top = next((each for each in (root, *root.parents) if os.path.lexists(each / ".git")), None)
    if top is None:
        return Scope()
    scope = _repository(top)
    for folder in reversed([root, *root.parents][: len(root.parts) - len(top.parts)]):
        scope = scope.enter(folder)
    return scope


@lru_cache(maxsize=1024)
def _compiled(text: bytes, ignore_case: bool) -> Patterns:
    return Patterns(text, ignore_case)


def _repository(top: Path) -> Scope:
    """The rules at a repository's top: its .gitignore, then info/exclude, then the user's."""
    git = _git_folder(top)
    core: dict[str, str] = {}
    for config in (_config_home() / "config", Path.home() / ".gitconfig", git / "config"):
        core.update(_core_settings(config))
    ignore_case = core.get("ignorecase", "").lower() == "true"
    users = Path(core.get("excludesfile") or _config_home() / "ignore").expanduser()
    texts = (_read(git / "info" / "exclude"), _read(users, follow=True))
    lists = tuple((0, _compiled(text, ignore_case)) for text in texts if text)
    return Scope(b"", lists, ignore_case)._with(top, 0)


def _git_folder(top: Path) -> Path:
    """The repository's own folder: `.git`, or where the file `.git` of a worktree or submodule says
    it is; of several worktrees, the one that they share."""
    named = re.match(rb"gitdir: ([^\r\n]+)", _read(top / ".git"))
    git = top / (os.fsdecode(named[1]) if named else ".git")
    shared = _read(git / "commondir").strip()
    return git / os.fsdecode(shared) if shared else git


def _config_home() -> Path:
    chosen = os.environ.get("XDG_CONFIG_HOME")
    return (Path(chosen) if chosen else Path.home() / ".config") / "git"


def _core_settings(config: Path) -> dict[str, str]:
    """The section `core` of one of git's configuration files; includes are not followed."""
    section, found = "", {}
    for line in _read(config, follow=True).decode(errors="replace").splitlines():
        name, equals, value = line.strip().partition("=")
        if name.startswith("["):
            section = name.strip("[] ").lower()
        elif section == "core" and equals:
            found[name.strip().lower()] = value.strip().strip('"')
    return found


def _read(path: Path, follow: bool = False) -> bytes:
    """A file's start; empty when there is none. Git does not follow links in a working tree."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags | (0 if follow else getattr(os, "O_NOFOLLOW", 0)))
        with os.fdopen(descriptor, "rb") as file:
            return file.read(MAX_FILE_BYTES) or b""
    except (OSError, ValueError):
        return b""
