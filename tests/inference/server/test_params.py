from __future__ import annotations

from typing import Any

import pytest

from lsp_server.inference.server.params import RequestError, parse


def test_defaults_are_greedy() -> None:
    params = parse({"prompt": "x"})
    assert (params.prompt, params.max_tokens, params.temperature) == ("x", 16, 0.0)
    assert (params.stop, params.logprobs, params.stream, params.user) == ((), None, False, None)


def test_a_beginning_may_be_given() -> None:
    assert parse({"prompt": "x"}).begins_with == ""
    assert parse({"prompt": "x", "begins_with": " ret"}).begins_with == " ret"


def test_token_ids_and_their_batch_of_one() -> None:
    assert parse({"prompt": [1, 2]}).prompt == (1, 2)
    assert parse({"prompt": [[1, 2]]}).prompt == (1, 2)
    assert parse({"prompt": ["x"]}).prompt == "x"


def test_one_stop_string_or_several() -> None:
    assert parse({"prompt": "x", "stop": "\n"}).stop == ("\n",)
    assert parse({"prompt": "x", "stop": ["a", "b"]}).stop == ("a", "b")
    assert parse({"prompt": "x", "stop": None}).stop == ()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, -1]}, "prompt"),
        ({"prompt": [True]}, "prompt"),
        ({"prompt": [1 << 40]}, "prompt"),
        ({"prompt": "x", "max_tokens": 0}, "max_tokens"),
        ({"prompt": "x", "max_tokens": "9"}, "max_tokens"),
        ({"prompt": "x", "temperature": 3}, "temperature"),
        ({"prompt": "x", "temperature": True}, "temperature"),
        ({"prompt": "x", "stop": [""]}, "stop"),
        ({"prompt": "x", "stop": ["s"] * 17}, "stop"),
        ({"prompt": "x", "stop_token_ids": "1"}, "stop_token_ids"),
        ({"prompt": "x", "logprobs": 21}, "logprobs"),
        ({"prompt": "x", "n": 2}, "n"),
        ({"prompt": "x", "echo": True}, "echo"),
        ({"prompt": "x", "top_p": 0.5}, "top_p"),
        ({"prompt": "x", "begins_with": 3}, "begins_with"),
        ({"prompt": "x", "begins_with": "x" * 1001}, "begins_with"),
    ],
)
def test_the_field_at_fault_is_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(body)
    assert caught.value.param == field
    assert caught.value.body()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("body", [[], "text", None, 3])
def test_the_body_must_be_an_object(body: Any) -> None:
    with pytest.raises(RequestError, match="JSON object"):
        parse(body)
