from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType
from safetensors.torch import load_file

from lsp_server.inference.models.gguf import GGUFError, convert, converted_size
from lsp_server.inference.models.progress import Progress
from tests.inference.models.tiny import (
    HIDDEN,
    INTERMEDIATE,
    VOCABULARY,
    Tensors,
    make_tensors,
    write_gguf,
)

Q8_0, F32, F16 = GGMLQuantizationType.Q8_0, GGMLQuantizationType.F32, GGMLQuantizationType.F16


def converted(path: Path, folder: Path) -> dict[str, torch.Tensor]:
    convert(path, folder, lambda _: None)
    return load_file(folder / "model.safetensors")


def assert_same(ours: dict[str, torch.Tensor], tensors: Tensors, tolerance: float) -> None:
    assert set(ours) == set(tensors)
    for name, expected in tensors.items():
        assert ours[name].dtype == torch.bfloat16
        got = ours[name].float().numpy()
        assert got.shape == expected.shape
        np.testing.assert_allclose(
            got, expected, rtol=2**-8, atol=tolerance * np.abs(expected).max()
        )


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
@pytest.mark.parametrize(("quantised", "tolerance"), [(F32, 0.0), (F16, 1e-3), (Q8_0, 0.5 / 127)])
@pytest.mark.parametrize("tied", [True, False])
def test_tensors_come_back_as_they_were_before_llama_cpp_wrote_them(
    tmp_path: Path,
    architecture: str,
    quantised: GGMLQuantizationType,
    tolerance: float,
    tied: bool,
) -> None:
    tensors = make_tensors(biases=architecture == "qwen2", tied=tied)
    path = write_gguf(tmp_path / "tiny.gguf", architecture, tensors, quantised=quantised)
    assert_same(converted(path, tmp_path), tensors, tolerance)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["tie_word_embeddings"] is tied


def test_rounding_to_bf16_is_that_of_torch(tmp_path: Path) -> None:
    tensors = make_tensors(biases=True, tied=False)
    path = write_gguf(tmp_path / "tiny.gguf", "qwen2", tensors)
    for name, tensor in converted(path, tmp_path).items():
        assert torch.equal(tensor, torch.from_numpy(tensors[name]).to(torch.bfloat16)), name


def test_config_has_the_publishers_form(tmp_path: Path) -> None:
    tensors = make_tensors(biases=False, tied=False)
    path = write_gguf(tmp_path / "tiny.gguf", "llama", tensors, linear_scaling=4.0)
    convert(path, tmp_path, lambda _: None)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config == {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-6,
        "rope_theta": 100000.0,
        "rope_scaling": {"type": "linear", "factor": 4.0},
        "vocab_size": VOCABULARY,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "bos_token_id": 1,
        "eos_token_id": 2,
        "attention_bias": False,
    }


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_transformers_computes_the_same_with_the_converted_model(
    tmp_path: Path, architecture: str
) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    tensors = make_tensors(biases=architecture == "qwen2", tied=False)
    path = write_gguf(tmp_path / "tiny.gguf", architecture, tensors, linear_scaling=4.0)
    convert(path, tmp_path, lambda _: None)
    ours = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    theirs = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(tmp_path))
    theirs = theirs.to(torch.float32).eval()
    rounded = {
        name: torch.from_numpy(tensor).bfloat16().float() for name, tensor in tensors.items()
    }
    theirs.load_state_dict(rounded, strict=True)
    ids = torch.arange(12).unsqueeze(0)
    with torch.no_grad():
        torch.testing.assert_close(ours(ids).logits, theirs(ids).logits)


def test_embedding_stored_twice_is_written_once_from_the_finer_copy(tmp_path: Path) -> None:
    tensors = make_tensors(biases=True, tied=True)
    path = write_gguf(tmp_path / "tiny.gguf", "qwen2", tensors, quantised=Q8_0, second_output=F32)
    ours = converted(path, tmp_path)
    assert "lm_head.weight" not in ours
    finer = torch.from_numpy(tensors["model.embed_tokens.weight"]).to(torch.bfloat16)
    assert torch.equal(ours["model.embed_tokens.weight"], finer)
    assert json.loads((tmp_path / "config.json").read_text())["tie_word_embeddings"] is True


def test_size_is_known_before_and_progress_reaches_it(tmp_path: Path) -> None:
    tensors = make_tensors(biases=True, tied=True)
    path = write_gguf(tmp_path / "tiny.gguf", "qwen2", tensors)
    seen: list[Progress] = []
    convert(path, tmp_path, seen.append)
    expected = 2 * sum(tensor.size for tensor in tensors.values())
    assert converted_size(path) == expected
    assert (seen[-1].done, seen[-1].total, seen[-1].status) == (expected, expected, "converting")


def test_unsupported_architecture_is_named(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf", "gpt2", make_tensors(biases=False, tied=True))
    with pytest.raises(GGUFError, match="'gpt2' is not supported"):
        convert(path, tmp_path, lambda _: None)


def test_unsupported_tensor_is_named_before_anything_is_written(tmp_path: Path) -> None:
    factors = {"rope_freqs.weight": np.ones(8, dtype=np.float32)}
    tensors = make_tensors(biases=False, tied=True)
    path = write_gguf(tmp_path / "tiny.gguf", "llama", tensors, extra=factors)
    with pytest.raises(GGUFError, match=r"rope_freqs\.weight"):
        convert(path, tmp_path, lambda _: None)
    assert not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize("keep", [0, 20, 4000])
def test_truncated_file_is_an_error_for_the_user(tmp_path: Path, keep: int) -> None:
    path = write_gguf(tmp_path / "tiny.gguf", "llama", make_tensors(biases=False, tied=True))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(GGUFError, match="not a readable GGUF"):
        convert(path, tmp_path, lambda _: None)
