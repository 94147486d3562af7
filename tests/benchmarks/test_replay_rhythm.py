from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.replay.rhythm import (
    BACKSPACE,
    CORRECTIONS,
    LINE_SECONDS,
    MEAN_SECONDS,
    Stroke,
    keys_of,
    split_into_keys,
)

TEXT = "for each in found:\n    total += each\nreturn total\n" * 200


def test_a_newline_brings_its_indentation() -> None:
    assert split_into_keys("a:\n    b\n\nc") == ["a", ":", "\n    ", "b", "\n", "\n", "c"]


def test_the_same_seed_gives_the_same_strokes() -> None:
    assert keys_of(TEXT, "1") == keys_of(TEXT, "1") != keys_of(TEXT, "2")


@given(st.text(alphabet="ab (\n\t_", min_size=1, max_size=60), st.integers().map(str))
def test_the_strokes_make_the_text(text: str, seed: str) -> None:
    made = ""
    for stroke in (stroke for key in keys_of(text, seed) for stroke in key.strokes):
        assert stroke.pause > 0
        made = made[:-1] if stroke.text == BACKSPACE else made + stroke.text
    assert made == text


def test_intervals_and_corrections_are_the_published_ones() -> None:
    strokes = [stroke for key in keys_of(TEXT, "1") for stroke in key.strokes]
    starts = [line_start(*pair) for pair in zip([Stroke(0, "\n"), *strokes], strokes, strict=False)]
    usual = [each.pause for each, start in zip(strokes, starts, strict=True) if not start]
    pauses = [each.pause for each, start in zip(strokes, starts, strict=True) if start]
    assert statistics.mean(usual) == pytest.approx(MEAN_SECONDS, rel=0.05)
    assert statistics.mean(pauses) == pytest.approx(LINE_SECONDS + 1.3 * MEAN_SECONDS, rel=0.1)
    corrections = sum(each.text == BACKSPACE for each in strokes) / len(strokes)
    assert corrections == pytest.approx(CORRECTIONS, rel=0.1)


def line_start(before: Stroke, stroke: Stroke) -> bool:
    return before.text.startswith("\n")


def test_a_word_begins_more_slowly() -> None:
    keys = keys_of("alpha beta_gamma " * 400, "1")
    first = [key.strokes[0].pause for key in keys[1:] if key.text in "ab"]
    inner = [key.strokes[0].pause for key in keys[1:] if key.text in "lph"]
    assert statistics.median(first) > statistics.median(inner)
