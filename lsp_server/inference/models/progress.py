"""What every step of fetching a model says while it runs, and raises when it cannot go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias


class ModelError(Exception):
    """A model cannot be found, fetched or used. The message is meant for the user."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step has come: `done` of `total` bytes (0 where unknown), and of what."""

    status: Literal["downloading", "converting", "verifying"]
    done: int
    total: int
    detail: str


Report: TypeAlias = Callable[[Progress], None]


def megabytes(count: int) -> str:
    """Bytes for people: `12 MB`, `1.3 GB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
