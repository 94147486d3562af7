from __future__ import annotations

import pytest

from lsp_server.completion.scope import Scope, scope_at


@pytest.mark.parametrize(
    ("prefix", "suffix", "expected"),
    [
        ("", "", Scope(True, True, 0)),
        ("def f():\n    ", "\n", Scope(True, True, 4)),
        ("def f():\n\t", "", Scope(True, True, 1)),
        ("x = ", "\n", Scope(False, False, 0)),
        ("    x = f(", ")\n", Scope(False, True, 4)),
        ("    x = f(", "a)\n", Scope(False, False, 4)),
        ("def f():", "\n    pass", Scope(False, True, 0)),
        ("if (a) {", "}", Scope(False, True, 0)),
        ("    ", "return x\n", Scope(True, False, 4)),
    ],
)
def test_scope(prefix: str, suffix: str, expected: Scope) -> None:
    assert scope_at(prefix, suffix) == expected
