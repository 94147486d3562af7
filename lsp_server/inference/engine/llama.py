"""The forward pass of Llama-shaped decoders (Llama, DeepSeek-Coder, Qwen2, Mistral), one sequence.

In the manner of gpt-fast: nothing stands between the reader and the tensors. On a CPU the KV cache
is fp32, because attention with one query is several times slower in bf16 there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lsp_server.inference.engine.config import ModelConfig
from lsp_server.inference.engine.linear import Linear
from lsp_server.inference.engine.model import Stopped

CACHE_STEP = 1024
"""Positions by which a KV cache grows."""


@dataclass(slots=True)
class Layer:
    """Weights of one decoder layer; query, key and value, and gate and up, are fused."""

    attention_norm: Tensor
    qkv: Linear
    attention_out: Linear
    mlp_norm: Tensor
    gate_up: Linear
    down: Linear


class LlamaCache:
    """Keys and values, each `[layers, kv_heads, capacity, head_dim]`; capacity grows in steps."""

    def __init__(self, config: ModelConfig, dtype: torch.dtype, device: torch.device) -> None:
        self._shape = (config.layers, config.kv_heads, config.head_dim)
        self._window = config.window
        self.keys = self._allocate(0, dtype, device)
        self.values = self._allocate(0, dtype, device)

    def _allocate(self, capacity: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        layers, kv_heads, head_dim = self._shape
        return torch.empty(layers, kv_heads, capacity, head_dim, dtype=dtype, device=device)

    def reserve(self, length: int) -> None:
        """Make room for `length` positions, keeping what is there."""
        held = self.keys.shape[2]
        if length <= held:
            return
        capacity = min(self._window, -(-length // CACHE_STEP) * CACHE_STEP)
        for name in ("keys", "values"):
            old: Tensor = getattr(self, name)
            new = self._allocate(capacity, old.dtype, old.device)
            new[:, :, :held] = old
            setattr(self, name, new)

    def truncate(self, length: int) -> None:
        """Nothing to do: positions from `length` on are overwritten before they are read."""


class Llama:
    """A decoder ready to run; see `weights.load_llama` for how it is made."""

    def __init__(
        self,
        config: ModelConfig,
        embedding: Tensor,
        layers: list[Layer],
        norm: Tensor,
        head: Linear,
    ) -> None:
        self.config = config
        self.window = config.window
        self.vocabulary = embedding.shape[0]
        self.eos_ids = config.eos_ids
        self.device = embedding.device
        self._embedding = embedding
        self._layers = layers
        self._norm = norm
        self._head = head
        self._cache_dtype = torch.float32 if self.device.type == "cpu" else embedding.dtype
        self._cos, self._sin = rope_tables(config, self.device)

    def new_cache(self) -> LlamaCache:
        """An empty KV cache for one prompt."""
        return LlamaCache(self.config, self._cache_dtype, self.device)

    def forward(
        self, ids: list[int], cache: LlamaCache, start: int, stopped: Callable[[], bool]
    ) -> Tensor:
        """Logits `[vocabulary]` (fp32) after `ids`, which stand at positions `start ..`.

        The cache must hold positions `0 .. start`; it gains those of `ids`. Raises `Stopped` when
        `stopped()` turns true between two layers; the cache then still holds `0 .. start`.
        """
        end = start + len(ids)
        cache.reserve(end)
        cos, sin = self._cos[start:end, None], self._sin[start:end, None]
        mask = self._mask(len(ids), start)
        x = F.embedding(torch.tensor(ids, device=self.device), self._embedding)
        for index, layer in enumerate(self._layers):
            if stopped():
                raise Stopped
            h = self._norm_rows(x, layer.attention_norm)
            keys, values = cache.keys[index], cache.values[index]
            attended = self._attend(layer.qkv(h), keys, values, start, cos, sin, mask)
            x = x + layer.attention_out(attended)
            gate, up = layer.gate_up(self._norm_rows(x, layer.mlp_norm)).chunk(2, dim=1)
            x = x + layer.down(F.silu(gate) * up)
        return self._head(self._norm_rows(x[-1:], self._norm))[0].float()

    def _norm_rows(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(x, (self.config.hidden,), weight, self.config.norm_eps)

    def _mask(self, rows: int, start: int) -> Tensor | None:
        """To be added to each new row's scores of positions `0 .. start + rows`; None: nothing.

        In the cache's type: a mask of booleans would be turned into this anew in every layer.
        """
        if rows == 1:
            return None
        hidden = torch.full(
            (rows, start + rows), -math.inf, dtype=self._cache_dtype, device=self.device
        )
        return hidden.triu_(start + 1).repeat(self.config.heads // self.config.kv_heads, 1)

    def _attend(
        self,
        qkv: Tensor,
        keys: Tensor,
        values: Tensor,
        start: int,
        cos: Tensor,
        sin: Tensor,
        mask: Tensor | None,
    ) -> Tensor:
        """Attention of the new rows over the cache, which gains their keys and values.

        Query heads that share a key head are laid out as further rows of it, so that grouped
        queries need no copy of the cache.
        """
        config, rows = self.config, qkv.shape[0]
        end, groups = start + rows, config.heads // config.kv_heads
        heads = qkv.view(rows, config.heads + 2 * config.kv_heads, config.head_dim)
        heads = heads.to(self._cache_dtype)
        rotated = rotate(heads[:, : config.heads + config.kv_heads], cos, sin)
        keys[:, start:end] = rotated[:, config.heads :].transpose(0, 1)
        values[:, start:end] = heads[:, config.heads + config.kv_heads :].transpose(0, 1)
        query = rotated[:, : config.heads].transpose(0, 1)
        query = query.reshape(1, config.kv_heads, groups * rows, config.head_dim)
        attended = F.scaled_dot_product_attention(
            query, keys[None, :, :end], values[None, :, :end], attn_mask=mask
        )
        attended = attended.reshape(config.heads, rows, config.head_dim).transpose(0, 1)
        return attended.reshape(rows, -1).to(qkv.dtype)


def rope_tables(config: ModelConfig, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines `[window, head_dim]` of rotary embeddings (arXiv 2104.09864)."""
    exponents = torch.arange(0, config.head_dim, 2, dtype=torch.float64) / config.head_dim
    frequencies = config.rope_theta**-exponents / config.rope_factor
    angles = torch.outer(torch.arange(config.window, dtype=torch.float64), frequencies)
    cos, sin = angles.cos(), angles.sin()
    tables = torch.cat([cos, cos], dim=1), torch.cat([-sin, sin], dim=1)
    return tables[0].float().to(device), tables[1].float().to(device)


def rotate(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of `[rows, heads, head_dim]`, halves paired as in the Llama checkpoints."""
    swapped = heads.roll(heads.shape[-1] // 2, dims=-1)
    return (heads * cos + swapped * sin).to(heads.dtype)
