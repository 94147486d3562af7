"""Architectures that our own forward pass does not cover, through transformers' model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lsp_server.inference.engine.config import eos_ids
from lsp_server.inference.models.model import window_of


class TransformersCache:
    """A `DynamicCache` that can be cut back."""

    def __init__(self) -> None:
        from transformers import DynamicCache

        self.past: Any = DynamicCache()

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return sum(layer.keys.nbytes + layer.values.nbytes for layer in self._layers())

    def reserve(self, length: int) -> None:
        """Nothing to do: it grows with every token."""

    def truncate(self, length: int) -> None:
        """Forget all positions from `length` on."""
        surplus = self.past.get_seq_length() - length
        if surplus > 0:
            # transformers 5 takes the number of tokens to remove, as a negative number
            self.past.crop(-surplus)

    def copy(self, other: TransformersCache, length: int) -> None:
        """Hold the first `length` positions of another one."""
        self.past = type(self.past)()
        for index, layer in enumerate(other._layers()):
            keys, values = layer.keys[:, :, :length], layer.values[:, :, :length]
            self.past.update(keys.clone(), values.clone(), index)

    def _layers(self) -> list[Any]:
        return [layer for layer in self.past.layers if layer.is_initialized]


class TransformersModel:
    """A causal model of transformers, one sequence at a time.

    Loads safetensors only, and never code that stands in the model's directory. A withdrawn request
    is noticed between chunks, not within one.
    """

    exact_rows = 1

    def __init__(
        self, directory: Path, raw: dict[str, Any], device: torch.device, dtype: torch.dtype
    ) -> None:
        from transformers import AutoModelForCausalLM

        self.window = window_of(raw)
        self.eos_ids = eos_ids(raw)
        self.device = device
        model = AutoModelForCausalLM.from_pretrained(
            directory, dtype=dtype, use_safetensors=True, trust_remote_code=False
        )
        self._model: Any = model.to(device).eval()
        self.vocabulary: int = self._model.get_input_embeddings().weight.shape[0]

    def new_cache(self) -> TransformersCache:
        """An empty KV cache for one prompt."""
        return TransformersCache()

    def forward(
        self,
        ids: list[int],
        cache: TransformersCache,
        start: int,
        stopped: Callable[[], bool],
        rows: int = 1,
    ) -> Tensor:
        """Logits `[rows, vocabulary]` (fp32) after each of the last `rows` of `ids`, which stand at
        positions `start ..`."""
        output = self._model(
            input_ids=torch.tensor([ids], device=self.device),
            past_key_values=cache.past,
            use_cache=True,
            logits_to_keep=rows,
        )
        logits: Tensor = output.logits[0].float()
        return logits
