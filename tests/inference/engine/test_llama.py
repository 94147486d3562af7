"""Our forward pass against transformers' on the same random weights."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from lsp_server.inference.engine.config import llama_config, read_raw
from lsp_server.inference.engine.llama import Llama
from lsp_server.inference.engine.model import Stopped
from lsp_server.inference.engine.weights import load_llama
from tests.inference.tiny_models import VOCABULARY, write_model

CPU = torch.device("cpu")
LINEAR_ROPE = {"rope_type": "linear", "factor": 4.0, "rope_theta": 100000.0}
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama with grouped queries": ("Llama", {}),
    "llama with one key head a query head": ("Llama", {"num_key_value_heads": 4}),
    "deepseek-coder, linear rope": ("Llama", {"rope_parameters": LINEAR_ROPE}),
    "llama with biases": ("Llama", {"attention_bias": True, "mlp_bias": True}),
    "qwen2, tied": ("Qwen2", {"tie_word_embeddings": True}),
    "mistral, own head size": ("Mistral", {"head_dim": 32, "sliding_window": None}),
}


def load(directory: Path, dtype: torch.dtype = torch.float32) -> Llama:
    config = llama_config(read_raw(directory))
    assert config is not None
    return load_llama(directory, config, CPU, dtype)


def never() -> bool:
    return False


@pytest.mark.parametrize("shape", SHAPES)
@torch.inference_mode()
def test_logits_are_those_of_transformers(shape: str, tmp_path: Path) -> None:
    kind, changes = SHAPES[shape]
    reference = write_model(tmp_path, kind, **changes)
    model = load(tmp_path)
    ids = random.Random(1).choices(range(VOCABULARY), k=60)
    expected = reference(torch.tensor([ids])).logits[0]
    cache, start = model.new_cache(), 0
    for size in (1, 20, 2, 1, 17, 19):
        logits = model.forward(ids[start : start + size], cache, start, never)
        start += size
        torch.testing.assert_close(logits, expected[start - 1], atol=2e-4, rtol=2e-4)


@torch.inference_mode()
def test_bf16_and_int8_stay_close(tmp_path: Path) -> None:
    reference = write_model(tmp_path, "Qwen2")
    model = load(tmp_path, torch.bfloat16)
    ids = random.Random(2).choices(range(VOCABULARY), k=40)
    expected = reference(torch.tensor([ids])).logits[0]
    cache = model.new_cache()
    model.forward(ids[:30], cache, 0, never)
    for position in range(30, 40):
        logits = model.forward([ids[position]], cache, position, never)
        similarity = torch.cosine_similarity(logits, expected[position], dim=0)
        assert similarity > 0.98


@torch.inference_mode()
def test_cache_grows_and_is_overwritten(tmp_path: Path) -> None:
    reference = write_model(tmp_path, "Llama")
    model = load(tmp_path)
    draw = random.Random(3)
    ids = draw.choices(range(VOCABULARY), k=1100)
    cache = model.new_cache()
    model.forward(ids, cache, 0, never)
    changed = ids[:700] + draw.choices(range(VOCABULARY), k=30)
    logits = model.forward(changed[700:], cache, 700, never)
    expected = reference(torch.tensor([changed])).logits[0, -1]
    torch.testing.assert_close(logits, expected, atol=5e-4, rtol=5e-4)


@torch.inference_mode()
def test_stops_between_layers_and_can_go_on(tmp_path: Path) -> None:
    reference = write_model(tmp_path, "Llama")
    model = load(tmp_path)
    ids = list(range(50))
    cache = model.new_cache()
    model.forward(ids[:20], cache, 0, never)
    answers = iter([False, True])
    with pytest.raises(Stopped):
        model.forward(ids[20:], cache, 20, lambda: next(answers))
    logits = model.forward(ids[20:], cache, 20, never)
    expected = reference(torch.tensor([ids])).logits[0, -1]
    torch.testing.assert_close(logits, expected, atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"architectures": ["Starcoder2ForCausalLM"]}, "another architecture"),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 4.0}}, "another rope"),
        ({"hidden_act": "gelu"}, "another activation"),
    ],
)
def test_what_is_not_covered_is_left_to_transformers(
    changes: dict[str, Any], why: str, tmp_path: Path
) -> None:
    write_model(tmp_path, "Llama")
    assert llama_config(read_raw(tmp_path)) is not None
    assert llama_config(read_raw(tmp_path) | changes) is None, why


def test_sliding_window_bounds_the_window(tmp_path: Path) -> None:
    write_model(tmp_path, "Mistral", sliding_window=512)
    config = llama_config(read_raw(tmp_path))
    assert config is not None
    assert config.window == 512


def test_a_missing_weight_is_named(tmp_path: Path) -> None:
    write_model(tmp_path, "Llama")
    weights = load_file(tmp_path / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"lack model\.layers\.1\.mlp\.up_proj\.weight"):
        load(tmp_path)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    write_model(tmp_path, "Llama")
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match="safetensors"):
        load(tmp_path)
