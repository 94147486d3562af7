from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lsp_server import __version__
from lsp_server.cli import main
from lsp_server.commands import doctor
from lsp_server.inference import state
from lsp_server.inference.models.store import HOME_VARIABLE
from lsp_server.settings import API_KEY_VARIABLE, CONFIG_VARIABLE
from tests.commands.fake_engine import FakeEngine, install

MODEL = "qwen2.5-coder-0.5b"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "config.toml"))
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setenv(state.STATE_VARIABLE, str(tmp_path / "state"))
    monkeypatch.delenv(API_KEY_VARIABLE, raising=False)
    monkeypatch.setattr(doctor, "gpu_memory_bytes", lambda: 8_000_000_000)
    return tmp_path


def configure(folder: Path, *lines: str) -> None:
    (folder / "config.toml").write_text("\n".join(lines) + "\n")


def put_model(folder: Path, engine: FakeEngine) -> Path:
    """A model's folder with the engine's tokenizer, and no weights to speak of."""
    model = folder / "model"
    model.mkdir()
    (model / "config.json").write_text('{"max_position_embeddings": 4096}')
    (model / "model.safetensors").touch()
    (model / "tokenizer.json").write_text(engine.tokenizer_json)
    return model


def examine(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = main(["doctor", "--json"])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, report


def test_all_that_is_asked_for(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = install(monkeypatch, " width", " * height", "\n")
    model = put_model(folders, engine)
    configure(folders, f"model = {json.dumps(str(model))}")
    code, report = examine(capsys)
    assert code == 0
    assert report["coder-lsp"] == __version__
    assert report["gpu"] == "8.0 GB of GPU memory"
    assert report["packages"]["aiohttp"]
    about = report["model"]
    assert (about["name"], about["chosen by"]) == (str(model), "the setting")
    assert (about["installed"], about["window"]) == (True, 4096)
    assert (about["template"], about["orders"]) == ("qwen2.5-coder", ["psm", "spm", "line"])
    assert report["completion"]["text"] == "width * height"
    assert report["completion"]["timing"].startswith("first token after")
    assert report["model servers"] == []


def test_a_model_that_is_missing_is_not_fetched(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = install(monkeypatch, " width", "\n")
    configure(folders, f"model = {MODEL!r}")
    code, report = examine(capsys)
    assert code == 1
    assert report["model"]["installed"] is False
    assert report["model"]["to do"] == f"coder-lsp models pull {MODEL}"
    assert report["completion"]["problem"].startswith("not tried")
    assert engine.models == []


def test_an_engine_elsewhere_needs_no_weights_here(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, " width", "\n")
    configure(folders, f"model = {MODEL!r}", "[engine]", "url = 'http://gpu.example:8000'")
    code, report = examine(capsys)
    assert code == 0
    assert report["model"]["engine"] == "http://gpu.example:8000"
    assert report["completion"]["text"] == "width"


@pytest.mark.parametrize(
    ("model", "says"), [("nonsense", "nonsense"), ("/no/such/place", "no/such/place")]
)
def test_a_model_that_cannot_be_used_is_a_problem(
    folders: Path, capsys: pytest.CaptureFixture[str], model: str, says: str
) -> None:
    configure(folders, f"model = {model!r}")
    code, report = examine(capsys)
    assert code == 1
    assert says in report["model"]["problem"]


def test_an_engine_that_fails_is_a_problem(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = install(monkeypatch, failure="no such device")
    configure(folders, f"model = {json.dumps(str(put_model(folders, engine)))}")
    code, report = examine(capsys)
    assert code == 1
    assert report["completion"] == {"problem": "no such device"}


def test_settings_and_what_is_wrong_in_them(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch)
    monkeypatch.setenv(API_KEY_VARIABLE, "very-secret")
    configure(folders, f"model = {MODEL!r}", "modle = 'x'", "[engine]", "kv_slots = 2")
    main(["doctor", "--json"])
    printed = capsys.readouterr().out
    assert "very-secret" not in printed
    settings = json.loads(printed)["settings"]
    assert settings["found"] is True
    assert "modle" in settings["problems"][0]
    assert settings["values"]["engine"]["api_key"] == "set"
    assert settings["values"]["engine"]["kv_slots"] == 2


def test_in_words(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = install(monkeypatch)
    configure(folders, f"model = {json.dumps(str(put_model(folders, engine)))}")
    assert main(["doctor"]) == 1
    printed = capsys.readouterr()
    assert "  template: qwen2.5-coder\n" in printed.out
    assert "  timing: no token came\n" in printed.out
    assert "No completion came" in printed.err
