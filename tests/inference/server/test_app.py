"""The HTTP API over a tiny random model."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from tokenizers import Tokenizer

from lsp_server.inference.engine.constraint import Vocabulary, token_bytes
from lsp_server.inference.engine.load import load_generator
from lsp_server.inference.server.app import ModelServerApp
from lsp_server.inference.server.worker import Loaded, Worker
from lsp_server.inference.types import EngineState
from tests.inference.tiny_models import write_model

TOKEN = "a token"
PROMPT = [10, 20, 30]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    write_model(folder, "Llama", eos_token_id=None, max_position_embeddings=100_000)
    return folder


@pytest.fixture
async def api(directory: Path) -> AsyncIterator[TestClient[Any, Any]]:
    def load(report: Callable[[EngineState], None]) -> Loaded:
        generator = load_generator(directory, device="cpu", threads=1, kv_slots=2)
        tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        return Loaded(generator, tokenizer, Vocabulary(token_bytes(tokenizer, 10**6)))

    worker = Worker(load)
    served = ModelServerApp(worker, "tiny", TOKEN, lambda: None)
    server = TestServer(served.application())
    await server.start_server()
    client = TestClient(server, headers={"Authorization": f"Bearer {TOKEN}"})
    worker.start()
    while worker.state.status != "ready":
        assert worker.state.status != "failed", worker.state.message
        await asyncio.sleep(0.01)
    yield client
    await client.close()


async def complete(api: TestClient[Any, Any], **body: Any) -> dict[str, Any]:
    response = await api.post("/v1/completions", json={"prompt": PROMPT} | body)
    assert response.status == 200, await response.text()
    answer: dict[str, Any] = await response.json()
    return answer


async def events(response: ClientResponse) -> list[dict[str, Any]]:
    lines = [line[6:] for line in (await response.text()).split("\n") if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


async def until_idle(api: TestClient[Any, Any]) -> None:
    deadline = time.monotonic() + 20
    while (await (await api.get("/health")).json())["busy"]:
        assert time.monotonic() < deadline, "the engine goes on"
        await asyncio.sleep(0.01)


async def until_busy(api: TestClient[Any, Any]) -> None:
    deadline = time.monotonic() + 20
    while not (await (await api.get("/health")).json())["busy"]:
        assert time.monotonic() < deadline, "the engine does not begin"
        await asyncio.sleep(0.005)


async def test_a_completion_begins_with_what_is_given(api: TestClient[Any, Any]) -> None:
    free = (await complete(api, max_tokens=6))["choices"][0]["text"]
    answer = await complete(api, max_tokens=6, begins_with="né(", logprobs=0)
    choice = answer["choices"][0]
    assert choice["text"].startswith("né(")
    assert choice["text"] != free
    # a token is a byte here, and what was given says nothing of how sure the model is
    assert choice["logprobs"]["token_logprobs"][:4] == [None] * 4
    assert None not in choice["logprobs"]["token_logprobs"][4:]


async def test_whole_answer(api: TestClient[Any, Any]) -> None:
    answer = await complete(api, max_tokens=5)
    assert answer["object"] == "text_completion"
    assert answer["choices"][0]["finish_reason"] == "length"
    usage = answer["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (3, 5, 8)


async def test_streamed_answer_is_the_whole_one(api: TestClient[Any, Any]) -> None:
    whole = await complete(api, max_tokens=30)
    response = await api.post(
        "/v1/completions", json={"prompt": PROMPT, "max_tokens": 30, "stream": True}
    )
    got = await events(response)
    assert "".join(event["choices"][0]["text"] for event in got) == whole["choices"][0]["text"]
    assert got[-1]["choices"][0]["finish_reason"] == "length"
    for event in (got[0], got[-1]):  # a client may hang up before the last one
        assert event["usage"]["prompt_tokens_details"]["cached_tokens"] == 2
    assert "usage" not in got[1]


async def test_text_prompt_and_stop_string(api: TestClient[Any, Any]) -> None:
    free = (await complete(api, prompt="def f", max_tokens=40))["choices"][0]["text"]
    stop = free[10:12]
    answer = await complete(api, prompt="def f", max_tokens=40, stop=stop)
    assert answer["choices"][0]["text"] == free.split(stop)[0]
    assert answer["choices"][0]["finish_reason"] == "stop"


async def test_logprobs(api: TestClient[Any, Any]) -> None:
    logprobs = (await complete(api, max_tokens=4, logprobs=2))["choices"][0]["logprobs"]
    assert len(logprobs["tokens"]) == len(logprobs["token_logprobs"]) == 4
    assert all(len(top) == 2 for top in logprobs["top_logprobs"])
    first = logprobs["tokens"][0]
    assert logprobs["top_logprobs"][0][first] == pytest.approx(logprobs["token_logprobs"][0])


async def test_models(api: TestClient[Any, Any]) -> None:
    listed = await (await api.get("/v1/models")).json()
    assert [entry["id"] for entry in listed["data"]] == ["tiny"]


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/v1/completions", "/shutdown"])
@pytest.mark.parametrize("given", ["", "Bearer wrong", "Basic x", "Bearer é"])
async def test_a_token_is_needed(api: TestClient[Any, Any], path: str, given: str) -> None:
    method = "GET" if path in ("/health", "/v1/models") else "POST"
    response = await api.request(method, path, headers={"Authorization": given})
    assert response.status == 401
    assert "token" in (await response.json())["error"]["message"]


async def test_a_header_that_is_no_text_is_refused_as_any_other(api: TestClient[Any, Any]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xe9\r\n\r\n")
    assert b" 401 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize(
    ("data", "status", "says"),
    [
        (b"{", 400, "not JSON"),
        (b"[]", 400, "JSON object"),
        (b'{"prompt": []}', 400, "token ids"),
        (b'{"prompt": [99999]}', 400, "token ids"),
        (b'{"prompt": "x", "max_tokens": 200000}', 400, "window"),
        (b'{"prompt": "x", "max_tokens": 200000, "stream": true}', 400, "window"),
    ],
)
async def test_errors_have_the_shape_of_openai(
    api: TestClient[Any, Any], data: bytes, status: int, says: str
) -> None:
    response = await api.post("/v1/completions", data=data)
    assert response.status == status
    assert says in (await response.json())["error"]["message"]


async def test_unknown_paths_have_it_too(api: TestClient[Any, Any]) -> None:
    response = await api.get("/v1/nothing")
    assert response.status == 404
    assert (await response.json())["error"]["code"] == 404


async def test_hanging_up_stops_the_engine(api: TestClient[Any, Any]) -> None:
    body = {"prompt": PROMPT, "max_tokens": 90_000, "stream": True}
    response = await api.post("/v1/completions", json=body)
    await response.content.readline()
    await until_busy(api)
    response.close()
    await until_idle(api)
    assert (await complete(api, max_tokens=3))["usage"]["completion_tokens"] == 3


async def test_hanging_up_before_the_first_token_stops_it_too(api: TestClient[Any, Any]) -> None:
    body = {"prompt": [1] * 60_000, "max_tokens": 5}
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(api.post("/v1/completions", json=body), 0.3)
    await until_idle(api)


async def test_a_newer_request_of_a_user_takes_over(api: TestClient[Any, Any]) -> None:
    long = {"prompt": PROMPT, "max_tokens": 90_000, "user": "me", "stream": True}
    older = await api.post("/v1/completions", json=long)
    await older.content.readline()
    newer = await complete(api, max_tokens=3, user="me")
    assert newer["choices"][0]["finish_reason"] == "length"
    assert (await events(older))[-1]["choices"][0]["finish_reason"] == "abort"


async def test_other_users_wait_their_turn(api: TestClient[Any, Any]) -> None:
    first = asyncio.create_task(complete(api, max_tokens=2000, user="me"))
    await until_busy(api)
    second = await complete(api, max_tokens=3, user="you")
    assert (await first)["choices"][0]["finish_reason"] == "length"
    assert second["choices"][0]["finish_reason"] == "length"
