"""llama-server's /infill, driven as llama.vim drives it (its defaults of 2025).

No pause: each change of the text first looks into the cache, which is kept by the text around the
cursor, also up to 128 characters back along an answer that agrees with what was typed since. What
is found there is shown, and what would follow it is asked for. Then the present place is asked for,
unless an answer is cached for it; while a request runs, it is tried again each 100 ms. A request is
never withdrawn; the first at a place may take 250 ms of generation, one for what would follow 1 s.

Left out: the ring buffer of chunks of other files, which has nothing where only one file was ever
open, and the start of curl for each request. The seed of sampling is fixed.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from benchmarks.replay.assistant import Assistant, Usage
from benchmarks.replay.language_server import SETTLE_SECONDS
from benchmarks.replay.llama_server import llama_server

LINES_BEFORE, LINES_AFTER = 256, 64
MOST_TOKENS = 128
FIRST_MS, FOLLOWING_MS, PROMPT_MS = 250, 1000, 500
RETRY_SECONDS = 0.1
MOST_KEPT = 250
MOST_BACK = 128
_SAMPLING = {"top_k": 40, "top_p": 0.90, "samplers": ["top_k", "top_p", "infill"], "seed": 1}


@dataclass(frozen=True, slots=True)
class Local:
    """The lines around a cursor as they are sent: `middle` is the cursor's line before it."""

    prefix: str
    middle: str
    suffix: str
    indent: int


class LlamaVim(Assistant):
    """One document against one llama-server; `running` makes it."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        super().__init__()
        self._session = session
        self._url = url
        self._before = self._after = ""
        self._cache: dict[tuple[str, str], str] = {}
        self._draw = random.Random(0)
        self._indent = 0
        self._job: asyncio.Task[None] | None = None
        self._job_began = self._rested = 0.0
        self._retry: asyncio.TimerHandle | None = None
        self._hits = self._sent = self._generated = 0

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[LlamaVim]:
        """Against a fresh llama-server whose model is warm."""
        async with llama_server() as url, aiohttp.ClientSession() as session:
            assistant = cls(session, url)
            await assistant._complete(local_of("def add(a, b):\n    return ", "\n"), FIRST_MS)
            try:
                yield assistant
            finally:
                assistant._stop()
                if assistant._job is not None:
                    with contextlib.suppress(aiohttp.ClientError):
                        await assistant._job

    async def open(self, before: str, after: str) -> None:
        """Open the document; nothing is asked for before the first key."""
        self._before, self._after = before, after
        self._hits = self._sent = self._generated = 0
        await asyncio.sleep(SETTLE_SECONDS)

    def change(self, before: str) -> None:
        """Look into the cache, then ask."""
        grows = before.startswith(self._before)
        self.type_along(before[len(self._before) :] if grows else "")
        self._before, self.answered = before, None
        if self._hint():
            self._hits += 1
        else:
            self.ghost = None
        self._ask(None, None)

    async def at_rest_after(self, moment: float) -> float | None:
        """It rests when the request that ran at that moment has its answer."""
        job = self._job
        if job is None or self._job_began > moment:
            return None
        await asyncio.shield(job)
        return self._rested

    async def usage(self) -> Usage:
        """Counted here. Requests for what would follow count as tokens only."""
        self._stop()
        if self._job is not None:
            await asyncio.shield(self._job)
        outcomes = {"from cache": self._hits, "asked": self._sent}
        return Usage(self._hits + self._sent, self._hits, self._generated, outcomes)

    def _hint(self) -> bool:
        """Show what the cache has for the present place, and ask for what would follow."""
        local = local_of(self._before, self._after)
        text = rendered(self._cached(local), self._before, self._after)
        if not text:
            return False
        self.show(text)
        self._ask(self._before, text)
        return True

    def _cached(self, local: Local) -> str:
        text = local.prefix + local.middle
        found = self._cache.get((text, local.suffix))
        if found is not None:
            return found
        best = ""
        for back in range(1, min(MOST_BACK, len(text)) + 1):
            earlier = self._cache.get((text[:-back], local.suffix), "")
            if earlier.startswith(text[-back:]) and len(earlier) - back > len(best):
                best = earlier[back:]
        return best

    def _ask(self, place: str | None, suggestion: str | None) -> None:
        """Ask for the present place, or for what would follow a suggestion shown at `place`."""
        self._stop()
        if self._job is not None:
            loop = asyncio.get_running_loop()
            self._retry = loop.call_later(RETRY_SECONDS, self._ask, place, suggestion)
            return
        if place is not None and suggestion:
            local = local_of(place + suggestion, self._after, self._indent)
        else:
            local = local_of(self._before, self._after)
        keys = [(prefix + local.middle, local.suffix) for prefix in _shortened(local.prefix)]
        if any(key in self._cache for key in keys):
            return
        self._indent = local.indent
        self._sent += not suggestion
        limit = FOLLOWING_MS if suggestion else FIRST_MS
        self._job_began = time.monotonic()
        self._job = asyncio.create_task(self._run(local, keys, limit))

    async def _run(self, local: Local, keys: list[tuple[str, str]], limit: int) -> None:
        try:
            text = await self._complete(local, limit)
            self._rested = time.monotonic()
            for key in keys:
                if len(self._cache) >= MOST_KEPT:
                    del self._cache[self._draw.choice(list(self._cache))]
                self._cache[key] = text
            if self.ghost is None:
                self._hint()
        finally:
            self._job = None

    async def _complete(self, local: Local, limit: int) -> str:
        body = {
            "input_prefix": local.prefix,
            "input_suffix": local.suffix,
            "input_extra": [],
            "prompt": local.middle,
            "n_predict": MOST_TOKENS,
            "n_indent": local.indent,
            "stream": False,
            "cache_prompt": True,
            "t_max_prompt_ms": PROMPT_MS,
            "t_max_predict_ms": limit,
            "response_fields": ["content", "timings/predicted_n"],
            **_SAMPLING,
        }
        async with self._session.post(f"{self._url}/infill", json=body) as response:
            response.raise_for_status()
            answer = await response.json()
        self._generated += answer["timings/predicted_n"]
        return str(answer["content"])

    def _stop(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None


def local_of(before: str, after: str, indent: int | None = None) -> Local:
    """The lines around a cursor. `indent` is given where a suggestion is taken as inserted; else a
    blank line is sent as an empty one."""
    *lines, line = before.split("\n")
    rest, *following = after.split("\n")
    if indent is None:
        blank = not (line + rest).strip()
        indent = 0 if blank else len(line) - len(line.lstrip())
        line, rest = ("", "") if blank else (line, rest)
    else:
        rest = ""
    return Local(
        prefix="\n".join(lines[-LINES_BEFORE:]) + "\n",
        middle=line,
        suffix="\n".join([rest, *following[:LINES_AFTER]]) + "\n",
        indent=indent,
    )


def rendered(content: str, before: str, after: str) -> str:
    """What of an answer is shown at a cursor: nothing where it repeats what follows, and without
    the indentation that the line has."""
    shown = content.rstrip("\n").split("\n")
    line = before.rpartition("\n")[2]
    rest, *following = after.split("\n")
    if not (line + rest).strip():
        blank = len(shown[0]) - len(shown[0].lstrip())
        shown[0] = shown[0][min(blank, len(line)) :]
    if len(shown) > 1 and not shown[0] and shown[1:] == following[: len(shown) - 1]:
        return ""
    if shown == [rest] or _repeats(line, shown, following):
        return ""
    text = "\n".join(shown)
    return text if text.strip() else ""


def _repeats(line: str, shown: list[str], following: list[str]) -> bool:
    """Whether the next lines that are not blank say the same."""
    filled = next((n for n, each in enumerate(following) if each.strip()), len(following))
    if following[filled : filled + 1] != [line + shown[0]]:
        return False
    further = following[filled + 1 : filled + len(shown)]
    if len(shown) == 2:
        return bool(further) and further[0].startswith(shown[1])
    return shown[1:] == further


def _shortened(prefix: str) -> list[str]:
    """The prefix, and without its first one, two and three lines: for when the window moves on."""
    found = [prefix]
    while len(found) < 4 and (shorter := found[-1].partition("\n")[2]):
        found.append(shorter)
    return found
