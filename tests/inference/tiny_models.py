"""Tiny random models with a byte-level tokenizer, in the layout of real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

CONTROL_TOKENS = (
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
)
VOCABULARY = 256 + len(CONTROL_TOKENS)

SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "eos_token_id": 256,
    "bos_token_id": 256,
}


def write_tokenizer(directory: Path) -> None:
    """One token a byte, and the control tokens of Qwen2.5-Coder after them."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({char: i for i, char in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(CONTROL_TOKENS))
    tokenizer.save(str(directory / "tokenizer.json"))


def write_model(directory: Path, kind: str, **changes: Any) -> Any:
    """Save a random model of a transformers architecture (`Llama`, `Qwen2`, `Mistral`, `GPTNeoX`
    ...) with its tokenizer; returns transformers' own model, in fp32."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**(SIZES | changes))
    model = getattr(transformers, f"{kind}ForCausalLM")(config).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.5)
        elif "norm" not in name:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(directory, safe_serialization=True)
    write_tokenizer(directory)
    return model


def edit_config(directory: Path, **changes: Any) -> None:
    """Change entries of a saved `config.json`."""
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
