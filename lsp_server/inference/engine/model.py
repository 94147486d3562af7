"""What the decode loop needs of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor


class Stopped(Exception):
    """The request was withdrawn while its tokens were computed."""


class CausalModel(Protocol):
    """A decoder for one sequence at a time.

    `vocabulary`: token ids are below it. `exact_rows`: with at most so many tokens in a pass, all
    its results are bit for bit those of a pass for each.
    """

    device: torch.device
    window: int
    vocabulary: int
    exact_rows: int
    eos_ids: tuple[int, ...]

    def new_cache(self) -> Any:
        """An empty KV cache for one prompt."""

    def forward(
        self,
        ids: list[int],
        cache: Any,
        start: int,
        stopped: Callable[[], bool],
        rows: int = 1,
    ) -> Tensor:
        """Logits after the last `rows` of `ids` at positions `start ..`; see
        `llama.Llama.forward`."""
