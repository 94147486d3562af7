"""Tiny GGUF files, made from tensors in Hugging Face's layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, RopeScalingType, quantize
from numpy.typing import NDArray

Tensors = dict[str, NDArray[np.float32]]
HIDDEN, HEADS, KV_HEADS, LAYERS, VOCABULARY, INTERMEDIATE = 64, 4, 2, 2, 96, 128
TOKENIZER = {
    "version": "1.0",
    "model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1, "?": 2}, "unk_token": "?"},
}

_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def make_tensors(*, biases: bool, tied: bool, seed: int = 0) -> Tensors:
    """Random weights of a model with `LAYERS` layers, under Hugging Face's names."""
    random = np.random.default_rng(seed)
    kv = HIDDEN // HEADS * KV_HEADS
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (VOCABULARY, HIDDEN),
        "model.norm.weight": (HIDDEN,),
    }
    if not tied:
        shapes["lm_head.weight"] = (VOCABULARY, HIDDEN)
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        shapes |= {
            f"{prefix}input_layernorm.weight": (HIDDEN,),
            f"{prefix}post_attention_layernorm.weight": (HIDDEN,),
            f"{prefix}self_attn.q_proj.weight": (HIDDEN, HIDDEN),
            f"{prefix}self_attn.k_proj.weight": (kv, HIDDEN),
            f"{prefix}self_attn.v_proj.weight": (kv, HIDDEN),
            f"{prefix}self_attn.o_proj.weight": (HIDDEN, HIDDEN),
            f"{prefix}mlp.gate_proj.weight": (INTERMEDIATE, HIDDEN),
            f"{prefix}mlp.up_proj.weight": (INTERMEDIATE, HIDDEN),
            f"{prefix}mlp.down_proj.weight": (HIDDEN, INTERMEDIATE),
        }
        if biases:
            shapes[f"{prefix}self_attn.q_proj.bias"] = (HIDDEN,)
            shapes[f"{prefix}self_attn.k_proj.bias"] = (kv,)
            shapes[f"{prefix}self_attn.v_proj.bias"] = (kv,)
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def write_gguf(
    path: Path,
    architecture: str,
    tensors: Tensors,
    *,
    quantised: GGMLQuantizationType = GGMLQuantizationType.F32,
    second_output: GGMLQuantizationType | None = None,
    extra: dict[str, NDArray[np.float32]] | None = None,
    linear_scaling: float | None = None,
) -> Path:
    """A GGUF file as llama.cpp's converter would write it; `second_output` repeats the embedding.

    Matrices take the type `quantised`, vectors stay F32.
    """
    writer = GGUFWriter(path, architecture)
    writer.add_block_count(LAYERS)
    writer.add_context_length(512)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INTERMEDIATE)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(100000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if linear_scaling is not None:
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(linear_scaling)
    for name, tensor in tensors.items():
        ours = _gguf_name(name)
        values = _permute(tensor, ours) if architecture == "llama" else tensor
        _add(writer, ours, values, quantised)
    if second_output is not None:
        _add(writer, "output.weight", tensors["model.embed_tokens.weight"], second_output)
    for name, tensor in (extra or {}).items():
        _add(writer, name, tensor, quantised)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_tokenizer(folder: Path) -> None:
    """A tokenizer.json that the tokenizers library can read."""
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))


def _add(
    writer: GGUFWriter, name: str, tensor: NDArray[np.float32], kind: GGMLQuantizationType
) -> None:
    if tensor.ndim == 1 or kind == GGMLQuantizationType.F32:
        writer.add_tensor(name, tensor)
    else:
        writer.add_tensor(name, quantize(tensor, kind), raw_dtype=kind)


def _gguf_name(name: str) -> str:
    stem, kind = name.rsplit(".", 1)
    if stem.startswith("model.layers."):
        _, _, layer, part = stem.split(".", 3)
        return f"blk.{layer}.{_NAMES[part]}.{kind}"
    return f"{_NAMES[stem]}.{kind}"


def _permute(tensor: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """What llama.cpp's converter does to the rows of q and k of a Llama."""
    if ".attn_q." in name or ".attn_k." in name:
        heads = HEADS if ".attn_q." in name else KV_HEADS
        halves = tensor.reshape(heads, 2, len(tensor) // heads // 2, *tensor.shape[1:])
        return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(tensor.shape))
    return tensor
