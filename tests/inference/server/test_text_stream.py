from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from lsp_server.inference.server.text_stream import TextStream
from tests.inference.tiny_models import write_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder)
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def pieces(tokenizer: Tokenizer, text: str, stop: list[str]) -> tuple[list[str], TextStream]:
    stream = TextStream(tokenizer, [], stop)
    got = []
    for token in tokenizer.encode(text).ids:
        got.append(stream.push(token))
        if stream.stopped:
            break
    return got, stream


def test_a_character_of_several_tokens_comes_whole(tokenizer: Tokenizer) -> None:
    got, _ = pieces(tokenizer, "a😀é", [])
    assert got == ["a", "", "", "", "😀", "", "é"]


def test_what_may_become_a_stop_is_held_back(tokenizer: Tokenizer) -> None:
    got, stream = pieces(tokenizer, "ab\n\ncd", ["\n\ndef"])
    assert got == ["a", "b", "", "", "\n\nc", "d"]
    assert not stream.stopped
    got, stream = pieces(tokenizer, "ab\n\nd", ["\n\ndef"])
    assert "".join(got) == "ab"
    assert stream.flush() == "\n\nd"


def test_the_first_stop_string_wins(tokenizer: Tokenizer) -> None:
    got, stream = pieces(tokenizer, "one;two\nthree", ["\n", ";"])
    assert "".join(got) == "one"
    assert stream.stopped
    assert stream.flush() == ""


@given(
    text=st.text(alphabet="ab\n", max_size=30),
    stop=st.text(alphabet="ab\n", min_size=1, max_size=4),
)
def test_streaming_is_cutting_the_whole(tokenizer: Tokenizer, text: str, stop: str) -> None:
    got, stream = pieces(tokenizer, text, [stop])
    whole = "".join(got) + stream.flush()
    assert whole == text.split(stop)[0]
    assert stream.stopped == (stop in text)
