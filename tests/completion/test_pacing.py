from __future__ import annotations

import pytest

from lsp_server.completion.pacing import LONGEST_PAUSE, Pacing


def paced(*, key: float, answer: float) -> Pacing:
    """Somebody who typed ten keys, the last at 0, with a model that answered twice."""
    pacing = Pacing()
    for number in range(-9, 1):
        pacing.typed(number * key)
    for _ in range(2):
        pacing.answered(answer)
    return pacing


def test_the_first_request_does_not_wait() -> None:
    pacing = Pacing()
    assert pacing.pause(0) == 0
    pacing.typed(0)
    assert pacing.pause(0) == 0, "nothing is known of the model yet"


@pytest.mark.parametrize(
    ("key", "answer", "pause"),
    [
        (0.03, 2.0, 0.03),
        (0.3, 2.0, LONGEST_PAUSE),
        (0.3, 0.04, 0.02),
        (5.0, 2.0, LONGEST_PAUSE),
    ],
)
def test_no_longer_than_a_key_or_half_an_answer(key: float, answer: float, pause: float) -> None:
    assert paced(key=key, answer=answer).pause(0) == pytest.approx(pause)


def test_what_the_editor_waited_counts() -> None:
    pacing = paced(key=0.04, answer=2.0)
    assert pacing.pause(0.03) == pytest.approx(0.01)
    assert pacing.pause(0.2) == 0
