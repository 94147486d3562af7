"""Loads a Llama-like model straight from safetensors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from lsp_server.inference.engine.config import ModelConfig
from lsp_server.inference.engine.linear import Linear
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

    def __contains__(self, name: str) -> bool:
        return name in self._where

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._where:  # as in quantised checkpoints
            raise ValueError(f"the weights lack {name}")
        tensor: Tensor = self._where[name].get_tensor(name)
        return tensor


def compute_dtype(device: torch.device) -> torch.dtype:
    """bf16 where the hardware multiplies it fast, else fp32."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32


def load_llama(
    directory: Path,
    config: ModelConfig,
    device: torch.device,
    dtype: torch.dtype,
    report: Callable[[float], None] = lambda fraction: None,
) -> Llama:
    """The model on `device`; `report` gets the fraction of layers loaded (0 to 1)."""
    checkpoint = Checkpoint(directory)
    int8 = device.type == "cpu"

    def tensor(name: str) -> Tensor:
        return checkpoint[name].to(device=device, dtype=dtype)

    def linear(*names: str) -> Linear:
        weight = torch.cat([tensor(f"{name}.weight") for name in names])
        biased = f"{names[0]}.bias" in checkpoint
        bias = torch.cat([tensor(f"{name}.bias") for name in names]) if biased else None
        return Linear(weight, bias, int8=int8)

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

    embedding = tensor("model.embed_tokens.weight")
    tied = config.tied_embeddings or "lm_head.weight" not in checkpoint
    return Llama(
        config,
        embedding,
        [layer(index) for index in range(config.layers)],
        tensor("model.norm.weight"),
        Linear(embedding, int8=int8) if tied else linear("lm_head"),
    )
