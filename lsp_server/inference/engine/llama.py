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
from lsp_server.inference.engine.cuda import STEP_ROWS, Pace, StepGraphs, record_cuda_graph
from lsp_server.inference.engine.linear import AnyLinear
from lsp_server.inference.engine.model import Stopped

CACHE_STEP = 1024
"""Positions by which a KV cache grows."""
EXACT_ROWS = 8
"""Most rows that are computed as one by one would be, to the last bit. More would cost more for
their attention than there is to win."""


@dataclass(slots=True)
class Layer:
    """Weights of one decoder layer; query, key and value, and gate and up, are fused."""

    attention_norm: Tensor
    qkv: AnyLinear
    attention_out: AnyLinear
    mlp_norm: Tensor
    gate_up: AnyLinear
    down: AnyLinear


@dataclass(frozen=True, slots=True)
class Place:
    """Where new rows stand: `at` are their positions in the cache, `length` how far it is read.

    `mask` `[groups * rows, length]` is added to their scores; None: each row sees all up to itself.
    """

    at: slice | Tensor
    length: int
    cos: Tensor
    sin: Tensor
    mask: Tensor | None


class LlamaCache:
    """Keys and values, each `[layers, kv_heads, capacity, head_dim]`; capacity grows in steps.

    `graphs` holds what was recorded with these very tensors, by the length that it reads.
    """

    def __init__(self, config: ModelConfig, dtype: torch.dtype, device: torch.device) -> None:
        shape = (config.layers, config.kv_heads, 0, config.head_dim)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.graphs: dict[int, Callable[[], Tensor]] = {}

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return self.keys.nbytes + self.values.nbytes

    def reserve(self, length: int) -> None:
        """Make room for `length` positions, keeping what is there."""
        missing = -(-length // CACHE_STEP) * CACHE_STEP - self.keys.shape[2]
        if missing <= 0:
            return
        self.graphs.clear()
        # zeros: what was never written is read too, with a weight of nothing, and must be a number
        self.keys = F.pad(self.keys, (0, 0, 0, missing))
        self.values = F.pad(self.values, (0, 0, 0, missing))

    def truncate(self, length: int) -> None:
        """Nothing to do: positions from `length` on are overwritten before they are read."""

    def copy(self, other: LlamaCache, length: int) -> None:
        """Hold the first `length` positions of another one."""
        self.reserve(length)
        self.keys[:, :, :length] = other.keys[:, :, :length]
        self.values[:, :, :length] = other.values[:, :, :length]


class Llama:
    """A decoder ready to run; see `weights.load_llama` for how it is made.

    Activations are in the type of `norm`; `embedding` may be in another.
    """

    def __init__(
        self,
        config: ModelConfig,
        embedding: Tensor,
        layers: list[Layer],
        norm: Tensor,
        head: AnyLinear,
    ) -> None:
        self.config = config
        self.window = config.window
        self.vocabulary = embedding.shape[0]
        self.eos_ids = config.eos_ids
        self.device = norm.device
        self.exact_rows = min(EXACT_ROWS, head.exact_rows)
        self._embedding = embedding
        self._layers = layers
        self._norm = norm
        self._head = head
        on_cpu = self.device.type == "cpu"
        self._cache_dtype = torch.float32 if on_cpu else norm.dtype
        # a cache's last step reaches over the window, and so may padding rows
        self._cos, self._sin = rope_tables(config, config.window + CACHE_STEP, self.device)
        self._graphs = None if on_cpu else StepGraphs(self, record_cuda_graph)
        if self._graphs is not None:
            self.exact_rows = STEP_ROWS

    def new_cache(self) -> LlamaCache:
        """An empty KV cache for one prompt."""
        return LlamaCache(self.config, self._cache_dtype, self.device)

    def forward(
        self,
        ids: list[int],
        cache: LlamaCache,
        start: int,
        stopped: Callable[[], bool],
        rows: int = 1,
    ) -> Tensor:
        """Logits `[rows, vocabulary]` (fp32) after each of the last `rows` of `ids`, which stand at
        positions `start ..`.

        The cache must hold positions `0 .. start`; it gains those of `ids`. Raises `Stopped` when
        `stopped()` turns true between two layers; the cache then still holds `0 .. start`. With at
        most `exact_rows` ids all results are bit for bit those of a pass for each.
        """
        if self._graphs is not None and len(ids) <= STEP_ROWS:
            if stopped():
                raise Stopped
            return self._graphs.step(ids, cache, start)[len(ids) - rows : len(ids)].clone()
        end = start + len(ids)
        cache.reserve(end)
        mask = None if len(ids) <= self.exact_rows or start == 0 else self._mask(len(ids), start)
        at = slice(start, end)
        place = Place(at, end, self._cos[at, None], self._sin[at, None], mask)
        return self.run(torch.tensor(ids, device=self.device), cache, place, stopped, rows)

    def run(
        self,
        ids: Tensor,
        cache: LlamaCache,
        place: Place,
        stopped: Callable[[], bool],
        rows: int,
    ) -> Tensor:
        """The pass itself, over ids already on the device and a cache that has room for them."""
        x = F.embedding(ids, self._embedding).to(self._norm.dtype)
        pace = Pace(self.device)
        for index, layer in enumerate(self._layers):
            if stopped():
                raise Stopped
            qkv = layer.qkv(self._norm_rows(x, layer.attention_norm))
            attended = self._attend(qkv, cache.keys[index], cache.values[index], place)
            if layer is self._layers[-1]:  # nothing but keys and values is wanted of the other rows
                attended, x = attended[-rows:], x[-rows:]
            x = x + layer.attention_out(attended)
            gate, up = layer.gate_up(self._norm_rows(x, layer.mlp_norm)).chunk(2, dim=1)
            x = x + layer.down(F.silu(gate) * up)
            pace.step()
        return self._head(self._norm_rows(x, self._norm)).float()

    def _norm_rows(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(x, (self.config.hidden,), weight, self.config.norm_eps)

    def _mask(self, rows: int, start: int) -> Tensor:
        """In the cache's type: a mask of booleans would be turned into this in every layer."""
        hidden = torch.full(
            (rows, start + rows), -math.inf, dtype=self._cache_dtype, device=self.device
        )
        return hidden.triu_(start + 1).repeat(self.config.heads // self.config.kv_heads, 1)

    def place_of(self, positions: Tensor, length: int) -> Place:
        """The place of rows at positions that a tensor on the device holds."""
        beyond = torch.arange(length, device=self.device) > positions[:, None]
        mask = torch.zeros(beyond.shape, dtype=self._cache_dtype, device=self.device)
        mask = mask.masked_fill_(beyond, -math.inf)
        groups = self.config.heads // self.config.kv_heads
        cos, sin = self._cos[positions, None], self._sin[positions, None]
        return Place(positions, length, cos, sin, mask.repeat(groups, 1))

    def _attend(self, qkv: Tensor, keys: Tensor, values: Tensor, place: Place) -> Tensor:
        """Attention of the new rows over the cache, which gains their keys and values."""
        config, rows = self.config, qkv.shape[0]
        heads = qkv.view(rows, config.heads + 2 * config.kv_heads, config.head_dim)
        heads = heads.to(self._cache_dtype)
        rotated = rotate(heads[:, : config.heads + config.kv_heads], place.cos, place.sin)
        keys[:, place.at] = rotated[:, config.heads :].transpose(0, 1)
        values[:, place.at] = heads[:, config.heads + config.kv_heads :].transpose(0, 1)
        query = rotated[:, : config.heads].transpose(0, 1)
        keys, values = keys[None, :, : place.length], values[None, :, : place.length]
        if place.mask is not None:
            attended = self._attend_masked(query, keys, values, place.mask)
        elif rows <= self.exact_rows:
            attended = self._attend_each(query, keys, values)
        else:
            attended = F.scaled_dot_product_attention(
                query[None], keys, values, is_causal=True, enable_gqa=True
            )[0].transpose(0, 1)
        return attended.reshape(rows, -1).to(qkv.dtype)

    def _attend_masked(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """Query heads that share a key head are laid out as further rows of it, so that grouped
        queries need no copy of the cache."""
        heads, rows, head_dim = query.shape
        query = query.reshape(1, self.config.kv_heads, -1, head_dim)
        attended = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
        return attended.reshape(heads, rows, head_dim).transpose(0, 1)

    def _attend_each(self, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """A call for each row: one for several of them would round otherwise."""
        heads, rows, head_dim = query.shape
        length = keys.shape[2]
        grouped = query.reshape(self.config.kv_heads, -1, rows, head_dim)
        attended = []
        for index, row in enumerate(grouped.unbind(2)):
            end = length - rows + index + 1
            attended.append(
                F.scaled_dot_product_attention(row[None], keys[:, :, :end], values[:, :, :end])
            )
        return torch.cat(attended).view(rows, heads, head_dim)


def rope_tables(config: ModelConfig, positions: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines `[positions, head_dim]` of rotary embeddings (arXiv 2104.09864)."""
    exponents = torch.arange(0, config.head_dim, 2, dtype=torch.float64) / config.head_dim
    frequencies = config.rope_theta**-exponents / config.rope_factor
    angles = torch.outer(torch.arange(positions, dtype=torch.float64), frequencies)
    cos, sin = angles.cos(), angles.sin()
    tables = torch.cat([cos, cos], dim=1), torch.cat([-sin, sin], dim=1)
    return tables[0].float().to(device), tables[1].float().to(device)


def rotate(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of `[rows, heads, head_dim]`, halves paired as in the Llama checkpoints."""
    swapped = heads.roll(heads.shape[-1] // 2, dims=-1)
    return (heads * cos + swapped * sin).to(heads.dtype)
