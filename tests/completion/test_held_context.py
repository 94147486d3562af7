from __future__ import annotations

from lsp_server.completion.held_context import DOCUMENTS, HeldContext
from lsp_server.completion.types import Anchor
from lsp_server.context.steadiness import RECEIVER_POINTS, Chosen, Piece
from lsp_server.prompt.types import Snippet

AT = Anchor("a", "x\n" * 10, "")
TOKENS = 1000
FAST, SLOW, SLOWEST = 0.0001, 0.0004, 0.002
"""Seconds a token."""


def chosen(name: str, score: float = 10.0) -> Chosen:
    piece = Piece(f"{name}.py", name, (0, 0), score)
    return Chosen("a", (Snippet(f"{name}.py", name),), {}, (piece,))


def holding(seconds_per_token: float) -> HeldContext:
    held = HeldContext()
    held.hold(AT, chosen("old"))
    held.was_read(100, 100 * seconds_per_token)
    return held


def test_what_is_cheap_to_read_is_taken() -> None:
    assert holding(FAST).prefer(AT, chosen("new"), TOKENS) == chosen("new")


def test_what_is_dear_to_read_waits() -> None:
    assert holding(SLOW).prefer(AT, chosen("new"), TOKENS) == chosen("old")


def test_the_definition_of_a_receiver_is_worth_more() -> None:
    urgent = chosen("new", RECEIVER_POINTS)
    assert holding(SLOW).prefer(AT, urgent, TOKENS) == urgent
    assert holding(SLOWEST).prefer(AT, urgent, TOKENS) == chosen("old")


def test_far_away_and_in_other_documents_nothing_is_held() -> None:
    for at in (Anchor("a", "x\n" * 100, ""), Anchor("b", AT.prefix, "")):
        assert holding(SLOWEST).prefer(at, chosen("new"), TOKENS) == chosen("new")


def test_the_same_again_is_the_new_one_with_its_reasons() -> None:
    new = chosen("old", 11.0)
    assert holding(SLOWEST).prefer(AT, new, TOKENS) is new


def test_an_empty_choice_is_not_held_on_to() -> None:
    held = holding(SLOWEST)
    held.hold(AT, Chosen())
    assert held.prefer(AT, chosen("new"), TOKENS) == chosen("new")


def test_a_short_prompt_says_nothing_of_the_pace() -> None:
    held = HeldContext()
    held.hold(AT, chosen("old"))
    held.was_read(3, 5.0)
    assert held.prefer(AT, chosen("new"), TOKENS) == chosen("new")


def test_only_the_latest_documents_are_kept() -> None:
    held = holding(SLOWEST)
    for number in range(DOCUMENTS):
        held.hold(Anchor(str(number), "", ""), chosen("other"))
    assert held.prefer(AT, chosen("new"), TOKENS) == chosen("new")
