from __future__ import annotations

import pytest

from lsp_server.completion.postprocess.control import before_control_text


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("a + b<|endoftext|>x", "a + b"),
        ("a<|fim_pad|>", "a"),
        ("a<file_sep>b", "a"),
        ("a<｜end▁of▁sentence｜>", "a"),
        ("if a <b> c | d |> e", "if a <b> c | d |> e"),
        ("List<String> x", "List<String> x"),
    ],
)
def test_control_text_ends_a_suggestion(text: str, cut: str) -> None:
    assert before_control_text(text) == cut
