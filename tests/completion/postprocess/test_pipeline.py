from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.completion.place import Place, place_at
from lsp_server.completion.postprocess import fit
from tests.completion.places import at, wanted

PLACES = [
    at("x = ^\n"),
    at("x = f(^)\n"),
    at("x = f(^, b)\n"),
    at('x = "^"\n'),
    at("x = ^ + b"),
    at("^"),
    at("    ^x = 1"),
    at("def f():\n    ^\n\ndef g():\n    pass\n"),
    at("def f():^\n"),
    at("def f():\n    a\n    ^\n    b\n"),
    at('def f():\n    """^"""\n'),
    at("x = [^\n"),
    at("\tif (a) {\n\t\t^\n\t}\n", "c"),
    at("function f() {\n  a;\n  ^\n}\n", "typescript"),
    at("function f() {^", "typescript"),
    at("  f(() => {^});\n", "typescript"),
    at("f(`a ${^}`);\n", "typescript"),
    at("^\n", "markdown"),
    at("case a in\n  ^\nesac\n", "shell"),
    at("def f\n  ^\n", "ruby"),
    at("a:\n  ^\n", "yaml"),
]
WRITTEN = st.lists(
    st.sampled_from(
        [
            *("a", "b", "x = 1", "pass", "return", "if", "else:", "def f():", "end", "\n", "\n"),
            *("\n    ", "\n  ", "\n\t", " ", "\t", "(", ")", "{", "}", "[", "]", ";", ",", ":"),
            *('"', "'", '"""', "#", "# TODO", "//", "@", ".", "```", "<|endoftext|>", "ab" * 30),
        ]
    ),
    max_size=25,
).map("".join)


@settings(deadline=None, max_examples=300)
@given(WRITTEN, st.sampled_from(PLACES), st.booleans())
def test_fitting_again_changes_nothing(text: str, place: Place, finished: bool) -> None:
    scope = wanted(place, max_lines=4)
    fitted = fit(text, place, scope, finished=finished)
    assert fit(fitted, place, scope) == fitted


@settings(deadline=None, max_examples=300)
@given(WRITTEN, st.sampled_from(PLACES), st.booleans())
def test_nothing_is_added(text: str, place: Place, finished: bool) -> None:
    """The result is the start of the text, but for white space that its lines start with."""
    fitted = fit(text, place, wanted(place, max_lines=4), finished=finished).split("\n")
    written = text.split("\n")
    assert len(fitted) <= len(written)
    *whole, last = [line.lstrip() for line in fitted]
    assert whole == [line.lstrip() for line in written[: len(whole)]]
    assert written[len(whole)].lstrip().startswith(last)


@settings(deadline=None)
@given(WRITTEN, WRITTEN, WRITTEN)
def test_anything_fits_anywhere(prefix: str, suffix: str, text: str) -> None:
    """The document around a suggestion stays as it is."""
    place = place_at(prefix, suffix, "typescript")
    fitted = fit(text, place, wanted(place))
    document = place.prefix + fitted + place.suffix
    assert document.startswith(prefix) and document.endswith(suffix)
    assert fitted.rstrip() in (fitted, fitted.rpartition("\n")[0])


@pytest.mark.parametrize(
    ("text", "language", "written", "kept"),
    [
        ("def f(^)\n", "python", "a, b)\n    return a<|endoftext|>", "a, b"),
        ("    ^\n", "python", "  \n\t\n", ""),
        # seen: prose after the code
        (
            "    b = c\n^",
            "python",
            "    return a % b == 0\n\n# Test cases\nprint(a)\n```\n\nThis solution defines",
            "    return a % b == 0",
        ),
        # seen: a call without end
        ("x = y^\n", "java", "[0]" + ".getProject()" * 20, "[0]"),
        # seen: the bracket that the editor closed at the end of the body's last line
        ("  f(x -> {^});\n", "java", "\n    a(x);\n  });\n}", "\n    a(x);\n  "),
        ("f(x -> {^});\n", "java", " a(x); });\n", " a(x);"),
        ("f(x -> {^});\n", "java", "\n    a(x); });\n", "\n    a(x);"),
        # seen: a string's interpolation, ended twice
        ("f(`a ${^}`);\n", "typescript", "name} b`);\n", "name"),
        ("f(f'a {^}')\n", "python", "name}!')\n", "name"),
        # seen: the same line again
        (
            "class A:\n    def f(self):\n        ^\n",
            "python",
            "self.clicked.connect(self._a)\n        self.clicked.connect(self._a)\n        self.cl",
            "self.clicked.connect(self._a)",
        ),
    ],
)
def test_all_rules_together(text: str, language: str, written: str, kept: str) -> None:
    place = at(text, language)
    assert fit(written, place, wanted(place)) == kept


def test_a_line_without_end_goes() -> None:
    place = at("def f():\n    ^\n")
    written = "a = 1\n    b = sel"
    assert fit(written, place, wanted(place)) == written
    assert fit(written, place, wanted(place), finished=False) == "a = 1"


def test_what_follows_is_not_written_again() -> None:
    """Seen: at an empty line between definitions, all of the next one but its comment."""
    place = at("    return a;\n  }\n\n^\n  // B.\n  int b() {\n    return 1;\n  }\n}\n", "java")
    written = "  int b() {\n    return 1;\n  }\n}\n"
    assert fit(written, place, wanted(place)) == ""
