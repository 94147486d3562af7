from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.prompt.tokenizer import Tokenizer, TokenizerError
from tests.prompt.tiny_tokenizers import byte_level, sentencepiece, sentencepiece_json

DATA = Path(__file__).parent / "data"
MARKERS = [
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|endoftext|>",
    "<|im_end|>",
    "<|file_sep|>",
    "<tool_call>",
    "<｜fim▁begin｜>",
    "<｜fim▁hole｜>",
    "<｜begin▁of▁sentence｜>",
    "<|EOT|>",
    "<pad>",
    "<fim_prefix>",
    "<fim_middle>",
    "▁<PRE>",
    " <MID>",
    "[SUFFIX]",
    "</s>",
]
texts = st.lists(
    st.sampled_from([*MARKERS, "def f():\n", "    ", "\r\n", "ü", "õ", "\x0c", "\u2028"])
    | st.text()
).map("".join)


def vectors() -> list[tuple[str, list[int]]]:
    with (DATA / "deepseek-coder.inp").open(encoding="utf-8", newline="") as file:
        inputs = file.read().split("\n__ggml_vocab_test__\n")
    outputs = (DATA / "deepseek-coder.out").read_text(encoding="utf-8").split("\n")
    pairs = zip(inputs, outputs, strict=True)
    return [(text, [int(id_) for id_ in ids.split()]) for text, ids in pairs]


def test_the_47_published_deepseek_vectors(deepseek: Tokenizer) -> None:
    assert len(vectors()) == 47
    for text, ids in vectors():
        assert deepseek.encode(text) == ids
        assert deepseek.decode(ids) == text


def test_deepseek_control_ids(deepseek: Tokenizer) -> None:
    expected = {
        "<｜begin▁of▁sentence｜>": 32013,
        "<｜end▁of▁sentence｜>": 32014,
        "<｜fim▁hole｜>": 32015,
        "<｜fim▁begin｜>": 32016,
        "<｜fim▁end｜>": 32017,
        "<|EOT|>": 32021,
    }
    assert {token: deepseek.control_id(token) for token in expected} == expected
    assert deepseek.control_id("<|fim_prefix|>") is None
    assert deepseek.control_id("def") is None


def test_qwen_control_ids(qwen: Tokenizer) -> None:
    tokens = ["prefix", "middle", "suffix", "pad"]
    assert [qwen.control_id(f"<|fim_{t}|>") for t in tokens] == [151659, 151660, 151661, 151662]
    assert qwen.control_id("<|repo_name|>") == 151663
    assert qwen.control_id("<|file_sep|>") == 151664


def test_added_tokens_that_are_text_keep_their_ids(deepseek: Tokenizer) -> None:
    assert deepseek.encode("ü") == [32009]
    assert deepseek.encode("für")[1:2] == [32009]
    assert deepseek.decode(deepseek.encode("Größe für õ")) == "Größe für õ"


def test_known_encodings_of_qwen(qwen: Tokenizer) -> None:
    assert qwen.encode("def add(a, b):\n    return a + b\n") == [
        *(750, 912, 2877, 11, 293, 982),
        *(262, 470, 264, 488, 293, 198),
    ]


@settings(deadline=None, max_examples=150)
@given(text=texts)
def test_no_text_yields_a_control_token(
    deepseek: Tokenizer, deepseek_v2: Tokenizer, qwen: Tokenizer, text: str
) -> None:
    for tokenizer in (deepseek, deepseek_v2, qwen):
        ids = tokenizer.encode(text)
        assert not set(ids) & set(tokenizer.control_tokens.values())
        expected = unicodedata.normalize("NFC", text) if tokenizer is qwen else text
        assert tokenizer.decode(ids) == expected


@settings(deadline=None, max_examples=150)
@given(text=texts)
@pytest.mark.parametrize("metaspace", [False, True])
def test_no_text_yields_a_control_token_in_sentencepiece_families(
    metaspace: bool, text: str
) -> None:
    tokenizer = SENTENCEPIECE[metaspace]
    ids = tokenizer.encode(text)
    assert not set(ids) & set(tokenizer.control_tokens.values())
    assert tokenizer.decode(ids) == text.replace("▁", " ")


SENTENCEPIECE = [
    sentencepiece(["<s>", "</s>", "▁<PRE>", "▁<MID>", "[SUFFIX]"], metaspace=flag)
    for flag in (False, True)
]


@pytest.mark.parametrize("metaspace", [False, True])
def test_no_space_is_put_before_a_text(metaspace: bool) -> None:
    tokenizer = SENTENCEPIECE[metaspace]
    plain, spaced = tokenizer.encode("def"), tokenizer.encode(" def")
    assert tokenizer.decode(plain) == "def"
    assert len(plain) == len(spaced) == 1
    assert plain != spaced


def test_no_text_equals_the_smiley_way_of_the_reference_code() -> None:
    from tokenizers import Tokenizer as HubTokenizer

    content = sentencepiece_json(["<s>", "▁<PRE>"])
    reference = HubTokenizer.from_str(content)
    # "☺" takes a space and, in this vocabulary, three byte tokens.
    for text in ("def abc", " abc", "\n  def", "abc  "):
        assert Tokenizer(content).encode(text) == reference.encode("☺" + text).ids[4:]


def test_decode_writes_control_tokens_by_name(qwen: Tokenizer) -> None:
    ids = [*qwen.encode("a"), 151659, *qwen.encode("é"), 151660]
    assert qwen.decode(ids) == "a<|fim_prefix|>é<|fim_middle|>"


def test_broken_unicode_does_not_raise() -> None:
    tokenizer = byte_level(["<fim_prefix>"])
    assert tokenizer.decode(tokenizer.encode("a\udc00b")) == "a?b"
    assert tokenizer.decode(tokenizer.encode("é")[:1]) == "\ufffd"
    assert tokenizer.decode([]) == ""


def test_markers_in_the_vocabulary_only_are_control_tokens() -> None:
    tree = json.loads(sentencepiece_json(["▁<PRE>", "▁<MID>"]))
    tree["added_tokens"] = []
    tokenizer = Tokenizer(json.dumps(tree))
    assert tokenizer.control_id("▁<PRE>") == tree["model"]["vocab"]["▁<PRE>"]
    assert tokenizer.control_id("▁<PRE>") not in tokenizer.encode(" <PRE>")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "cannot be read"),
        ("{}", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"model": {"type": "Unigram"}}', "only BPE"),
    ],
)
def test_a_damaged_or_foreign_tokenizer_is_named(content: str, says: str) -> None:
    with pytest.raises(TokenizerError, match=says):
        Tokenizer(content)
