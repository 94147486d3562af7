"""KV caches: one slot a prompt, found again by the longest common prefix of its token ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol


class Cache(Protocol):
    """Keys and values of one prompt. `size`: bytes that it takes."""

    @property
    def size(self) -> int: ...

    def reserve(self, length: int) -> None:
        """Make room for `length` positions, keeping what is there."""

    def truncate(self, length: int) -> None:
        """Forget all positions from `length` on."""

    def copy(self, other: Any, length: int) -> None:
        """Hold the first `length` positions of another cache of the same kind, and no others."""


class Slot:
    """One prompt's cache, and the token ids that its positions hold."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.ids: list[int] = []

    def truncate(self, length: int) -> None:
        """Keep the first `length` positions."""
        del self.ids[length:]
        self.cache.truncate(length)

    def copy(self, other: Slot, length: int) -> None:
        """Hold the first `length` positions of another slot, and no others."""
        self.ids[:] = other.ids[:length]
        self.cache.copy(other.cache, length)


class Slots:
    """Slots in order of use, so that two files, or two layouts of one, do not evict each other.

    A prompt takes over the slot that shares the most with it, when at least half of that slot stays
    valid. Else the slot is left alone, and what they share is copied, which takes a hundredth of
    the time it would take to compute: into an empty slot, or a new one, or that longest unused.
    At most `count` are kept, and the longest unused go while all take more than `most_bytes`.
    """

    def __init__(self, count: int, most_bytes: int, new_cache: Callable[[], Cache]) -> None:
        self._count = max(1, count)
        self._most_bytes = most_bytes
        self._new_cache = new_cache
        self._slots: list[Slot] = []

    def acquire(self, ids: Sequence[int]) -> Slot:
        """A slot that holds exactly the part of `ids` it could reuse, at most all but the last.

        The last token is always left to compute: its logits are what decoding starts from.
        """
        nearest = max(self._slots, key=lambda slot: common_prefix(slot.ids, ids), default=None)
        shared = common_prefix(nearest.ids, ids) if nearest else 0
        if nearest and 0 < len(nearest.ids) <= 2 * shared:
            slot = nearest
            self._slots.remove(slot)
        else:
            slot = self._fresh_slot()
        slot.cache.reserve(len(ids))
        reuse = min(shared, len(ids) - 1)
        if nearest and nearest is not slot:
            slot.copy(nearest, reuse)
        else:
            slot.truncate(reuse)
        self._slots.append(slot)
        self._keep_within_bounds()
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

    def _keep_within_bounds(self) -> None:
        while len(self._slots) > 1 and self._size() > self._most_bytes:
            del self._slots[0]

    def _size(self) -> int:
        return sum(slot.cache.size for slot in self._slots)


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the longest common prefix."""
    limit = min(len(a), len(b))
    for index in range(limit):
        if a[index] != b[index]:
            return index
    return limit
