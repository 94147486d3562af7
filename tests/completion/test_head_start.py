from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from lsp_server.completion import head_start
from lsp_server.completion.types import Outcome
from lsp_server.inference.client import EngineError
from lsp_server.settings import CompletionSettings, PrivacySettings, Settings
from tests.completion.scripted import TEXT, Desk


async def nothing_begins(desk: Desk, before: int = 1) -> None:
    task = desk.service._head_start._task
    await desk.until(lambda: task is None or task.done())
    assert len(desk.client.streams) == before


@pytest.fixture
async def asked(desk: Desk) -> Desk:
    """An editor that has asked once, and got what it was told."""
    await desk.start()
    task = desk.ask()
    (await desk.stream()).write("", "x", "\n", "\n")
    await task
    (await desk.stream(1)).write("\n", "y", "\n")  # what would follow
    await desk.until(lambda: not desk.client.running)
    return desk


async def test_what_is_about_to_be_asked_for_is_begun(asked: Desk) -> None:
    asked.type("a")
    stream = await asked.stream(2)
    assert not stream.background
    stream.write(" + b", "\n")
    assert (await asked.ask()).text == " + b"
    assert asked.receipt.outcome is Outcome.SUGGESTED
    assert asked.receipt.tokens["generated"]
    assert len([each for each in asked.client.streams if not each.background]) == 2


async def test_who_asks_meanwhile_waits_for_it(asked: Desk) -> None:
    asked.type("a")
    stream = await asked.stream(2)
    stream.write(" +")
    task = asked.ask()
    await asyncio.sleep(0.01)
    stream.write(" b", "\n")
    assert (await task).text == " + b"
    assert asked.receipt.outcome is Outcome.SUGGESTED


async def test_only_the_first_who_asks_has_had_it_generated(asked: Desk) -> None:
    asked.type("a")
    (await asked.stream(2)).write(" + b", "\n")
    await asked.ask()
    await asked.ask()
    assert asked.receipt.outcome is Outcome.CACHED and not asked.receipt.tokens


async def test_an_editor_that_never_asks_gets_nothing_begun(desk: Desk) -> None:
    await desk.start()
    desk.type("a")
    await nothing_begins(desk, 0)


async def test_asking_by_hand_says_nothing_of_the_next_edit(desk: Desk) -> None:
    await desk.start()
    task = desk.ask(invoked=True)
    (await desk.stream()).write("", "\n", "\n")
    await task
    before = len(desk.client.streams)
    desk.type("a")
    await asyncio.sleep(0.03)
    assert [each for each in desk.client.streams[before:] if not each.background] == []


async def test_an_editor_that_asks_no_more_gets_nothing_begun(
    asked: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head_start, "MOST_UNASKED", 1)
    asked.type("a")
    (await asked.stream(2)).write(" + b", "\n")
    asked.type("z")
    await nothing_begins(asked, 3)


async def test_between_two_keys_nothing_begins(
    asked: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = iter((1000.0, 1000.0, 0.0))
    monkeypatch.setattr(asked.service._generations, "pause", lambda request: next(pauses))
    for key in "abc":
        asked.type(key)
        await asyncio.sleep(0.005)
    stream = await asked.stream(2)
    assert stream.anchor.prefix.endswith("abc")
    await nothing_begins(asked, 3)


async def test_what_is_known_is_not_begun(asked: Desk) -> None:
    asked.type("x")
    await nothing_begins(asked, 2)


async def test_who_waits_for_something_else_is_not_disturbed(
    asked: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked.offset = len(TEXT)
    task = asked.ask()
    stream = await asked.stream(2)
    other = replace(asked.document(), document="file:///b.py", text="other = ", offset=8)
    asked.service.edited(other)
    await nothing_begins(asked, 3)
    stream.write("c = 1", "\n", "\n")
    assert (await task).text == "c = 1"


async def test_an_edit_far_from_where_it_asked_begins_nothing(asked: Desk) -> None:
    asked.text, asked.offset = "import a\n" + asked.text, len("import a\n")
    asked.service.edited(asked.document())
    await nothing_begins(asked, 2)


async def test_enter_between_brackets_begins_nothing_behind_them(asked: Desk) -> None:
    asked.type("\n    x\n")
    await nothing_begins(asked, 2)


async def test_a_request_takes_the_place_of_what_waits(
    asked: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked.service._generations, "pause", lambda request: 1000.0)
    asked.type("a")
    asked.service._generations.pause = lambda request: 0.0  # type: ignore[method-assign]
    task = asked.ask()
    (await asked.stream(2)).write(" + b", "\n")
    await task
    await nothing_begins(asked, 3)


async def test_an_engine_of_somebody_else_is_asked_once(asked: Desk) -> None:
    asked.client.is_ours = False
    asked.type("a")
    await nothing_begins(asked, 2)


async def test_behind_a_bracket_that_the_editor_closed_nothing_begins(asked: Desk) -> None:
    asked.type("f()")
    await nothing_begins(asked, 2)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(model="a", completion=CompletionSettings(eagerness="on-demand")),
        Settings(model="a", completion=CompletionSettings(disabled_languages=["python"])),
        Settings(model="a", completion=CompletionSettings(prefetch=False)),
        Settings(model="a", privacy=PrivacySettings(never=["a.py"])),
    ],
    ids=["on demand", "disabled", "no prefetch", "private"],
)
async def test_nothing_begins_where_it_is_not_wanted(asked: Desk, settings: Settings) -> None:
    await asked.service.configure(settings)
    before = len(asked.client.streams)
    asked.type("a")
    await nothing_begins(asked, before)


async def test_a_document_that_is_closed_is_left(asked: Desk) -> None:
    asked.type("a")
    asked.service.closed(asked.document().name)
    await nothing_begins(asked, 2)


async def test_where_it_failed_the_request_tries_itself(asked: Desk) -> None:
    asked.type("a")
    (await asked.stream(2)).write(EngineError("broken"))
    await asked.until(lambda: not asked.client.running)
    task = asked.ask()
    (await asked.stream(3)).write(" + b", "\n")
    assert (await task).text == " + b"
