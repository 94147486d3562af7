from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.replay import language_server
from benchmarks.replay.language_server import LanguageServer
from benchmarks.replay.rhythm import Key, Stroke
from benchmarks.replay.typist import Typist
from tests.lsp.client import FAKE_SERVER, LspProcess, initialize_params

LONG = 20.0


class Engine:
    """Its health is what the test says, one answer after the other and then the last one."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers) or [{"busy": False, "idle_since": 0.0, "generated": 0}]

    async def health(self) -> dict[str, Any]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_server, "SETTLE_SECONDS", 0.1)


@pytest.fixture
async def process() -> AsyncIterator[LspProcess]:
    """A server whose every suggestion is `turn x`."""
    async with LspProcess.start(*FAKE_SERVER, FAKE_TEXT="turn x") as process:
        await process.initialize(initialize_params("vscode"))
        yield process


def keys(*strokes: tuple[str, float]) -> list[Key]:
    return [Key(text, (Stroke(pause, text),)) for text, pause in strokes]


async def test_what_the_server_suggests_is_accepted_where_it_is_right(
    process: LspProcess, tmp_path: Path
) -> None:
    assistant = LanguageServer(process, Engine().health, (tmp_path / "a.py").as_uri(), 0.0)
    await assistant.open("def f(x):\n    ", "\n")
    made = keys(("r", 0.0), ("e", 0.3), ("t", LONG), *((each, LONG) for each in "urn x"))
    user = Typist("", "def f(x):\n    ", made, assistant, reaction=0.0)
    await asyncio.wait_for(user.run(), LONG)
    assert user.trace.accepted == ["turn x"]
    usage = await assistant.usage()
    assert usage.outcomes["suggested"] > 0 and usage.answered > 0
    last = (await process.receipts())[0]["detail"]
    assert "def f(x):\\n    re" in last


async def test_the_documents_text_follows_all_changes(process: LspProcess, tmp_path: Path) -> None:
    assistant = LanguageServer(process, Engine().health, (tmp_path / "a.py").as_uri(), 0.0)
    await assistant.open("a\n", "\nz")
    for before in ("a\nb", "a\nbx", "a\nb", "a\nb\n    ", "a\nb\n    c"):
        assistant.change(before)
    await asyncio.wait_for(assistant.changed.wait(), LONG)
    assert repr("a\nb\n    c\nz") in (await process.receipts())[0]["detail"]


async def test_a_key_withdraws_the_open_request(process: LspProcess, tmp_path: Path) -> None:
    assistant = LanguageServer(process, Engine().health, (tmp_path / "a.py").as_uri(), 0.0)
    await assistant.open("!slow ", "")
    assistant.change("!slow a")
    while assistant._open_request is None:
        await asyncio.sleep(0.01)
    assistant.change("!slow ab")
    usage = await assistant.usage()
    assert usage.answered == 0 and usage.outcomes.keys() <= {"cancelled", "superseded"}


async def test_rest_is_what_the_model_server_says_of_itself(process: LspProcess) -> None:
    now = time.monotonic()
    busy = {"busy": True, "idle_since": now - 1, "generated": 1}
    engine = Engine(busy, busy, {**busy, "busy": False, "idle_since": now + 0.5})
    assistant = LanguageServer(process, engine.health, "file:///a.py", 0.0)
    assert await assistant.at_rest_after(now) == now + 0.5
    assert await assistant.at_rest_after(now + 1) is None
