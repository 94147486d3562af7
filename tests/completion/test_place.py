from __future__ import annotations

import pytest

from lsp_server.completion.place import REACH_AFTER, REACH_BEFORE, place_at
from tests.completion.places import at


def test_the_cursors_line() -> None:
    place = at("a\n  b = ^c\nd")
    assert (place.before, place.after) == ("  b = ", "c")
    assert not place.at_line_start
    assert at("a\n\t^\n").at_line_start


def test_a_place_without_lines() -> None:
    place = place_at("", "", "python")
    assert (place.before, place.after, place.at_line_start) == ("", "", True)


def test_what_is_open_at_the_cursor() -> None:
    assert at("f(a, [^").open.closers == (")", "]")


def test_only_the_text_near_the_cursor_is_looked_at() -> None:
    unit = "def f(a):\n    return [a]\n\n\n"
    place = place_at(unit * 4000, unit * 4000, "python")
    assert len(place.near_before) <= REACH_BEFORE
    assert place.near_before.startswith("def")
    assert len(place.near_after) <= REACH_AFTER
    assert (place.near_after + "\n") == (unit * 4000)[: len(place.near_after) + 1]
    assert not place.sees_the_end


@pytest.mark.parametrize("text", ["x" * 50_000, "(" * 50_000, "\n" * 50_000, '"' * 50_000])
def test_strange_texts_have_places(text: str) -> None:
    for language in ("python", "typescript", "plain-text", "no such language"):
        place = place_at(text, text, language)
        assert len(place.near_before) <= REACH_BEFORE
        assert place.prefix + place.suffix == text + text
