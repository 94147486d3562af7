from __future__ import annotations

import pytest

from lsp_server.prompt.tokenizer import Tokenizer
from tests.tokenizers import tokenizer_json


@pytest.fixture(scope="session")
def deepseek() -> Tokenizer:
    return Tokenizer(tokenizer_json("deepseek-coder-33b-base"))


@pytest.fixture(scope="session")
def deepseek_v2() -> Tokenizer:
    """DeepSeek-V2.5's, which is DeepSeek-Coder-V2's."""
    return Tokenizer(tokenizer_json("deepseek-v2.5"))


@pytest.fixture(scope="session")
def qwen() -> Tokenizer:
    return Tokenizer(tokenizer_json("qwen-2.5"))
