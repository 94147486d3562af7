"""What a test of inference writes down about the machine is forgotten with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lsp_server.inference.state import STATE_VARIABLE


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "state"))
