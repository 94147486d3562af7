from __future__ import annotations

from lsp_server.inference.engine.kv_cache import Slot, Slots, common_prefix


class CountingCache:
    """Remembers how many positions it was cut back to."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def truncate(self, length: int) -> None:
        self.lengths.append(length)


def fill(slots: Slots, ids: list[int]) -> Slot:
    slot = slots.acquire(ids)
    slot.ids[:] = ids
    return slot


def test_common_prefix() -> None:
    assert common_prefix([], [1]) == 0
    assert common_prefix([1, 2, 3], [1, 2, 4]) == 2
    assert common_prefix([1, 2], [1, 2, 3]) == 2


def test_typing_on_reuses_all_but_the_new_tokens() -> None:
    slots = Slots(2, CountingCache)
    first = fill(slots, [1, 2, 3, 4])
    again = slots.acquire([1, 2, 3, 4, 5])
    assert again is first
    assert again.ids == [1, 2, 3, 4]


def test_the_last_token_is_always_computed() -> None:
    slots = Slots(1, CountingCache)
    fill(slots, [1, 2, 3])
    assert slots.acquire([1, 2, 3]).ids == [1, 2]


def test_the_cache_is_cut_with_the_ids() -> None:
    slots = Slots(1, CountingCache)
    fill(slots, [1, 2, 3, 4])
    slot = slots.acquire([1, 2, 9, 9])
    assert slot.ids == [1, 2]
    assert isinstance(slot.cache, CountingCache)
    assert slot.cache.lengths[-1] == 2


def test_two_files_keep_their_slots() -> None:
    slots = Slots(2, CountingCache)
    a = fill(slots, [1] * 50)
    b = fill(slots, [1, 2] + [3] * 50)
    assert a is not b
    assert slots.acquire([1] * 50 + [7]) is a
    assert slots.acquire([1, 2] + [3] * 50 + [7]) is b


def test_prompts_that_were_withdrawn_push_nothing_out() -> None:
    slots = Slots(2, CountingCache)
    fill(slots, [1] * 50)
    for _ in range(3):
        slots.acquire([2] * 50)  # and not a token of it was computed
    assert slots.acquire([1] * 51).ids == [1] * 50


def test_a_discarded_slot_is_not_used_again() -> None:
    slots = Slots(1, CountingCache)
    slot = fill(slots, [1] * 9)
    slots.discard(slot)
    assert slots.acquire([1] * 9) is not slot


def test_the_slot_longest_unused_is_given_up() -> None:
    slots = Slots(2, CountingCache)
    a, b = fill(slots, [1] * 9), fill(slots, [2] * 9)
    slots.acquire([1] * 9)
    assert slots.acquire([3] * 9) is b
    assert slots.acquire([1] * 9) is a
