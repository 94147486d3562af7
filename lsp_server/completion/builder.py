"""From a model's name to what makes its prompts."""

from __future__ import annotations

import os
from pathlib import Path

from lsp_server.inference.models.store import ModelStore
from lsp_server.prompt.layout import PromptBuilder
from lsp_server.prompt.templates import TEMPLATES, recognise
from lsp_server.prompt.tokenizer import Tokenizer, TokenizerError

# threads of its own would not make a text at a time any faster
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def load_builder(name: str) -> PromptBuilder:
    """The prompt builder of a model; its tokenizer is fetched when it is not here.

    Raises ModelError, TokenizerError, or NoTemplateError when the model's template is not known.
    """
    model = ModelStore().pull_tokenizer(name)
    tokenizer = _read_tokenizer(model.directory)
    template = TEMPLATES.get(model.family or "") or recognise(tokenizer)
    return PromptBuilder(tokenizer, template, model.window)


def _read_tokenizer(directory: Path) -> Tokenizer:
    path = directory / "tokenizer.json"
    try:
        return Tokenizer(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TokenizerError(f"{path} cannot be read: {error}") from error
