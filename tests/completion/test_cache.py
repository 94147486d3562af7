from __future__ import annotations

import pytest

from lsp_server.completion.cache import (
    CHARACTERS_KEPT,
    ENTRIES_KEPT,
    Entry,
    Recalled,
    SuggestionCache,
    agreement,
)
from lsp_server.completion.types import Anchor, Outcome

AT = Anchor("a", "x = ", "\ny")


@pytest.mark.parametrize(
    ("now", "typed"),
    [
        (Anchor("a", "x = ", "\ny"), ""),
        (Anchor("a", "x = fo", "\ny"), "fo"),
        (Anchor("a", "x = f(", ")\ny"), "f("),
        (Anchor("a", "x = f([", "])\ny"), "f(["),
        (Anchor("a", 'x = "', '"\ny'), '"'),
        (Anchor("b", "x = ", "\ny"), None),
        (Anchor("a", "x =", "\ny"), None),
        (Anchor("a", "x = ", "\ny\n"), None),
        (Anchor("a", "x = ", ")\ny"), None),
        (Anchor("a", "x = f(", "a\ny"), None),
        (Anchor("a", "x = f(((", ")))\ny"), None),
        (Anchor("a", "x + fo", "\ny"), None),
    ],
)
def test_what_was_typed_since(now: Anchor, typed: str | None) -> None:
    assert agreement(AT, now) == typed


def cache_of(*entries: Entry) -> SuggestionCache:
    cache = SuggestionCache()
    for entry in entries:
        cache.add(entry)
    return cache


def test_typing_along_finds_the_rest() -> None:
    cache = cache_of(Entry(AT, "foo(a)\nbar", "foo(a)", whole=False))
    now = Anchor("a", "x = fo", "\ny")
    assert list(cache.recall(now)) == [Recalled("o(a)", "o(a)\nbar", False)]
    assert list(cache.recall(Anchor("a", "x = fa", "\ny"))) == []


def test_behind_what_was_shown_there_is_only_text() -> None:
    cache = cache_of(Entry(AT, "foo(a)\nbar", "foo(a)", whole=True))
    for typed, ahead in (("foo(a)", "\nbar"), ("foo(a)\n", "bar"), ("foo(a)\nbar", "")):
        now = Anchor("a", "x = " + typed, "\ny")
        assert list(cache.recall(now)) == [Recalled(None, ahead, True)]


def test_what_was_shown_has_to_be_fitted_anew_to_a_closed_bracket() -> None:
    cache = cache_of(Entry(AT, "foo(a)", "foo(a)", whole=False))
    now = Anchor("a", "x = foo(", ")\ny")
    assert list(cache.recall(now)) == [Recalled(None, "a)", False)]


def test_what_is_shown_may_be_indented_in_another_way() -> None:
    cache = cache_of(Entry(AT, "f(\n    a)", "f(\n\ta)", whole=True))
    [known] = cache.recall(Anchor("a", "x = f(\n\t", "\ny"))
    assert known.shown == "a)"


def test_nothing_is_remembered_too_but_only_for_its_place() -> None:
    cache = cache_of(Entry(AT, "\n", "", whole=False, nothing=Outcome.EMPTY))
    assert list(cache.recall(AT)) == [Recalled("", "\n", False, Outcome.EMPTY)]
    assert list(cache.recall(Anchor("a", "x = \n", "\ny"))) == [
        Recalled(None, "", False, Outcome.EMPTY)
    ]


def test_the_latest_comes_first_and_replaces_its_elder() -> None:
    earlier = Anchor("a", "x =", "\ny")
    cache = cache_of(
        Entry(AT, "old", "old", whole=True),
        Entry(earlier, " foo", None, whole=True),
        Entry(AT, "foo", "foo", whole=True),
    )
    assert [known.ahead for known in cache.recall(AT)] == ["foo", "foo"]
    assert [known.shown for known in cache.recall(AT)] == ["foo", None]


def test_it_is_bounded() -> None:
    cache = SuggestionCache()
    for number in range(ENTRIES_KEPT + 1):
        cache.add(Entry(Anchor("a", f"{number}:", ""), "x", "x", whole=True))
    assert not list(cache.recall(Anchor("a", "0:", "")))
    assert list(cache.recall(Anchor("a", "1:", "")))


def test_of_large_documents_fewer_are_kept() -> None:
    cache = SuggestionCache()
    ends = [Anchor("a", f"{number}:", "x" * (CHARACTERS_KEPT // 3)) for number in range(3)]
    for anchor in ends:
        cache.add(Entry(anchor, "x", "x", whole=True))
    assert [bool(list(cache.recall(anchor))) for anchor in ends] == [False, True, True]
