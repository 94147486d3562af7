"""Places are written with `|` for the cursor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.completion.rejections import MOST, Rejections

BEFORE = "import os\n\n\ndef f(path):\n"
AFTER = "\n\n\nf('here')\nf('there')\nf('far away')\n"


def split(place: str) -> tuple[str, str]:
    prefix, _, suffix = place.partition("|")
    return prefix, suffix


def remembering(place: str, text: str, document: str = "a.py") -> Rejections:
    rejections = Rejections()
    rejections.remember(document, *split(place), text)
    return rejections


def around(line: str) -> str:
    return BEFORE + line + AFTER


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("    fo|", "obar()"),
        ("    f|", "oobar()"),
        ("    |", "foobar()"),
        ("    foobar|", "()"),
        ("    fo|", "oba"),
        ("    fo|", "obar() + 1"),
        ("    fo|", "obar()\n    return 1"),
        ("    fo|", "obar()  "),
    ],
)
def test_the_same_again_is_refused(line: str, text: str) -> None:
    rejections = remembering(around("    fo|"), "obar()")
    assert rejections.holds("a.py", *split(around(line)), text)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("    fo|", "ol()"),
        ("    |", "return 1"),
        ("    foz|", "bar()"),
        ("    fo|)", "obar()"),
        ("    x\n    fo|", "obar()"),
        ("    fo|\n    x", "obar()"),
    ],
)
def test_something_else_is_offered(line: str, text: str) -> None:
    rejections = remembering(around("    fo|"), "obar()")
    assert not rejections.holds("a.py", *split(around(line)), text)


def test_another_document_is_another_place() -> None:
    rejections = remembering(around("    fo|"), "obar()")
    assert not rejections.holds("b.py", *split(around("    fo|")), "obar()")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def f(path):", "def f(path, mode):"),
        ("f('here')", "f('elsewhere')"),
        ("f('there')", "f('elsewhere')"),
        ("import os", "import sys"),
    ],
)
def test_a_change_around_makes_it_worth_another_try(old: str, new: str) -> None:
    place = around("    fo|")
    assert old in place
    rejections = remembering(place, "obar()")
    assert not rejections.holds("a.py", *split(place.replace(old, new)), "obar()")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("f('far away')", "f('even farther')"),
        ("\n\n\nf('here')", "\nf('here')"),
        ("import os\n\n\n", "import os\n"),
        ("f('there')", "  f('there')"),
    ],
)
def test_a_change_far_away_or_of_blanks_does_not(old: str, new: str) -> None:
    place = around("    fo|")
    assert old in place
    rejections = remembering(place, "obar()")
    assert rejections.holds("a.py", *split(place.replace(old, new)), "obar()")


def test_suggestions_of_several_lines_are_the_same_by_their_first() -> None:
    place = around("    |")
    rejections = remembering(place, "for each in path:\n        print(each)")
    assert rejections.holds("a.py", *split(place), "for each in path:\n        yield each")
    assert not rejections.holds("a.py", *split(place), "for every in path:\n        print(every)")


def test_a_first_line_that_is_blank_is_none() -> None:
    place = around("    if path:|")
    rejections = remembering(place, "\n        return path")
    assert rejections.holds("a.py", *split(place), "\n        return path\n    return None")
    assert not rejections.holds("a.py", *split(place), "\n        print(path)")
    assert not rejections.holds("a.py", *split(place), "  # always")


def test_at_the_edges_of_a_document() -> None:
    rejections = remembering("|", "import os")
    assert rejections.holds("a.py", "im", "", "port os")
    assert not rejections.holds("a.py", "im", "\nx", "port os")


def test_forgotten_when_it_was_wanted_after_all() -> None:
    rejections = Rejections()
    rejection = rejections.remember("a.py", "x = ", "", "1")
    rejections.forget(rejection)
    assert not rejections.holds("a.py", "x = ", "", "1")
    rejections.forget(rejection)


def test_a_blank_text_says_nothing_of_others() -> None:
    rejections = remembering("x = |", " ")
    assert not rejections.holds("a.py", "x = ", "", "1")


def test_all_forgotten() -> None:
    rejections = remembering("x = |", "1")
    rejections.clear()
    assert not rejections.holds("a.py", "x = ", "", "1")


def test_only_so_many_are_kept_and_those_in_use_stay() -> None:
    rejections = remembering("first = |", "1")
    for number in range(MOST - 1):
        rejections.remember("a.py", f"x{number} = ", "", "1")
    assert rejections.holds("a.py", "first = ", "", "1")
    rejections.remember("a.py", "last = ", "", "1")
    assert rejections.holds("a.py", "first = ", "", "1")
    assert not rejections.holds("a.py", "x0 = ", "", "1")
    assert rejections.holds("a.py", "x1 = ", "", "1")


text = st.text("ab ()\n", max_size=30)


@given(prefix=text, suffix=text, suggestion=text.filter(str.strip), typed=st.integers(0, 30))
def test_refused_wherever_the_cursor_is_on_its_first_line(
    prefix: str, suffix: str, suggestion: str, typed: int
) -> None:
    rejections = Rejections()
    rejections.remember("a.py", prefix, suffix, suggestion)
    along = suggestion.partition("\n")[0][:typed]
    rest = suggestion[len(along) :]
    assert rejections.holds("a.py", prefix + along, suffix, rest)
