"""Waiting for what a real program comes to."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait(
    poll: Callable[[], T],
    what: str,
    seconds: float,
    *,
    pause: Callable[[], object],
    report: Callable[[], str],
) -> T:
    """The first value of `poll` that is true, with a `pause` between two looks; fails after
    `seconds`, naming `what`, with a `report` of how things are."""
    deadline = time.monotonic() + seconds
    while not (value := poll()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s. {report()}")
        pause()
    return value
