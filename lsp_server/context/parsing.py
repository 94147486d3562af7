"""Files read and parsed in processes of their own.

tree-sitter holds the interpreter's lock, and a grammar is C code that a strange file may crash:
then that file is left out, and the others go on.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from lsp_server.context.files import FileStat, Skipped, read_text
from lsp_server.context.languages.table import language_of
from lsp_server.context.store import Stat, StoredFile, encode
from lsp_server.context.symbols import parse
from lsp_server.context.tokens import Chunk, chunks

WORKERS = min(4, max(2, (os.cpu_count() or 2) // 2))
BATCH = 16
_IN_FLIGHT = 2 * WORKERS


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file as both indexes take it."""

    stored: StoredFile
    chunks: tuple[Chunk, ...] = ()


def parse_file(file: FileStat, max_bytes: int) -> Parsed:
    """Read and parse a file. Never raises: what cannot be read or parsed is left out."""
    stat = Stat(file.size, file.mtime_ns)
    try:
        skipped = Skipped()
        text = read_text(file.absolute, skipped, max_bytes)
        if text is None:
            return Parsed(StoredFile(file.path, stat, next(iter(skipped))))
        language = language_of(file.path)
        stored = encode(parse(file.path, text, language), stat)
        return Parsed(stored, tuple(chunks(file.path, text, language.name)))
    except Exception as error:
        return Parsed(StoredFile(file.path, stat, type(error).__name__))


class Parsers:
    """Parsing processes, started when there is something to parse."""

    def __init__(self, max_file_bytes: int) -> None:
        self._max_file_bytes = max_file_bytes
        self._pool: ProcessPoolExecutor | None = None

    def parse(self, take: Callable[[int], Sequence[FileStat]]) -> Iterator[Parsed]:
        """Parse what `take`, given a number, returns at most so many of, until that is nothing."""
        running: deque[tuple[Sequence[FileStat], Future[list[Parsed]]]] = deque()
        while True:
            while len(running) < _IN_FLIGHT and (batch := take(BATCH)):
                running.append((batch, self._submit(batch)))
            if not running:
                return
            try:
                results = running[0][1].result()
            except BrokenProcessPool:
                suspects = [file for batch, _ in running for file in batch]
                running.clear()
                yield from map(self._parse_alone, suspects)
            else:
                running.popleft()
                yield from results

    def close(self) -> None:
        """End the processes; the next file starts new ones."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _parse_alone(self, file: FileStat) -> Parsed:
        self.close()
        try:
            return self._submit([file]).result()[0]
        except BrokenProcessPool:
            stat = Stat(file.size, file.mtime_ns)
            return Parsed(StoredFile(file.path, stat, "crashed the parser"))

    def _submit(self, batch: Sequence[FileStat]) -> Future[list[Parsed]]:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(WORKERS, context, _end_with_parent)
        try:
            return self._pool.submit(_parse_all, batch, self._max_file_bytes)
        except BrokenProcessPool as error:
            broken: Future[list[Parsed]] = Future()
            broken.set_exception(error)
            return broken


def _parse_all(batch: Sequence[FileStat], max_bytes: int) -> list[Parsed]:
    return [parse_file(file, max_bytes) for file in batch]


def _end_with_parent() -> None:
    """A pool's processes wait for work forever when their parent is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
