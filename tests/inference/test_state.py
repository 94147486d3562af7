from __future__ import annotations

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
    assert [path.name for path in folder.iterdir()] == ["model-server-key.json"]


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
