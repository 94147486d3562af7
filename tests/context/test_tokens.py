from __future__ import annotations

import pytest

from lsp_server.context.tokens import CHUNK_LINES, Chunk, chunks, terms, words


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("HttpRequest", ("http", "request")),
        ("parseHTMLNow", ("parse", "html", "now")),
        ("max_line_2_16", ("max", "line", "16")),
        ("x_to_y", ("to",)),
        ("Plain", ("plain",)),
        ("plain", ()),
        ("größeInMetern", ("gr", "metern", "in")),
    ],
)
def test_words_of_an_identifier(identifier: str, expected: tuple[str, ...]) -> None:
    assert sorted(words(identifier)) == sorted(expected)


def test_terms_are_identifiers_without_keywords_and_their_words() -> None:
    assert terms("return self.getName(42, 'x')", "python") == ["getName", "get", "name", "x"]
    assert terms("return getName", "no language") == ["return", "getName", "get", "name"]


def test_what_is_too_long_for_a_name_is_left_out() -> None:
    assert terms("a" * 81 + " ok", "python") == ["ok"]


def test_chunks_hold_ten_filled_lines_each_and_the_path() -> None:
    text = "\n\n".join(f"line{number}" for number in range(CHUNK_LINES + 2))
    first, second = chunks("pkg/some.py", text, "python")
    assert first.first_line == 0 and first.terms.split()[0] == "line0"
    assert second == Chunk(20, "line10 line 10 line11 line 11 pkg some py")


def test_lines_without_terms_make_no_chunk() -> None:
    assert list(chunks("a.py", "1\n2\n\n)", "python")) == []
    assert list(chunks("a.py", "", "python")) == []
