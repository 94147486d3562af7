"""Loads a Llama-like model straight from safetensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from lsp_server.inference.engine.config import ModelConfig
from lsp_server.inference.engine.linear import AnyLinear, Linear, LinearForm
from lsp_server.inference.engine.llama import Layer, Llama


class Checkpoint:
    """Tensors of all `*.safetensors` files of a directory, by name, read one at a time.

    Raises FileNotFoundError when there is none: other formats can carry code and are not read.
    Asked for a tensor that is missing, it raises ValueError.
    """

    def __init__(self, directory: Path) -> None:
        files = sorted(directory.glob("*.safetensors"))
        if not files:
            raise FileNotFoundError(f"{directory} holds no .safetensors weights")
        handles: list[Any] = [safe_open(file, framework="pt") for file in files]
        self._where = {name: handle for handle in handles for name in list(handle.keys())}

    @property
    def weights(self) -> int:
        """How many numbers it holds."""
        slices = (handle.get_slice(name) for name, handle in self._where.items())
        return sum(math.prod(each.get_shape()) for each in slices)

    def __contains__(self, name: str) -> bool:
        return name in self._where

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._where:  # as in quantised checkpoints
            raise ValueError(f"the weights lack {name}")
        tensor: Tensor = self._where[name].get_tensor(name)
        return tensor


def load_llama(
    directory: Path,
    config: ModelConfig,
    device: torch.device,
    dtype: torch.dtype,
    form: LinearForm = Linear,
    report: Callable[[float], None] = lambda fraction: None,
) -> Llama:
    """The model on `device`, activations in `dtype`, matrices in `form`; `report` gets the fraction
    of layers loaded (0 to 1)."""
    checkpoint = Checkpoint(directory)

    def tensor(name: str) -> Tensor:
        return checkpoint[name].to(device=device, dtype=dtype)

    def joined(names: Sequence[str]) -> Tensor:
        # as stored: converting a whole vocabulary's head first would double what loading takes
        parts = [checkpoint[name].to(device) for name in names]
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def linear(*names: str) -> AnyLinear:
        biased = f"{names[0]}.bias" in checkpoint
        bias = joined([f"{name}.bias" for name in names]).to(dtype) if biased else None
        return form(joined([f"{name}.weight" for name in names]), bias, dtype)

    def layer(index: int) -> Layer:
        base = f"model.layers.{index}"
        attention, mlp = f"{base}.self_attn", f"{base}.mlp"
        loaded = Layer(
            attention_norm=tensor(f"{base}.input_layernorm.weight"),
            qkv=linear(*(f"{attention}.{part}_proj" for part in "qkv")),
            attention_out=linear(f"{attention}.o_proj"),
            mlp_norm=tensor(f"{base}.post_attention_layernorm.weight"),
            gate_up=linear(f"{mlp}.gate_proj", f"{mlp}.up_proj"),
            down=linear(f"{mlp}.down_proj"),
        )
        report((index + 1) / config.layers)
        return loaded

    # in its own type: rows are looked up, not multiplied
    embedding = checkpoint["model.embed_tokens.weight"].to(device)
    tied = config.tied_embeddings or "lm_head.weight" not in checkpoint
    return Llama(
        config,
        embedding,
        [layer(index) for index in range(config.layers)],
        tensor("model.norm.weight"),
        linear("model.embed_tokens" if tied else "lm_head"),
    )
