from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

from lsp_server.completion.builder import load_builder
from lsp_server.completion.service import CompletionService
from lsp_server.completion.types import CompletionRequest, Outcome
from lsp_server.inference import remote
from lsp_server.inference.client import CompletionsClient, EngineUnavailableError
from lsp_server.inference.remote import RemoteEngine
from lsp_server.inference.types import EngineState
from lsp_server.prompt.types import Budget
from lsp_server.settings import CompletionSettings, EngineSettings, Settings, config_file
from tests.inference.fake_server import FakeServer, event
from tests.inference.llama_server import MODEL, NotAvailable, home, llama_server

PATIENCE = 60.0  # against hangs only
KEY = "a-key"


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "RETRY_SECONDS", (0.01,))


class Watched:
    """An engine, the states it went through, and a way to wait for one."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.states: list[EngineState] = []
        self._changed = asyncio.Event()
        self.engine = RemoteEngine(EngineSettings(url=url, **settings), "me", self._on_state)
        self.engine.start()

    def _on_state(self, state: EngineState) -> None:
        self.states.append(state)
        self._changed.set()

    async def until(self, condition: Callable[[EngineState], bool]) -> EngineState:
        async def wait() -> EngineState:
            while not (self.states and condition(self.states[-1])):
                self._changed.clear()
                await self._changed.wait()
            return self.states[-1]

        return await asyncio.wait_for(wait(), PATIENCE)

    async def ready(self) -> CompletionsClient:
        await self.until(lambda state: state.status == "ready")
        assert self.engine.client is not None
        return self.engine.client

    async def failed(self) -> str:
        return (await self.until(lambda state: state.status == "failed")).message


@contextlib.asynccontextmanager
async def watched(url: str, **settings: Any) -> AsyncIterator[Watched]:
    """A started engine, closed at the end."""
    running = Watched(url, **settings)
    try:
        yield running
    finally:
        await running.engine.close()


async def texts(client: CompletionsClient) -> list[str]:
    return [chunk.text async for chunk in client.stream([1, 2], max_tokens=4)]


async def test_it_takes_the_first_model_that_is_served_and_sends_the_key() -> None:
    async with FakeServer() as server:
        server.key = KEY
        async with watched(server.url, api_key=KEY) as engine:
            assert await texts(await engine.ready()) == ["x"]
        assert engine.states == [EngineState("ready", server.url)]
    assert server.asked[0]["model"] == "served"
    assert server.asked[0]["user"] == "me"
    assert set(server.authorizations) == {f"Bearer {KEY}"}


async def test_the_model_that_is_set_comes_first() -> None:
    async with FakeServer() as server, watched(server.url, remote_model="mine") as engine:
        await texts(await engine.ready())
    assert server.asked[0]["model"] == "mine"


async def test_a_server_of_no_named_models_is_asked_without_a_name() -> None:
    async with FakeServer() as server:
        server.models = {"data": []}
        async with watched(server.url) as engine:
            await texts(await engine.ready())
    assert "model" not in server.asked[0]


async def test_a_wrong_key_is_told_with_what_to_do_and_tried_again() -> None:
    async with FakeServer() as server:
        server.key = KEY
        async with watched(server.url, api_key="wrong") as engine:
            message = await engine.failed()
            assert engine.engine.client is None
            assert "HTTP 401: Invalid API Key" in message
            assert "CODER_LSP_API_KEY" in message
            assert str(config_file()) in message
            server.key = "wrong"
            await engine.ready()


async def test_an_address_without_the_api_is_told_with_what_to_do() -> None:
    async with FakeServer() as server, watched(f"{server.url}/wrong") as engine:
        message = await engine.failed()
    assert "HTTP 404" in message
    assert "the address before /v1/completions" in message


async def test_a_server_that_loads_its_model_is_waited_for() -> None:
    async with FakeServer() as server:
        loading = {"error": {"message": "Loading model"}}
        server.models_response = web.json_response(loading, status=503)
        async with watched(server.url) as engine:
            state = await engine.until(lambda state: state.status == "loading")
            assert state.message == f"{server.url}: HTTP 503: Loading model"
            server.models_response = None
            await engine.ready()
    assert [state.status for state in engine.states] == ["loading", "ready"]


async def test_a_server_that_is_not_there_is_tried_until_it_comes_up() -> None:
    port = unused_port()
    async with watched(f"http://127.0.0.1:{port}") as engine:
        assert f"127.0.0.1:{port}" in await engine.failed()
        assert engine.engine.client is None
        async with FakeServer(port):
            assert await texts(await engine.ready()) == ["x"]


async def test_a_failure_is_told_once_however_often_it_is_tried() -> None:
    async with FakeServer() as server:
        server.key = KEY
        async with watched(server.url) as engine:
            await engine.failed()
            while len(server.authorizations) < 5:
                await asyncio.sleep(0.01)
        assert [state.status for state in engine.states] == ["failed"]


async def test_a_server_that_goes_away_in_mid_answer_is_found_again() -> None:
    port = unused_port()
    async with watched(f"http://127.0.0.1:{port}") as engine:
        async with FakeServer(port) as server:
            client = await engine.ready()
            server.completion, server.breaks_off = [event("a")], True
            with pytest.raises(EngineUnavailableError):
                await texts(client)
        engine.engine.lost()
        await engine.failed()
        async with FakeServer(port) as successor:
            successor.models = {"data": [{"id": "newer"}]}
            assert await texts(await engine.ready()) == ["x"]
    assert successor.asked[0]["model"] == "newer"
    seen = [state.status for state in engine.states]
    assert seen[-4:] == ["ready", "starting", "failed", "ready"]


async def test_what_is_lost_while_it_is_away_does_not_cost_the_next_connection() -> None:
    async with FakeServer() as server:
        server.key = KEY
        async with watched(server.url) as engine:
            await engine.failed()
            engine.engine.lost()
            server.key = None
            client = await engine.ready()
            await asyncio.sleep(0.1)
            assert engine.engine.client is client
            assert await texts(client) == ["x"]


# A real llama-server with the default model.


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    try:
        with llama_server(KEY) as url:
            yield url
    except NotAvailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
async def service(llama: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CompletionService]:
    """A service ready to ask llama-server."""
    monkeypatch.setenv("CODER_LSP_HOME", str(home()))
    engine = EngineSettings(url=llama, api_key=KEY, timeout_seconds=PATIENCE)
    settings = Settings(model=MODEL, engine=engine, completion=CompletionSettings(max_tokens=32))
    over = asyncio.Event()
    states: list[EngineState] = []

    def on_state(state: EngineState) -> None:
        states.append(state)
        if state.status in ("ready", "failed"):
            over.set()

    service = CompletionService(settings, on_state)
    await service.start()
    await asyncio.wait_for(over.wait(), 10 * PATIENCE)
    assert states[-1].status == "ready", states
    yield service
    await service.close()


def request_at(marked: str) -> CompletionRequest:
    """A request for a Python file, at its `|`."""
    offset = marked.index("|")
    return CompletionRequest("sums.py", "python", marked.replace("|", ""), offset)


async def busy_slots(url: str) -> int:
    """How many requests llama-server is at."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session,
        session.get(f"{url}/slots") as response,
    ):
        return sum(slot["is_processing"] for slot in await response.json())


async def becomes(url: str, count: int) -> None:
    async def wait() -> None:
        while await busy_slots(url) != count:
            await asyncio.sleep(0.005)

    await asyncio.wait_for(wait(), PATIENCE)


@pytest.mark.model
@pytest.mark.network
async def test_llama_server_completes_a_function(service: CompletionService) -> None:
    suggestion = await service.complete(
        request_at('def add(a, b):\n    """The sum of a and b."""\n    return |\n\n\nadd(1, 2)\n')
    )
    assert suggestion.text.splitlines()[0] == "a + b"
    assert suggestion.receipt.outcome is Outcome.SUGGESTED


@pytest.mark.model
@pytest.mark.network
async def test_llama_server_is_idle_once_the_document_disagrees(
    service: CompletionService, llama: str
) -> None:
    assert await busy_slots(llama) == 0
    request = request_at("def primes(limit):\n    |\n")
    task = asyncio.create_task(service.complete(request))
    await becomes(llama, 1)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    service.edited(replace(request, text="\n" + request.text, offset=1))
    await becomes(llama, 0)
    assert service.receipts[-1].outcome is Outcome.CANCELLED
    assert (await service.complete(request)).receipt.outcome is Outcome.SUGGESTED


@pytest.mark.model
@pytest.mark.network
@pytest.mark.usefixtures("service")  # for the tokenizer
async def test_llama_server_takes_token_ids_and_ends_where_the_model_does(llama: str) -> None:
    prompt = load_builder(MODEL).build(
        path="sums.py",
        prefix="def add(a, b):\n    return a +",
        suffix="\n\n\nprint(add(1, 2))\n",
        cross_file=(),
        repository="",
        budget=Budget(),
        order="psm",
    )
    client = CompletionsClient(llama, token=KEY)
    stream = client.stream(prompt.ids, max_tokens=64, stop_token_ids=prompt.stop_ids, logprobs=True)
    chunks = [chunk async for chunk in stream]
    await client.close()
    text = "".join(chunk.text for chunk in chunks)
    assert text.startswith(" b")
    assert "<|" not in text
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    assert chunks[-1].usage["prompt_tokens"] == len(prompt.ids)
    logprobs = [each for chunk in chunks for each in chunk.token_logprobs if each is not None]
    assert len(logprobs) >= len(text.split())
    assert max(logprobs) <= 0
