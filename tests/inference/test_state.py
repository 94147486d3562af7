from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lsp_server.inference import state


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(state.STATE_VARIABLE, str(tmp_path / "state"))
    return tmp_path / "state"


def test_what_was_written_is_read(folder: Path) -> None:
    endpoint = state.Endpoint(pid=12, port=34, token="secret")
    state.write("key", endpoint)
    assert state.read("key") == endpoint
    assert state.read_all() == [endpoint]
    assert endpoint.url == "http://127.0.0.1:34"
    assert [path.name for path in folder.iterdir()] == ["model-server-key.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX file modes")
def test_only_the_user_can_read_it(folder: Path) -> None:
    os.umask(0)
    state.write("key", state.Endpoint(1, 2, "secret"))
    assert state.state_file("key").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"a": 1}'])
def test_a_damaged_file_is_no_endpoint(content: str) -> None:
    state.state_file("key").write_text(content)
    assert state.read("key") is None


def test_only_its_own_process_withdraws_an_endpoint() -> None:
    endpoint = state.Endpoint(1, 2, "secret")
    state.write("key", endpoint)
    state.withdraw("key", pid=99)
    assert state.read("key") == endpoint
    state.withdraw("key", pid=1)
    assert state.read("key") is None


def test_the_key_tells_servers_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = state.ServerSpec("a")
    assert spec.key() == state.ServerSpec("a").key()
    others = [state.ServerSpec("b"), state.ServerSpec("a", "cpu"), state.ServerSpec("a", threads=1)]
    assert len({spec.key(), *(other.key() for other in others)}) == 4
    before = spec.key()
    monkeypatch.setattr(state, "__version__", "99")
    assert spec.key() != before
