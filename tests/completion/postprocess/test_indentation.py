from __future__ import annotations

import pytest

from lsp_server.completion.postprocess.indentation import after_withheld, indented_as_the_file
from tests.completion.places import at


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
    assert after_withheld(text, prefix, withheld) == kept


@pytest.mark.parametrize(
    ("text", "kept"), [("", ""), (" re", ""), (" ret", ""), (" return x", "urn x")]
)
def test_nothing_is_kept_until_what_was_withheld_is_there(text: str, kept: str) -> None:
    assert after_withheld(text, "def f():\n     ret", " ret") == kept


@pytest.mark.parametrize(
    ("text", "written", "kept"),
    [
        ("if a:\n\tb\n\t^\n", "if c:\n        d\n    e", "if c:\n\t\td\n\te"),
        ("if a:\n\tb\n\t^\n", "if c:\n\t\td", "if c:\n\t\td"),
        ("if a:\n\tb\n\t^\n", "c(d,\n\t  e)", "c(d,\n\t  e)"),
        ("if a:\n  b\n  ^\n", "if c:\n\t\td", "if c:\n    d"),
        ("if a:\n    b\n    ^\n", "    c\n        d", "c\n    d"),
        ("if a:\n    ^\n", "    c\n", "c\n"),
        ("if a:\n^\n", "    c\n    d", "    c\n    d"),
        ("x = [\n    a,\n    ^\n", "    b", "b"),
        ("x = ^\n", "  b", "  b"),
        # seen: in brackets, and indented like the line that opens them
        ("  a: {^\n  }\n", "\n  b,\n  c,", "\n    b,\n    c,"),
        ("  a: {^\n", "\n  b,\n  }", "\n    b,\n  }"),
        ("  a: {^\n", "\n  }", "\n  }"),
        ("  a: {^\n", "\n    b", "\n    b"),
        # a file without indentation so far takes the model's
        ("type A struct {^\n", "\n\tb int\n}", "\n\tb int\n}"),
        ("if a:^\n", "\n  b", "\n  b"),
    ],
)
def test_indentation_is_the_files(text: str, written: str, kept: str) -> None:
    assert indented_as_the_file(written, at(text)) == kept


def test_tabs_of_a_makefile_stay() -> None:
    place = at("A = a \\\n    b\n\nall:^\n", "makefile")
    assert indented_as_the_file("\n\tcc a.c", place) == "\n\tcc a.c"
