from __future__ import annotations

import json
from pathlib import Path

import pytest

from lsp_server import settings_schema
from lsp_server.cli import main
from lsp_server.settings import API_KEY_VARIABLE, CONFIG_VARIABLE, reference


@pytest.fixture
def user_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    monkeypatch.setenv(CONFIG_VARIABLE, str(path))
    monkeypatch.delenv(API_KEY_VARIABLE, raising=False)
    return path


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    """Of each setting, the value and where it comes from."""
    rows = (line.split(maxsplit=2) for line in capsys.readouterr().out.split("\n\n")[0].split("\n"))
    return {row[0]: row[1:] for row in rows}


def test_each_setting_has_its_value_and_its_source(
    user_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    user_file.write_text("model = 'mine'\n[engine]\nkv_slots = 2\n[privacy]\nnever = ['a', 'b']\n")
    monkeypatch.setenv(API_KEY_VARIABLE, "very-secret")
    assert main(["settings"]) == 0
    rows = printed(capsys)
    assert list(rows) == list(reference())
    file = str(user_file)
    assert rows["model"] == ["mine", file]
    assert rows["engine.kv_slots"] == ["2", file]
    assert rows["engine.api_key"] == ["set", API_KEY_VARIABLE]
    assert rows["engine.url"] == ["-", "default"]
    assert rows["completion.in_comments"] == ["true", "default"]
    assert rows["privacy.never"] == ['["a",', f'"b"]  {file}']


def test_where_to_change_them(user_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings"]) == 0
    assert f"change in {user_file};" in capsys.readouterr().out


def test_what_is_wrong_is_named(user_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    user_file.write_text("modle = 'mine'\n[engine]\nkv_slots = 0\n")
    assert main(["settings"]) == 1
    out, err = capsys.readouterr()
    assert "'modle'" in err
    assert "engine.kv_slots is 0" in err
    [row] = [line for line in out.split("\n") if line.startswith("engine.kv_slots")]
    assert row.split() == ["engine.kv_slots", "4", "default"]


def test_the_schema_and_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == settings_schema.schema()
    assert main(["settings", "--markdown"]) == 0
    assert capsys.readouterr().out == settings_schema.markdown()
