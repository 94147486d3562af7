from __future__ import annotations

import pytest

from lsp_server.completion.postprocess.parse import before_errors
from tests.completion.places import at, wanted


@pytest.mark.parametrize(
    ("text", "language", "written", "kept"),
    [
        # seen: the end of a call was more lines away than a suggestion has
        (
            "def f():\n    if affine:\n        ^\n\n    x()\n",
            "python",
            "a = b * (\n            c\n        )\n        d = b * (",
            "a = b * (\n            c\n        )",
        ),
        (
            "class A {\n  B f() {\n    ^\n  }\n}\n",
            "java",
            "return new B(\n        name,\n        null,",
            "return new B(\n        name,\n        null,",
        ),
        (
            "^",
            "python",
            "# Check f\ndef f():\n    a = [\n        1,\n        2,",
            "# Check f\ndef f():\n    a = [\n        1,\n        2,",
        ),
        # seen: another language
        ("^", "python", "import { Component } from '@angular/core';", ""),
        ("class A {\n  void f() {\n    g();\n    ^\n  }\n}\n", "java", "h(1);\n    ]", "h(1);"),
        ("x = 1\n^\n", "python", "for a in b:", "for a in b:"),
        ("for a in ^\n    c\n", "python", "b:", "b:"),
        ("f() {\n  ^\n}\n", "c", "if (a) {", "if (a) {"),
        ("x = 1\n^\n", "python", "y = = 2", ""),
        ("def f(a):\n^    return a\n", "python", "    a += 1", "    a += 1"),
        ("a:\n  ^\n", "yaml", "b: ]", "b: ]"),
        ("# a ^\n", "python", "b ] c", "b ] c"),
    ],
)
def test_a_suggestion_breaks_nothing(text: str, language: str, written: str, kept: str) -> None:
    place = at(text, language)
    assert before_errors(written, place, wanted(place)) == kept
