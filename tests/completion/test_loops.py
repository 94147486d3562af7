from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.completion.loops import loop_in_line, repeated_lines


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("a.getProject()" + ".getProject()" * 9, "a"),
        ("x = [0, 0, 0, 0, 0, 0]", None),
        ("# " + "-" * 76, None),
        ("# " + "-" * 400, "# "),
        ("x = [" + "0, " * 20, None),
        ("a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t", None),
    ],
)
def test_a_loop_in_a_line(line: str, kept: str | None) -> None:
    start = loop_in_line(line)
    assert (None if start is None else line[:start]) == kept


@given(st.text(alphabet="ab", max_size=8), st.text(alphabet="abc(", min_size=1, max_size=9))
def test_more_text_does_not_change_a_loop(start: str, unit: str) -> None:
    line = start + unit * 60
    found = [loop_in_line(line[:length]) for length in range(len(line) + 1)]
    known = [end for end in found if end is not None]
    assert len(set(known)) <= 1
    assert not known or found[-1] == known[0]


@pytest.mark.parametrize(
    ("lines", "repeated"),
    [
        (["print(a)", "print(a)"], 1),
        (["a()", "a()"], 0),
        (["a = 1", "b = 2", "a = 1", "b = 2"], 2),
        (["}", "}"], 0),
        (["a = 1", "b = 2", "c = 3"], 0),
        ([], 0),
    ],
)
def test_repeated_lines(lines: list[str], repeated: int) -> None:
    assert repeated_lines(lines) == repeated
