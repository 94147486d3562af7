from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.completion.lexical import end_of_string, open_at_end, opens_block, tokens, unopened


@pytest.mark.parametrize(
    ("text", "language", "closers", "quote"),
    [
        ("f(a, [b", "python", ")]", ""),
        ('x = "a(', "python", "", '"'),
        ('"""a', "python", "", '"""'),
        ('"""a"""', "python", "", ""),
        ("# don't (", "python", "", "\n"),
        ("# (\nf(", "python", ")", ""),
        ('"abc\ny = (', "python", ")", ""),
        ("fn f<'a>(x: &'a str", "rust", ")", ""),
        ("x = '('; f(", "c", ")", ""),
        ("'\\''", "java", "", ""),
        ("x // a (\ny(", "typescript", ")", ""),
        ("`a (", "typescript", "", "`"),
        ("/* a (", "c", "", "*/"),
        ("a /* b ( */ (", "c", ")", ""),
        ("echo $# (", "shell", ")", ""),
        ("it's (", "markdown", ")", ""),
        ("f(\n  a|b) c", "shell", ")", ""),
        ("f(a))", "c", "", ""),
        ("f([a)", "c", "", ""),
    ],
)
def test_what_is_open_at_the_end(text: str, language: str, closers: str, quote: str) -> None:
    found = open_at_end(text, language)
    assert ("".join(found.closers), found.quote) == (closers, quote)
    assert [text[index] for index in found.openers] == [
        {")": "(", "]": "[", "}": "{"}[each] for each in found.closers
    ]


@pytest.mark.parametrize(
    ("text", "places"),
    [("a) + (b]", [1, 7]), ("f(a)", []), ("')'", []), ("a).b(c)", [1]), ("# )", [])],
)
def test_closing_brackets_that_close_nothing(text: str, places: list[int]) -> None:
    assert [token.start for token in unopened(text, "python")] == places


@pytest.mark.parametrize(
    ("text", "quote", "end"),
    [('a\\"b"c', '"', 4), ("abc", '"', None), ('a"b"""', '"""', 3), ("a */ b", "*/", 2)],
)
def test_where_a_string_ends(text: str, quote: str, end: int | None) -> None:
    assert end_of_string(text, quote) == end


@pytest.mark.parametrize(
    ("line", "language", "expected"),
    [
        ("def f():", "python", True),
        ("async def f(a) -> int:", "python", True),
        (") -> int:", "python", True),
        ("else:", "python", True),
        ('"a":', "python", False),
        ("x[1:", "python", False),
        ("f(", "python", True),
        ("if (a) {", "c", True),
        ("case 1:", "c", True),
        ("a ? b :", "c", False),
        ("x =>", "typescript", True),
        ("const a:", "typescript", False),
        ("if x; then", "shell", True),
        ("items.each do |item|", "ruby", True),
        ("def name", "ruby", True),
        ("x = y", "ruby", False),
        ("key:", "yaml", True),
    ],
)
def test_what_opens_a_block(line: str, language: str, expected: bool) -> None:
    assert opens_block(line, language) is expected


@given(st.text(alphabet="ab \n\"'`#/*()[]{}\\-<>!", max_size=60), st.sampled_from(["python", "c"]))
def test_tokens_stand_one_after_the_other(text: str, language: str) -> None:
    end = 0
    for token in tokens(text, language):
        assert end <= token.start < token.end <= len(text)
        end = token.end
