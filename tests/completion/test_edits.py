from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.completion.edits import Edit, edit_between, same_ahead, same_behind

texts = st.text("ab \nж😀", max_size=20)


@given(old=texts, new=texts, near=st.integers(0, 20))
def test_an_edit_makes_the_one_text_of_the_other(old: str, new: str, near: int) -> None:
    edit = edit_between(old, new, near)
    assert 0 <= edit.start <= edit.end <= len(old)
    assert edit.start <= edit.new_end <= len(new)
    assert old[: edit.start] + new[edit.start : edit.new_end] + old[edit.end :] == new


@given(before=texts, after=texts, piece=texts.filter(bool))
def test_an_edit_is_found_at_the_cursor(before: str, after: str, piece: str) -> None:
    shorter, longer = before + after, before + piece + after
    start, end = len(before), len(before + piece)
    assert edit_between(shorter, longer, near=start) == Edit(start, start, end)
    assert edit_between(longer, shorter, near=end) == Edit(start, end, start)


@given(one=texts, other=texts)
def test_common_ends(one: str, other: str) -> None:
    ahead, behind = same_ahead(one, other), same_behind(one, other)
    assert one[:ahead] == other[:ahead]
    assert one[ahead : ahead + 1] != other[ahead : ahead + 1] or ahead == len(one) == len(other)
    assert one[len(one) - behind :] == other[len(other) - behind :]
    assert same_behind(one[::-1], other[::-1]) == ahead


@pytest.mark.parametrize(
    ("offset", "after"), [(0, 0), (10, 10), (12, 11), (15, 13), (20, 15), (30, 25)]
)
def test_where_an_offset_is_afterwards(offset: int, after: int) -> None:
    assert Edit(10, 20, 15).moved(offset) == pytest.approx(after, abs=1)


@given(before=texts, after=texts, piece=texts.filter(bool))
def test_what_surrounds_a_change_moves_with_it(before: str, after: str, piece: str) -> None:
    edit = Edit(len(before), len(before), len(before + piece))
    whole = before + piece + after
    for offset in range(1, len(after) + 1):
        assert whole[edit.moved(len(before) + offset) :] == after[offset:]
