"""What a language server knows of its workspace: the index on disk under the open buffers.

Methods return at once and are called on the event loop, but for the lookups (`index_for`,
`similar`, `search`), which take milliseconds and may be called from any thread.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from lsp_server.context import location, noise, similarity, store
from lsp_server.context.files import MOST_FILES, TOO_MANY, Rules, Skipped, Walk, read_text
from lsp_server.context.indexer_process import IndexerProcess
from lsp_server.context.languages.table import language_of
from lsp_server.context.overlay import Overlay
from lsp_server.context.privacy import Privacy
from lsp_server.context.similarity import IndexDamagedError, Similarity
from lsp_server.context.steadiness import Chosen
from lsp_server.context.symbols import parse
from lsp_server.context.types import Cursor, Progress, SymbolIndex, Window
from lsp_server.prompt.line_ends import with_plain_newlines

CACHED_FILES = 256

log = logging.getLogger(__name__)


class Workspace:
    """One workspace folder. `on_progress` is called on the event loop when `progress` changes. With
    `watches`, changes on disk are looked for; without, `changed` tells of them.

    All paths are from `root`, with slashes.
    """

    def __init__(
        self,
        root: Path,
        rules: Rules,
        on_progress: Callable[[Progress], None],
        *,
        watches: bool = False,
    ) -> None:
        self.progress = Progress()
        self.rules = rules
        self._root = root
        self._privacy = Privacy(rules.never, rules.not_shared, rules.fine)
        self._walk = Walk([root], rules)
        self._on_progress = on_progress
        self._folder = location.index_folder(root)
        arguments = ["--root", str(root), "--index", str(self._folder)]
        arguments += ["--rules", json.dumps(asdict(rules))]
        self._watches = watches
        self._indexer = IndexerProcess(arguments, self._take_message, self._brief)
        self._readers = _Readers(self._folder)
        self._overlay = Overlay(lambda: self._readers.symbols, self._report_damage)
        self._similarity = Similarity(
            lambda: self._readers.chunks, self._lines, self._report_damage
        )
        self._documents: dict[str, _Document] = {}
        self._stale: set[str] = set()
        self._lock = threading.Lock()
        # never shut down: a late request may still ask, and its thread goes when this object does
        self._searcher = ThreadPoolExecutor(1, thread_name_prefix="similar")
        self._kept_lines = lru_cache(CACHED_FILES)(self._read_lines)

    async def start(self) -> None:
        """Use the index of earlier days at once, and have it brought up to date."""
        self._loop = asyncio.get_running_loop()
        self._refreshing = self._loop.run_in_executor(None, self._refresh)
        self._indexer.start()
        await self._refreshing

    async def close(self) -> None:
        """End the indexer and close the index."""
        await self._indexer.close()
        self._readers.close()

    def watch(self) -> None:
        """Look for changes on disk from now on, and once for what changed before."""
        self._watches = True
        self._indexer.send({"watch": True})

    def changed(self, paths: Iterable[str]) -> None:
        """Tell of files or folders that were made, changed or deleted on disk."""
        self._indexer.send({"changed": list(paths)})

    def opened(self, path: str, language_id: str, text: str) -> None:
        """Tell of a document, by what its editor calls the language. From now on it wins over the
        disk."""
        self._put(path, language_id, text)
        self._indexer.send({"open": path})

    def edited(self, path: str, text: str) -> None:
        """Tell of a document's new text. It is parsed when another document asks for it."""
        known = self._documents.get(path)
        self._put(path, known.language_id if known else "", text)

    def closed(self, path: str) -> None:
        """Let the disk speak for a document again."""
        self._documents.pop(path, None)
        self._stale.add(path)

    def index_for(self, path: str) -> SymbolIndex:
        """The workspace's symbols as a document needs them: all other open documents are in as they
        are now, itself perhaps as it was a while ago."""
        self._take_up_edits(path)
        return self._overlay

    def similar(self, cursor: Cursor) -> list[Window]:
        """Pieces of other files that resemble the text around a cursor, best first."""
        self._take_up_edits(cursor.path)
        return self._similarity.windows(cursor)

    def search(self, cursor: Cursor) -> Future[list[Window]]:
        """What is similar, looked for in a thread of its own: most of it is tantivy's work, during
        which other threads run. One search at a time."""
        return self._searcher.submit(self.similar, cursor)

    def still_has(self, chosen: Chosen) -> bool:
        """Whether the similar text of a choice still stands where it was found."""
        return all(
            self._stands_at(piece.path, piece.lines, snippet.text)
            for piece, snippet in chosen.windows()
        )

    def _stands_at(self, path: str, numbers: tuple[int, int], text: str) -> bool:
        document = self._documents.get(path)
        if document is None:
            lines = self._lines(path) or []
        elif self._may_be_shown(path, document.text):
            lines = with_plain_newlines(document.text).split("\n")
        else:
            lines = []
        here = "".join(f"{line}\n" for line in lines[slice(*numbers)] if line.strip())
        return here.startswith(text)

    def _put(self, path: str, language_id: str, text: str) -> None:
        """What is too large to be read from the disk is too large here: it counts as empty."""
        is_large = len(text) > self.rules.max_file_bytes
        self._documents[path] = _Document(language_id, "" if is_large else text)
        self._stale.add(path)

    def _brief(self) -> None:
        """Tell an indexer that has just been started what those before it were told."""
        if self._watches:
            self._indexer.send({"watch": True})
        for path in self._documents:
            self._indexer.send({"open": path})

    def _take_up_edits(self, but: str) -> None:
        with self._lock:
            for path in self._stale - {but}:
                self._stale.discard(path)  # before its text is read: a later edit adds it again
                self._lay_over(path, self._documents.get(path))

    def _lay_over(self, path: str, document: _Document | None) -> None:
        if document is None or not self._may_be_shown(path, document.text):
            self._overlay.remove(path)
            self._similarity.remove(path)
        else:
            language = language_of(path, document.language_id)
            text = with_plain_newlines(document.text)
            self._overlay.put(path, parse(path, text, language))
            self._similarity.put(path, language.name, text)

    def _may_be_shown(self, path: str, text: str) -> bool:
        """Whether an open document obeys the rules that files on the disk do."""
        found = self._walk.admits(self._root / path) and noise.by_text(text) is None
        return found and self._is_shared(path, text)

    def _is_shared(self, path: str, text: str = "") -> bool:
        return self._privacy.level_of_file(self._root / path, self._root, text) == "fine"

    def _lines(self, path: str) -> list[str] | None:
        try:
            stat = (self._root / path).stat()
        except OSError:
            return None
        return self._kept_lines(path, stat.st_size, stat.st_mtime_ns)

    def _read_lines(self, path: str, size: int, mtime_ns: int) -> list[str] | None:
        """The arguments make up the key under which the lines are kept."""
        text = read_text(self._root / path, Skipped(), self.rules.max_file_bytes)
        return text.split("\n") if text is not None and self._is_shared(path) else None

    def _take_message(self, message: dict[str, Any]) -> None:
        if "committed" in message:
            self._refreshing = self._loop.run_in_executor(None, self._refresh)
        elif "unwatched" in message:
            log.warning("%s is looked at now and then: %s", self._root, message["unwatched"])
        elif "progress" in message:
            self._tell(**message["progress"], ready=False, elsewhere=False)
        elif "skipped" in message:
            if TOO_MANY in message["skipped"]:
                log.warning("only the first %d files of %s are indexed", MOST_FILES, self._root)
            self._tell(skipped=tuple(sorted(message["skipped"].items())))
        elif "waiting" in message:
            self._tell(ready=False, elsewhere=True)
        else:  # ready, or given up: then what there is has to do
            # told when lookups see it
            self._refreshing.add_done_callback(lambda _: self._tell(ready=True, elsewhere=False))

    def _tell(self, **change: Any) -> None:
        self.progress = replace(self.progress, **change)
        self._on_progress(self.progress)

    def _refresh(self) -> None:
        try:
            self._readers.refresh()
        except (sqlite3.OperationalError, FileNotFoundError):
            pass
        except (sqlite3.DatabaseError, IndexDamagedError):
            self._report_damage()

    def _report_damage(self) -> None:
        damaged = self._readers.drop()
        if damaged is not None:
            log.warning("the index is damaged, or of another version, and is made anew")
            message = {"rebuild": damaged.name}
            self._loop.call_soon_threadsafe(self._indexer.send, message)


@dataclass(frozen=True, slots=True)
class _Document:
    language_id: str
    text: str


class _Readers:
    """Both indexes, open while there are any."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: Path | None = None
        self._lock = threading.Lock()
        self.symbols: store.Reader | None = None
        self.chunks: similarity.Reader | None = None

    def refresh(self) -> None:
        """See what was committed. Raises sqlite3.Error or IndexDamagedError."""
        with self._lock:
            current = location.current(self._folder)
            if current is not None and current == self._open and self.chunks and self.symbols:
                self.symbols.reload()
                self.chunks.reload()
            elif current is not None:
                self._open = current
                chunks = similarity.Reader(current / "similar")
                symbols = store.Reader(current / "symbols.db")
                self._replace(symbols, chunks)

    def drop(self) -> Path | None:
        """Read no more until there are new ones; the folder of those that were read."""
        with self._lock:
            dropped, self._open = self._open, None
            self._replace(None, None)
            return dropped

    def close(self) -> None:
        """Close both."""
        self.drop()

    def _replace(self, symbols: store.Reader | None, chunks: similarity.Reader | None) -> None:
        old, self.symbols, self.chunks = self.symbols, symbols, chunks
        if old is not None:
            old.close()
