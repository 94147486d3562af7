"""The shape of a Llama-like model, read from the `config.json` that stands beside its weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsp_server.inference.models.model import window_of

LLAMA_LIKE = ("LlamaForCausalLM", "Qwen2ForCausalLM", "MistralForCausalLM")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Sizes and constants of a Llama-like decoder.

    `rope_factor` divides positions (linear scaling); `eos_ids` end a text; `window` is the most
    positions the model was trained for.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    norm_eps: float
    rope_theta: float
    rope_factor: float
    window: int
    tied_embeddings: bool
    eos_ids: tuple[int, ...]


def read_raw(directory: Path) -> dict[str, Any]:
    """`config.json` as it stands, with the end tokens of `generation_config.json` laid over it."""
    raw: dict[str, Any] = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    generation = directory / "generation_config.json"
    if generation.exists():
        ends = json.loads(generation.read_text(encoding="utf-8")).get("eos_token_id")
        raw["eos_token_id"] = _as_list(raw.get("eos_token_id")) + _as_list(ends)
    return raw


def eos_ids(raw: dict[str, Any]) -> tuple[int, ...]:
    """End-of-text ids of a configuration, each once."""
    return tuple(dict.fromkeys(_as_list(raw.get("eos_token_id"))))


def llama_config(raw: dict[str, Any]) -> ModelConfig | None:
    """The configuration when our own forward pass covers it, else None."""
    rope = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    rope_type = rope.get("rope_type", rope.get("type", "default"))
    if not set(raw.get("architectures") or ()) & set(LLAMA_LIKE):
        return None
    if rope_type not in ("default", "linear") or raw.get("hidden_act", "silu") != "silu":
        return None
    heads = raw["num_attention_heads"]
    return ModelConfig(
        layers=raw["num_hidden_layers"],
        hidden=raw["hidden_size"],
        heads=heads,
        kv_heads=raw.get("num_key_value_heads") or heads,
        head_dim=raw.get("head_dim") or raw["hidden_size"] // heads,
        norm_eps=raw["rms_norm_eps"],
        rope_theta=float(rope.get("rope_theta") or raw.get("rope_theta") or 10000.0),
        rope_factor=float(rope.get("factor", 1.0)) if rope_type == "linear" else 1.0,
        window=window_of(raw),
        tied_embeddings=bool(raw.get("tie_word_embeddings", False)),
        eos_ids=eos_ids(raw),
    )


def _as_list(value: int | list[int] | None) -> list[int]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
