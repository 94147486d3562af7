"""KV caches: one slot a prompt, found again by the longest common prefix of its token ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class Cache(Protocol):
    """Keys and values of one prompt."""

    def truncate(self, length: int) -> None:
        """Forget all positions from `length` on."""


class Slot:
    """One prompt's cache, and the token ids that its positions hold."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.ids: list[int] = []

    def truncate(self, length: int) -> None:
        """Keep the first `length` positions."""
        del self.ids[length:]
        self.cache.truncate(length)


class Slots:
    """A few slots in order of use, so that two files do not evict each other.

    A prompt takes over the slot that shares the most with it, when that is at least half of either;
    else it gets an empty or a new slot, or the one longest unused.
    """

    def __init__(self, count: int, new_cache: Callable[[], Cache]) -> None:
        self._count = max(1, count)
        self._new_cache = new_cache
        self._slots: list[Slot] = []

    def acquire(self, ids: Sequence[int]) -> Slot:
        """A slot that holds exactly the part of `ids` it could reuse, at most all but the last.

        The last token is always left to compute: its logits are what decoding starts from.
        """
        shared = [common_prefix(slot.ids, ids) for slot in self._slots]
        best = max(range(len(shared)), key=shared.__getitem__, default=None)
        if best is None or 2 * shared[best] < min(len(ids), len(self._slots[best].ids)):
            slot = self._fresh_slot()
            reuse = common_prefix(slot.ids, ids)
        else:
            slot = self._slots.pop(best)
            reuse = shared[best]
        slot.truncate(min(reuse, len(ids) - 1))
        self._slots.append(slot)
        return slot

    def discard(self, slot: Slot) -> None:
        """Give up an acquired slot, whose cache may be in any state."""
        self._slots.remove(slot)

    def _fresh_slot(self) -> Slot:
        for index, slot in enumerate(self._slots):
            if not slot.ids:  # its prompt was withdrawn early; such must not push out the others
                return self._slots.pop(index)
        if len(self._slots) < self._count:
            return Slot(self._new_cache())
        return self._slots.pop(0)


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the longest common prefix."""
    limit = min(len(a), len(b))
    for index in range(limit):
        if a[index] != b[index]:
            return index
    return limit
