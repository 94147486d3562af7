from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lsp_server import endpoints
from lsp_server.endpoints import Endpoint


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(endpoints.STATE_VARIABLE, str(tmp_path / "state"))
    return tmp_path / "state"


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_was_published_is_read(folder: Path) -> None:
    file = endpoints.state_dir() / "server-1.json"
    endpoint = Endpoint(pid=12, port=34, token="secret")
    endpoints.publish(file, endpoint)
    assert endpoints.read(file) == endpoint
    assert endpoints.read_all("server-*.json") == [(file, endpoint)]
    assert endpoints.read_all("other-*.json") == []
    assert endpoint.url == "http://127.0.0.1:34"
    assert list(folder.iterdir()) == [file]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX file modes")
def test_only_the_user_can_read_it(folder: Path) -> None:
    before = os.umask(0)
    try:
        file = endpoints.state_dir() / "server-1.json"
        endpoints.publish(file, Endpoint(1, 2, "secret"))
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 1}', b'{"a": 1}', b"\xff", b"1"])
def test_a_damaged_file_is_no_endpoint(content: bytes) -> None:
    file = endpoints.state_dir() / "server-1.json"
    file.write_bytes(content)
    assert endpoints.read(file) is None
    assert endpoints.read_all("server-*.json") == []


def test_only_its_own_process_withdraws_an_endpoint() -> None:
    file = endpoints.state_dir() / "server-1.json"
    endpoints.publish(file, Endpoint(1, 2, "secret"))
    endpoints.withdraw(file, pid=99)
    assert file.exists()
    endpoints.withdraw(file, pid=1)
    endpoints.withdraw(file, pid=1)
    assert not file.exists()


def test_files_of_processes_that_have_ended_are_removed() -> None:
    here, gone = (endpoints.state_dir() / f"server-{name}.json" for name in ("here", "gone"))
    endpoints.publish(here, Endpoint(os.getpid(), 1, "x"))
    endpoints.publish(gone, Endpoint(ended_process(), 1, "x"))
    assert [file for file, _ in endpoints.running("server-*.json")] == [here]
    assert not gone.exists()


def test_which_processes_are_alive() -> None:
    assert endpoints.is_alive(os.getpid())
    assert endpoints.is_alive(os.getppid())
    assert not endpoints.is_alive(ended_process())
