"""Converts a GGUF file once to what the engine loads: safetensors in bf16 and a config.json.

Covers the architectures `qwen2` and `llama` (also Mistral's and DeepSeek-Coder's name in GGUF).
Rows are dequantised a few megabytes at a time and written straight to disk, so memory stays small
whatever the size of the model. Needs no torch and no network.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsp_server.inference.models.progress import ModelError, Progress

_BF16_BYTES = 2
_CHUNK_VALUES = 4_000_000
_SAME_MATRIX = 0.35  # relative distance: 2-bit quantisation of one matrix stays below, two do not

_ARCHITECTURES = {"qwen2": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM"}
_TOP = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_BIASED = {"attn_q", "attn_k", "attn_v"}
_SPECIAL_IDS = {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id"}


class GGUFError(ModelError):
    """The GGUF file is broken, or holds something that cannot be converted."""


@dataclass(frozen=True)
class _Tensor:
    """One tensor of the output: its name there, and where its rows come from."""

    name: str
    source: Any  # gguf.ReaderTensor
    order: NDArray[np.intp] | None  # of the rows, where llama.cpp permuted them

    @property
    def shape(self) -> list[int]:
        return [int(n) for n in reversed(self.source.shape)]

    @property
    def size(self) -> int:
        return int(np.prod(self.shape)) * _BF16_BYTES


def convert(path: Path, directory: Path, report: Callable[[Progress], None]) -> None:
    """Write `model.safetensors` (bf16) and `config.json` for a GGUF file into `directory`.

    Raises GGUFError, naming what is in the way, before anything is written.
    """
    reader = _open(path)
    config, tensors = _plan(reader)
    total = sum(tensor.size for tensor in tensors)
    _write_safetensors(
        tensors,
        directory / "model.safetensors",
        lambda done: report(Progress("converting", done, total, path.name)),
    )
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def converted_size(path: Path) -> int:
    """Bytes that `convert` will write for a GGUF file."""
    return sum(tensor.size for tensor in _plan(_open(path))[1])


def write_tokenizer(path: Path, directory: Path) -> None:
    """Write `tokenizer.json` from a GGUF file's own vocabulary, by way of transformers.

    For a GGUF file that came without one; loads transformers, and torch with it.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(path.parent), gguf_file=path.name, trust_remote_code=False
        )
        tokenizer.backend_tokenizer.save(str(directory / "tokenizer.json"))
    except Exception as error:  # transformers raises many kinds for a vocabulary it cannot read
        raise GGUFError(
            f"{path.name}: its tokenizer cannot be converted ({error}). "
            "Put the model's tokenizer.json next to the file."
        ) from error


def _open(path: Path) -> Any:
    from gguf import GGUFReader

    try:
        return GGUFReader(path)
    except Exception as error:  # the reader raises whatever a broken header happens to cause
        raise GGUFError(f"{path} is not a readable GGUF file: {error}") from error


def _plan(reader: Any) -> tuple[dict[str, Any], list[_Tensor]]:
    """The config.json and the tensors to write."""
    metadata = {
        name: field.contents()
        for name, field in reader.fields.items()
        if name.split(".")[0] in {"general", *_ARCHITECTURES} or name in _SPECIAL_IDS
    }
    architecture = metadata.get("general.architecture")
    if architecture not in _ARCHITECTURES:
        known = ", ".join(_ARCHITECTURES)
        raise GGUFError(f"GGUF architecture {architecture!r} is not supported (only {known})")
    sources = {tensor.name: tensor for tensor in reader.tensors}
    embedding, tied = _embedding(sources)
    sources["token_embd.weight"] = embedding
    if tied:
        sources.pop("output.weight", None)
    config = _config(metadata, sources, tied)
    heads = {
        "attn_q": config["num_attention_heads"],
        "attn_k": config["num_key_value_heads"],
    }
    if architecture != "llama":  # only the llama converter permutes the rows of q and k
        heads = {}
    return config, [_tensor(name, source, heads) for name, source in sources.items()]


def _embedding(sources: dict[str, Any]) -> tuple[Any, bool]:
    """The embedding to write, and whether it is the output matrix too.

    Some files hold a tied matrix twice, quantised to two precisions: the finer one is kept.
    """
    embedding = sources.get("token_embd.weight")
    if embedding is None:
        raise GGUFError("the GGUF file has no token embedding")
    output = sources.get("output.weight")
    if output is None:
        return embedding, True
    if list(output.shape) != list(embedding.shape) or _distance(embedding, output) > _SAME_MATRIX:
        return embedding, False
    return max(embedding, output, key=lambda tensor: int(tensor.n_bytes)), True


def _distance(a: Any, b: Any) -> float:
    """Distance of two matrices relative to the first, on rows spread over them."""
    rows = np.linspace(0, len(a.data) - 1, num=min(len(a.data), 512)).astype(np.intp)
    x, y = _dequantise(a, rows), _dequantise(b, rows)
    return float(np.linalg.norm(x - y) / (np.linalg.norm(x) or 1.0))


def _tensor(name: str, source: Any, heads: dict[str, int]) -> _Tensor:
    match = re.fullmatch(r"(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)", name)
    layer, part, kind = match.groups() if match else (None, "", "")
    names = _TOP if layer is None else _LAYER
    if part not in names or (kind == "bias" and part not in _BIASED):
        raise GGUFError(f"the GGUF file holds a tensor that is not supported: {name}")
    prefix = "" if layer is None else f"model.layers.{layer}."
    order = _row_order(len(source.data), heads[part]) if part in heads else None
    return _Tensor(f"{prefix}{names[part]}.{kind}", source, order)


def _row_order(rows: int, heads: int) -> NDArray[np.intp]:
    """Rows of q or k in Hugging Face's order, as indices into llama.cpp's.

    llama.cpp pairs neighbouring dimensions in its rotary embedding, Hugging Face the two halves.
    """
    pairs = np.arange(rows, dtype=np.intp).reshape(heads, rows // heads // 2, 2)
    order: NDArray[np.intp] = pairs.swapaxes(1, 2).reshape(rows)
    return order


def _config(metadata: dict[str, Any], sources: dict[str, Any], tied: bool) -> dict[str, Any]:
    """The config.json, in the form that the models' publishers write."""
    architecture = metadata["general.architecture"]

    def read(key: str, default: Any = None) -> Any:
        value = metadata.get(f"{architecture}.{key}", default)
        if value is None:
            raise GGUFError(f"the GGUF file does not say {architecture}.{key}")
        return value

    hidden, heads = read("embedding_length"), read("attention.head_count")
    config = {
        "architectures": [_ARCHITECTURES[architecture]],
        "model_type": architecture,
        "hidden_act": "silu",
        "hidden_size": hidden,
        "intermediate_size": read("feed_forward_length"),
        "num_hidden_layers": read("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": read("attention.head_count_kv", heads),
        "head_dim": read("attention.key_length", hidden // heads),
        "max_position_embeddings": read("context_length"),
        "rms_norm_eps": _decimal(read("attention.layer_norm_rms_epsilon")),
        "rope_theta": _decimal(read("rope.freq_base", 10000.0)),
        "rope_scaling": _rope_scaling(metadata, architecture),
        "vocab_size": len(sources["token_embd.weight"].data),
        "tie_word_embeddings": tied,
        "torch_dtype": "bfloat16",
        "bos_token_id": metadata.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": metadata.get("tokenizer.ggml.eos_token_id"),
    }
    if architecture == "llama":
        config["attention_bias"] = "blk.0.attn_q.bias" in sources
    return config


def _rope_scaling(metadata: dict[str, Any], architecture: str) -> dict[str, Any] | None:
    kind = metadata.get(f"{architecture}.rope.scaling.type", "none")
    factor = metadata.get(f"{architecture}.rope.scaling.factor")
    if kind == "none":
        return None
    if kind != "linear" or factor is None:
        raise GGUFError(
            f"the GGUF file scales its rotary embedding in a way ({kind}) not supported"
        )
    return {"type": "linear", "factor": _decimal(factor)}


def _decimal(value: float) -> float:
    """The number that a publisher wrote before it became a 32-bit float: 1e-06, not 9.9999e-07."""
    return float(f"{value:.6g}")


def _write_safetensors(tensors: list[_Tensor], path: Path, report: Callable[[int], None]) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in tensors:
        start, end = end, end + tensor.size
        header[tensor.name] = {
            "dtype": "BF16",
            "shape": tensor.shape,
            "data_offsets": [start, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the data starts at a multiple of eight bytes
    done = 0
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors:
            for chunk in _bf16_chunks(tensor):
                file.write(chunk)
                done += len(chunk)
                report(done)


def _bf16_chunks(tensor: _Tensor) -> Iterator[bytes]:
    from gguf import GGMLQuantizationType, quantize

    data = tensor.source.data
    order = np.arange(len(data)) if tensor.order is None else tensor.order
    rows = max(1, _CHUNK_VALUES // (tensor.shape[-1] if len(tensor.shape) > 1 else 1))
    for start in range(0, len(order), rows):
        values = _dequantise(tensor.source, order[start : start + rows])
        yield quantize(values, GGMLQuantizationType.BF16).tobytes()


def _dequantise(source: Any, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    from gguf import dequantize

    try:
        values: NDArray[np.float32] = dequantize(source.data[rows], source.tensor_type)
    except NotImplementedError as error:
        kind = source.tensor_type.name
        raise GGUFError(f"{source.name} is quantised as {kind}, which is not supported") from error
    return values
