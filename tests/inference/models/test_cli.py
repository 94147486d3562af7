from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from lsp_server.inference.models.cli import ProgressPrinter, add_parser, run
from lsp_server.inference.models.progress import Progress
from lsp_server.inference.models.registry import registry
from tests.inference.models.tiny import make_tensors, write_gguf, write_tokenizer


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODER_LSP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def models(*args: str) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(dest="command"))
    return run(parser.parse_args(["models", *args]))


def tiny_gguf(folder: Path) -> str:
    path = write_gguf(folder / "mine.gguf", "llama", make_tensors(biases=False, tied=True))
    write_tokenizer(folder)
    return str(path)


def test_life_of_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = tiny_gguf(tmp_path)
    assert models("path", name) == 1
    assert "is not installed; `coder-lsp models pull" in capsys.readouterr().err
    assert models("pull", name) == 0
    pulled = capsys.readouterr()
    assert (Path(pulled.out.strip()) / "model.safetensors").exists()
    assert "converting mine.gguf: " in pulled.err
    assert models("path", name) == 0
    assert capsys.readouterr().out == pulled.out
    assert models("list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [*registry(), name]
    assert [row["name"] for row in rows if row["installed"]] == [name]
    assert models("rm", name) == 0
    assert " freed" in capsys.readouterr().out
    assert models("rm", name) == 0
    assert "was not installed" in capsys.readouterr().out


def test_list_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    assert models("list") == 0
    header, *rows, legend = capsys.readouterr().out.splitlines()
    assert len(rows) == len(registry())
    assert legend == "(* installed)"
    for title in ("NAME", "SIZE", "WINDOW", "FAMILY", "HASHES", "LICENCE"):
        column = header.index(title)
        assert all(row[column - 1] == " " and row[column] != " " for row in rows), title


@pytest.mark.parametrize("action", ["pull", "path", "rm"])
def test_unknown_name_suggests_close_ones(
    action: str, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    assert models(action, "deepseek-coder-6.7b") == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no model 'deepseek-coder-6.7b': did you mean deepseek-coder-6.7b-base" in captured.err
    assert not home.exists()


def test_progress_without_a_terminal_is_a_line_a_tenth(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ProgressPrinter() as printer:
        for done in range(0, 100_000_001, 1_000_000):
            printer(Progress("downloading", done, 100_000_000, "a"))
        printer(Progress("verifying", 0, 0, "a"))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 12
    assert lines[0] == "downloading a: 0 MB of 100 MB"
    assert lines[-2] == "downloading a: 100 MB of 100 MB"


def test_progress_on_a_terminal_is_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with ProgressPrinter() as printer:
        printer(Progress("downloading", 0, 100, "a"))
        printer(Progress("downloading", 50, 100, "a"))
        printer(Progress("converting", 0, 100, "b"))
    shown = capsys.readouterr().err
    assert "downloading a:  50%" in shown
    assert "converting b:   0%" in shown
