"""The log file, as processes of their own write it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lsp_server.lsp import logs
from tests.lsp.client import FAKE_SERVER, LspProcess, initialize_params, isolated_environment

LOG = "import logging; from lsp_server.lsp import logs; print(logs.log_file()); logs.set_up()"


def run(home: Path, program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"{LOG}; {program}"]
    environment = isolated_environment(home)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)


def test_a_large_log_is_set_aside_at_the_start(tmp_path: Path) -> None:
    log = Path(run(tmp_path, "logging.warning('first')").stdout.strip())
    run(tmp_path, "logging.warning('second')")
    assert [line.split()[-1] for line in log.read_text().splitlines()] == ["first", "second"]
    large = "x" * (logs.LARGE + 1)
    log.write_text(large)
    run(tmp_path, "logging.warning('third')")
    assert log.read_text().endswith("third\n")
    assert len(log.read_text()) < 100
    assert log.with_suffix(".old.log").read_text() == large


def test_where_no_file_can_be_written_warnings_go_to_stderr(tmp_path: Path) -> None:
    log = Path(run(tmp_path, "pass").stdout.strip())
    log.unlink(missing_ok=True)
    log.mkdir()
    done = run(tmp_path, "logging.info('hushed'); logging.warning('said')")
    assert done.stderr.endswith("said\n")
    assert done.stderr.count("\n") == 1


async def test_a_client_can_ask_where_the_log_is() -> None:
    async with LspProcess.start(*FAKE_SERVER) as server:
        await server.initialize(initialize_params("vscode"))
        log = await server.call("workspace/executeCommand", {"command": "coder-lsp.log"})
        assert Path(log).name == logs.log_file().name
        assert Path(log).is_absolute()
