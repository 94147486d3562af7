"""Which files differ from the last commit: gentle evidence for what is being worked on."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

REFRESH = 30.0
"""Seconds for which an answer is good enough; more where git is slow."""
SLOWNESS = 20
TIMEOUT = 5.0
MOST_PATHS = 50

# A repository's configuration may name programs for git to run; with these it runs none.
_NO_PROGRAMS = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
_ENVIRONMENT = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}
_FILTER_PARTS = {"clean": "", "smudge": "", "process": "", "required": "false"}

log = logging.getLogger(__name__)


class Changes:
    """Files of a workspace folder that differ from the last commit. Its methods return at once and
    may be called from any thread: git runs in a thread of its own."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._paths: tuple[str, ...] = ()
        self._next = 0.0
        self._lock = threading.Lock()

    def paths(self) -> tuple[str, ...]:
        """The changed and untracked files as last seen, from the root, newest first. At most
        `MOST_PATHS`; none where there is no git or no repository."""
        with self._lock:
            if time.monotonic() >= self._next:
                self._next = float("inf")
                threading.Thread(target=self._refresh, name="git", daemon=True).start()
        return self._paths

    def _refresh(self) -> None:
        start = time.monotonic()
        try:
            self._paths = changed_paths(self._root)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            log.info("git does not say what changed: %s", type(error).__name__)
        end = time.monotonic()
        self._next = end + max(REFRESH, SLOWNESS * (end - start))


def changed_paths(root: Path) -> tuple[str, ...]:
    """The files under a folder that differ from the last commit or are not tracked, from there,
    newest first; at most `MOST_PATHS`.

    Raises OSError or subprocess.SubprocessError, after `TIMEOUT` seconds for each of git's answers.
    """
    program = shutil.which("git")
    if program is None or not Path(program).is_absolute() or root in Path(program).parents:
        return ()
    git = _Git(program, root)
    against = ("--no-ext-diff", "--no-textconv", "--no-renames", "--ignore-submodules=all")
    changed = git.names("diff", "--name-only", "--relative", *against, "HEAD")
    changed += git.names("ls-files", "--others", "--exclude-standard")
    dated = [(_changed_at(root / path), path) for path in dict.fromkeys(changed)]
    return tuple(path for at, path in sorted(dated, reverse=True)[:MOST_PATHS] if at)


class _Git:
    """git in a folder, run so that nothing the repository brings along is executed."""

    def __init__(self, program: str, root: Path) -> None:
        self._program = program
        self._root = root
        self._filters: dict[str, str] = {}
        self._filters = self._without_filters()

    def names(self, *arguments: str) -> list[str]:
        """The names that a command lists, none where it fails."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            [self._program, "--no-pager", *_NO_PROGRAMS, arguments[0], "-z", *arguments[1:]],
            cwd=self._root,
            env={**kept, **_ENVIRONMENT, **self._filters},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        if done.returncode:
            return []
        return [name for name in os.fsdecode(done.stdout).split("\0") if name]

    def _without_filters(self) -> dict[str, str]:
        """Variables that make the configured filters do nothing: git runs a file through them to
        compare it. Their names may hold what an option could not."""
        keys = self.names("config", "--name-only", "--get-regexp", r"^filter\..*")
        filters = dict.fromkeys(key.rpartition(".")[0] for key in keys)
        settings = [
            (f"{each}.{part}", value) for each in filters for part, value in _FILTER_PARTS.items()
        ]
        variables = {"GIT_CONFIG_COUNT": str(len(settings))}
        for number, (key, value) in enumerate(settings):
            variables[f"GIT_CONFIG_KEY_{number}"] = key
            variables[f"GIT_CONFIG_VALUE_{number}"] = value
        return variables


def _changed_at(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except (OSError, ValueError):
        return 0
