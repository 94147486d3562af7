from __future__ import annotations

import pytest

from lsp_server.completion.postprocess.brackets import wanted_closers, without_surplus_closers
from tests.completion.places import at, wanted


@pytest.mark.parametrize(
    ("text", "language", "written", "kept"),
    [
        # seen: behind a bracket that the editor closed
        ("ConsumePrefix(^);\n", "cpp", "str.data(), 2);  // Parses", "str.data(), 2"),
        ("staking(^)\n", "typescript", '"Nominators")()', '"Nominators")('),
        ("sorted(arr, key=^)\n", "python", "lambda x: (bin(x), x))", "lambda x: (bin(x), x)"),
        # seen: where the file misses it
        ("self.connect(lambda: f(Type.^\nself.b()\n", "python", "VERTEX))", "VERTEX))"),
        ("a = new double[]{1.0, 2.^\ndouble b;\n}\n", "java", "0, 3.0};", "0, 3.0};"),
        ("f(^)", "python", "a).b(c", "a).b(c"),
        ("f(^)", "python", "a) + g(b)", "a) + g(b"),
        ("f(^):", "python", "a):", "a"),
        ("if (^) {\n}", "c", "a) {", "a"),
        ("x[^]", "python", "a]", "a"),
        ("x = ^\n", "python", "a)", "a"),
        ("x = f(^\n", "python", "a))", "a)"),
        ("f() {\n  ^\n}\n", "c", "a;\n}\n", "a;\n"),
        ("f('^')", "python", "a', b)", "a"),
        ("f('^\n", "python", "a', b)", "a', b)"),
        ("f('^\n", "python", "a', b))", "a', b)"),
        ("f(`^`)", "typescript", "a ${b} c` + d", "a ${b} c"),
        ("# see ^\n", "python", "a) and b)", "a) and b)"),
        ("x = ^\n", "python", "':)'", "':)'"),
    ],
)
def test_brackets_and_quotes_are_balanced(
    text: str, language: str, written: str, kept: str
) -> None:
    place = at(text, language)
    assert without_surplus_closers(written, place, wanted(place)) == kept


@pytest.mark.parametrize(
    ("text", "written", "closers"),
    [("x = ^\n", "f(a, [", "])"), ("x = f(^)", "a).b(", ""), ("x = f(^\n", "a).b(", ")")],
)
def test_what_is_still_to_be_closed(text: str, written: str, closers: str) -> None:
    place = at(text)
    assert wanted_closers(written, place, wanted(place)) == closers
