"""The life of a request: reuse, attachment, preparation, and reading ahead."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Literal

import attrs
import pytest

from lsp_server.completion import generations, postprocess, read_ahead
from lsp_server.completion import service as module
from lsp_server.completion.types import SUPERSEDED, CompletionRequest, Outcome
from lsp_server.inference.client import Chunk, EngineError, EngineUnavailableError
from lsp_server.settings import CompletionSettings, Settings
from tests.completion.scripted import AT, TEXT, Desk

QUIET = Settings(model="a", completion=CompletionSettings(prefetch=False))
OTHERWISE = attrs.evolve(QUIET, prompt=attrs.evolve(QUIET.prompt, prefix_tokens=512))


async def test_typing_along_never_asks_the_model(desk: Desk) -> None:
    await desk.start(QUIET)
    assert (await desk.answered(" a + b", "\n")).text == "a + b"
    assert desk.receipt.line == 2
    for typed, rest in (("a", " + b"), (" ", "+ b"), ("+ ", "b")):
        desk.type(typed)
        assert (await desk.answered()).text == rest
        assert desk.receipt.outcome is Outcome.CACHED
    assert len(desk.client.streams) == 1


async def test_backspace_returns_to_what_was_there(desk: Desk) -> None:
    await desk.start(QUIET)
    await desk.answered(" a + b", "\n")
    desk.type("a")
    desk.delete()
    assert (await desk.answered()).text == "a + b"
    desk.type("x")
    assert (await desk.answered(".y", "\n")).text == ".y"
    desk.delete()
    assert (await desk.answered()).text == "a + b"
    assert len(desk.client.streams) == 2


async def test_a_closed_bracket_is_no_disagreement(desk: Desk) -> None:
    await desk.start(QUIET)
    assert (await desk.answered(" sum([a, b])", "\n")).text == "sum([a, b])"
    desk.type("sum(", closed=")")
    assert (await desk.answered()).text == "[a, b]"
    assert len(desk.client.streams) == 1


async def test_a_request_attaches_to_what_is_being_written(desk: Desk) -> None:
    await desk.start(QUIET)
    first = desk.ask()
    stream = await desk.stream()
    first.cancel(SUPERSEDED)
    desk.type("a")
    second = desk.ask()
    await asyncio.sleep(0.05)  # it waits by now
    stream.write(" a", " + b", "\n")
    assert (await second).text == " + b"
    assert desk.receipt.outcome is Outcome.ATTACHED
    assert desk.receipt.tokens["generated"] == 3
    assert len(desk.client.streams) == 1


async def test_a_closed_bracket_does_not_end_what_is_being_written(desk: Desk) -> None:
    await desk.start(QUIET)
    desk.ask()
    stream = await desk.stream()
    stream.write(" sum")
    await desk.until(lambda: stream.written)
    desk.type("sum(", closed=")")
    second = desk.ask()
    await asyncio.sleep(0.05)  # it waits by now
    stream.write("([a, b])", "\n")
    assert (await second).text == "[a, b]"
    assert desk.receipt.outcome is Outcome.ATTACHED


async def test_of_what_was_cut_off_the_last_line_is_not_shown(desk: Desk) -> None:
    await desk.start(QUIET)
    desk.text = "def f(a, b):\n    \n\nprint(f(1, 2))\n"
    desk.offset = desk.text.index("    ") + 4
    suggestion = await desk.answered(" c = a", "\n", "    value = b", Chunk("", "length"))
    assert suggestion.text == "c = a"


async def test_two_requests_for_one_place_share_a_generation(desk: Desk) -> None:
    await desk.start(QUIET)
    both = [desk.ask(), desk.ask()]
    stream = await desk.stream()
    stream.write(" a", "\n")
    assert [each.text for each in await asyncio.gather(*both)] == ["a", "a"]
    assert len(desk.client.streams) == 1


async def test_typing_something_else_ends_it_at_once(desk: Desk) -> None:
    await desk.start(QUIET)
    desk.ask()
    stream = await desk.stream()
    stream.write(" a")
    await desk.until(lambda: stream.written)
    desk.type("x")
    await desk.until(lambda: not stream.open)


async def test_it_ends_when_the_next_token_disagrees(desk: Desk) -> None:
    await desk.start(QUIET)
    desk.ask()
    stream = await desk.stream()
    desk.type("x")
    await asyncio.sleep(0.01)
    assert stream.open, "as far as is known it may write an x"
    stream.write(" a")
    await desk.until(lambda: not stream.open)
    second = desk.ask()
    other = await desk.stream(1)
    other.write("y", "\n")
    assert (await second).text == "y"
    assert desk.client.at_once == 1


@pytest.mark.parametrize("text", [TEXT + "#", "#" + TEXT])
async def test_an_edit_elsewhere_ends_it(desk: Desk, text: str) -> None:
    await desk.start(QUIET)
    desk.ask()
    stream = await desk.stream()
    desk.text, desk.offset = text, len(text)
    desk.service.edited(desk.document())
    await desk.until(lambda: not stream.open)


async def test_what_was_ended_is_no_answer_to_who_comes_back(desk: Desk) -> None:
    await desk.start(QUIET)
    desk.client.closing = 0.05
    first = desk.ask()
    stream = await desk.stream()
    stream.write(" a")
    await desk.until(lambda: stream.written)
    first.cancel(SUPERSEDED)
    desk.type("x")
    desk.delete()
    second = desk.ask()
    (await desk.stream(1)).write(" a", "\n")
    assert (await second).text == "a"
    assert desk.client.at_once == 1


async def test_what_was_ended_before_it_began_lets_nobody_pass(desk: Desk) -> None:
    await desk.start(QUIET)
    desk.client.closing = 0.05
    asked = []
    for offset in (AT, len(TEXT), 0):
        desk.offset = offset
        asked.append(desk.ask(invoked=True))
        await asyncio.sleep(0.02)
    (await desk.stream(1)).write("x", "\n", "\n")
    assert [bool((await each).text) for each in asked] == [False, False, True]
    assert desk.client.at_once == 1


async def test_a_fault_at_its_end_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.start(QUIET)
    monkeypatch.delattr(postprocess, "fit")
    suggestion = await desk.answered(" a", "\n")
    assert suggestion.receipt.outcome is Outcome.FAILED
    assert suggestion.receipt.detail == "AttributeError"


async def test_who_waits_for_what_turns_out_otherwise_is_answered_anew(desk: Desk) -> None:
    await desk.start(QUIET)
    desk.ask()
    stream = await desk.stream()
    desk.type("x")
    second = desk.ask()
    await asyncio.sleep(0.01)  # it waits for the first token, which may be an x
    stream.write(" a")
    (await desk.stream(1)).write("y", "\n")
    assert (await second).text == "y"
    assert desk.receipt.outcome is Outcome.SUGGESTED


async def test_what_broke_off_without_a_word_is_asked_for_by_who_typed_on(desk: Desk) -> None:
    await desk.start(QUIET)
    desk.ask()
    stream = await desk.stream()
    desk.type("x")
    second = desk.ask()
    await asyncio.sleep(0.01)  # it waits for the first token, which may be an x
    stream.write(Chunk("", "abort"))
    (await desk.stream(1)).write("y", "\n")
    assert (await second).text == "y"


async def test_who_paused_while_the_cursor_went_elsewhere_begins_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.start(QUIET)
    pauses: list[float] = []

    def pause(now: float) -> float:
        pauses.append(now)
        return 0.05

    monkeypatch.setattr(desk.service._generations._pacing, "pause", pause)
    first = desk.ask()
    await desk.until(lambda: pauses)
    desk.offset = len(TEXT)
    second = desk.ask(invoked=True)
    stream = await desk.stream()
    assert (await first).receipt.outcome is Outcome.SUPERSEDED
    stream.write("x = 1", "\n", "\n")
    assert (await second).text == "x = 1"
    assert len(desk.client.streams) == 1


async def test_what_was_left_half_written_serves_who_comes_back(desk: Desk) -> None:
    await desk.start(QUIET)
    desk.text = "def f(a, b):\n    \n\nprint(f(1, 2))\n"
    desk.offset = start = desk.text.index("    ") + 4
    desk.ask()
    stream = await desk.stream()
    stream.write(" c = a", "\n", "    d")
    await desk.until(lambda: stream.written.endswith("d"))
    for number, offset in enumerate((len(desk.text), start, len(desk.text)), start=1):
        desk.offset = offset  # the second time here, nothing is written
        left = desk.ask()
        await desk.stream(number)
        left.cancel(SUPERSEDED)
    desk.offset = start
    desk.type("c = ")
    assert (await desk.answered()).text == "a"
    assert desk.receipt.outcome is Outcome.CACHED
    assert len(desk.client.streams) == 4


async def test_another_document_leaves_it_alone(desk: Desk) -> None:
    await desk.start(QUIET)
    task = desk.ask()
    stream = await desk.stream()
    other = replace(desk.document(), document="file:///b.py", text="other", offset=0)
    desk.service.edited(other)
    stream.write(" a", "\n")
    assert (await task).text == "a"


async def test_a_request_elsewhere_takes_over(desk: Desk) -> None:
    await desk.start(QUIET)
    first = desk.ask()
    stream = await desk.stream()
    desk.offset = len(TEXT)
    second = desk.ask()
    assert (await first).text == ""
    assert desk.receipt.outcome is Outcome.SUPERSEDED
    other = await desk.stream(1)
    assert not stream.open
    other.write("x = 1", "\n", "\n")
    assert (await second).text == "x = 1"
    assert desk.client.at_once == 1


async def test_an_answer_at_hand_elsewhere_ends_it_too(desk: Desk) -> None:
    await desk.start(QUIET)
    await desk.answered(" a", "\n")
    desk.offset = len(TEXT)
    desk.ask()
    stream = await desk.stream(1)
    desk.offset = AT
    assert (await desk.answered()).text == "a"
    await desk.until(lambda: not stream.open)


@pytest.mark.parametrize("eagerness", ["eager", "normal"])
async def test_only_the_eager_do_not_wait(
    desk: Desk, eagerness: Literal["eager", "normal"]
) -> None:
    settings = CompletionSettings(eagerness=eagerness, prefetch=False)
    await desk.start(Settings(model="a", completion=settings))
    desk.service._generations._pacing.answered(60.0)
    desk.type("x")
    desk.ask()
    await asyncio.sleep(0.03)
    assert len(desk.client.streams) == (eagerness == "eager")


async def test_who_demands_does_not_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.start(QUIET)
    monkeypatch.setattr(desk.service._generations._pacing, "pause", lambda now: 1000.0)
    task = desk.ask(invoked=True)
    (await desk.stream()).write(" a", "\n")
    assert (await task).text == "a"


async def test_an_engine_that_fails_fails_all_that_wait(desk: Desk) -> None:
    await desk.start(QUIET)
    both = [desk.ask(), desk.ask()]
    stream = await desk.stream()
    stream.write(EngineUnavailableError("gone"))
    for suggestion in await asyncio.gather(*both):
        assert suggestion.receipt.outcome is Outcome.ENGINE_FAILED
    assert desk.engine is not None
    assert desk.engine.times_lost == 1


async def test_nothing_is_remembered_for_its_place(desk: Desk) -> None:
    await desk.start(QUIET)
    for _ in range(2):
        assert (await desk.answered("\n")).text == ""
        assert desk.receipt.outcome is Outcome.EMPTY
    assert len(desk.client.streams) == 1


async def test_what_was_rejected_comes_back_only_on_demand(desk: Desk) -> None:
    await desk.start(QUIET)
    await desk.answered(" a + b", "\n")
    desk.service._feedback._clock = lambda: time.monotonic() + 60  # it was looked at
    desk.type("x")
    desk.type("y")
    desk.delete(2)
    assert (await desk.answered()).text == ""
    assert desk.receipt.outcome is Outcome.REJECTED
    assert (await desk.ask(invoked=True)).text == "a + b"


async def test_what_follows_acceptance_is_prepared(desk: Desk) -> None:
    await desk.start()
    await desk.answered(" a + b", "\n")
    stream = await desk.prepared("\n", "    return", " c", "\n")
    assert stream.background
    assert stream.anchor.prefix.endswith("return a + b")
    desk.type("a + b")
    assert (await desk.answered()).text == ""
    desk.type("\n    ")
    assert (await desk.answered()).text == "return c"
    assert desk.receipt.outcome is Outcome.CACHED


async def test_a_real_request_does_not_wait_for_what_is_prepared(desk: Desk) -> None:
    await desk.start()
    await desk.answered(" a + b", "\n")
    await desk.until(lambda: desk.client.running)
    [prepared] = desk.client.running
    desk.type("x")
    await desk.until(lambda: not prepared.open)
    assert (await desk.answered("y", "\n")).text == "y"


async def test_typing_along_leaves_it_be(desk: Desk) -> None:
    await desk.start()
    await desk.answered(" a + b", "\n")
    await desk.until(lambda: desk.client.running)
    [prepared] = desk.client.running
    for typed in ("a", " + b", "\n    "):
        desk.type(typed)
        assert prepared.open
    task = desk.ask()
    await asyncio.sleep(0.05)  # it waits by now
    prepared.write("\n", "    return", " c", "\n")
    assert (await task).text == "return c"
    assert desk.receipt.outcome is Outcome.ATTACHED


async def test_what_was_prepared_and_dropped_is_asked_for(desk: Desk) -> None:
    await desk.start()
    await desk.answered(" a + b", "\n")
    await desk.until(lambda: desk.client.running)
    [prepared] = desk.client.running
    desk.type("a + b\n    ")
    task = desk.ask()
    await asyncio.sleep(0.01)
    prepared.write(Chunk("", "abort"))
    await desk.until(lambda: len(desk.client.streams) == 3)
    desk.client.streams[-1].write("c", "\n", "\n")
    assert (await task).text == "c"
    assert desk.receipt.outcome is Outcome.SUGGESTED


async def test_blank_lines_without_end_are_not_prepared(desk: Desk) -> None:
    await desk.start()
    await desk.answered(" a + b", "\n")
    stream = await desk.prepared("\n", "\n", "\n", "\n", "\n", "x")
    assert stream.written == "\n\n\n"


async def test_going_back_before_the_suggestion_ends_what_is_prepared(desk: Desk) -> None:
    await desk.start()
    await desk.answered(" a + b", "\n")
    await desk.until(lambda: desk.client.running)
    [prepared] = desk.client.running
    desk.delete()
    await desk.until(lambda: not prepared.open)


async def test_without_prefetch_nothing_is_prepared(desk: Desk) -> None:
    await desk.start(QUIET)
    await desk.answered(" a + b", "\n")
    await asyncio.sleep(2 * module.PREPARE_SECONDS)
    assert len(desk.client.streams) == 1


async def test_without_reuse_every_request_asks(desk: Desk) -> None:
    await desk.start(Settings(model="a", completion=CompletionSettings(reuse=False)))
    for number in range(2):
        assert (await desk.answered(" a", "\n")).text == "a"
        assert len(desk.client.streams) == number + 1


async def test_without_reuse_a_key_ends_what_is_being_written(desk: Desk) -> None:
    await desk.start(Settings(model="a", completion=CompletionSettings(reuse=False)))
    desk.ask()
    stream = await desk.stream()
    stream.write(" a")
    await desk.until(lambda: stream.written)
    desk.type("a")
    await desk.until(lambda: not stream.open)


async def test_other_settings_forget_what_was_rejected(desk: Desk) -> None:
    await desk.start(QUIET)
    await desk.answered(" a + b", "\n")
    desk.service._feedback._clock = lambda: time.monotonic() + 60  # it was looked at
    desk.type("x")
    desk.type("y")
    desk.delete(2)
    await desk.service.configure(OTHERWISE)
    assert (await desk.answered(" a + b", "\n")).text == "a + b"


async def test_other_settings_forget_prompts(desk: Desk) -> None:
    await desk.start(QUIET)
    receipt = (await desk.answered(" a", "\n")).receipt
    assert desk.service.prompt_text(receipt)
    await desk.service.configure(OTHERWISE)
    assert desk.service.prompt_text(receipt) is None


async def test_only_the_latest_generations_keep_their_prompts(desk: Desk) -> None:
    await desk.start(QUIET)
    for lines in range(generations.PROMPTS_KEPT + 1):
        desk.text, desk.offset = "\n" * lines + TEXT, AT + lines
        assert (await desk.answered(" a", "\n")).text == "a"
    has_prompt = []
    for lines in (0, 1):
        desk.text, desk.offset = "\n" * lines + TEXT, AT + lines
        has_prompt.append(desk.service.prompt_text((await desk.answered()).receipt) is not None)
        assert desk.receipt.outcome is Outcome.CACHED
    assert has_prompt == [False, True]


@pytest.mark.parametrize("changed", ["prompt", "model"])
async def test_other_settings_forget(desk: Desk, changed: str) -> None:
    await desk.start(QUIET)
    await desk.answered(" a", "\n")
    prompt = attrs.evolve(QUIET.prompt, prefix_tokens=7)
    new = {"prompt": prompt} if changed == "prompt" else {"model": "b"}
    await desk.service.configure(attrs.evolve(QUIET, **new))
    await desk.until(lambda: desk.service.state.status == "ready")
    assert (await desk.answered(" b", "\n")).text == "b"


async def test_an_opened_file_is_read_once_the_model_is_there(desk: Desk) -> None:
    await desk.start()
    desk.service.opened(replace(desk.document(), offset=0))
    await desk.until(lambda: desk.client.read)
    assert desk.client.read[0].prefix == TEXT


async def test_an_edited_file_is_read_when_its_user_pauses(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "IDLE_SECONDS", 0.01)
    await desk.start()
    desk.type("a")
    await desk.until(lambda: desk.client.read)
    assert desk.client.read[0].prefix.endswith("return a")


async def test_what_is_private_is_not_read(desk: Desk) -> None:
    await desk.start()
    desk.text = f"-----BEGIN PRIVATE KEY-----\n{TEXT}"
    desk.service.opened(desk.document())
    await asyncio.sleep(0.05)
    assert not desk.client.read


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (CompletionSettings(eagerness="on-demand"), "on-demand"),
        (CompletionSettings(disabled_languages=["python"]), "python"),
    ],
)
async def test_where_nothing_is_wanted(desk: Desk, settings: CompletionSettings, why: str) -> None:
    await desk.start(Settings(model="a", completion=settings))
    suggestion = await desk.ask()
    assert suggestion.receipt.outcome is Outcome.DISABLED
    assert why in suggestion.receipt.detail


async def test_on_demand_answers_a_demand(desk: Desk) -> None:
    settings = CompletionSettings(eagerness="on-demand", prefetch=False)
    await desk.start(Settings(model="a", completion=settings))
    task = desk.ask(invoked=True)
    (await desk.stream()).write(" a", "\n")
    assert (await task).text == "a"


async def test_an_unsure_model_is_silent(desk: Desk) -> None:
    settings = CompletionSettings(min_confidence=0.5, prefetch=False)
    await desk.start(Settings(model="a", completion=settings))
    sure, unsure = Chunk("x", token_logprobs=(-0.1,)), Chunk("y", token_logprobs=(-3.0,))
    assert (await desk.answered(sure, unsure, unsure, unsure)).text == ""
    assert desk.receipt.outcome is Outcome.UNSURE
    assert desk.receipt.detail == "0.13, wanted 0.50"
    assert (await desk.answered()).text == ""
    assert desk.receipt.outcome is Outcome.UNSURE
    assert len(desk.client.streams) == 1


async def test_a_short_answer_may_be_unsure_too(desk: Desk) -> None:
    settings = CompletionSettings(min_confidence=0.5, prefetch=False)
    await desk.start(Settings(model="a", completion=settings))
    unsure = (Chunk(text, token_logprobs=(-3.0,)) for text in (" x", "\n"))
    assert (await desk.answered(*unsure)).text == ""
    assert desk.receipt.outcome is Outcome.UNSURE


async def test_fast_typing_is_waited_for(desk: Desk) -> None:
    await desk.start(QUIET)
    await desk.answered(" a", "\n")
    desk.type("x")
    desk.service._generations._pacing.answered(60.0)
    task = desk.ask()
    await asyncio.sleep(0.01)
    assert len(desk.client.streams) == 1
    (await desk.stream(1)).write("y", "\n")
    assert (await task).text == "y"


async def test_a_failure_in_the_background_is_told(desk: Desk) -> None:
    await desk.start()
    await desk.answered(" a + b", "\n")
    await desk.prepared(EngineError("HTTP 404", 404))
    assert desk.engine is not None
    assert desk.engine.times_lost == 1


async def test_a_closed_document_s_generation_ends(desk: Desk) -> None:
    await desk.start(QUIET)
    desk.ask()
    stream = await desk.stream()
    desk.service.closed(desk.document().name)
    await desk.until(lambda: not stream.open)


async def test_an_unsure_model_is_not_asked_again_in_the_background(desk: Desk) -> None:
    settings = CompletionSettings(min_confidence=0.5)
    await desk.start(Settings(model="a", completion=settings))
    unsure = Chunk("y", token_logprobs=(-3.0,))
    assert (await desk.answered(unsure, unsure, unsure)).text == ""
    await asyncio.sleep(2 * module.PREPARE_SECONDS)
    assert len(desk.client.streams) == 1


async def test_an_answer_s_time_is_counted_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.start(QUIET)
    seconds: list[float] = []
    monkeypatch.setattr(desk.service._generations._pacing, "answered", seconds.append)
    task = desk.ask()
    (await desk.stream()).write(" a", Chunk("", "stop", timings_ms={"total": 60_000.0}))
    receipt = (await task).receipt
    assert seconds and 1000 * seconds[0] <= receipt.stages_ms["total"]


async def test_nothing_begins_while_it_closes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "IDLE_SECONDS", 0.0)
    await desk.start()
    desk.ask()
    await desk.stream()
    desk.service.edited(desk.document())  # to be read once the model is idle
    await asyncio.sleep(0.01)
    close = desk.service._statistics.close

    def close_slowly() -> None:
        time.sleep(0.05)
        close()

    monkeypatch.setattr(desk.service._statistics, "close", close_slowly)
    await desk.service.close()
    await asyncio.sleep(0.01)
    assert not desk.client.read


async def test_an_older_request_that_is_looked_at_for_long_ends_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a file is private is looked up in a thread."""
    await desk.start(QUIET)
    why_private, waits = desk.service._why_private, [0.05, 0.0]

    async def slow(document: CompletionRequest) -> str:
        await asyncio.sleep(waits.pop(0))
        return await why_private(document)

    monkeypatch.setattr(desk.service, "_why_private", slow)
    first = desk.ask()
    await asyncio.sleep(0)
    desk.offset = len(TEXT)
    second = desk.ask(invoked=True)
    stream = await desk.stream()
    assert (await first).receipt.outcome is Outcome.SUPERSEDED
    assert stream.open
    stream.write("x = 1", "\n", "\n")
    assert (await second).text == "x = 1"
