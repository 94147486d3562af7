from __future__ import annotations

import pytest

from lsp_server.completion import syntax
from lsp_server.completion.syntax import errors, parse_ahead, syntax_at
from tests.completion.places import at


@pytest.mark.parametrize(
    ("text", "language", "inside", "quote"),
    [
        ('x = "ab^"', "python", "string", '"'),
        ('x = "ab"^', "python", "code", ""),
        ("x = rb'''a^'''", "python", "string", "'''"),
        ('f"{a^}"', "python", "code", ""),
        ("# a^\nx", "python", "comment", "\n"),
        ("# a\n^x", "python", "code", ""),
        ('def f():\n    """Doc ^."""\n', "python", "string", '"""'),
        ("f(`a ${ ^} b`)", "typescript", "code", ""),
        ("f(`a ^ b`)", "typescript", "string", "`"),
        ("/** a^\n */\nint f();", "c", "comment", "*/"),
        ("/* a */^\nint f();", "c", "code", ""),
        ("// a^\nint f();", "c", "comment", "\n"),
        ("const a = <p>don't ^</p>", "typescript", "code", ""),
    ],
)
def test_what_the_cursor_stands_in(text: str, language: str, inside: str, quote: str) -> None:
    syntax = at(text, language).syntax
    assert syntax is not None
    assert (syntax.inside, syntax.quote) == (inside, quote)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("def f():\n    ^\n", "python", True),
        ('def f():\n    """Doc."""\n    ^\n\ndef g(): pass\n', "python", True),
        ('def f():\n    """Doc."""\n^', "python", True),
        ('class A:\n    """Doc."""\n\n    ^\n', "python", True),
        ("def f():\n    # later\n    ^\n", "python", True),
        ("def f():\n    x\n    ^\n", "python", False),
        ("def f():\n    ^\n    y\n", "python", False),
        ("if x:\n    a\nelse:\n    ^\nb", "python", True),
        ("x\n^\ny", "python", False),
        ("^", "python", False),
        ("function f() {\n  ^\n}\n", "typescript", True),
        ("function f() {\n  ^\n", "typescript", True),
        ("class A {\n  f() {\n    // later\n    ^\n  }\n}\n", "typescript", True),
        ("class A {\n  void f() {\n    ^\n  }\n}\n", "java", True),
        ("class A {\n  ^\n}\n", "java", True),
        ("class A {\n  int a;\n  ^\n}\n", "java", False),
        ("fn f() {\n    ^\n}\n", "rust", True),
        ("def f\n  ^\nend\n", "ruby", True),
        ("def f\n  a\n  ^\nend\n", "ruby", False),
        ("function f()\n  ^\nend\n", "lua", True),
        ("func f() {\n\t^\n}\n", "go", True),
        ("fun f() {\n    ^\n}\n", "kotlin", True),
        ("if (a) {\n  ^\n} else {\n  b\n}", "c", True),
        ("switch (a) {\n  case 1:\n    ^\n  case 2:\n}", "c", False),
    ],
)
def test_an_empty_body(text: str, language: str, expected: bool) -> None:
    syntax = at(text, language).syntax
    assert syntax is not None
    assert syntax.empty_body is expected


def test_languages_without_a_grammar() -> None:
    assert at("a:\n  ^", "yaml").syntax is None
    assert errors("a:", "yaml") is None


def test_errors_are_counted() -> None:
    assert errors("def f():\n    return 1\n", "python") == 0
    assert errors("def f(:\n    return ]\n", "python")
    assert errors("const a = <p>b</p>", "typescript") == 0
    assert errors("let a = <string>b", "typescript") == 0
    assert errors("x = '\ud800'", "python") == 0


def test_what_takes_too_long_is_given_up_and_leaves_nothing_behind() -> None:
    assert errors("class A: pass\n" * 100_000, "python") is None
    assert errors("def f(:\n", "python") == 1


def test_what_is_parsed_ahead_in_steps_is_parsed_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = "x = f(\n" + "g([{\n" * 400, "y = (\n" * 200
    monkeypatch.setattr(syntax, "STEP", 1)
    monkeypatch.setattr(syntax, "PATIENCE", 10**9)
    assert len(list(parse_ahead(before, after, "python"))) > 1
    monkeypatch.setattr(syntax, "parse_in_steps", None)
    found = syntax_at(before, after, "python")
    assert found is not None and found.broken
    assert not list(parse_ahead(before, after, "python"))


def test_what_takes_too_many_steps_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syntax, "STEP", 1)
    monkeypatch.setattr(syntax, "PATIENCE", 3)
    text = "z = [\n" * 300
    assert list(parse_ahead(text, "", "python"))
    monkeypatch.setattr(syntax, "parse_in_steps", None)
    assert syntax_at(text, "", "python") is None
