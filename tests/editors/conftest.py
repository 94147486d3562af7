"""What the tests of all editors share."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from lsp_server import endpoints
from lsp_server.endpoints import STATE_VARIABLE, Endpoint
from lsp_server.lsp import inspection

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
def pids(tmp_path: Path) -> Path:
    """The file that the process ids of language servers are written to, a line each."""
    return tmp_path / "pids"


AsCoderLsp = Callable[[Sequence[str]], None]


@pytest.fixture
def as_coder_lsp(tmp_path: Path, pids: Path, monkeypatch: pytest.MonkeyPatch) -> AsCoderLsp:
    """Puts a command on the PATH as `coder-lsp`."""

    def put(command: Sequence[str]) -> None:
        program = tmp_path / "bin" / "coder-lsp"
        program.parent.mkdir()
        run = f'exec {shlex.join(command)} "$@"'
        program.write_text(f"#!/bin/sh\necho $$ >> {shlex.quote(str(pids))}\n{run}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    return put


def endpoint_of(server: int) -> Endpoint | None:
    """Where the language server with this process id can be asked; None until it answers requests
    for suggestions."""
    running = endpoints.read_all(inspection.FILES)
    return next((each for _, each in running if each.pid == server), None)


def why(server: int) -> tuple[float, str]:
    """When the latest request came to this language server, and what became of it, in words."""
    endpoint = endpoint_of(server)
    told = asyncio.run(inspection.ask(endpoint, "why")) if endpoint else None
    return (told["at"], told["answer"]) if told else (0.0, "")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves Kate out unless it is asked for. Runs what fails in an editor once more, and says so:
    editors lose a key now and then where the machine is busy. What fails twice has failed."""
    for item in items:
        if item.get_closest_marker("kate") and "kate" not in config.option.markexpr:
            item.add_marker(pytest.mark.skip(reason="Kate is large: it runs by `-m kate`"))
        elif item.get_closest_marker("editor"):
            item.add_marker(pytest.mark.flaky(reruns=1))
