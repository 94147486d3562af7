"""How fast context is found, and what that costs.

Indexes a workspace by the indexer's process, from nothing, then asks for context at random cursors
of random files as the language server does: in a thread, with some other documents open, without a
deadline. Times are wall clock in milliseconds; `_cpu` is the time of that thread alone, without the
search for similar text, which another one does: it says more on a machine that does other work. The
event loop's lag is by how much a timer of the same loop comes late while there is indexing and a
request each tenth of a second.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from benchmarks.common import print_setting
from benchmarks.context.editing import Document, Editing
from benchmarks.context.methods import cache_folder
from benchmarks.context.quality import counter
from lsp_server.context import location
from lsp_server.context.files import FileStat, Rules, Skipped, Walk, read_text
from lsp_server.context.languages.table import language_of
from lsp_server.context.types import Progress
from lsp_server.context.workspace import Workspace
from lsp_server.evaluation.packages import unpack

SUMMARY = "time, memory and space that context takes"
DEFAULT_PACKAGE = "Django==5.1.4"
OPEN_DOCUMENTS = 8
TICK_SECONDS = 0.005
REQUEST_PAUSE_SECONDS = 0.1
MOST_INDEXING_SECONDS = 3600.0
LINES_TYPED_SHARE = 10
"""One line is typed, key by key, for so many requests."""
SAVES = 5
DEFINITIONS = {"py": "def {}():\n    pass\n", "c": "int {}(void)\n{{\n}}\n"}

T = TypeVar("T")
Figures = dict[str, dict[str, float] | float]


def add_command(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--packages", nargs="+", metavar="NAME==VERSION[:sha256=HEX]")
    parser.add_argument(
        "--directory", type=Path, help="measure here instead; one file is written and deleted in it"
    )
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one JSON object, not a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ[location.CACHE_VARIABLE] = cache
        if args.directory:
            figures = asyncio.run(measure(args.directory, args.requests, args.seed))
        else:
            with tempfile.TemporaryDirectory() as folder:
                for package in args.packages or [DEFAULT_PACKAGE]:
                    unpack(package, cache_folder(), Path(folder))
                figures = asyncio.run(measure(Path(folder), args.requests, args.seed))
    if args.json:
        print(json.dumps(figures))
    else:
        print_setting()
        print(f"\n{table(figures)}")


async def measure(root: Path, requests: int, seed: int) -> Figures:
    """All figures of a workspace. Raises SystemExit where there is no code."""
    draw = random.Random(seed)
    documents, count = _documents(root, requests + OPEN_DOCUMENTS, draw)
    others, asked = documents[:OPEN_DOCUMENTS], documents[OPEN_DOCUMENTS:] or documents
    before = time.monotonic(), _children_seconds(), _memory_mb("RssAnon")
    ready = asyncio.Event()
    workspace = Workspace(root, Rules(), lambda progress: _set_when_ready(ready, progress))
    editing = Editing(workspace, counter()[1], draw)
    lags: list[float] = []
    ticking = asyncio.create_task(_tick(lags))
    await workspace.start()
    try:
        for document in others:
            workspace.opened(document.path, "", document.text)
        during, first = await _while_indexing(editing, others, ready)
        built = time.monotonic() - before[0]
        lags_indexing = list(lags)
        lags.clear()
        figures: Figures = {
            **await _requests(editing, asked, requests),
            "update_ms": await _update(workspace, root, asked),
            "open_buffer_ms": _update_in_buffer(workspace, asked),
            "loop_lag_ms": _percentile(lags_indexing, 99),
            "loop_lag_worst_ms": round(max(lags_indexing), 1),
            "loop_lag_requests_ms": _percentile(lags, 99),
            "indexing_request_ms": spread(during),
            "first_context_s": round(first, 2),
            "index_s": round(built, 1),
            "index_mb": _size_mb(location.index_folder(root)),
            "files": count,
            "memory_mb": _memory_mb("VmRSS"),
            "memory_own_mb": _memory_mb("RssAnon"),
            "memory_own_before_mb": before[2],
        }
    finally:
        ticking.cancel()
        await workspace.close()
    return {**figures, "indexer_cpu_s": round(_children_seconds() - before[1], 1)}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Percentiles of times in milliseconds."""
    return {f"p{each}": _percentile(values, each) for each in (50, 95, 99)}


def table(figures: Figures) -> str:
    """The figures in Markdown."""
    lines = ["| figure | value | p50 | p95 | p99 |", "| --- | --- | --- | --- | --- |"]
    for name, value in figures.items():
        cells = [""] + [str(each) for each in value.values()] if isinstance(value, dict) else None
        lines.append(f"| {' | '.join([name, *(cells or [str(value), '', '', ''])])} |")
    return "\n".join(lines)


async def _while_indexing(
    editing: Editing, documents: Sequence[Document], ready: asyncio.Event
) -> tuple[list[float], float]:
    """Times of requests until the workspace is ready, and seconds until the first with context."""
    times: list[float] = []
    first = 0.0
    started = time.monotonic()
    while not ready.is_set() or not first:
        request = await editing.ask(documents[len(times) % len(documents)])
        times.append(request.milliseconds)
        seconds = time.monotonic() - started
        if request.chosen.snippets and not first:
            first = seconds
        if seconds > MOST_INDEXING_SECONDS:
            raise TimeoutError("no index, or no context from it")
        await asyncio.sleep(REQUEST_PAUSE_SECONDS)
    return times, first


async def _requests(editing: Editing, documents: Sequence[Document], count: int) -> Figures:
    asked = [await editing.ask(each) for each in _shown(_cycled(documents, count))]
    lines = [
        await editing.type_line(each)
        for each in _shown(_cycled(documents, max(1, count // LINES_TYPED_SHARE)))
    ]
    keys = [key for line in lines for key in line]
    changes = sum(
        one.chosen.snippets != two.chosen.snippets
        for line in lines
        for one, two in itertools.pairwise(line)
    )
    return {
        "request_ms": spread([each.milliseconds for each in asked]),
        "request_cpu_ms": spread([each.cpu_milliseconds for each in asked]),
        "keystroke_ms": spread([each.milliseconds for each in keys]),
        "keystroke_cpu_ms": spread([each.cpu_milliseconds for each in keys]),
        "changes_per_keystroke": round(changes / max(1, len(keys) - len(lines)), 3),
        "keystrokes": len(keys),
    }


async def _update(workspace: Workspace, root: Path, like: Sequence[Document]) -> float:
    """Median milliseconds from a save to when its new definition is found."""
    times = []
    try:
        for save in range(SAVES):
            name = f"saved_by_benchmark_{save}"
            path, text = _defining(name, like)
            file = root / path
            file.write_text(text, "utf-8")
            started = time.perf_counter()
            workspace.changed([path])
            while not workspace.index_for("").named(name):
                await asyncio.sleep(0.002)
            times.append(1000 * (time.perf_counter() - started))
    finally:
        file.unlink()
    return round(statistics.median(times), 1)


def _update_in_buffer(workspace: Workspace, like: Sequence[Document]) -> float:
    """Milliseconds from a keystroke in an open document to when another one's request knows it."""
    path, text = _defining("typed_by_benchmark", like)
    workspace.opened(path, "", "")
    started = time.perf_counter()
    workspace.edited(path, text)
    found = workspace.index_for("").named("typed_by_benchmark")
    milliseconds = 1000 * (time.perf_counter() - started)
    assert [each.path for each in found] == [path]
    workspace.closed(path)
    return round(milliseconds, 1)


def _defining(name: str, like: Sequence[Document]) -> tuple[str, str]:
    """Path and text of a file that no workspace has: as long as a document, with a definition."""
    for document in like:
        ending = document.path.rpartition(".")[2]
        if ending in DEFINITIONS:
            text = f"{document.text}\n{DEFINITIONS[ending].format(name)}"
            return f"coder_lsp_benchmark.{ending}", text
    return "coder_lsp_benchmark.py", DEFINITIONS["py"].format(name)


async def _tick(lags: list[float]) -> None:
    while True:
        started = time.perf_counter()
        await asyncio.sleep(TICK_SECONDS)
        lags.append(1000 * (time.perf_counter() - started - TICK_SECONDS))


def _documents(root: Path, most: int, draw: random.Random) -> tuple[list[Document], int]:
    """Random files with code, and how many such files there are."""
    walk = Walk([root])
    drawn: list[FileStat] = []
    count = 0
    for file in walk:  # never all at once, since memory is measured, too
        if language_of(file.path).symbols:
            count += 1
            place = count - 1 if count <= most else draw.randrange(count)
            drawn[place : place + 1] = [file] if place < most else []
    if not drawn:
        raise SystemExit(f"{root} has no files with code; left out: {dict(walk.skipped)}")
    draw.shuffle(drawn)
    texts = ((file.path, read_text(file.absolute, Skipped())) for file in drawn)
    return [Document(path, text) for path, text in texts if text and not text.isspace()], count


def _set_when_ready(ready: asyncio.Event, progress: Progress) -> None:
    if progress.ready:
        ready.set()


def _cycled(items: Sequence[T], count: int) -> list[T]:
    return [items[index % len(items)] for index in range(count)]


def _shown(items: Sequence[T]) -> Iterable[T]:
    shown: Iterable[T] = tqdm(items, disable=not sys.stderr.isatty())
    return shown


def _percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, percent * len(ordered) // 100)], 2)


def _size_mb(folder: Path) -> float:
    sizes = (each.stat().st_size for each in folder.rglob("*") if each.is_file())
    return round(sum(sizes) / 1e6, 1)


def _memory_mb(field: str) -> float:
    """What this process holds of memory: all (`VmRSS`), or without the pages of mapped files, which
    the system takes back when it needs them (`RssAnon`); 0 where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) / 1000 for line in lines if line.startswith(field))


def _children_seconds() -> float:
    """Processor time of the processes that this one started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system
