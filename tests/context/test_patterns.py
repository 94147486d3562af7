"""Lists of ignore patterns; git is the oracle in test_ignore."""

from __future__ import annotations

import pytest

from lsp_server.context.patterns import Patterns


@pytest.mark.parametrize(
    ("text", "path", "is_folder", "expected"),
    [
        (b"*.log", b"a/b.log", False, True),
        (b"*.log\n!b.log", b"a/b.log", False, False),
        (b"!b.log\n*.log", b"a/b.log", False, True),
        (b"*.log", b"a/b.txt", False, None),
        (b"/a", b"x/a", False, None),
        (b"/a", b"a", False, True),
        (b"x/a", b"y/x/a", False, None),
        (b"**/x/a", b"y/z/x/a", False, True),
        (b"**/x/a", b"x/a", False, True),
        (b"x/**/a", b"x/a", False, True),
        (b"x/**/a", b"x/y/z/a", False, True),
        (b"x/*/a", b"x/y/z/a", False, None),
        (b"build/", b"build", False, None),
        (b"build/", b"a/build", True, True),
        (b"build/**", b"build", True, None),
        (b"build/**", b"build/a", False, True),
        (b"# a\n\n\\#a", b"#a", False, True),
        (b"\\!a", b"!a", False, True),
        (b"a ", b"a", False, True),
        (b"a\\ ", b"a ", False, True),
        (b"a\r\n", b"a", False, True),
        (b"\xef\xbb\xbfa", b"a", False, True),
        (b"[a-c]x", b"bx", False, True),
        (b"[!a-c]x", b"bx", False, None),
        (b"[]-]x", b"]x", False, True),
        (b"[[:digit:]a]x", b"7x", False, True),
        (b"[[:nothing:]]x", b"ax", False, None),
        (b"[a", b"[a", False, None),
        (b"a\\", b"a\\", False, None),
        (b"?", "é".encode(), False, None),
        (b"??", "é".encode(), False, True),
        (b"{a,b}", b"a", False, None),
        (b"a+(b)|.$^", b"a+(b)|.$^", False, True),
    ],
)
def test_verdicts(text: bytes, path: bytes, is_folder: bool, expected: bool | None) -> None:
    assert Patterns(text).verdict(path, is_folder) is expected


def test_the_case_of_letters_can_be_ignored() -> None:
    patterns = Patterns(b"*.LOG\nReadme\nSrc/[A-C]*", ignore_case=True)
    assert patterns.verdict(b"x.Log", False)
    assert patterns.verdict(b"README", False)
    assert patterns.verdict(b"srC/beta", False)
    assert Patterns(b"*.LOG").verdict(b"x.log", False) is None


def test_a_pattern_covers_what_is_below() -> None:
    assert Patterns(b"secret/").covers(b"a/secret/b/c.py")
    assert Patterns(b"/a").covers(b"a/b")
    assert not Patterns(b"/b").covers(b"a/b")


def test_hostile_patterns_end() -> None:
    assert Patterns(b"*a" * 40 + b"*b").verdict(b"a" * 255, False) is None
    assert Patterns(b"a" + b" " * 1_000_000 + b"b").verdict(b"a", False) is None
    assert Patterns(b"*a" * 1_000_000).verdict(b"a" * 255, False) is None
