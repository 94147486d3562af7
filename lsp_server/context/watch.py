"""What changes on disk, for clients that do not tell."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lsp_server.context.files import HOLDING_RULES, Walk

DEBOUNCE_MS = 400
"""Longest that a change waits for others; 50 ms without another end the wait."""
QUIET_MS = 100
RESCAN_SECONDS = 30.0
ATTEMPTS = 5
CLOCK_NS = 10_000_000
"""By how much a file's time may lag behind the clock."""

# Where folders are watched one by one, only those are that the walk enters: what watches all below
# a folder also follows links, out of the workspace and round in circles.
_ONE_BY_ONE = sys.platform == "linux"

Batches = Iterator[set[Path]]


class Watch:
    """Tells what changes in the folders that a walk enters, in a thread of its own, until closed.

    Once it is made no change is missed, so a walk begun after that finds the rest. `tell` is given
    absolute paths, perhaps by a root's real path; some may not concern the walk, and some be those
    of folders, such as one moved in. Where the system cannot watch (too many folders, a file system
    that does not tell), `on_fallback` is told why, and `tell` is given the roots every so many
    seconds.
    """

    def __init__(
        self,
        walk: Walk,
        tell: Callable[[set[Path]], None],
        on_fallback: Callable[[str], None],
        rescan_seconds: float = RESCAN_SECONDS,
    ) -> None:
        self._walk = walk
        self._tell = tell
        self._on_fallback = on_fallback
        self._rescan_seconds = rescan_seconds
        self._stands = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()
        self._stands.wait()

    def close(self) -> None:
        """Tell nothing more. The thread has ended when this returns."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            for changed in self._changes():
                self._stands.set()
                if changed:
                    self._tell(changed)
        except (OSError, RuntimeError) as error:
            self._on_fallback(str(error))
            self._stands.set()
            while not self._closed.wait(self._rescan_seconds):
                self._tell(set(self._walk.roots))
        finally:
            self._stands.set()

    def _changes(self) -> Batches:
        """The first set comes as soon as nothing is missed; sets are empty while nothing changes.
        Raises OSError or RuntimeError where the system cannot watch."""
        batches, changed = self._begin()
        while not self._closed.is_set():
            if _ONE_BY_ONE and any(map(self._changes_folders, changed)):
                newer, first = self._begin()
                changed |= first | next(batches, set())
                batches = newer  # which ends the older one
            yield changed
            changed = next(batches, set())

    def _changes_folders(self, path: Path) -> bool:
        return path.name in HOLDING_RULES or (path.is_dir() and self._walk.enters(path))

    def _begin(self) -> tuple[Batches, set[Path]]:
        """Watch all folders that there are by then. What changed since, too."""
        changed: set[Path] = set()
        for attempt in range(1, ATTEMPTS + 1):
            began = time.time_ns() - CLOCK_NS
            folders = tuple(self._walk.folders()) if _ONE_BY_ONE else self._walk.roots
            batches = self._batches(folders)
            try:
                changed |= next(batches, set())
            except FileNotFoundError:
                if attempt == ATTEMPTS:
                    raise
                continue
            now = time.time_ns()
            if not any(began < _changed_at(each) <= now for each in folders):
                break  # else a folder may have come after what it is in was listed
        return batches, changed

    def _batches(self, folders: Iterable[Path]) -> Batches:
        import watchfiles  # here, since only a process that watches needs it

        for batch in watchfiles.watch(
            *folders,
            watch_filter=None,
            debounce=DEBOUNCE_MS,
            rust_timeout=QUIET_MS,
            yield_on_timeout=True,
            stop_event=self._closed,
            raise_interrupt=False,
            force_polling=False,  # its polling reads every folder several times a second
            recursive=not _ONE_BY_ONE,
            ignore_permission_denied=True,
        ):
            named = ((kind, Path(name)) for kind, name in batch)
            # some systems call a folder modified whenever something in it came or went
            yield {
                path
                for kind, path in named
                if kind != watchfiles.Change.modified or not path.is_dir()
            }


def _changed_at(folder: Path) -> int:
    """In nanoseconds since 1970; 0 for one that is gone."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 (Path's takes longer)
    except OSError:
        return 0
