from __future__ import annotations

import math

import pytest

from benchmarks.replay.assistant import Usage
from benchmarks.replay.metrics import figures, key_ms, new_ms, percentile, visible_ms
from benchmarks.replay.typist import Struck, Trace


def trace(saved: int = 5, generated: int = 30) -> Trace:
    return Trace(
        "a.py:f",
        keys=20,
        struck=[
            Struck(1.0, "typed", stayed=False, answered=1.2),
            Struck(2.0, "typed", stayed=True, answered=2.1),
            Struck(3.0, "typed", stayed=True, answered=None),
            Struck(4.0, "wrong", stayed=False, answered=None),
            Struck(5.0, "accepted", stayed=False, answered=5.4),
        ],
        saved=saved,
        accepted=["one two", "three"],
        rest_ms=[3.0, 5.0],
        usage=Usage(answered=8, reused=6, generated=generated),
    )


def count(text: str) -> int:
    return len(text.split())


def test_only_answers_for_the_text_count_and_what_stayed_is_zero() -> None:
    assert visible_ms([trace()]) == pytest.approx([200.0, 0.0, 400.0])
    assert new_ms([trace()]) == pytest.approx([200.0, 400.0])
    assert key_ms([trace()]) == pytest.approx([200.0, 0.0, 400.0, math.inf, math.inf])


def test_figures_of_a_hand_made_trace() -> None:
    values = {name: each.value for name, each in figures([trace()], count).items()}
    assert values == pytest.approx(
        {
            "saved_percent": 25.0,
            "visible_p50_ms": 200.0,
            "visible_p95_ms": 400.0,
            "new_p50_ms": 200.0,
            "new_p95_ms": 400.0,
            "key_p50_ms": 400.0,
            "shown_percent": 60.0,
            "reused_percent": 75.0,
            "generated_per_used": 10.0,
            "rest_p50_ms": 3.0,
            "rest_p95_ms": 5.0,
        }
    )


def test_segments_are_pooled_and_the_interval_spans_them() -> None:
    saved = figures([trace(0), trace(10), trace(5)], count)["saved_percent"]
    assert saved.value == pytest.approx(25.0)
    assert saved.low is not None and saved.high is not None
    assert 0.0 <= saved.low < 25.0 < saved.high <= 50.0


def test_where_there_is_nothing_there_is_no_figure() -> None:
    empty = figures([Trace("a.py:f", keys=3)], count)
    assert empty["visible_p50_ms"].value is None and empty["generated_per_used"].low is None
    assert empty["saved_percent"].value == 0.0


def test_percentiles() -> None:
    assert percentile([float(each) for each in range(1, 101)], 95) == 95.0
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([], 50) is None
