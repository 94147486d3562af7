from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.prompt.boundary import (
    MOST_WITHHELD,
    split_at_token_boundary,
    split_before_piece,
    without_closers,
)
from lsp_server.prompt.tokenizer import Tokenizer
from tests.prompt.tiny_tokenizers import sentencepiece

SENTENCEPIECE = sentencepiece(["<PRE>"])


@pytest.mark.parametrize(
    ("prefix", "withheld"), [("x = ", " "), ("\t\t", "\t"), ("x =", ""), ("x\n", ""), ("", "")]
)
def test_one_blank_is_withheld(prefix: str, withheld: str) -> None:
    assert split_at_token_boundary(prefix) == (prefix[: len(prefix) - len(withheld)], withheld)


@pytest.mark.parametrize(
    ("prefix", "withheld"),
    [
        ("    retu", " retu"),
        ("return self.ver", ".ver"),
        ("self.", "."),
        ("print(", "("),
        ("user_na", "_na"),
        ("x = ", " "),
        ("\n        ", " "),
        ("\n\t\t", "\t"),
        ("a + b", " b"),
        ("x1", ""),
        ("if x:\n", ""),
        ("total ==", ""),
        ("naïve.caf", ".caf"),
        ("", ""),
    ],
)
def test_what_qwen_joins_with_a_letter_is_withheld(
    qwen: Tokenizer, prefix: str, withheld: str
) -> None:
    assert split_before_piece(prefix, qwen) == (prefix[: len(prefix) - len(withheld)], withheld)


@pytest.mark.parametrize(
    ("prefix", "withheld"), [("self.ver", "ver"), ("self.", ""), ("    retu", " retu"), ("a ", " ")]
)
def test_what_deepseek_joins_with_a_letter_is_withheld(
    deepseek: Tokenizer, prefix: str, withheld: str
) -> None:
    assert split_before_piece(prefix, deepseek)[1] == withheld


@pytest.mark.parametrize(
    ("prefix", "withheld"),
    [("def  add", " add"), ("x.fie", ".fie"), ("        ", " "), ("a = b", " b"), ("()\n", "")],
)
def test_no_more_than_a_word_where_any_two_words_can_join(prefix: str, withheld: str) -> None:
    assert split_before_piece(prefix, SENTENCEPIECE)[1] == withheld


@pytest.mark.parametrize("prefix", ["x = " + "a" * 200, "x = \ud800", "y \ud83d"])
def test_too_long_or_no_unicode_is_as_for_other_engines(qwen: Tokenizer, prefix: str) -> None:
    assert split_before_piece(prefix, qwen) == split_at_token_boundary(prefix)


@given(st.text(max_size=60))
def test_nothing_is_lost_and_little_withheld(qwen: Tokenizer, prefix: str) -> None:
    known, withheld = split_before_piece(prefix, qwen)
    assert known + withheld == prefix
    assert len(withheld) <= MOST_WITHHELD
    assert "\n" not in withheld


@given(
    st.text(alphabet="ab_1.( =[]'\"", max_size=30), st.text(alphabet="ab", min_size=1, max_size=4)
)
def test_what_is_shown_is_tokenized_alike_when_letters_follow(
    qwen: Tokenizer, prefix: str, typed: str
) -> None:
    known, _ = split_before_piece(prefix, qwen)
    ids = qwen.encode(known)
    assert qwen.encode(prefix + typed)[: len(ids)] == ids


@pytest.mark.parametrize(
    ("suffix", "shown"),
    [
        (")\nb", "\nb"),
        ('")]}  \nb', "\nb"),
        ("  \r\nb", "\nb"),
        ("\n)\n", "\n)\n"),
        (");\nb", ");\nb"),
        (", c)\n", ", c)\n"),
        (")", ""),
        ("", ""),
    ],
)
def test_what_only_closes_the_line_is_not_shown(suffix: str, shown: str) -> None:
    assert without_closers(suffix) == shown
