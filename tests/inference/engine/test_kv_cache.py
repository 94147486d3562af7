from __future__ import annotations

import random

import pytest

from lsp_server.inference.engine.kv_cache import Slot, Slots, common_prefix

PLENTY = 1 << 20


class FakeCache:
    """Holds what it is told, one byte a position that there is room for."""

    def __init__(self) -> None:
        self.size = 0
        self.ids: list[int] = []

    def reserve(self, length: int) -> None:
        self.size = max(self.size, length)

    def truncate(self, length: int) -> None:
        del self.ids[length:]

    def copy(self, other: FakeCache, length: int) -> None:
        self.ids = other.ids[:length]


def fill(slots: Slots, ids: list[int]) -> Slot:
    """A slot that a prompt was computed in; what it reused was really in its cache."""
    slot = slots.acquire(ids)
    cache = slot.cache
    assert isinstance(cache, FakeCache)
    assert cache.ids == slot.ids == ids[: len(slot.ids)]
    assert len(slot.ids) < len(ids) <= cache.size
    slot.ids[:] = cache.ids[:] = ids
    return slot


def test_common_prefix() -> None:
    assert common_prefix([], [1]) == 0
    assert common_prefix([1, 2, 3], [1, 2, 4]) == 2
    assert common_prefix([1, 2], [1, 2, 3]) == 2


def test_typing_on_reuses_all_but_the_new_tokens() -> None:
    slots = Slots(2, PLENTY, FakeCache)
    first = fill(slots, [1, 2, 3, 4])
    again = slots.acquire([1, 2, 3, 4, 5])
    assert again is first
    assert again.ids == [1, 2, 3, 4]


def test_the_last_token_is_always_computed() -> None:
    slots = Slots(1, PLENTY, FakeCache)
    fill(slots, [1, 2, 3])
    assert slots.acquire([1, 2, 3]).ids == [1, 2]


def test_two_files_keep_their_slots() -> None:
    slots = Slots(2, PLENTY, FakeCache)
    a = fill(slots, [1] * 50)
    b = fill(slots, [1, 2] + [3] * 50)
    assert a is not b
    assert slots.acquire([1] * 50 + [7]) is a
    assert slots.acquire([1, 2] + [3] * 50 + [7]) is b


def test_a_shared_head_is_copied_from_a_slot_that_is_left_alone() -> None:
    slots = Slots(2, PLENTY, FakeCache)
    head, one, other = [1] * 40, [2] * 50, [3] * 50
    a = fill(slots, head + one)
    b = slots.acquire(head + other)
    assert b is not a
    assert b.ids == head
    assert a.ids == head + one


def test_two_layouts_of_one_file_stay_both() -> None:
    slots = Slots(2, PLENTY, FakeCache)
    head, suffix, prefix = [1] * 30, [2] * 40, [3] * 40
    suffix_first, prefix_first = head + suffix + prefix, head + prefix + suffix
    fill(slots, suffix_first)
    fill(slots, prefix_first)
    for _ in range(3):
        suffix_first.append(4)
        assert len(slots.acquire(suffix_first).ids) == len(suffix_first) - 1
        fill(slots, suffix_first)
        assert len(slots.acquire(prefix_first).ids) == len(prefix_first) - 1
        fill(slots, prefix_first)


def test_the_only_slot_keeps_what_it_shares() -> None:
    slots = Slots(1, PLENTY, FakeCache)
    slot = fill(slots, [1] * 10 + [2] * 90)
    again = slots.acquire([1] * 10 + [3] * 90)
    assert again is slot
    assert again.ids == [1] * 10


def test_a_head_survives_the_slot_that_makes_room_for_it() -> None:
    slots = Slots(2, PLENTY, FakeCache)
    a, b = fill(slots, [1] * 10 + [2] * 90), fill(slots, [5] * 9)
    assert fill(slots, [1] * 10 + [3] * 90) is a
    assert slots.acquire([5] * 9) is b


def test_prompts_that_were_withdrawn_push_nothing_out() -> None:
    slots = Slots(2, PLENTY, FakeCache)
    fill(slots, [1] * 50)
    for _ in range(3):
        slots.acquire([2] * 50)  # and not a token of it was computed
    assert slots.acquire([1] * 51).ids == [1] * 50


def test_a_discarded_slot_is_not_used_again() -> None:
    slots = Slots(1, PLENTY, FakeCache)
    slot = fill(slots, [1] * 9)
    slots.discard(slot)
    assert slots.acquire([1] * 9) is not slot


def test_the_slot_longest_unused_is_given_up() -> None:
    slots = Slots(2, PLENTY, FakeCache)
    a, b = fill(slots, [1] * 9), fill(slots, [2] * 9)
    fill(slots, [1] * 9)
    assert fill(slots, [3] * 9) is b
    assert slots.acquire([1] * 9) is a


def test_the_slots_longest_unused_go_while_there_is_too_much() -> None:
    slots = Slots(9, 100, FakeCache)
    fill(slots, [1] * 40)
    b = fill(slots, [2] * 40)
    fill(slots, [3] * 41)
    assert slots.acquire([1] * 5).ids == []
    assert slots.acquire([2] * 40) is b


@pytest.mark.parametrize("most_bytes", [0, 10])
def test_a_prompt_that_is_too_much_by_itself_is_kept_all_the_same(most_bytes: int) -> None:
    slots = Slots(4, most_bytes, FakeCache)
    slot = fill(slots, [1] * 50)
    assert slots.acquire([1] * 60) is slot
    fill(slots, [2] * 50)
    assert slots.acquire([1] * 60).ids == []


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_asked_a_slot_holds_a_true_part_of_the_prompt(seed: int) -> None:
    draw = random.Random(seed)
    slots = Slots(3, 60, FakeCache)
    texts = [draw.choices(range(3), k=30) for _ in range(3)]
    for _ in range(200):
        text = draw.choice(texts)
        text[draw.randrange(30) :] = draw.choices(range(3), k=draw.randrange(1, 9))
        fill(slots, text[: draw.randrange(len(text))] + draw.choices(range(3), k=3))
        text += [0] * (30 - len(text))
