from __future__ import annotations

import pytest

from lsp_server.completion.scope import end_of
from tests.completion.places import at, wanted

STATEMENT = "def f():\n    a\n    ^\n"
BODY = "def f():\n    ^\n"


@pytest.mark.parametrize(
    ("text", "written", "kept"),
    [
        (STATEMENT, "x = 1", None),
        (STATEMENT, "x = 1\n", "x = 1"),
        (STATEMENT, "x = (\n        1,\n", None),
        (STATEMENT, "x = (\n        1,\n    )\n", "x = (\n        1,\n    )"),
        (STATEMENT, "x = 1 + \\\n        2\n    y ", "x = 1 + \\\n        2"),
        (STATEMENT, "for a in b:\n        c\n", None),
        (STATEMENT, "for a in b:\n        c\n    d", None),
        (STATEMENT, "for a in b:\n        c\n    d = 1", "for a in b:\n        c"),
        (STATEMENT, "if b:\n        c\n\n        d\n\n\n", "if b:\n        c\n\n        d"),
        (STATEMENT, "if a:\n        b\n    else: c\n    d()", "if a:\n        b\n    else: c"),
        (STATEMENT, "if a:\n        b\n    el", None),
        (STATEMENT, "if a:\n        b\nx", "if a:\n        b"),
        (STATEMENT, "# why\n    x = 1\n", "# why\n    x = 1"),
        (STATEMENT, "@a\n    def b():\n        c\n    d()", "@a\n    def b():\n        c"),
        (STATEMENT, 'x = """\na\n"""\n', 'x = """\na\n"""'),
        (STATEMENT, "```\nThis function", ""),
        (BODY, "x = 1\n    y = 2\nz", "x = 1\n    y = 2"),
        (BODY, "x = 1\n\n    y = 2\n\n\n    z", "x = 1\n\n    y = 2"),
        (BODY, "a\n    b\n    c\n    d\n", None),
        (BODY, "a\n    b\n    c\n    d\n    e", "a\n    b\n    c\n    d"),
        (BODY, "print(a)\n    print(a)\n", "print(a)"),
        (BODY, "x = 1\n    y = 2\n    x = 1\n    y = 2\n", "x = 1\n    y = 2"),
        (BODY, "\n\n\n", ""),
        ("def f():^\n", "\n    return 1\nx", "\n    return 1"),
        ("def f():^\n", " return 1\n", " return 1"),
        ("def f():^\n", "\ndef g():\n    x", ""),
        ("def f():\n    ^\n    return x\n", "x = 1\n    return x\n", "x = 1"),
        ("def f():\n    ^\n\nb = 2\n", "x = 1\n\nb = 2\n", "x = 1"),
        ("x = [^\n", "\n    1,\n    2,\n]\ny", "\n    1,\n    2,\n]"),
        ("x = f(^\n", "a, b)\ny", "a, b)"),
        ("x = f(^\n", "a,\n      b)\ny", "a,\n      b)"),
    ],
)  # fmt: skip
def test_where_a_block_ends_in_python(text: str, written: str, kept: str | None) -> None:
    place = at(text)
    end = end_of(written, place, wanted(place, max_lines=4))
    assert (None if end is None else written[:end]) == kept


@pytest.mark.parametrize(
    ("text", "language", "written", "kept"),
    [
        ("f() {\n  a;\n  ^\n}", "c", "b;\n", "b;"),
        ("f() {\n  a;\n  ^\n}", "c", "if (b) {\n    c;\n  }\n", None),
        ("f() {\n  a;\n  ^\n}", "c", "if (b) {\n    c;\n  }\n  d;", "if (b) {\n    c;\n  }"),
        ("f() {\n  a;\n  ^\n}", "c", "if (b) {\n    c;\n  } else {\n    d;\n  }\n  e", None),
        ("f() {\n  a;\n  ^\n}", "c", "if (b)\n  {\n    c;\n  }\n  d;", "if (b)\n  {\n    c;\n  }"),
        ("f() {\n  a;\n  ^\n}", "c", "b;\n}\nc", "b;"),
        ("f() {\n  a;\n  ^\n}", "c", "*b = 1;\n", "*b = 1;"),
        ("f() {\n  a;\n  ^\n}", "c", "/* b */\n  c;\n", "/* b */\n  c;"),
        ("f() {\n  a;\n  ^\n}", "c", "for (;;) {\n    c;\n  }\n", "for (;;) {\n    c;\n  }"),
        ("f() {\n  a;\n  ^\n}", "typescript", "b\n    .c()\n  d()", "b\n    .c()"),
        ("f() {\n  a;\n  ^\n}", "typescript", "b\n  .c()\n  d()", "b\n  .c()"),
        ("f() {\n  ^\n}", "c", "a;\n  b;\n}\n", "a;\n  b;"),
        ("f() {\n  ^\n", "c", "a;\n}\ng", "a;\n}"),
        ("f() {^", "c", "\n  a;\n}\ng", "\n  a;\n}"),
        ("f() {^}", "c", " a; }\n", " a; }"),
        ("x = {\n  ^\n}", "typescript", "a: {\n    b,\n  },\n  c,\n}", "a: {\n    b,\n  },\n  c,"),
        ("x = {\n  a: 1,\n  ^\n}", "typescript", "b: 2,\n", "b: 2,"),
        ("  data: {^\n  }", "typescript", "\n  a: 1,\n  }\n", "\n  a: 1,"),
        ("def f\n  ^\n", "ruby", "a\nend\nb", "a\nend"),
        ("def f\n  ^\nend\n", "ruby", "a\nend\nb", "a"),
        ("def f\n  a\n  ^\nend\n", "ruby", "if b\n    c\n  end\n  d ", "if b\n    c\n  end"),
        ("f() {\n  a\n  ^\n}", "shell", "a |\n  b &&\n  c\n  d ", "a |\n  b &&\n  c"),
        ("if x; then\n  ^\nfi\n", "shell", "a\n  b\nfi\n", "a\n  b"),
        ("^\n", "markdown", "```sh\na\n\nb\n```\n\nc", "```sh\na\n\nb\n```"),
        ("```sh\n^\n", "markdown", "```\n\na", "```"),
        ("^\n", "shell", "f() {\n  case $1 in\n    a) b ;;\n  esac\n}\n",
         "f() {\n  case $1 in\n    a) b ;;\n  esac\n}"),
        ("a:\n  ^\n", "yaml", "b: 1\n  c: 2\nd: ", "b: 1\n  c: 2"),
        ("f() {\n\ta;\n\t^\n}", "c", "if (b) {\n\t\tc;\n\t}\n\td;", "if (b) {\n\t\tc;\n\t}"),
    ],
)  # fmt: skip
def test_where_a_block_ends(text: str, language: str, written: str, kept: str | None) -> None:
    place = at(text, language)
    end = end_of(written, place, wanted(place))
    assert (None if end is None else written[:end]) == kept


def test_a_loop_ends_a_block() -> None:
    place = at(BODY)
    assert end_of("x = a" + ".parent" * 40, place, wanted(place)) == len("x = a")
