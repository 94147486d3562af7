"""The models that are measured: real ones, and well-known shapes with random weights."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SEED = 0
SOURCES = ("argparse", "ast", "dataclasses", "decimal", "inspect", "tarfile", "typing", "zipfile")
"""Modules of Python's own library: the prompts are cut from their text."""

_DEEPSEEK_CODER: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 32256,
    "max_position_embeddings": 16384,
    "rms_norm_eps": 1e-6,
    "rope_theta": 100000.0,
    "rope_scaling": {"rope_type": "linear", "factor": 4.0},
    "bos_token_id": 32013,
    "eos_token_id": 32014,
    "tie_word_embeddings": False,
}
SHAPES: dict[str, dict[str, Any]] = {
    "deepseek-coder-1.3b": {
        **_DEEPSEEK_CODER,
        "hidden_size": 2048,
        "intermediate_size": 5504,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
    },
    "deepseek-coder-6.7b": {
        **_DEEPSEEK_CODER,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
    },
}
"""As in the `config.json` of github.com/deepseek-ai/DeepSeek-Coder's base models."""


def write_random(shape: dict[str, Any], directory: Path) -> None:
    """Save a model of that shape with random bf16 weights; drawn on the GPU where there is one."""
    import torch
    import transformers

    torch.manual_seed(SEED)
    config = transformers.LlamaConfig(**shape)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(directory)


class Prompts:
    """Prompts of any length, each another one, from code where the model has a tokenizer."""

    def __init__(self, directory: Path, vocabulary: int) -> None:
        self._random = random.Random(SEED)
        self._text = _code(directory / "tokenizer.json")
        self._vocabulary = vocabulary

    def draw(self, tokens: int) -> list[int]:
        """So many tokens that stand in a row, from a random place."""
        if not self._text:
            return self._random.choices(range(self._vocabulary), k=tokens)
        start = self._random.randrange(len(self._text) - tokens)
        return list(self._text[start : start + tokens])

    def typed(self, prompt: Sequence[int], tokens: int) -> list[int]:
        """The prompt with other tokens at its end."""
        return [*prompt[:-tokens], *self.draw(tokens)]


def _code(tokenizer: Path) -> list[int]:
    if not tokenizer.exists():
        return []
    from tokenizers import Tokenizer

    library = Path(os.__file__).parent
    text = "".join((library / f"{name}.py").read_text("utf-8") for name in SOURCES)
    ids: list[int] = Tokenizer.from_file(str(tokenizer)).encode(text, add_special_tokens=False).ids
    return ids
