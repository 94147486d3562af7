from __future__ import annotations

import pytest

from lsp_server.completion.postprocess.noise import without_lone_comment, without_noise
from tests.completion.places import at


@pytest.mark.parametrize(
    ("text", "language", "written", "kept"),
    [
        ("^", "python", "# TODO: implement\n", ""),
        ("^", "python", "# ------------\n# ============", ""),
        ("^", "python", "# Copyright 2020 The Authors.\n# All rights reserved.", ""),
        ("^", "c", "/*\n * Copyright 2020\n */", ""),
        ("^", "typescript", "// ...", ""),
        ("# Sort the list\na\n^", "python", "# Sort the list", ""),
        ("^\n# Sort the list\n", "python", "# Sort the list", ""),
        # seen: marks of documentation are the same everywhere
        ("/// </summary>\nint a;\n/// A.\n^", "c-sharp", "/// </summary>", "/// </summary>"),
        ("^", "python", "# Sort the list", "# Sort the list"),
        ("^", "python", "# TODO: sort\na.sort()", "# TODO: sort\na.sort()"),
        ("^", "python", "# Implement Dijkstra's way", "# Implement Dijkstra's way"),
        ("^", "python", "# Your code here", ""),
        ("^", "python", "# Add your code here", ""),
        ("^", "python", "# Notes are kept", "# Notes are kept"),
        ("^", "python", "pass", "pass"),
        ("# ^", "python", "TODO", "TODO"),
        ("^", "css", "/* TODO */", ""),
        ("^", "c", "*p = 1;", "*p = 1;"),
        # seen: a remark behind a line just accepted, which says what it says
        ('    file.write("a")^', "python", "  # Assuming each is on a line", ""),
        ("a = 1 ^", "python", "# one", ""),
        ("a = 1;^", "c", " // one\n// two", ""),
        ("a = 1;^", "c", "  /* one */", ""),
        ("a = b ^", "c", "* c;", "* c;"),
        ("f(a, ^", "cpp", "/*copy=*/false);", "/*copy=*/false);"),
        ("p {\n  color: ^\n}\n", "scss", "#333;", "#333;"),
        ("catch (e) {^}", "typescript", "\n  // ignored", "\n  // ignored"),
        ("let a = ^", "vim", '"text"', '"text"'),
        ("echo ${a^", "shellscript", "#b}", "#b}"),
        ("a = 1^", "python", "  # one\nb = 2", "  # one\nb = 2"),
        ("a = 1  # ^", "python", "# one", "# one"),
        ("def f():^", "python", "  return 1  # one", "  return 1  # one"),
        # seen: a body that is none
        ("for a in b:^", "python", " ...", ""),
        ("for a in b:\n    ^", "python", "...", ""),
        ("class A(Protocol):\n    def f(self) -> None:^", "python", " ...", " ..."),
        ("a: tuple[int, ^", "python", "...", "..."),
        ("class A(Protocol):\n    def f(self) -> None:\n        ^", "python", "...", "..."),
    ],
)
def test_comments_that_say_nothing(text: str, language: str, written: str, kept: str) -> None:
    assert without_noise(written, at(text, language)) == kept


def test_a_comment_without_its_code() -> None:
    """Seen: the code below a comment was there already, or broken."""
    place = at("def f():\n    ^\n    n = 1\n")
    assert without_lone_comment("# Set n", "# Set n\n    n = 1", place) == ""
    assert without_lone_comment("# Set n", "# Set n", place) == "# Set n"
    c = at("f() {\n  ^\n}\n", "c")
    assert without_lone_comment("*a = 1;", "*a = 1;\n  b(", c) == "*a = 1;"
    assert without_lone_comment("a\n# Set n", "a\n# Set n\nn", place) == "a\n# Set n"
