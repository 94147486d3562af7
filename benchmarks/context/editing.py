"""An editor's requests at random places of its documents."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.context.methods import BUDGET, Count
from lsp_server.context.assembly import choose
from lsp_server.context.languages.table import language_of
from lsp_server.context.steadiness import Chosen
from lsp_server.context.types import Cursor
from lsp_server.context.workspace import Workspace

LONGEST_TYPED = 40


@dataclass(frozen=True, slots=True)
class Document:
    """A file of the workspace, by its path from the root, and its text."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """One answer: how long it took on the wall clock, and of the processor in its thread."""

    chosen: Chosen
    milliseconds: float
    cpu_milliseconds: float


class Editing:
    """Asks a workspace for context, as the language server does. `count` is in tokens."""

    def __init__(self, workspace: Workspace, count: Count, draw: random.Random) -> None:
        self._workspace = workspace
        self._count = count
        self._draw = draw

    async def ask(self, document: Document) -> Request:
        """Open a document, ask at a random place, and close it."""
        place = self._draw.randrange(len(document.text))
        states = [(document.text[:place], document.text[place:])]
        return (await self._ask(document, states))[0]

    async def type_line(self, document: Document) -> list[Request]:
        """Open a document, type a random line anew, ask after each character, and close it."""
        lines = document.text.split("\n")
        number = self._draw.choice([number for number, line in enumerate(lines) if line.strip()])
        before = "".join(line + "\n" for line in lines[:number])
        after = "".join("\n" + line for line in lines[number + 1 :])
        indent = len(lines[number]) - len(lines[number].lstrip())
        columns = range(indent, min(len(lines[number]), indent + LONGEST_TYPED) + 1)
        states = [(before + lines[number][:column], after) for column in columns]
        return await self._ask(document, states)

    async def _ask(self, document: Document, states: Sequence[tuple[str, str]]) -> list[Request]:
        self._workspace.opened(document.path, "", document.text)
        requests: list[Request] = []
        for prefix, suffix in states:
            self._workspace.edited(document.path, prefix + suffix)
            cursor = Cursor(document.path, language_of(document.path).name, prefix, suffix)
            previous = requests[-1].chosen if requests else None
            started = time.perf_counter()
            chosen, cpu = await asyncio.to_thread(self._choose, cursor, previous)
            seconds = time.perf_counter() - started
            requests.append(Request(chosen, 1000 * seconds, 1000 * cpu))
        self._workspace.closed(document.path)
        return requests

    def _choose(self, cursor: Cursor, previous: Chosen | None) -> tuple[Chosen, float]:
        started = time.thread_time()
        search = self._workspace.search(cursor)
        index = self._workspace.index_for(cursor.path)
        chosen = choose(cursor, index, search.result, BUDGET, self._count, previous)
        return chosen, time.thread_time() - started
