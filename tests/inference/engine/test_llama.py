"""Our forward pass against transformers' on the same random weights."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lsp_server.inference.engine import llama
from lsp_server.inference.engine.config import llama_config, read_raw
from lsp_server.inference.engine.cuda import StepGraphs
from lsp_server.inference.engine.linear import (
    CudaInt8Linear,
    Int8Linear,
    Linear,
    LinearForm,
    WeightOnlyInt8Linear,
)
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


def load(directory: Path, dtype: torch.dtype = torch.float32, form: LinearForm = Linear) -> Llama:
    config = llama_config(read_raw(directory))
    assert config is not None
    return load_llama(directory, config, CPU, dtype, form)


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
        (logits,) = model.forward(ids[start : start + size], cache, start, never)
        start += size
        torch.testing.assert_close(logits, expected[start - 1], atol=2e-4, rtol=2e-4)


LONG = 16 * 1024
FAR = {
    "max_position_embeddings": LONG,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("Llama", {"num_key_value_heads": 2}),
        ("Llama", {"num_key_value_heads": 2, "rope_parameters": LINEAR_ROPE}),
        ("Qwen2", {"num_key_value_heads": 1, "tie_word_embeddings": True, "rope_theta": 1e6}),
    ],
    ids=["llama", "deepseek-coder", "qwen2"],
)
@torch.inference_mode()
def test_far_positions_are_those_of_transformers(
    kind: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    reference = write_model(tmp_path, kind, **(FAR | changes))
    exact, rounded = load(tmp_path), load(tmp_path, torch.bfloat16)
    ids = random.Random(4).choices(range(VOCABULARY), k=LONG)
    hidden = reference.model(torch.tensor([ids])).last_hidden_state[0]
    for model, least_similarity in ((exact, 1 - 1e-6), (rounded, 0.999)):
        cache = model.new_cache()
        ends = [1, 100, 2047, 2048, 4000, 8192, LONG - 1, LONG]
        for start, end in zip([0, *ends], ends, strict=False):
            for begin in range(start, end, 2048):
                (logits,) = model.forward(ids[begin : min(end, begin + 2048)], cache, begin, never)
            expected = reference.lm_head(hidden[end - 1])
            assert torch.cosine_similarity(logits, expected, dim=0) > least_similarity, end


@pytest.mark.parametrize(
    ("dtype", "form", "least_similarity"),
    [
        (torch.bfloat16, Linear, 0.999),
        (torch.bfloat16, WeightOnlyInt8Linear, 0.99),
        (torch.float32, WeightOnlyInt8Linear, 0.99),
        (torch.float32, Int8Linear, 0.98),
    ],
)
@torch.inference_mode()
def test_other_forms_of_weights_stay_close(
    dtype: torch.dtype, form: LinearForm, least_similarity: float, tmp_path: Path
) -> None:
    reference = write_model(tmp_path, "Qwen2")
    model = load(tmp_path, dtype, form)
    ids = random.Random(2).choices(range(VOCABULARY), k=40)
    expected = reference(torch.tensor([ids])).logits[0]
    cache = model.new_cache()
    model.forward(ids[:30], cache, 0, never)
    for position in range(30, 40):
        (logits,) = model.forward([ids[position]], cache, position, never)
        similarity = torch.cosine_similarity(logits, expected[position], dim=0)
        assert similarity > least_similarity


@pytest.mark.parametrize("form", [Int8Linear, WeightOnlyInt8Linear])
@torch.inference_mode()
def test_few_rows_are_what_they_are_alone(form: LinearForm, tmp_path: Path) -> None:
    write_model(tmp_path, "Qwen2")
    model = load(tmp_path, form=form)
    assert model.exact_rows == 8
    ids = random.Random(5).choices(range(VOCABULARY), k=300)
    alone, together = model.new_cache(), model.new_cache()
    for cache in (alone, together):
        model.forward(ids[:250], cache, 0, never)
    for start, rows in ((250, 8), (258, 3), (261, 8), (269, 2)):
        expected = [model.forward([ids[start + i]], alone, start + i, never) for i in range(rows)]
        logits = model.forward(ids[start : start + rows], together, start, never, rows)
        assert torch.equal(logits, torch.cat(expected))
    assert torch.equal(alone.keys, together.keys)
    assert torch.equal(alone.values, together.values)


@torch.inference_mode()
def test_recorded_steps_are_those_of_the_forward_pass(tmp_path: Path) -> None:
    """Without a GPU: a recording that computes anew at each replay, from the same tensors."""
    write_model(tmp_path, "Llama")
    model = load(tmp_path)
    ids = random.Random(6).choices(range(VOCABULARY), k=1100)
    plain, recorded = model.new_cache(), model.new_cache()
    recordings: list[int] = []

    def record(compute: Callable[[], Tensor]) -> Callable[[], Tensor]:
        recordings.append(recorded.keys.shape[2])
        return compute

    for cache in (plain, recorded):
        model.forward(ids[:490], cache, 0, never)
    steps = StepGraphs(model, record)
    start = 490
    for rows in (1, 8, 3, 1, 8, 1):
        chunk = ids[start : start + rows]
        expected = torch.cat(
            [model.forward([token], plain, start + i, never) for i, token in enumerate(chunk)]
        )
        logits = steps.step(chunk, recorded, start)[:rows]
        torch.testing.assert_close(logits, expected, atol=2e-4, rtol=2e-4)
        start += rows
    assert recordings == [1024, 1024]  # one that reads 512 positions, one that reads 1024
    steps.step(ids[:1], recorded, 1020)
    assert recordings == [1024, 1024, 2048]
    assert set(recorded.graphs) == {1536}, "what was recorded with the smaller cache is gone"


@pytest.mark.parametrize("form", [Linear, CudaInt8Linear])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@torch.inference_mode()
def test_types_and_shapes_fit_together_off_the_cpu(
    form: LinearForm, dtype: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a device that computes nothing, with the recordings that a GPU would replay."""
    monkeypatch.setattr(llama, "record_cuda_graph", lambda compute: compute)
    write_model(tmp_path, "Qwen2")
    config = llama_config(read_raw(tmp_path))
    assert config is not None
    model = load_llama(tmp_path, config, torch.device("meta"), dtype, form)
    cache = model.new_cache()
    for rows, start in ((100, 0), (64, 100), (8, 164), (1, 172)):
        logits = model.forward([1] * rows, cache, start, never, min(rows, 8))
        assert logits.shape == (min(rows, 8), VOCABULARY)
        assert logits.dtype == torch.float32
    assert list(cache.graphs) == [512]
    assert cache.keys.dtype == dtype


@torch.inference_mode()
def test_cache_grows_and_is_overwritten(tmp_path: Path) -> None:
    reference = write_model(tmp_path, "Llama")
    model = load(tmp_path)
    draw = random.Random(3)
    ids = draw.choices(range(VOCABULARY), k=1100)
    cache = model.new_cache()
    model.forward(ids, cache, 0, never)
    changed = ids[:700] + draw.choices(range(VOCABULARY), k=30)
    (logits,) = model.forward(changed[700:], cache, 700, never)
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
    (logits,) = model.forward(ids[20:], cache, 20, never)
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
