"""The process that builds a workspace's index and keeps it up to date.

    python -m lsp_server.context.indexer --root FOLDER --index FOLDER [--rules JSON]

Speaks JSON lines. In, with paths from the root, with slashes:

    {"watch": true}                        look for changes on disk, of which nobody tells
    {"changed": [paths]}                   files or folders came, went or changed
    {"open": path}                         what is near this document is to come first
    {"rebuild": folder}                    the index in the folder of this name is damaged
    {"exit": true}                         the same as the end of stdin

Out:

    {"waiting": true}                      another process writes this index; this one takes over
    {"unwatched": reason}                  files cannot be watched, and are looked at now and then
    {"progress": {"done": n, "total": m}}  files, of those that changed since they were last indexed
    {"committed": n}                       readers see more when they reload
    {"skipped": {reason: n}}               files left out
    {"ready": true}                        everything is indexed
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import math
import os
import queue
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from filelock import Timeout

from lsp_server.context import location, similarity, store
from lsp_server.context.files import FileStat, Rules, Walk
from lsp_server.context.parsing import Parsed, Parsers
from lsp_server.context.priority import lower_priority
from lsp_server.context.privacy import Privacy
from lsp_server.context.similarity import IndexDamagedError
from lsp_server.context.store import Stat
from lsp_server.context.watch import Watch

FIRST_COMMIT_SECONDS = 0.5
COMMIT_SECONDS, COMMIT_SHARE = 3.0, 0.1
"""At least so long from one commit to the next, and so much of the time that indexing has taken:
many commits make an index of many pieces, which is large and slow."""
PROGRESS_SECONDS = 0.2
LOCK_POLL_SECONDS = 1.0
MOST_RENEWALS = 3
"""Of an index that does not get ready: more of them tell of a disk that is full or broken."""
_OPENED = 8

Message = dict[str, Any]


class Stop(Exception):
    """The language server wants no more."""


class Index:
    """Symbols and chunks of a workspace, as one.

    Chunks are committed before symbols, and only the symbols' store says that a file is indexed. So
    after a kill at any moment the next start does again what was not done in both. Raises
    IndexDamagedError or sqlite3.DatabaseError.
    """

    def __init__(self, folder: Path) -> None:
        symbols, chunks = folder / "symbols.db", folder / "similar"
        if symbols.exists() != chunks.exists():
            raise IndexDamagedError("half an index")
        self._chunks = similarity.Writer(chunks)
        self._symbols = store.Writer(symbols)
        self._is_changed = False

    def stats(self, path: str = "") -> dict[str, Stat]:
        """The files that were looked at, also those left out: all, or a path and what is below."""
        return self._symbols.stats(path)

    def left_out(self) -> Counter[str]:
        """How many files were looked at and left out, by reason."""
        return self._symbols.left_out()

    def put(self, file: Parsed) -> None:
        """Take a file in place of what was known of it. Raises IndexDamagedError where something of
        a file that holds secrets now would stay on disk."""
        if file.stored.left_out == "private" and self._symbols.indexes(file.stored.path):
            raise IndexDamagedError("holds what has become private")
        self._is_changed = True
        self._chunks.put(file.stored.path, file.chunks)
        self._symbols.put(file.stored)

    def remove(self, path: str) -> None:
        """Forget a file."""
        self._is_changed = True
        self._chunks.remove(path)
        self._symbols.remove(path)

    def commit(self) -> bool:
        """Make it visible to readers, and lasting. Whether there was anything new."""
        is_changed, self._is_changed = self._is_changed, False
        if is_changed:
            self._chunks.commit()
            self._symbols.commit()
        return is_changed

    def settle(self) -> None:
        """Free what space is not needed while nothing changes; for when all is committed."""
        self._symbols.settle()

    def close(self) -> None:
        """Close both; what was not committed is lost."""
        with contextlib.suppress(IndexDamagedError):
            self._chunks.close()
        with contextlib.suppress(sqlite3.Error):
            self._symbols.close()


class Pending:
    """Files that wait to be indexed: those near opened documents first, then the latest."""

    def __init__(self) -> None:
        self._files: dict[str, FileStat] = {}
        self._opened: list[list[str]] = []
        self._is_sorted = True

    def __len__(self) -> int:
        return len(self._files)

    def add(self, file: FileStat) -> None:
        """Take a file, in place of an older state of it."""
        self._files.pop(file.path, None)
        self._files[file.path] = file

    def discard(self, path: str) -> None:
        """Forget a file."""
        self._files.pop(path, None)

    def take(self, count: int) -> list[FileStat]:
        """The next files, at most `count`; they no longer wait."""
        if not self._is_sorted:
            # not for each opened document: an editor opens many at its start
            files = sorted(self._files.values(), key=self._nearness)
            self._files = {file.path: file for file in files}
            self._is_sorted = True
        return [self._files.popitem()[1] for _ in range(min(count, len(self._files)))]

    def prefer(self, opened: str) -> None:
        """Let what shares folders with a document come first."""
        folders = opened.split("/")[:-1]
        if folders not in self._opened:
            self._opened = [*self._opened, folders][-_OPENED:]
            self.sort()

    def sort(self) -> None:
        """Look anew at what is near, since files were added in no order."""
        self._is_sorted = False

    def _nearness(self, file: FileStat) -> int:
        folders = file.path.split("/")[:-1]
        return max((_common(folders, each) for each in self._opened), default=0)


class Indexer:
    """Writes one workspace's index, as told by messages from `inbox`, telling `send`."""

    def __init__(
        self,
        root: Path,
        folder: Path,
        rules: Rules,
        inbox: queue.Queue[Message],
        send: Callable[[Message], None],
    ) -> None:
        self._folder = folder
        self._walk = Walk([root], rules)
        self._root = self._walk.roots[0]
        self._watches = False
        self._watch: Watch | None = None
        self._privacy = Privacy(rules.never, rules.not_shared, rules.fine)
        self._ready = False
        self._inbox = inbox
        self._send = send
        self._parsers = Parsers(rules.max_file_bytes)
        self._pending = Pending()
        self._changed: set[str] = set()
        self._commits = 0

    def run(self) -> None:
        """Until told to stop. Raises what `Index` does where even a new index fails."""
        location.prepare(self._folder, self._root)
        lock = location.lock(self._folder)
        try:
            self._acquire(lock)
            self._serve(location.current(self._folder) or location.renew(self._folder))
        except Stop:
            pass
        finally:
            if self._watch is not None:
                self._watch.close()
            self._parsers.close()
            lock.release()

    def _acquire(self, lock: Any) -> None:
        """Wait until no other process writes; what it commits is passed on until then."""
        seen = None
        while True:
            try:
                lock.acquire(timeout=0)
                return
            except Timeout:
                if seen is None:
                    self._send({"waiting": True})
            if (state := _state(self._folder)) != seen:
                seen = state
                self._tell_commit()
            with contextlib.suppress(IndexDamagedError):  # that is the other one's to mend
                self._poll(LOCK_POLL_SECONDS)

    def _serve(self, folder: Path) -> None:
        renewals = 0
        while True:
            try:
                self._follow(Index(folder))
            except (IndexDamagedError, sqlite3.DatabaseError):
                renewals = 1 if self._ready else renewals + 1
                if renewals > MOST_RENEWALS:
                    raise
                self._ready = False
                folder = location.renew(self._folder)

    def _follow(self, index: Index) -> None:
        """Bring the index up to date and keep it so."""
        try:
            self._scan(index)
            while True:
                self._index(index)
                index.settle()
                self._ready = True
                self._send({"ready": True})
                while not self._changed:
                    self._poll(None)
        finally:
            index.close()

    def _scan(self, index: Index) -> None:
        """Find what changed since it was last indexed."""
        self._poll(0)
        self._watch_if_wanted()  # before the walk, which finds what changed before the watch
        self._changed.clear()
        self._compare(index, self._walk, index.stats())
        self._pending.sort()

    def _compare(self, index: Index, found: Iterable[FileStat], known: dict[str, Stat]) -> None:
        """Let what is not as it is known wait, and forget what is gone."""
        for file in found:
            if known.pop(file.path, None) != (file.size, file.mtime_ns):
                self._pending.add(file)
            self._poll(0)
        for path in known:
            if self._privacy.level(path, str(self._root / path)) != "fine":
                raise IndexDamagedError("holds what has become private")  # removing leaves traces
            self._pending.discard(path)
            index.remove(path)

    def _index(self, index: Index) -> None:
        """Index all that waits, and what changes meanwhile."""
        done = total = 0
        started, told, due = time.monotonic(), 0.0, math.inf
        while self._changed or self._pending:
            self._take_up_changes(index)
            for parsed in self._parsers.parse(self._take):
                index.put(parsed)
                done += 1
                total = max(total, done + len(self._pending))
                now = time.monotonic()
                due = min(due, now + FIRST_COMMIT_SECONDS) if self._commits == 0 else due
                if now > told + PROGRESS_SECONDS:
                    self._send({"progress": {"done": done, "total": total}})
                    told = now
                if now > due:
                    self._commit(index)
                    now = time.monotonic()
                    due = now + max(COMMIT_SECONDS, COMMIT_SHARE * (now - started))
                self._poll(0)
        self._commit(index)
        self._send({"progress": {"done": done, "total": done}})
        self._send({"skipped": dict(index.left_out() + self._walk.skipped)})

    def _take(self, count: int) -> list[FileStat]:
        """Nothing when something changed: what is being parsed comes to its end before, so that no
        older state of a file follows a newer one."""
        return [] if self._changed else self._pending.take(count)

    def _take_up_changes(self, index: Index) -> None:
        self._watch_if_wanted()
        changed, self._changed = self._changed, set()
        for path in sorted(changed):
            self._compare(index, self._walk.within(self._root / path), index.stats(path))

    def _commit(self, index: Index) -> None:
        if index.commit() or self._commits == 0:
            self._tell_commit()

    def _tell_commit(self) -> None:
        self._commits += 1
        self._send({"committed": self._commits})

    def _poll(self, timeout: float | None) -> None:
        """Take what messages there are; wait for the first so long, for None without end."""
        try:
            self._take_message(self._inbox.get(timeout=timeout))
            while True:
                self._take_message(self._inbox.get_nowait())
        except queue.Empty:
            pass

    def _take_message(self, message: Message) -> None:
        if "exit" in message:
            raise Stop
        current = location.current(self._folder)
        if current and message.get("rebuild") == current.name:
            raise IndexDamagedError("found by a reader")
        for path in message.get("changed", ()):
            if (place := self._walk.concerned(self._root / path)) is not None:
                self._changed.add("/".join(place.relative_to(self._root).parts))
        if "open" in message:
            self._pending.prefer(message["open"])
        if "watch" in message and not self._watches:
            self._watches = True
            self._changed.add("")  # of which nobody told meanwhile

    def _watch_if_wanted(self) -> None:
        if self._watches and self._watch is None:
            self._watch = Watch(self._walk, self._saw, self._cannot_watch)

    def _saw(self, changed: set[Path]) -> None:
        self._inbox.put({"changed": [str(path) for path in changed]})

    def _cannot_watch(self, reason: str) -> None:
        self._send({"unwatched": reason})


def _common(left: list[str], right: list[str]) -> int:
    """How many folders two paths share from the start."""
    pairs = zip(left, right, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _state(folder: Path) -> tuple[Path | None, list[tuple[int, int]]]:
    """What changes with each commit, of chunks and then of symbols."""
    current = location.current(folder)
    if current is None:
        return None, []
    found = []
    for part in ("similar/meta.json", "symbols.db", "symbols.db-wal"):
        with contextlib.suppress(OSError):
            stat = (current / part).stat()
            found.append((stat.st_mtime_ns, stat.st_size))
    return current, found


def _read_messages(inbox: queue.Queue[Message]) -> None:
    rest = b""
    # not by sys.stdin, whose lock the interpreter wants at its end
    while data := os.read(0, 65536):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            inbox.put(json.loads(line))
    inbox.put({"exit": True})


def _write_message(message: Message) -> None:
    print(json.dumps(message), flush=True)


def main() -> None:
    """Run an indexer on stdin and stdout."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--index", type=Path, required=True)
    parser.add_argument("--rules", type=json.loads, default={})
    arguments = parser.parse_args()
    lower_priority()
    inbox: queue.Queue[Message] = queue.Queue()
    threading.Thread(target=_read_messages, args=(inbox,), daemon=True).start()
    location.remove_orphans()
    rules = Rules(**arguments.rules)
    Indexer(arguments.root, arguments.index, rules, inbox, _write_message).run()


if __name__ == "__main__":
    main()
