from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from lsp_server.inference.engine.constraint import Beginning, Vocabulary, token_bytes
from tests.inference.tiny_models import write_tokenizer
from tests.prompt.tiny_tokenizers import byte_level_json, sentencepiece_json
from tests.tokenizers import tokenizer_json

CONTROL = ["<fim_prefix>", "<fim_suffix>", "<fim_middle>"]
PIECES = [b"a", b"ab", b"abc", b"b", b"ba", b" ", b" a", "é".encode(), b"\xc3", b"\xa9"]
TOKENS = dict(enumerate(PIECES))
VOCABULARY = Vocabulary(TOKENS)
texts = st.text(alphabet="ab é", min_size=1, max_size=6)


def agreeing(wanted: bytes) -> list[int]:
    return sorted(
        id_ for id_, piece in TOKENS.items() if piece.startswith(wanted) or wanted.startswith(piece)
    )


@given(texts)
def test_what_agrees_begins_with_the_text_or_is_its_beginning(text: str) -> None:
    found = VOCABULARY.beginning(text.encode())
    assert sorted(found.tolist()) == agreeing(text.encode())
    assert len(set(found.tolist())) == len(found)


@given(texts, st.data())
def test_whatever_is_chosen_the_text_begins_with_what_was_given(
    text: str, data: st.DataObject
) -> None:
    beginning = Beginning(VOCABULARY, text.encode())
    written = b""
    while beginning.left:
        chosen = data.draw(st.sampled_from(beginning.allowed().tolist()))
        goes_on = beginning.exceeded_by(chosen)
        beginning = beginning.after(chosen)
        written += TOKENS[chosen]
        assert goes_on == (len(written) > len(text.encode()))
    assert written.startswith(text.encode())


def test_nothing_agrees_with_what_the_vocabulary_cannot_spell() -> None:
    assert VOCABULARY.beginning(b"x").tolist() == []


def test_tokens_alike_are_all_found() -> None:
    vocabulary = Vocabulary({1: b"A", 7: b"A", 3: b"AB"})
    assert sorted(vocabulary.beginning(b"A").tolist()) == [1, 3, 7]
    assert sorted(vocabulary.beginning(b"ABC").tolist()) == [1, 3, 7]


def test_empty_tokens_agree_with_nothing() -> None:
    assert Vocabulary({1: b"", 2: b"a"}).beginning(b"a").tolist() == [2]


@pytest.mark.parametrize(
    "tokenizer_json",
    [byte_level_json(CONTROL), sentencepiece_json(CONTROL)],
    ids=["byte-level", "sentencepiece"],
)
def test_bytes_are_those_that_the_decoder_writes(tokenizer_json: str) -> None:
    tokenizer = Tokenizer.from_str(tokenizer_json)
    spelled = token_bytes(tokenizer, 10**6)
    anchor = tokenizer.token_to_id("a")
    assert anchor is not None
    assert spelled[anchor] == b"a"
    checked = 0
    for id_, piece in spelled.items():
        # after another token: the decoder drops the blank that a text begins with
        written = tokenizer.decode([anchor, id_], skip_special_tokens=False)
        if "\ufffd" not in written and tokenizer.id_to_token(id_) != "<unk>":
            assert written.encode() == b"a" + piece
            checked += 1
    assert checked > 100


@pytest.mark.parametrize("name", ["qwen-2.5", "deepseek-coder-33b-base"])
def test_published_tokenizers(name: str) -> None:
    content = tokenizer_json(name)
    tokenizer = Tokenizer.from_str(content)
    spelled = token_bytes(tokenizer, 10**6)
    for id_ in list(spelled)[:: len(spelled) // 500]:
        written = tokenizer.decode([id_], skip_special_tokens=False)
        assert "\ufffd" in written or written.encode() == spelled[id_]
    added = {token["id"] for token in json.loads(content)["added_tokens"]}
    assert not added & set(spelled)
    vocabulary = Vocabulary(spelled)
    found = {spelled[id_] for id_ in vocabulary.beginning(b" ret").tolist()}
    assert {b" ", b" re", b" return"} <= found
    assert b" if" not in found


def test_ids_beyond_the_model_are_left_out(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert set(token_bytes(tokenizer, 100)) == set(range(100))


def test_ids_lie_on_the_device_of_the_logits() -> None:
    assert Vocabulary(TOKENS, torch.device("cpu")).beginning(b"a").device.type == "cpu"
