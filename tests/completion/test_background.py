"""What the idle model is given to do, and the context that it is spared from reading."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from lsp_server.completion import generation, read_ahead
from lsp_server.completion import service as module
from lsp_server.completion.prompting import Prompter
from lsp_server.completion.types import EngineState, Outcome
from lsp_server.context.steadiness import Chosen
from lsp_server.inference.client import Chunk
from lsp_server.prompt.types import Snippet
from lsp_server.settings import CompletionSettings, Settings
from tests.completion.scripted import AT, TEXT, Desk, Stream

ABORT = Chunk("", "abort")
SETTINGS = Settings(model="a")
OTHERWISE = attrs.evolve(SETTINGS, prompt=attrs.evolve(SETTINGS.prompt, prefix_tokens=512))


async def preparing_is_over() -> None:
    """Whatever would be prepared for answers so far has begun."""
    await asyncio.sleep(2 * module.PREPARE_SECONDS)


async def answered_and_prepared(desk: Desk, offset: int, *tokens: str | Chunk) -> Stream:
    """Have something suggested at a place, and what follows written to this end."""
    desk.offset = offset
    assert (await desk.answered(" a", "\n", "\n")).text
    return await desk.prepared(*tokens)


async def test_what_was_prepared_in_vain_is_not_tried_again(desk: Desk) -> None:
    await desk.start()
    await answered_and_prepared(desk, AT, ABORT)
    assert (await desk.answered()).receipt.outcome is Outcome.CACHED
    await preparing_is_over()
    assert len(desk.client.streams) == 2


async def test_nothing_is_prepared_where_the_cursor_was(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.start()
    await answered_and_prepared(desk, AT, ABORT)
    await answered_and_prepared(desk, len(TEXT), ABORT)
    monkeypatch.setattr(module, "PREPARE_SECONDS", 1.0)  # time to go elsewhere
    for offset in (AT, len(TEXT)):
        desk.offset = offset
        assert (await desk.answered()).receipt.outcome is Outcome.CACHED
    await preparing_is_over()
    assert len(desk.client.streams) == 4


async def test_what_is_known_already_is_not_prepared(desk: Desk) -> None:
    await desk.start()
    await answered_and_prepared(desk, AT, "\n", "    return", " c", "\n")
    await answered_and_prepared(desk, len(TEXT), ABORT)
    desk.offset = AT
    assert (await desk.answered()).receipt.outcome is Outcome.CACHED
    await preparing_is_over()
    assert len(desk.client.streams) == 4


async def test_with_other_settings_it_is_prepared_anew(desk: Desk) -> None:
    await desk.start()
    await answered_and_prepared(desk, AT, ABORT)
    await desk.service.configure(OTHERWISE)
    stream = await answered_and_prepared(desk, AT, "\n", "    b", "\n")
    assert stream.background


async def test_what_somebody_waits_for_is_not_put_aside(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PREPARE_SECONDS", 1.0)  # time to ask
    await desk.start()
    await desk.answered(" a", "\n")
    await desk.service.configure(OTHERWISE)
    task = desk.ask()
    stream = await desk.stream(1)
    await preparing_is_over()
    assert stream.open
    stream.write(" b", "\n")
    assert (await task).text == "b"


async def test_without_reuse_nothing_is_done_ahead(desk: Desk) -> None:
    await desk.start(Settings(model="a", completion=CompletionSettings(reuse=False)))
    desk.service.opened(desk.document())
    await desk.answered(" a", "\n")
    await preparing_is_over()
    assert len(desk.client.streams) == 1
    assert not desk.client.read


async def test_a_file_is_read_when_the_model_has_answered(desk: Desk) -> None:
    await desk.start(SETTINGS)
    task = desk.ask()
    stream = await desk.stream()
    desk.service.opened(desk.document())
    await asyncio.sleep(0.01)
    assert not desk.client.read
    stream.write(Chunk("", "stop"))
    assert (await task).text == ""
    await desk.until(lambda: desk.client.read)


async def test_a_file_is_read_when_the_model_is_there_again(desk: Desk) -> None:
    await desk.start()
    assert desk.engine is not None
    desk.engine.become(EngineState("loading"))
    desk.service.opened(desk.document())
    await asyncio.sleep(0.01)
    assert not desk.client.read
    desk.engine.become(EngineState("ready"))
    await desk.until(lambda: desk.client.read)


async def test_only_what_was_waited_for_says_how_long_an_answer_takes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.start()
    seconds: list[float] = []
    monkeypatch.setattr(desk.service._generations._pacing, "answered", seconds.append)
    await answered_and_prepared(desk, AT, "\n", "    b", "\n")
    assert len(seconds) == 1


async def test_reading_ends_with_the_service(desk: Desk) -> None:
    await desk.start()
    desk.client.may_read.clear()
    desk.service.opened(desk.document())
    await desk.until(lambda: desk.client.read)
    await desk.service.close()
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in left if "ReadAhead" in repr(task)]


async def test_other_settings_end_what_waits_to_be_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "IDLE_SECONDS", 0.03)
    await desk.start()
    desk.type("a")
    await desk.service.configure(OTHERWISE)
    await asyncio.sleep(0.06)
    assert not desk.client.read


class Contexts:
    """Cross-file context as a test says: of the file `now`, at any place."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = "one.py"

        async def choose(prompter: Prompter, request: object, at: object) -> Chosen:
            return Chosen("a.py", (Snippet(self.now, "x = 1\n"),), {self.now: "import"})

        monkeypatch.setattr(Prompter, "_choose", choose)


async def shown(desk: Desk, contexts: Contexts, file: str, *tokens: str | Chunk) -> set[str]:
    """What the model is shown of other files for the next key, where this one is chosen."""
    contexts.now = file
    desk.type("x")
    receipt = (await desk.answered(*tokens)).receipt
    assert receipt.outcome is Outcome.SUGGESTED
    return set(receipt.context)


@pytest.mark.parametrize(("cached", "kept"), [(0, True), (10_000, False)])
async def test_a_model_that_reads_slowly_is_spared_new_context(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, cached: int, kept: bool
) -> None:
    """How slowly, the tokens tell that it had to read; those that it knew say nothing."""
    monkeypatch.setattr(generation, "_milliseconds_since", lambda began: 60_000.0)
    await desk.start()
    contexts = Contexts(monkeypatch)
    slow = Chunk("y", usage={"prompt_tokens_details": {"cached_tokens": cached}})
    assert await shown(desk, contexts, "one.py", slow, "\n") == {"one.py"}
    now = await shown(desk, contexts, "other.py", slow, "\n")
    assert now == {"one.py" if kept else "other.py"}


async def test_other_settings_forget_what_was_spared(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.start()
    contexts = Contexts(monkeypatch)
    desk.service._generations._held.was_read(1000, 1000.0)
    assert await shown(desk, contexts, "one.py", "y", "\n") == {"one.py"}
    assert await shown(desk, contexts, "other.py", "y", "\n") == {"one.py"}
    await desk.service.configure(OTHERWISE)
    assert await shown(desk, contexts, "other.py", "y", "\n") == {"other.py"}
