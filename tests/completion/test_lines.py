from __future__ import annotations

import pytest

from lsp_server.completion.lines import has_words, indent_of, last_line, next_line, next_lines


def test_indentation_is_counted_in_columns() -> None:
    assert [indent_of(line) for line in ("x", "  x", "\tx", "  \tx", "\t\t  x")] == [0, 2, 4, 4, 10]


def test_lines_around_the_cursor() -> None:
    assert last_line("a\n  b\n\n  ") == "  b"
    assert last_line("\n \n") == ""
    assert next_line("rest\n\n  a  \nb") == "  a"
    assert next_line("rest") == ""
    assert next_lines("rest\na\n\nb\nc", 2) == ["a", "b"]


@pytest.mark.parametrize(("line", "expected"), [("})", False), ("_ = {", False), ("x)", True)])
def test_words(line: str, expected: bool) -> None:
    assert has_words(line) is expected
