from __future__ import annotations

import json
from pathlib import Path

import pytest

from lsp_server.inference import engines
from lsp_server.inference.engines import chosen_model, make_engine, usable_model
from lsp_server.inference.models.store import HOME_VARIABLE, ModelError
from lsp_server.inference.remote import RemoteEngine
from lsp_server.inference.supervisor import LocalEngine
from lsp_server.settings import EngineSettings, Settings


@pytest.mark.parametrize(
    ("gigabytes", "model"),
    [
        (0, "qwen2.5-coder-0.5b"),
        (8, "deepseek-coder-1.3b-base"),
        (24, "deepseek-coder-6.7b-base"),
    ],
)
def test_the_hardware_chooses_where_nothing_is_set(
    monkeypatch: pytest.MonkeyPatch, gigabytes: int, model: str
) -> None:
    monkeypatch.setattr(engines, "gpu_memory_bytes", lambda: gigabytes * 10**9)
    assert chosen_model(Settings()) == model


def test_a_gpu_that_is_not_to_be_used_does_not_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "gpu_memory_bytes", lambda: 24 * 10**9)
    on_cpu = Settings(engine=EngineSettings(device="cpu"))
    assert chosen_model(on_cpu) == "qwen2.5-coder-0.5b"


def test_another_servers_model_must_be_named() -> None:
    elsewhere = EngineSettings(url="http://127.0.0.1:8080")
    with pytest.raises(ModelError, match="set `model` as well"):
        chosen_model(Settings(engine=elsewhere))
    assert chosen_model(Settings(model="a/b", engine=elsewhere)) == "a/b"


def test_what_is_set_is_taken() -> None:
    for model in ("deepseek-coder-1.3b-base", "owner/model"):
        assert chosen_model(Settings(model=model)) == model


def test_a_local_path_means_the_same_in_the_model_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    here = tmp_path.resolve()
    for model in ("./tiny", "../" + tmp_path.name + "/tiny", "~/tiny", str(tmp_path / "tiny")):
        assert chosen_model(Settings(model=model)) == str(here / "tiny")
    assert chosen_model(Settings(model="tiny.gguf")) == str(here / "tiny.gguf")


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:8080"])
def test_a_model_that_may_not_be_fetched_has_to_be_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    fetching = Settings(model="owner/model", engine=EngineSettings(url=url))
    assert usable_model(fetching) == "owner/model"
    settings = Settings(model="owner/model", engine=EngineSettings(url=url, download=False))
    with pytest.raises(ModelError, match="run `coder-lsp models pull owner/model`"):
        usable_model(settings)
    directory = tmp_path / ("tokenizers" if url else "models") / "owner--model"
    directory.mkdir(parents=True)
    manifest = {"name": "owner/model", "family": None, "window": 2048, "source": "the hub"}
    (directory / "manifest.json").write_text(json.dumps(manifest))
    assert usable_model(settings) == "owner/model"


async def test_a_url_means_another_server() -> None:
    local = make_engine(EngineSettings(), "a", "me", lambda _: None)
    remote = make_engine(EngineSettings(url="http://127.0.0.1:1"), "a", "me", lambda _: None)
    assert isinstance(local, LocalEngine)
    assert isinstance(remote, RemoteEngine)
