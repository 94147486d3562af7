from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.completion.scope import (
    Scope,
    ScopeRules,
    end_of,
    inside_of,
    missing_closers,
    scope_at,
)
from tests.completion.places import at, wanted


@pytest.mark.parametrize(
    ("text", "language", "kind", "until"),
    [
        ("^", "python", "block", "statement"),
        ("x = ^\n", "python", "line", "line"),
        ("x = f(^)\n", "python", "line", "line"),
        ("x = f(^\n", "python", "block", "brackets"),
        ("x = [\n    ^\n]\n", "python", "block", "body"),
        ("x = [\n    1,\n    ^\n]\n", "python", "block", "statement"),
        ("def f():^\n", "python", "block", "body"),
        ("def f():\n    ^\n", "python", "block", "body"),
        ("def f():\n    x = 1\n    ^\n", "python", "block", "statement"),
        ("def f():^\n    return 1\n", "python", "line", "line"),
        ("if (a) {^}", "c", "block", "body"),
        ("if (a) {^\n  b();\n}", "c", "line", "line"),
        ("if (a) {\n  ^\n}", "c", "block", "body"),
        ("if (a)\n{\n  ^\n}", "c", "block", "body"),
        ("if (a) {\n  b();\n  ^\n}", "c", "block", "statement"),
        ("if x; then\n  ^\nfi\n", "shell", "block", "body"),
        ("def f\n  ^\nend\n", "ruby", "block", "body"),
        ("a:\n  ^\n", "yaml", "block", "body"),
        ("    retu^\n", "python", "line", "line"),
        ("# a ^\n", "python", "line", "line"),
        ("/** a ^\n */\n", "c", "line", "line"),
        ("x = 'a^'\n", "python", "line", "line"),
        ('def f():\n    """^"""\n', "python", "block", "string"),
        ('def f():\n    """^\n    return 1\n', "python", "block", "string"),
        ('def f():\n    """A ^\n    """\n', "python", "block", "string"),
        ('def f():\n    """A.\n\n    ^\n\n    B.\n    """\n', "python", "line", "line"),
    ],
)
def test_how_much(text: str, language: str, kind: str, until: str) -> None:
    scope = scope_at(at(text, language), ScopeRules(), invoked=False)
    assert (scope.kind, scope.until, scope.why) == (kind, until, "")


@pytest.mark.parametrize(
    ("text", "language", "why"),
    [
        ("na^me = 1", "python", "the cursor is inside or right before a word"),
        ("x = ^name", "python", "the cursor is inside or right before a word"),
        ("x = ^ + name", "python", "there is text after the cursor"),
        ("f(^)", "python", ""),
        ("f(^):", "python", ""),
        ("f(^) {", "c", ""),
        ("f((a^) => {})", "typescript", ""),
        ("x = ^  # noqa", "python", ""),
        ("a = <p>^</p>", "typescript", ""),
        ("f('^')", "python", ""),
        ("/* a ^ */", "c", ""),
    ],
)
def test_where_nothing_is_suggested(text: str, language: str, why: str) -> None:
    scope = scope_at(at(text, language), ScopeRules(), invoked=False)
    assert scope.why == why
    assert (scope.kind == "nothing") is bool(why)
    assert scope_at(at(text, language), ScopeRules(), invoked=True).kind != "nothing"


def test_the_users_rules() -> None:
    assert scope_at(at("x = ^ + 1"), ScopeRules(before_text=True), invoked=False).kind == "line"
    word = scope_at(at("na^me"), ScopeRules(before_text=True), invoked=False)
    assert word.kind == "nothing"
    quiet = ScopeRules(in_comments=False, in_strings=False)
    assert scope_at(at("# a^\n"), quiet, invoked=False).why == "the cursor is in a comment"
    assert scope_at(at("x = 'a^'\n"), quiet, invoked=False).why == "the cursor is in a string"
    assert scope_at(at("a: 'b^\n", "yaml"), quiet, invoked=False).why == "the cursor is in a string"
    assert scope_at(at("x = ^\n"), quiet, invoked=False).kind == "line"
    assert scope_at(at("# a^\n"), quiet, invoked=True).kind == "line"
    assert scope_at(at("def f():\n    ^"), ScopeRules(max_lines=1), invoked=False).kind == "line"


@pytest.mark.parametrize(
    ("text", "language", "inside"),
    [
        ('x = "ab^\ny = 1', "python", "string"),
        ('def f():\n    """Doc ^', "python", "string"),
        ("x = `a ^", "typescript", "string"),
        ("/* a ^", "c", "comment"),
        ("a: b # c^", "yaml", "comment"),
        ("let it'^", "rust", "code"),
        ("x = f(^", "python", "code"),
        ("x = f(f'a {^}')", "python", "code"),
        ("x = f(`a ${^}`)", "typescript", "code"),
        ('println("a ${^}")', "kotlin", "code"),
        ('print("a \\(^)")', "swift", "code"),
        ('x="$HOME/${^}"', "shell", "code"),
        ("x = f(f'a {^", "python", "string"),
    ],
)
def test_broken_code_and_languages_without_a_grammar(text: str, language: str, inside: str) -> None:
    assert inside_of(at(text, language))[0] == inside


def test_blanks_after_the_cursor_take_no_time() -> None:
    began = time.monotonic()
    assert scope_at(at(f"f(^){' ' * 1000}x"), ScopeRules(), invoked=False).kind == "nothing"
    assert time.monotonic() - began < 1, "with a pattern that tries again it was a minute"


@pytest.mark.parametrize(
    ("text", "language", "missing"),
    [
        ("f(^)", "python", 0),
        ("f(^\ny = 1", "python", 1),
        ("f([^\ny = (1)", "python", 2),
        ("f([^)", "python", 1),
        ("f(f'a {^}')\n", "python", 0),
        ("f(`a ${b.^}`);\n", "typescript", 0),
        ("f(\n    ^\n)", "python", 0),
        ("void f() {\n  if (a) {\n    ^\n}\n", "c", 1),
        ("void f() {\n  if (a) {\n    ^\n  }\n}\n", "c", 0),
        ("void f() {\n  x[^\n}\n", "c", 1),
        ("class A {\n  int f(int a^\n  int g() {\n  }\n}\n", "java", 1),
        ("class A {\n  void f() {\n    ^\n\n  int g() {\n  }\n}\n", "java", 1),
        ("double[] a = new double[]{1, ^\ndouble b;\n}", "java", 1),
        ("f(^" + "\n    a" * 4000, "python", 0),
    ],
)
def test_brackets_that_miss_their_end(text: str, language: str, missing: int) -> None:
    assert missing_closers(at(text, language)) == missing


@pytest.mark.parametrize(
    ("text", "language", "written", "kept"),
    [
        ("x = ^\n", "python", "a + b", None),
        ("x = ^\n", "python", "a + b\nc", "a + b"),
        (
            '    """^"""\n',
            "python",
            'Adds.\n\n    More.\n    """\n    x',
            "Adds.\n\n    More.\n    ",
        ),
        ('    """^\n', "python", 'Adds."""\n    x', 'Adds."""'),
        ('    """^\n', "python", "Adds.\n    a\n    b\n    c", "Adds.\n    a\n    b"),
        ('    """^\n', "python", "Adds.\n    Adds it.\n    Adds it.\n", "Adds.\n    Adds it."),
        ('    """^\n', "python", "Adds.\n    a", None),
        ("f('^')\n", "python", "a', b)", "a"),
        ("f('^\n", "python", "a', b)", None),
        ("na^me", "python", "x", None),
    ],
)
def test_where_a_line_or_a_string_ends(
    text: str, language: str, written: str, kept: str | None
) -> None:
    place = at(text, language)
    end = end_of(written, place, wanted(place, max_lines=3))
    assert (None if end is None else written[:end]) == kept


def test_nothing_ends_at_once() -> None:
    assert end_of("x", at("na^me"), Scope("nothing", "because")) == 0


PLACES = [
    at("x = ^\n"),
    at("x = f(^)\n"),
    at("^"),
    at("def f():\n    ^\n\ndef g():\n    pass\n"),
    at("def f():^\n"),
    at("def f():\n    a\n    ^\n    b\n"),
    at('def f():\n    """^"""\n'),
    at("x = [^\n"),
    at("function f() {\n  ^\n}\n", "typescript"),
    at("function f() {\n  a;\n  ^\n}\n", "typescript"),
    at("function f() {^", "typescript"),
    at("a:\n  ^\n", "yaml"),
]
WRITTEN = st.lists(
    st.sampled_from(
        [
            *("a", "b", "\n", "\n", "\n    ", "\n  ", " ", "(", ")", "{", "}", "[", "]", ";", ","),
            *(":", '"', '"""', "#", "//", "if", "else", "else:", "return", "def f():", "end", "@"),
            *("```", ".", "ab" * 30),
        ]
    ),
    max_size=25,
).map("".join)


@settings(deadline=None)
@given(WRITTEN, st.sampled_from(PLACES))
def test_more_text_never_moves_an_end(text: str, place: object) -> None:
    """What ends the stream early must be what the whole text would be cut to."""
    from lsp_server.completion.place import Place

    assert isinstance(place, Place)
    scope = wanted(place, max_lines=4)
    ends = [end_of(text[:length], place, scope) for length in range(len(text) + 1)]
    known = [end for end in ends if end is not None]
    assert len(set(known)) <= 1
    assert not known or ends[-1] == known[0]
    assert all(0 <= end <= length for length, end in enumerate(ends) if end is not None)
