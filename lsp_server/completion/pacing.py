"""How long to wait before the model is asked: as long as the next key is likely to come anyway."""

from __future__ import annotations

import statistics
from collections import deque

KEYS_KEPT = 8
LONGEST_KEY = 1.0
"""Seconds between two keys; a longer pause says nothing of how fast somebody types."""
USUAL_KEY = 0.15
SHARE_OF_ANSWER = 0.5
"""Waiting longer than this part of an answer's time would cost more than a wasted start."""
LONGEST_PAUSE = 0.05
"""A start that the next key makes void costs little: what was read stays in the KV cache."""


class Pacing:
    """Follows one user's keys and the model's answers; times in seconds of any one clock."""

    def __init__(self) -> None:
        self._keys: deque[float] = deque(maxlen=KEYS_KEPT)
        self._answers: deque[float] = deque(maxlen=KEYS_KEPT)
        self._last_key: float | None = None

    def typed(self, now: float) -> None:
        """A document changed."""
        if self._last_key is not None and now - self._last_key < LONGEST_KEY:
            self._keys.append(now - self._last_key)
        self._last_key = now

    def answered(self, seconds: float) -> None:
        """A generation took so long."""
        self._answers.append(seconds)

    def pause(self, now: float) -> float:
        """Seconds to wait from now on: none where the editor itself waited, or where the model
        answers faster than somebody types."""
        if self._last_key is None or not self._answers:
            return 0.0
        key = statistics.median(self._keys) if self._keys else USUAL_KEY
        answer = statistics.median(self._answers)
        wanted = min(key, SHARE_OF_ANSWER * answer, LONGEST_PAUSE)
        return max(0.0, wanted - (now - self._last_key))
