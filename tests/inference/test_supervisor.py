"""The model server as a process: started, shared, restarted, ended."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from lsp_server.inference import state, supervisor
from lsp_server.inference.client import Chunk, CompletionsClient, EngineUnavailableError
from lsp_server.inference.supervisor import LocalEngine, find_or_start, health_of, stop_all
from lsp_server.inference.types import EngineState
from tests.inference.tiny_models import write_model

WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    write_model(folder, "Llama", eos_token_id=None, max_position_embeddings=100_000)
    return folder


@pytest.fixture(autouse=True)
async def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setenv(state.STATE_VARIABLE, str(tmp_path))
    yield
    await stop_all()


def spec_of(model: Path) -> state.ServerSpec:
    return state.ServerSpec(str(model), device="cpu", threads=1)


def make_engine(
    model: Path, on_state: Callable[[EngineState], None] = lambda _: None, user: str = "me"
) -> LocalEngine:
    engine = LocalEngine(spec_of(model), idle_minutes=5, user=user, on_state=on_state)
    engine.start()
    return engine


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended but was not waited for does not."""
    if sys.platform == "linux":
        stat = Path(f"/proc/{pid}/stat")
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


async def ask(client: CompletionsClient | None, max_tokens: int = 5) -> list[Chunk]:
    assert client is not None
    return [chunk async for chunk in client.stream([1, 2, 3], max_tokens=max_tokens)]


async def test_from_nothing_to_an_answer(model: Path) -> None:
    states: list[EngineState] = []
    engine = make_engine(model, states.append)
    assert engine.client is None
    await until(lambda: engine.client)
    chunks = await ask(engine.client)
    assert chunks[-1].finish_reason == "length"
    assert chunks[-1].usage["completion_tokens"] == 5
    assert states[-1].status == "ready"
    assert "loading" in {each.status for each in states}
    await engine.close()


async def test_two_language_servers_share_one(model: Path) -> None:
    engines = [make_engine(model, user=name) for name in ("a", "b")]
    await until(lambda: all(engine.client for engine in engines))
    assert len(state.read_all()) == 1
    healths = [await engine.client.health() for engine in engines if engine.client]
    assert healths[0]["pid"] == healths[1]["pid"]
    await engines[0].close()
    assert await ask(engines[1].client)
    await engines[1].close()


async def test_killed_in_a_request_it_comes_back(model: Path) -> None:
    engine = make_engine(model)
    await until(lambda: engine.client)
    [endpoint] = state.read_all()
    assert engine.client is not None
    stream = engine.client.stream([1, 2, 3], max_tokens=90_000)
    await anext(stream)
    os.kill(endpoint.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    with pytest.raises(EngineUnavailableError):
        async for _ in stream:
            pass
    engine.lost()
    await until(lambda: engine.state.status != "ready")
    await until(lambda: engine.client)
    assert state.read_all()[0].pid != endpoint.pid
    assert await ask(engine.client)
    await engine.close()


async def test_it_outlives_its_starter_and_stops_when_told(model: Path) -> None:
    endpoint = await find_or_start(spec_of(model), idle_minutes=5)
    engine = make_engine(model)
    await until(lambda: engine.client)
    await engine.close()
    assert (await health_of(endpoint) or {})["pid"] == endpoint.pid
    assert await stop_all() == 1
    await until(lambda: not alive(endpoint.pid))
    assert state.read_all() == []


async def test_after_the_servers_end_nothing_is_sent_to_its_port(model: Path) -> None:
    engine = make_engine(model)
    await until(lambda: engine.client)
    [endpoint] = state.read_all()
    assert await stop_all() == 1
    await until(lambda: not alive(endpoint.pid))
    assert engine.state.status == "ready"  # nobody has told it yet
    assert engine.client is None
    await until(lambda: engine.client)
    assert state.read_all() != [endpoint]
    await engine.close()


async def test_it_ends_when_idle(model: Path) -> None:
    endpoint = await find_or_start(spec_of(model), idle_minutes=0.01)
    await until(lambda: not alive(endpoint.pid))
    assert state.read_all() == []


async def test_it_is_not_idle_while_it_answers(model: Path) -> None:
    endpoint = await find_or_start(spec_of(model), idle_minutes=0.02)
    client = CompletionsClient(endpoint.url, token=endpoint.token)
    while (await client.health())["status"] != "ready":
        await asyncio.sleep(0.02)
    began = time.monotonic()
    async with aclosing(client.stream([1, 2, 3], max_tokens=90_000)) as stream:
        async for _ in stream:
            if time.monotonic() - began > 3:
                break
    await client.close()
    await until(lambda: not alive(endpoint.pid))


async def test_a_stale_state_file_is_no_server(model: Path) -> None:
    spec = spec_of(model)
    state.write(spec.key(), state.Endpoint(pid=1, port=1, token="old"))
    endpoint = await find_or_start(spec, idle_minutes=5)
    assert endpoint.pid != 1
    assert await health_of(endpoint)


async def test_another_program_at_the_old_port_is_no_server(model: Path) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response([])

    app = web.Application()
    app.router.add_get("/health", answer)
    async with TestServer(app) as other:
        assert other.port is not None
        spec = spec_of(model)
        state.write(spec.key(), state.Endpoint(pid=1, port=other.port, token="old"))
        endpoint = await find_or_start(spec, idle_minutes=5)
        assert endpoint.port != other.port


@pytest.mark.skipif(sys.platform == "win32", reason="the launcher is a script")
async def test_the_process_may_be_only_a_launcher(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a Windows venv, whose python.exe starts the real one."""
    launcher = tmp_path / "python"
    launcher.write_text(
        f"#!{sys.executable}\nimport subprocess, sys\n"
        f"sys.exit(subprocess.call([{sys.executable!r}, *sys.argv[1:]]))\n"
    )
    launcher.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(launcher))
    assert await health_of(await find_or_start(spec_of(model), idle_minutes=5))


async def test_modules_that_lie_about_are_not_imported(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "aiohttp.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(home)
    assert await health_of(await find_or_start(spec_of(model), idle_minutes=5))


async def test_who_stops_waiting_for_a_start_leaves_no_process(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would find it before it listens, so the next would start a second one."""
    started: list[subprocess.Popen[bytes]] = []
    spawn = supervisor.spawn

    def keep(spec: state.ServerSpec, idle_minutes: float) -> subprocess.Popen[bytes]:
        started.append(spawn(spec, idle_minutes))
        return started[-1]

    monkeypatch.setattr(supervisor, "spawn", keep)
    engine = make_engine(model)
    await until(lambda: started)
    await engine.close()
    [process] = started
    await until(lambda: process.poll() is not None)
    assert state.read_all() == []


@pytest.mark.parametrize("at_work", [True, False], ids=["while it generates", "while it loads"])
async def test_told_to_stop_it_ends_cleanly(model: Path, at_work: bool) -> None:
    spec = spec_of(model)
    process = supervisor.spawn(spec, idle_minutes=5)
    await until(lambda: state.read(spec.key()))
    endpoint = state.read(spec.key())
    assert endpoint is not None
    client = CompletionsClient(endpoint.url, token=endpoint.token)
    stream = client.stream([1, 2, 3], max_tokens=90_000)
    if at_work:
        while (await client.health())["status"] != "ready":
            await asyncio.sleep(0.02)
        await anext(stream)
    await client.shut_down()
    await until(lambda: process.poll() is not None)
    assert process.returncode == 0
    await stream.aclose()
    await client.close()


async def test_whatever_goes_wrong_is_told(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_: object) -> None:  # as filelock does on some network file systems
        raise NotImplementedError("no locks here")

    with monkeypatch.context() as patch:
        patch.setattr(supervisor, "_acquire", refuse)
        engine = make_engine(model)
        await until(lambda: engine.state.status == "failed")
    assert engine.state.message == "no locks here"
    engine.lost()
    await until(lambda: engine.client)
    await engine.close()


async def test_a_model_that_cannot_be_loaded_is_told_and_tried_anew(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    engine = make_engine(folder)
    await until(lambda: engine.state.status == "failed")
    assert engine.state.message
    [first] = state.read_all()
    await engine.close()
    second = await find_or_start(spec_of(folder), idle_minutes=5)
    assert second.pid != first.pid


async def test_a_server_that_cannot_start_says_why(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "START_SECONDS", 30.0)
    spec = state.ServerSpec(str(model), device="nonsense")
    with pytest.raises(supervisor.ServerStartError, match="nonsense"):
        await find_or_start(spec, idle_minutes=5)
