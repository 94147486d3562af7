"""The whole of it: a language server process, its model server process, a tiny model."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from lsp_server.inference import state
from lsp_server.inference.supervisor import health_of, stop_all
from lsp_server.settings import CONFIG_VARIABLE
from tests.inference.tiny_models import write_model
from tests.lsp.client import LspProcess, initialize_params, within

URI = "file:///workspace/a.py"
TEXT = "def f(a, b):\n    return \n"
SERVE = (sys.executable, "-m", "lsp_server")
ASKED = ("suggested", "trimmed", "empty")
"""Outcomes of requests that the model answered."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uses POSIX signals")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    write_model(folder, "Qwen2")
    return folder


@pytest.fixture(autouse=True)
async def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setenv(state.STATE_VARIABLE, str(tmp_path))
    yield
    for endpoint in state.read_all():
        with contextlib.suppress(ProcessLookupError):
            os.kill(endpoint.pid, signal.SIGCONT)  # a test that failed may have left it stopped
    await stop_all()


def language_server(model: Path) -> AbstractAsyncContextManager[LspProcess]:
    """A language server of a user whose own settings name the model."""
    folder = os.environ[state.STATE_VARIABLE]
    user_file = Path(folder) / "config.toml"
    user_file.write_text(f"model = {json.dumps(str(model))}\n")
    return LspProcess.start(
        *SERVE, **{state.STATE_VARIABLE: folder, CONFIG_VARIABLE: str(user_file)}
    )


async def begin(server: LspProcess, **completion: Any) -> None:
    options = {"engine": {"device": "cpu"}, "completion": completion}
    await server.initialize(initialize_params("neovim"), initializationOptions=options)
    server.open(URI, TEXT)


async def ask(server: LspProcess) -> dict[str, Any]:
    """Ask at the end of the return line; the request's receipt."""
    _, answer = server.inline(URI, 1, 11)
    items = (await within(answer))["items"]
    receipts = await server.receipts()
    receipt: dict[str, Any] = receipts[0] if receipts else {"outcome": "loading"}
    assert bool(items) == (receipt["outcome"] in ("suggested", "cached", "attached"))
    return receipt


async def until_asked(server: LspProcess) -> dict[str, Any]:
    """Ask until the model answers; the receipt."""
    deadline = time.monotonic() + 60
    while (receipt := await ask(server))["outcome"] not in ASKED:
        assert receipt["outcome"] in ("loading", "engine_failed"), receipt
        assert time.monotonic() < deadline, receipt
        await asyncio.sleep(0.1)
    return receipt


async def test_from_loading_to_an_answer(model: Path) -> None:
    async with language_server(model) as server:
        await begin(server)
        assert (await ask(server))["outcome"] == "loading"
        receipt = await until_asked(server)
        assert receipt["tokens"]["generated"] > 0
        assert receipt["tokens"]["prefix"] > 0
        assert receipt["stages_ms"]["first_token"] > 0
        if sys.platform == "linux":
            maps = Path(f"/proc/{server.process.pid}/maps").read_text()
            assert "libpython" in maps or "python" in maps
            assert "torch" not in maps
        assert len(server.messages()) == 1, server.messages()
        assert await server.shutdown() == 0


async def test_typing_on_reuses_the_kv_cache(model: Path) -> None:
    async with language_server(model) as server:
        await begin(server)
        first = await until_asked(server)
        server.change(
            URI,
            {
                "range": {
                    "start": {"line": 1, "character": 11},
                    "end": {"line": 1, "character": 11},
                },
                "text": "a",
            },
        )
        _, answer = server.inline(URI, 1, 12)
        await within(answer)
        receipt = (await server.receipts())[0]
        assert receipt["tokens"]["cached"] >= first["tokens"]["prefix"]


async def test_killed_in_a_request_the_editor_sees_an_empty_answer(model: Path) -> None:
    async with language_server(model) as server:
        await begin(server, reuse=False)  # else it has the answer at hand
        await until_asked(server)
        [endpoint] = state.read_all()
        os.kill(endpoint.pid, signal.SIGSTOP)  # so that the request is surely under way
        _, answer = server.inline(URI, 1, 11)
        await asyncio.sleep(0.3)
        assert not answer.done()
        os.kill(endpoint.pid, signal.SIGKILL)
        assert (await within(answer))["items"] == []
        assert (await server.receipts())[0]["outcome"] == "engine_failed"
        await until_asked(server)
        assert state.read_all()[0].pid != endpoint.pid


async def test_two_language_servers_share_one_model_server(model: Path) -> None:
    async with language_server(model) as one, language_server(model) as other:
        await asyncio.gather(begin(one), begin(other))
        await until_asked(one)
        await until_asked(other)
        assert len(state.read_all()) == 1
        assert await one.shutdown() == 0
        await until_asked(other)


async def test_the_model_server_outlives_its_editors(model: Path) -> None:
    async with language_server(model) as server:
        await begin(server)
        await until_asked(server)
        [endpoint] = state.read_all()
    health = await health_of(endpoint)
    assert health is not None
    assert health["status"] == "ready"


async def test_superseding_stops_the_engine(model: Path) -> None:
    async with language_server(model) as server:
        await begin(server, max_tokens=1500, max_lines=1000, reuse=False)
        await until_asked(server)
        [endpoint] = state.read_all()
        os.kill(endpoint.pid, signal.SIGSTOP)
        _, older = server.inline(URI, 1, 11)
        await asyncio.sleep(0.1)
        _, newer = server.inline(URI, 1, 11)
        with pytest.raises(Exception, match="-32800"):
            await within(older)
        os.kill(endpoint.pid, signal.SIGCONT)
        await within(newer)
        outcomes = [receipt["outcome"] for receipt in await server.receipts()]
        assert outcomes[0] in ASKED
        assert outcomes[1] == "superseded"


async def test_a_model_that_does_not_exist_is_named_once(tmp_path: Path) -> None:
    async with language_server(tmp_path / "nowhere") as server:
        await begin(server)
        [message] = await server.until(server.messages)
        assert "nowhere" in message
        assert (await ask(server))["outcome"] == "no_model"
        await ask(server)
        assert len(server.messages()) == 1


async def test_a_model_that_the_editor_names_is_not_fetched(model: Path) -> None:
    async with language_server(model) as server:
        options = {"model": "deepseek-coder-1.3b-base"}
        await server.initialize(initialize_params("neovim"), initializationOptions=options)
        server.open(URI, TEXT)
        [message] = await server.until(server.messages)
        assert "coder-lsp models pull deepseek-coder-1.3b-base" in message
        assert (await ask(server))["outcome"] == "no_model"
        assert state.read_all() == []  # nobody was started that could fetch it


SHAPES = """\
class Circle:
    def circumference_in_units(self, unit: str) -> float:
        return 6.28
"""
USE = "from shapes import Circle\n\n\ndef edge(circle: Circle) -> float:\n    return circle.\n"


async def open_project(server: LspProcess, root: Path, name: str, text: str) -> str:
    """A language server with a folder open, and in it one file that the editor shows; its URI."""
    (root / "shapes.py").write_text(SHAPES)
    (root / name).write_text(text)
    await server.initialize(
        initialize_params("neovim"),
        initializationOptions={
            "engine": {"device": "cpu"},
            "completion": {"reuse": False},
        },
        workspaceFolders=[{"uri": root.as_uri(), "name": "project"}],
    )
    server.open((root / name).as_uri(), text)
    return (root / name).as_uri()


async def test_other_files_are_shown_to_the_model(model: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    async with language_server(model) as server:
        uri = await open_project(server, root, "use.py", USE)
        deadline = time.monotonic() + 60
        receipt: dict[str, Any] = {}
        while receipt.get("context") != {"shapes.py": "receiver"}:
            assert time.monotonic() < deadline, receipt
            _, answer = server.inline(uri, 4, 18)
            await within(answer)
            receipt = next(iter(await server.receipts()), {})
            await asyncio.sleep(0.1)
        assert receipt["tokens"]["cross_file"] > 20


async def test_a_private_file_is_left_alone(model: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    async with language_server(model) as server:
        uri = await open_project(server, root, ".env", "TOKEN=canary_of_mine\nNAME=\n")
        outcome = ""
        deadline = time.monotonic() + 60
        while outcome != "private":
            assert time.monotonic() < deadline, outcome
            _, answer = server.inline(uri, 1, 5)
            assert (await within(answer))["items"] == []
            outcome = next((each["outcome"] for each in await server.receipts()), "")
        assert "canary" not in str(await server.receipts())
        while not state.read_all():  # so that the model server is there to be stopped
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
