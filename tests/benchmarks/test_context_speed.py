from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.context.__main__ import main
from benchmarks.context.speed import spread, table
from lsp_server.context import location
from tests.benchmarks.tiny import REQUIREMENT, write_archive, write_files

SPREADS = ("request_ms", "request_cpu_ms", "keystroke_ms", "keystroke_cpu_ms")


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(location.CACHE_VARIABLE, "restored afterwards")
        patch.setattr(sys, "argv", ["", "speed", "--requests", "12", *arguments])
        main()
    return capsys.readouterr().out


def test_the_command_prints_one_json_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_files(tmp_path / "root")
    figures = json.loads(printed(capsys, "--directory", str(folder), "--json"))
    for name in SPREADS:
        assert 0 < figures[name]["p50"] <= figures[name]["p95"] <= figures[name]["p99"]
    assert figures["files"] == 2
    assert 0 <= figures["changes_per_keystroke"] <= 1 and figures["keystrokes"] > 1
    for name in ("update_ms", "open_buffer_ms", "loop_lag_ms", "index_s", "index_mb"):
        assert figures[name] > 0
    left = [each.name for each in folder.rglob("*") if each.is_file()]
    assert sorted(left) == ["reader.py", "shelf.py"]


def test_packages_are_measured_and_shown_as_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_archive(tmp_path)
    monkeypatch.setenv("CODER_LSP_TEST_CACHE", str(tmp_path))
    shown = printed(capsys, "--packages", REQUIREMENT)
    assert shown.startswith("command: ") and "machine: " in shown
    assert "| files | 2 |" in shown


def test_a_folder_without_code_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no files with code"), pytest.MonkeyPatch.context() as p:
        p.setenv(location.CACHE_VARIABLE, "restored afterwards")
        p.setattr(sys, "argv", ["", "speed", "--directory", str(tmp_path)])
        main()


def test_percentiles() -> None:
    assert spread([float(each) for each in range(100)]) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
    assert spread([3.0]) == {"p50": 3.0, "p95": 3.0, "p99": 3.0}


def test_every_row_of_the_table_has_all_columns() -> None:
    rows = table({"request_ms": spread([1.0, 2.0]), "files": 3}).split("\n")
    assert len({row.count("|") for row in rows}) == 1
