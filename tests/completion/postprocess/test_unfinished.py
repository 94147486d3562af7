from __future__ import annotations

import pytest

from lsp_server.completion.postprocess.unfinished import without_empty_body, without_last_line
from tests.completion.places import at, wanted


@pytest.mark.parametrize(
    ("text", "kept"), [("a = 1\nb = sel", "a = 1"), ("b = sel", "b = sel"), ("\n  b", "\n  b")]
)
def test_a_line_without_end(text: str, kept: str) -> None:
    assert without_last_line(text) == kept


@pytest.mark.parametrize(
    ("text", "language", "written", "kept"),
    [
        # seen: the most lines that a suggestion may have ended there
        (
            "class A {\n  ^\n}\n",
            "java",
            "A(int b) {\n    this.c = b;\n    if (b) {",
            "A(int b) {\n    this.c = b;",
        ),
        ("def f():\n    ^\n", "python", "a = 1\n    for b in c:", "a = 1"),
        ("def f():\n    ^\n", "python", "for b in c:", "for b in c:"),
        ("def f():\n    ^\n", "python", "a = 1\n    b = {", "a = 1"),
        ("def f():\n    ^\n", "python", "a = 1\n    b = 2", "a = 1\n    b = 2"),
        ("if (a) {\n  ^\n}\n", "c", "b;\n} else {", "b;\n} else {"),
    ],
)
def test_a_body_that_was_not_written(text: str, language: str, written: str, kept: str) -> None:
    place = at(text, language)
    assert without_empty_body(written, place, wanted(place)) == kept
