from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from benchmarks.replay import llama_vim
from benchmarks.replay.llama_vim import LlamaVim, Local, local_of, rendered


class Infill:
    """Answers /infill from a script, by the line before the cursor."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.asked: list[Any] = []

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        content = self.answers.get(body["prompt"], "")
        return web.json_response({"content": content, "timings/predicted_n": 5})

    @asynccontextmanager
    async def editor(self) -> AsyncIterator[LlamaVim]:
        app = web.Application()
        app.router.add_post("/infill", self.answer)
        async with TestServer(app) as server, aiohttp.ClientSession() as session:
            assistant = LlamaVim(session, str(server.make_url("")).rstrip("/"))
            assistant._before, assistant._after = "x = 1\n", "\ny = 2\n"
            yield assistant


async def until(assistant: LlamaVim, asked: int, infill: Infill) -> None:
    async def wait() -> None:
        while len(infill.asked) < asked or assistant._job is not None:
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), 20)


async def test_an_answer_is_shown_and_what_follows_it_is_asked_for() -> None:
    infill = Infill(re="turn x")
    async with infill.editor() as assistant:
        assistant.change("x = 1\nre")
        assert assistant.ghost is None
        await until(assistant, 2, infill)
        assert assistant.ghost and assistant.ghost.text == "turn x"
    first, following = infill.asked
    assert (first["input_prefix"], first["prompt"]) == ("x = 1\n", "re")
    assert first["input_suffix"] == "\ny = 2\n\n"
    assert first["t_max_predict_ms"] == llama_vim.FIRST_MS
    assert following["prompt"] == "return x"
    assert following["t_max_predict_ms"] == llama_vim.FOLLOWING_MS


async def test_typing_along_is_answered_from_the_cache_and_asks_all_the_same() -> None:
    infill = Infill(re="turn x")
    async with infill.editor() as assistant:
        assistant.change("x = 1\nre")
        await until(assistant, 2, infill)
        seen = assistant.ghost
        assistant.change("x = 1\nret")
        assert assistant.answered is not None
        assert assistant.ghost and seen
        assert (assistant.ghost.text, assistant.ghost.since) == ("urn x", seen.since)
        await until(assistant, 3, infill)
        usage = await assistant.usage()
    assert infill.asked[-1]["prompt"] == "ret"
    assert (usage.answered, usage.reused, usage.generated) == (3, 1, 15)


async def test_what_disagrees_is_gone_and_backspace_brings_it_back() -> None:
    infill = Infill(re="turn x")
    async with infill.editor() as assistant:
        assistant.change("x = 1\nre")
        await until(assistant, 2, infill)
        assistant.change("x = 1\nreq")
        assert assistant.ghost is None
        assistant.change("x = 1\nre")
        assert assistant.ghost and assistant.ghost.text == "turn x"


async def test_rest_comes_with_the_answer() -> None:
    infill = Infill()
    async with infill.editor() as assistant:
        assistant.change("x = 1\na")
        now = assistant._job_began
        rest = await assistant.at_rest_after(now)
        assert rest is not None and rest > now
        assert await assistant.at_rest_after(rest) is None


def test_the_lines_around_the_cursor() -> None:
    local = local_of("a\n  b", "c\nd\ne")
    assert local == Local(prefix="a\n", middle="  b", suffix="c\nd\ne\n", indent=2)
    assert local_of("a\n    ", "\nd") == Local("a\n", "", "\nd\n", 0)
    assert local_of("a\n    ", "\nd", 4) == Local("a\n", "    ", "\nd\n", 4)
    far = local_of("\n" * 1000, "\n" * 1000)
    assert far.prefix.count("\n") == llama_vim.LINES_BEFORE
    assert far.suffix.count("\n") == llama_vim.LINES_AFTER + 1


def test_what_the_file_has_is_not_shown() -> None:
    assert rendered("turn x\n\n", "re", "\n") == "turn x"
    assert rendered("    x = 1\n    y", "a:\n    ", "\n") == "x = 1\n    y"
    assert rendered("y = 2", "x\n", "\n\ny = 2\n") == ""
    assert rendered("y = 2\nz =", "x\n", "\ny = 2\nz = 3") == ""
    assert rendered("\ny = 2", "x", "\ny = 2") == ""
    assert rendered("y = 2\nw", "x\n", "\ny = 2\nz = 3") == "y = 2\nw"
    assert rendered("  \n", "x", "\n") == ""
