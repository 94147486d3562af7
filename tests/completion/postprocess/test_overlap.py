from __future__ import annotations

import pytest

from lsp_server.completion.postprocess.overlap import without_following_lines, without_rest_of_line
from tests.completion.places import at


@pytest.mark.parametrize(
    ("text", "written", "kept"),
    [
        # seen: the model goes on with what follows
        (
            "    while x > 0:\n        ret = x\n        ^\n    return ret\n",
            "x //= base\n    return ret",
            "x //= base",
        ),
        (
            "  a() {\n    ^\n  }\n\n  load() {\n    Extensions.load(this);\n    return this;\n",
            "Extensions.set(this);\n    Extensions.load(this);\n    return this;",
            "Extensions.set(this);",
        ),
        # seen: the line after next, one that is short and stands in many places
        (
            "        ^\n        if month == 2:\n            return False\n",
            "if month < 1:\n            return False",
            "if month < 1:\n            return False",
        ),
        ("^\nx()\na = b\nc = d\n", "y()\na = b\nc = d\ne = f", "y()"),
        # seen: the line is completed to be the next one
        ("import a.^\nimport a.b;\n", "b;", ""),
        ("    ^\n\n    return x  \n", "return x", ""),
        ("    ^\n    }\n", "}", "}"),
        ("    ^\n    a\n", "b\n    c", "b\n    c"),
        ("x = ^\ny\n", "a\ny", "a"),
        ("^", "a\nb", "a\nb"),
        ("a ^x\ny", "x\nz", "x\nz"),
    ],
)  # fmt: skip
def test_following_lines_are_not_repeated(text: str, written: str, kept: str) -> None:
    assert without_following_lines(written, at(text, "typescript")) == kept


@pytest.mark.parametrize(
    ("text", "written", "kept"),
    [
        # seen: all that stands there is written once more
        ("print(^)", "data.head())", "data.head()"),
        ("double[] a = new double[samples.^)];", "size()];", "size("),
        (
            "    ^ / TimeUnit.toNanos(1L),  // the 90th",
            "percentile(95.0d) / TimeUnit.toNanos(1L),  // the 90th percentile",
            "percentile(95.0d)",
        ),
        ("f(a^, b)", "bc, b)", "bc"),
        ("f(a^, b)", "bc, b", "bc"),
        ("def f(^):", "a, b):", "a, b"),
        ("x = self.^name", "name", ""),
        ("x = ^\n", "width", "width"),
        ("x = ^ + y", "f(x)", "f(x)"),
        ("x = ^;", "f(x);", "f(x)"),
        ("x = f(^)", "g(a)", "g(a)"),
        ("x = ^b", "ab, c", "ab, c"),
    ],
)
def test_the_rest_of_the_line_is_not_repeated(text: str, written: str, kept: str) -> None:
    assert without_rest_of_line(written, at(text, "java")) == kept
