from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from lsp_server.inference.client import (
    Chunk,
    CompletionsClient,
    EngineError,
    EngineUnavailableError,
)
from tests.inference.fake_server import DONE, FakeServer, event


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


async def ask(server: FakeServer, **options: Any) -> list[Chunk]:
    client = CompletionsClient(server.url)
    try:
        return [chunk async for chunk in client.stream([1, 2], max_tokens=5, **options)]
    finally:
        await client.close()


async def text_of(server: FakeServer, *pieces: bytes) -> str:
    server.completion = list(pieces)
    return "".join(chunk.text for chunk in await ask(server))


async def test_the_request_asks_greedily_for_token_ids(server: FakeServer) -> None:
    client = CompletionsClient(server.url, token="secret", model="m", user="me")
    async for _ in client.stream([1, 2], max_tokens=5, stop=["\n"], stop_token_ids=[7]):
        pass
    await client.close()
    assert server.authorizations == ["Bearer secret"]
    assert server.asked == [
        {
            "prompt": [1, 2],
            "max_tokens": 5,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            "stop": ["\n"],
            "stop_token_ids": [7],
            "model": "m",
            "user": "me",
        }
    ]


@pytest.mark.parametrize("is_ours", [True, False])
async def test_only_our_own_server_is_told_what_to_begin_with(
    server: FakeServer, is_ours: bool
) -> None:
    server.completion = [DONE]
    client = CompletionsClient(server.url, is_ours=is_ours)
    async for _ in client.stream([1], max_tokens=1, begins_with=" ret"):
        pass
    await client.close()
    assert server.asked[0].get("begins_with") == (" ret" if is_ours else None)


async def test_without_a_token_no_header_is_sent(server: FakeServer) -> None:
    await ask(server)
    assert server.authorizations == [None]


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/"])
async def test_the_base_url_may_end_in_v1_or_not(server: FakeServer, end: str) -> None:
    client = CompletionsClient(server.url + end)
    assert await client.models() == ["served", "other"]
    assert [chunk.text async for chunk in client.stream([1], max_tokens=1)] == ["x"]
    await client.close()


async def test_comments_other_fields_and_blank_lines_are_passed_over(server: FakeServer) -> None:
    noise = b": ping\n\nevent: message\nid: 7\nretry: 10\n"
    assert await text_of(server, noise, event("a"), noise, event("b", "stop"), DONE) == "ab"


async def test_lines_may_end_in_crlf_and_data_without_a_space(server: FakeServer) -> None:
    tight = event("b", "stop").replace(b"data: ", b"data:")
    crlf = (event("a") + tight + DONE).replace(b"\n", b"\r\n")
    assert await text_of(server, crlf) == "ab"


async def test_events_may_be_cut_anywhere(server: FakeServer) -> None:
    whole = event("ä→b") + event("c", "stop") + DONE
    assert await text_of(server, *(whole[i : i + 1] for i in range(len(whole)))) == "ä→bc"


async def test_usage_comes_in_an_event_without_choices(server: FakeServer) -> None:
    usage = {"prompt_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}}
    last = b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
    server.completion = [event("a", usage=None), event("", "stop"), last, DONE]
    assert await ask(server) == [
        Chunk("a"),
        Chunk("", finish_reason="stop"),
        Chunk("", usage=usage),
    ]


async def test_logprobs_in_the_forms_that_servers_give_them(server: FakeServer) -> None:
    def with_logprobs(logprobs: Any) -> bytes:
        choice = {"text": "a", "logprobs": logprobs, "finish_reason": None}
        return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"

    openai = with_logprobs({"tokens": ["a"], "token_logprobs": [-0.5], "top_logprobs": None})
    chat = with_logprobs({"content": [{"id": 64, "token": "a", "logprob": -0.25}]})
    server.completion = [openai, chat, with_logprobs(None), DONE]
    chunks = await ask(server, logprobs=True)
    assert [chunk.token_logprobs for chunk in chunks] == [(-0.5,), (-0.25,), ()]


async def test_without_done_a_finish_reason_ends_the_answer(server: FakeServer) -> None:
    assert await text_of(server, event("a"), event("b", "length")) == "ab"


async def test_without_either_the_answer_broke_off(server: FakeServer) -> None:
    with pytest.raises(EngineUnavailableError, match="broke off"):
        await text_of(server, event("a"))


async def test_a_connection_cut_off_is_told_after_what_came(server: FakeServer) -> None:
    server.completion, server.breaks_off = [event("a")], True
    client = CompletionsClient(server.url)
    got = ""
    with pytest.raises(EngineUnavailableError):
        async for chunk in client.stream([1], max_tokens=5):
            got += chunk.text
    await client.close()
    assert got == "a"


@pytest.mark.parametrize(
    "error", [{"message": "out of memory", "code": 500}, "out of memory"], ids=["object", "text"]
)
async def test_an_error_in_the_stream_is_raised(server: FakeServer, error: Any) -> None:
    broken = b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
    with pytest.raises(EngineError, match=r"^out of memory$"):
        await text_of(server, event("a"), broken, DONE)


@pytest.mark.parametrize(
    "line",
    [
        b"data: {not json\n\n",
        b"data: []\n\n",
        b"data: null\n\n",
        b'data: {"choices": {"text": "x"}}\n\n',
        b'data: {"choices": ["x"]}\n\n',
        b"data: " + b"x" * (1 << 20) + b"\n\n",
    ],
    ids=["no JSON", "list", "null", "choices no list", "choice no object", "over-long line"],
)
async def test_what_cannot_be_read_is_an_engine_error(server: FakeServer, line: bytes) -> None:
    with pytest.raises(EngineError, match="not a stream of completions"):
        await text_of(server, event("a"), line, DONE)


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ({"text": "<html>\n <b>No</b>\n</html>"}, "HTTP 404: <html> <b>No</b> </html>"),
        ({"text": ""}, "HTTP 404: Not Found"),
        ({"text": '{"error": {"message": "no such model"}}'}, "HTTP 404: no such model"),
        ({"text": '{"object": "error", "message": "no model"}'}, "HTTP 404: no model"),
        ({"text": '{"error": "no model"}'}, "HTTP 404: no model"),
        ({"text": '{"detail": "Not Found"}'}, "HTTP 404: {'detail': 'Not Found'}"),
        ({"text": "x" * 1000}, "HTTP 404: " + "x" * 300),
        ({"body": b"\xff\xfe"}, "HTTP 404: \ufffd\ufffd"),
    ],
)
async def test_a_refusal_says_what_the_server_said(
    server: FakeServer, response: dict[str, Any], message: str
) -> None:
    server.completion = web.Response(status=404, **response)
    with pytest.raises(EngineError) as raised:
        await ask(server)
    assert (str(raised.value), raised.value.status) == (message, 404)
    assert not isinstance(raised.value, EngineUnavailableError)


@pytest.mark.parametrize("status", [302, 307])
async def test_code_is_not_sent_on_to_where_a_redirect_leads(
    server: FakeServer, status: int
) -> None:
    async with FakeServer() as elsewhere:
        location = {"Location": f"{elsewhere.url}/v1/completions"}
        server.completion = web.Response(status=status, headers=location)
        with pytest.raises(EngineError, match=f"HTTP {status}"):
            await ask(server)
        assert elsewhere.authorizations == []


@pytest.mark.parametrize(
    ("models", "names"), [({"data": []}, []), ({"data": None}, []), ({"data": [{"id": 1}]}, ["1"])]
)
async def test_names_of_models(server: FakeServer, models: Any, names: list[str]) -> None:
    server.models = models
    client = CompletionsClient(server.url)
    assert await client.models() == names
    await client.close()


@pytest.mark.parametrize("models", [[], {}, {"data": [1]}, {"data": [{}]}, "text", None])
async def test_a_list_of_models_that_is_none(server: FakeServer, models: Any) -> None:
    server.models = models
    client = CompletionsClient(server.url)
    with pytest.raises(EngineError, match=r"no list|no JSON object"):
        await client.models()
    await client.close()


async def test_a_web_page_is_no_list_of_models(server: FakeServer) -> None:
    server.models_response = web.Response(text="<html>", content_type="text/html")
    client = CompletionsClient(server.url)
    with pytest.raises(EngineError, match="not JSON"):
        await client.models()
    await client.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.0.0.1:99999", "127.0.0.1:8080"])
async def test_an_address_where_nobody_answers(url: str) -> None:
    client = CompletionsClient(url)
    with pytest.raises(EngineUnavailableError):
        await client.models()
    with pytest.raises(EngineUnavailableError):
        async for _ in client.stream([1], max_tokens=1):
            pass
    await client.close()
