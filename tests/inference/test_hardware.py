from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lsp_server.inference.hardware import gpu_memory_bytes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake is a shell script")


def fake_nvidia_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_largest_gpu_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_nvidia_smi(tmp_path, monkeypatch, "echo 6144; echo 24576")
    assert gpu_memory_bytes() == 24576 * 2**20


@pytest.mark.parametrize("script", ["exit 9", "echo No devices were found", "echo '[N/A]'"])
def test_broken_driver_is_no_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    fake_nvidia_smi(tmp_path, monkeypatch, script)
    assert gpu_memory_bytes() == 0


def test_driver_that_hangs_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lsp_server.inference.hardware._TIMEOUT_SECONDS", 0.2)
    fake_nvidia_smi(tmp_path, monkeypatch, "exec sleep 60")
    assert gpu_memory_bytes() == 0


def test_no_driver_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_memory_bytes() == 0


def test_a_program_of_the_current_folder_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_nvidia_smi(tmp_path, monkeypatch, "echo 24576")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", ".:/usr/bin:/bin")
    assert gpu_memory_bytes() == 0
