from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from benchmarks.replay.assistant import Assistant, Usage
from benchmarks.replay.rhythm import BACKSPACE, Key, Stroke
from benchmarks.replay.typist import Typist, as_typed, keys_covered

LONG = 20.0
"""Seconds; nobody waits so long, since a suggestion is accepted before."""


def key(text: str, pause: float = 0.0) -> Key:
    return Key(text, (Stroke(pause, text),))


def keys(text: str, last_pause: float = 0.0) -> list[Key]:
    return [key(each, last_pause if n == len(text) - 1 else 0.0) for n, each in enumerate(text)]


class Scripted(Assistant):
    """Answers from a script, by the text before the cursor, a moment after each change."""

    def __init__(self, answers: Mapping[str, str], rest: float | None = None) -> None:
        super().__init__()
        self.answers = answers
        self.rest = rest
        self.before = ""
        self.seen: list[str] = []
        self.accepted: list[str] = []

    async def open(self, before: str, after: str) -> None:
        self.before = before

    def change(self, before: str) -> None:
        self.type_along(before[len(self.before) :] if before.startswith(self.before) else "")
        self.before, self.answered = before, None
        self.seen.append(before)
        if before in self.answers:
            asyncio.get_running_loop().call_soon(self.show, self.answers[before])

    def accept(self, before: str) -> None:
        self.accepted.append(before)
        self.change(before)

    async def at_rest_after(self, moment: float) -> float | None:
        return None if self.rest is None else moment + self.rest

    async def usage(self) -> Usage:
        return Usage()


async def typed(assistant: Scripted, made: list[Key], reaction: float = 0.0) -> Typist:
    user = Typist("", "", made, assistant, reaction)
    await asyncio.wait_for(user.run(), LONG / 2)
    return user


async def test_what_is_right_as_a_whole_is_accepted() -> None:
    assistant = Scripted({"re": "turn x  \n    y\n"})
    made = [*keys("re"), key("t", LONG), *keys("urn x"), key("\n    "), key("y")]
    trace = (await typed(assistant, made)).trace
    assert assistant.accepted == ["return x\n    y"]
    assert (trace.keys, trace.saved, trace.accepted) == (10, 8, ["turn x\n    y"])
    assert [each.kind for each in trace.struck] == ["typed", "typed", "accepted"]


@pytest.mark.parametrize("wrong", ["turn y", "turn xy", "turn x\nmore", "t", " ", ""])
async def test_what_is_wrong_or_saves_nothing_is_ignored(wrong: str) -> None:
    assistant = Scripted({"re": wrong})
    trace = (await typed(assistant, keys("return x", last_pause=0.05))).trace
    assert trace.saved == 0 and not assistant.accepted
    assert assistant.seen[-1] == "return x"


async def test_nothing_is_accepted_before_the_reaction_time() -> None:
    assistant = Scripted({"a": "bcd"})
    assert (await typed(assistant, keys("abcd", last_pause=0.05), reaction=LONG)).trace.saved == 0


async def test_looking_goes_on_while_typing_along() -> None:
    assistant = Scripted({"a": "bcdef"})
    made = [key("a"), key("b", 0.02), key("c", 0.02), key("d", LONG), key("e"), key("f")]
    trace = (await typed(assistant, made, reaction=1.5)).trace
    assert trace.accepted == ["def"]


async def test_a_typo_is_struck_and_taken_back() -> None:
    assistant = Scripted({"ab": "cd"}, rest=0.004)
    typo = Key("b", (Stroke(0.0, "x", wrong=True), Stroke(0.0, BACKSPACE), Stroke(0.0, "b")))
    trace = (await typed(assistant, [key("a"), typo, key("c", LONG), key("d")])).trace
    assert assistant.seen == ["a", "ax", "a", "ab", "abcd"]
    kinds = ["typed", "wrong", "backspace", "typed", "accepted"]
    assert [each.kind for each in trace.struck] == kinds
    assert trace.rest_ms == pytest.approx([4.0])


async def test_a_key_against_the_suggestion_is_a_disagreement() -> None:
    made = [key("a"), key("b", 0.05), key("c", 0.05)]
    assert len((await typed(Scripted({"a": "x"}, rest=0.0), made)).trace.rest_ms) == 1
    assert (await typed(Scripted({"a": "x"}, rest=None), made)).trace.rest_ms == []
    assert (await typed(Scripted({"a": "bxy"}, rest=0.0), made[:2])).trace.rest_ms == []


async def test_answers_are_noted_for_the_text_that_they_are_for() -> None:
    assistant = Scripted({"a": "bcx", "ab": "cx"})
    made = [key("a"), key("b", 0.05), key("c", 0.05), key("d", 0.05)]
    struck = (await typed(assistant, made)).trace.struck
    assert [each.answered is not None for each in struck] == [True, True, False, False]
    assert [each.stayed for each in struck] == [False, True, True, False]


def test_blank_space_at_line_ends_does_not_count() -> None:
    assert as_typed("a  \n  b\t\n \n") == "a\n  b"


def test_a_suggestion_covers_whole_keys() -> None:
    made = [key("a"), key("\n    "), key("b"), key("c")]
    assert keys_covered("a\n    b", made) == 3
    assert keys_covered("a\n  ", made) == 0
    assert keys_covered("a\n    bcd", made) == 0
    assert keys_covered("a", made) == 0
