"""What the layers above know of an inference engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class EngineState:
    """What the inference engine is doing; `percent` (0 to 100) while it downloads or loads."""

    status: Literal["starting", "downloading", "loading", "ready", "failed"]
    message: str = ""
    percent: float | None = None
