from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.completion import postprocess as post
from lsp_server.completion.scope import Scope

LINE = Scope(at_line_start=False, multiline=False, indent=4)
BLOCK = Scope(at_line_start=True, multiline=True, indent=4)
OPENED = Scope(at_line_start=False, multiline=True, indent=0)
TOP = Scope(at_line_start=True, multiline=True, indent=0)


@pytest.mark.parametrize(
    ("prefix", "withheld", "text", "kept"),
    [
        ("return ", " ", " x", "x"),
        ("return ", " ", "(x)", "(x)"),
        ("f():\n    ", " ", " x\n    y", "x\n    y"),
        ("f():\n    ", " ", "     x\n", "    x\n"),
        ("f() {\n\t", "\t", "  x {\n    y\n  }\n}", "x {\n\t  y\n\t}\n}"),
        ("f() {\n\t", "\t", "\tx\n\ty", "x\n\ty"),
        ("f() {\n\t", "\t", "\n  y", "\n  y"),
        ("f() {\n", "", "  y", "  y"),
    ],
)
def test_a_withheld_blank_is_written_by_the_model(
    prefix: str, withheld: str, text: str, kept: str
) -> None:
    assert post.after_withheld(text, prefix, withheld) == kept


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
    assert post.before_control_text(text) == cut


@pytest.mark.parametrize(
    ("scope", "text", "kept"),
    [
        (LINE, "a + b", None),
        (LINE, "a + b\nc", "a + b"),
        (LINE, "\n    x", ""),
        (BLOCK, "for a in b:\n        c\n", None),
        (BLOCK, "x = 1\n    y = 2\nz", "x = 1\n    y = 2"),
        (BLOCK, "x = 1\n\n    y", "x = 1"),
        (BLOCK, "a\n    b\n    c\n    d", "a\n    b\n    c"),
        (TOP, "    x = 1\n    y\nz", "    x = 1\n    y"),
        (OPENED, "\n    return 1\nx", "\n    return 1"),
        (OPENED, " a;\n}\nx", None),
        (OPENED, "\n    a;\n}\nx", "\n    a;\n}"),
        (OPENED, "\n\n\n", ""),
        (BLOCK, "f(\n        a,\n    )\n    g", "f(\n        a,\n    )"),
    ],
)
def test_where_a_suggestion_ends(scope: Scope, text: str, kept: str | None) -> None:
    end = post.complete_lines(text, scope, max_lines=3)
    assert (None if end is None else text[:end]) == kept


@given(st.text(alphabet="ab \n}", max_size=40), st.sampled_from([LINE, BLOCK, OPENED, TOP]))
def test_more_text_never_moves_the_end(text: str, scope: Scope) -> None:
    """What ends the stream early must be what the whole text would be cut to."""
    ends = [post.complete_lines(text[:length], scope, 3) for length in range(len(text) + 1)]
    known = [end for end in ends if end is not None]
    assert len(set(known)) <= 1
    assert not known or ends[-1] == known[0]


@pytest.mark.parametrize(
    ("text", "suffix", "kept"),
    [
        ("a\nreturn x", "\nreturn x\n", "a"),
        ("a\nreturn x", "\n\nreturn x  \n", "a"),
        ("a\nreturn y", "\nreturn x\n", "a\nreturn y"),
        ("return x", "\nreturn x\n", "return x"),
        ("a\n\nb", "\n\n", "a\n\nb"),
    ],
)
def test_following_lines_are_not_repeated(text: str, suffix: str, kept: str) -> None:
    assert post.without_following_lines(text, suffix) == kept


@pytest.mark.parametrize(
    ("text", "suffix", "kept"),
    [
        ("a)", ")\n", "a"),
        ("a)", "):\n", "a"),
        ("a, b):", "):\n", "a, b"),
        ('a"]', '"]', "a"),
        ("width", "\n", "width"),
        ("self.name", "name\n", "self."),
        ("f(x)", " + y\n", "f(x)"),
        ("a\n)", ")", "a\n"),
    ],
)
def test_the_rest_of_the_line_is_not_repeated(text: str, suffix: str, kept: str) -> None:
    assert post.without_rest_of_line(text, suffix) == kept


def test_nothing_but_blanks_is_nothing() -> None:
    assert post.fit("  \n\t\n", "\n", BLOCK, 8) == ""


def test_all_rules_together() -> None:
    text = "a, b)\n    return a<|endoftext|>"
    assert post.fit(text, ")\n", LINE, 8) == "a, b"
