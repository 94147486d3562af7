from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.inference.engine.speculation import LONGEST, MEMORY, SHORT, Drafter


def draft(ids: Sequence[int], most: int = 99) -> list[int]:
    drafter = Drafter()
    drafter.begin(ids)
    return drafter.draft(most)


def test_what_followed_before_is_drafted() -> None:
    assert draft([1, 2, 3, 4, 5, 6, 9, 2]) == [3, 4, 5]


def test_nothing_is_drafted_where_the_last_token_is_new() -> None:
    assert draft([1, 2, 3]) == []
    assert draft([7]) == []


def test_the_longest_match_wins_over_the_latest() -> None:
    assert draft([8, 1, 5, 6, 7, 9, 1, 3, 3, 8, 1]) == [5, 6, 7]


def test_of_matches_as_long_the_latest_wins() -> None:
    assert draft([1, 5, 5, 5, 1, 6, 6, 6, 1]) == [6, 6, 6]


def test_a_text_that_repeats_itself_goes_on_so() -> None:
    assert draft([4, 9, 9]) == [9, 9, 9]
    assert draft([4, 1, 2, 1, 2]) == [1, 2, 1]


def test_the_draft_is_as_long_as_the_match() -> None:
    known = list(range(1, 3 * LONGEST))
    for matched in (1, SHORT, SHORT + 1, LONGEST, LONGEST + 1):
        drafted = draft([*known, 0, *known[:matched]])
        assert drafted == known[matched:][: min(LONGEST, max(SHORT, matched))]


@pytest.mark.parametrize("most", [-3, 0, 1, 2])
def test_no_more_is_drafted_than_asked_for(most: int) -> None:
    assert draft([1, 2, 3, 4, 5, 1], most) == [2, 3, 4][: max(0, most)]


def test_generated_tokens_are_part_of_the_text() -> None:
    drafter = Drafter()
    drafter.begin([1, 2, 3, 4])
    drafter.extend([5, 1])
    assert drafter.draft(3) == [2, 3, 4]


def test_what_was_read_and_generated_before_is_remembered() -> None:
    drafter = Drafter()
    drafter.begin([1, 2, 3, 4, 5])
    drafter.extend([6, 7, 8])
    for known in ([1, 2], [5, 6]):
        drafter.begin([100, *known])
        assert drafter.draft(1) == [known[-1] + 1]


def test_what_was_known_is_not_remembered_again() -> None:
    drafter = Drafter()
    drafter.begin(range(1000))
    for _ in range(MEMORY // 1000 + 1):
        drafter.begin(range(900, 1900), known=1000)
    drafter.begin([500])
    assert drafter.draft(3) == [501, 502, 503]


def test_the_oldest_is_forgotten() -> None:
    for count, expected in ((MEMORY - 2, [3]), (MEMORY - 1, [])):
        drafter = Drafter()
        for text in ([1, 2, 3], [9] * count, [8, 1, 2]):
            drafter.begin(text)
        assert drafter.draft(1) == expected


def test_ids_beyond_the_basic_plane_and_of_surrogates() -> None:
    assert draft([0xD800, 0x1_0FFF, 0xDFFF, 0x2_5000, 0xD800]) == [0x1_0FFF, 0xDFFF, 0x2_5000]


@given(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=60), min_size=1, max_size=4))
def test_a_draft_follows_the_longest_match_there_is(texts: list[list[int]]) -> None:
    drafter = Drafter()
    for text in texts:
        drafter.begin(text)
    drafted = drafter.draft(SHORT)
    said = [token for text in texts for token in text]
    matches = {
        start: _agreement(said[:start], said)
        for start in range(1, len(said))
        if said[start - 1] == said[-1]
    }
    if not matches:
        assert drafted == []
        return
    longest = max(matches, key=lambda start: (min(matches[start], LONGEST), start))
    period = said[longest:]
    assert drafted == (period * SHORT)[:SHORT]


def _agreement(a: Sequence[int], b: Sequence[int]) -> int:
    count = 0
    while count < min(len(a), len(b)) and a[-count - 1] == b[-count - 1]:
        count += 1
    return count
