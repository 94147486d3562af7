"""What the tests of all editors share."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lsp_server.endpoints import STATE_VARIABLE

FAKE_SERVER = Path(__file__).parents[1] / "lsp" / "fake_server.py"
ECHO_SERVER = Path(__file__).with_name("echo_server.py")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    return tmp_path / "repository"


# A terminal of this kind is Unix'.
collect_ignore = ["test_terminal_editors.py"] if sys.platform == "win32" else []

SCRIPTS = Path(sys.executable).parent


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where one model server for all editors keeps its state; ends it with the tests, when no
    language server is left that would start it again."""
    folder = tmp_path_factory.mktemp("model-server")
    yield folder
    stop = [str(SCRIPTS / "coder-lsp"), "model-server", "--stop"]
    subprocess.run(stop, check=True, env={**os.environ, STATE_VARIABLE: str(folder)})


@pytest.fixture
def coder_lsp(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts `coder-lsp` on the PATH."""
    monkeypatch.setenv("PATH", f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv(STATE_VARIABLE, str(state))


@pytest.fixture
def as_coder_lsp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Path]:
    """Puts a server of the tests on the PATH as `coder-lsp`; gives the file that its process ids
    are written to, a line each."""

    def put(server: Path) -> Path:
        pids = tmp_path / "pids"
        program = tmp_path / "bin" / "coder-lsp"
        program.parent.mkdir()
        command = shlex.join([sys.executable, str(server)])
        program.write_text(f"#!/bin/sh\necho $$ >> {shlex.quote(str(pids))}\nexec {command}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        return pids

    return put


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves Kate out unless it is asked for."""
    if "kate" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("kate"):
                item.add_marker(pytest.mark.skip(reason="Kate is large: it runs by `-m kate`"))
