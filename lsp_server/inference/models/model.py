"""A model as it lies on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsp_server.inference.models.progress import ModelError

NEEDED_FILES = ("config.json", "tokenizer.json")
MANIFEST = "manifest.json"
_WINDOW_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
_LEAST_WINDOW = 2048


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be loaded, or whose tokenizer can.

    `directory` holds config.json, tokenizer.json and *.safetensors; `family` names its prompt
    template, None where it must be recognised from the tokenizer; `window` is in tokens; `source`
    says where it came from.
    """

    name: str
    directory: Path
    family: str | None
    window: int
    source: str


def from_store(directory: Path) -> Model | None:
    """The model of a directory of the store, by its manifest; None where there is none."""
    try:
        manifest = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        family, window = manifest["family"], manifest["window"]
        return Model(manifest["name"], directory, family, window, manifest["source"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{directory} is damaged, delete it: {error!r}") from error


def from_directory(directory: Path) -> Model:
    """A model used where it lies. Raises ModelError, saying what it lacks."""
    if not directory.is_dir():
        raise ModelError(f"{directory} is neither a directory nor a .gguf file")
    names = {path.name for path in directory.iterdir()}
    if not any(name.endswith(".safetensors") for name in names):
        raise ModelError(f"{directory} has no safetensors{what_instead(names)}")
    for needed in NEEDED_FILES:
        if needed not in names:
            raise ModelError(f"{directory} has no {needed}, so it cannot be used")
    return Model(str(directory), directory, None, read_window(directory), "local directory")


def what_instead(names: set[str]) -> str:
    """What weights there are among files without safetensors, as the end of a sentence."""
    if any(name.endswith((".bin", ".pt", ".pth")) for name in names):
        return " but pickles, which can run code when they are loaded and are refused"
    if any(name.endswith(".gguf") for name in names):
        return " but GGUF: name the .gguf file itself, downloaded if it is on the hub"
    return ""


def read_window(directory: Path) -> int:
    """The context window in tokens that a model's config.json states."""
    try:
        return window_of(json.loads((directory / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ModelError(f"{directory / 'config.json'} cannot be read: {error}") from error


def window_of(config: Mapping[str, Any]) -> int:
    """Positions that full attention may span; a sliding window is an upper bound of it."""
    stated = (config.get(key) for key in _WINDOW_KEYS)
    window = next((int(value) for value in stated if value), _LEAST_WINDOW)
    slides = config.get("use_sliding_window", True) and config.get("sliding_window")
    return min(window, int(slides)) if slides else window
