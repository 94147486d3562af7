"""The text store against a plain reference: string slicing with a naive converter."""

from __future__ import annotations

import random
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.lsp.text import Change, Encoding, Position, TextBuffer

ENCODINGS: tuple[Encoding, ...] = typing.get_args(Encoding)
ATOMS = [
    *("a", "b", " ", "\t", "é", "ß", "中", "文", "😀", "𝒳", "e\u0301", "\ufeff", "\u200d"),
    *("\n", "\n", "\r\n", "\r\n", "\r", "\r", "\n\r"),
    *("\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\x00"),
]


def width(character: str, encoding: Encoding) -> int:
    if encoding == "utf-32":
        return 1
    code = ord(character)
    if encoding == "utf-16":
        return 2 if code > 0xFFFF else 1
    return 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4


def reference_offset(text: str, line: int, character: int, encoding: Encoding) -> int:
    """Walk the text from its start, one code point at a time."""
    at = 0
    for _ in range(line):
        while at < len(text) and text[at] not in "\r\n":
            at += 1
        if at == len(text):
            return at
        at += 2 if text[at : at + 2] == "\r\n" else 1
    passed = 0
    while at < len(text) and text[at] not in "\r\n":
        passed += width(text[at], encoding)
        if passed > character:
            break
        at += 1
    return at


def reference_apply(text: str, change: Change, encoding: Encoding) -> str:
    if change.start is None or change.end is None:
        return change.text
    start = reference_offset(text, *change.start, encoding)
    end = reference_offset(text, *change.end, encoding)
    start, end = min(start, end), max(start, end)
    return text[:start] + change.text + text[end:]


def check(buffer: TextBuffer, text: str, probe: Position) -> None:
    assert buffer.text == text
    offset = buffer.offset_at(probe)
    assert offset == reference_offset(text, *probe, buffer.encoding)
    back = buffer.position_at(offset)
    assert buffer.offset_at(back) == offset
    assert back <= probe


positions = st.builds(Position, st.integers(0, 6), st.integers(0, 12))
texts = st.lists(st.sampled_from(ATOMS), max_size=12).map("".join)
changes = st.one_of(
    st.builds(Change, texts, positions, positions),
    st.builds(Change, texts, st.none(), st.none()),
)


@settings(max_examples=500, deadline=None)
@given(texts, st.lists(changes, max_size=8), positions, st.sampled_from(ENCODINGS))
def test_edits_agree_with_the_reference(
    text: str, edits: list[Change], probe: Position, encoding: Encoding
) -> None:
    buffer = TextBuffer(text, encoding)
    check(buffer, text, probe)
    for edit in edits:
        buffer.apply(edit)
        text = reference_apply(text, edit, encoding)
        check(buffer, text, probe)


def random_position(dice: random.Random, lines: int) -> Position:
    return Position(dice.randrange(lines + 2), dice.randrange(9))


def random_text(dice: random.Random, longest: int) -> str:
    return "".join(dice.choices(ATOMS, k=dice.randrange(longest + 1)))


def test_a_hundred_thousand_random_edits() -> None:
    dice = random.Random(20261120)
    edits = 0
    while edits < 100_000:
        encoding = dice.choice(ENCODINGS)
        text = random_text(dice, 60)
        buffer = TextBuffer(text, encoding)
        for _ in range(50):
            lines = text.count("\n") + text.count("\r")
            start = random_position(dice, lines)
            near = Position(start.line + dice.randrange(3), dice.randrange(9))
            end = dice.choice((start, near, near, random_position(dice, lines)))
            whole = dice.random() < 0.01
            change = Change(random_text(dice, 6), *(() if whole else (start, end)))
            buffer.apply(change)
            text = reference_apply(text, change, encoding)
            check(buffer, text, random_position(dice, lines))
            edits += 1
            if len(text) > 120:
                text = text[:40]
                buffer.apply(Change(text))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_position_of_every_offset_leads_back(encoding: Encoding) -> None:
    text = "a😀\r\n\u2028中\x0c\rß\n\n"
    buffer = TextBuffer(text, encoding)
    between = text.index("\r\n") + 1
    for offset in range(len(text) + 1):
        expected = offset - 1 if offset == between else offset
        assert buffer.offset_at(buffer.position_at(offset)) == expected


@pytest.mark.parametrize(
    ("encoding", "inside", "after"), [("utf-8", (2, 3, 4), 5), ("utf-16", (2,), 3)]
)
def test_a_position_inside_a_character_is_at_its_start(
    encoding: Encoding, inside: tuple[int, ...], after: int
) -> None:
    buffer = TextBuffer("a😀b", encoding)
    assert {buffer.offset_at(Position(0, at)) for at in inside} == {1}
    assert buffer.offset_at(Position(0, after)) == 2


def test_positions_out_of_bounds() -> None:
    buffer = TextBuffer("ab\r\ncd", "utf-16")
    assert buffer.offset_at(Position(0, 99)) == 2
    assert buffer.offset_at(Position(1, 99)) == 6
    assert buffer.offset_at(Position(9, 0)) == 6
    assert buffer.offset_at(Position(-1, 5)) == 0
    assert buffer.offset_at(Position(1, -5)) == 4
    assert buffer.position_at(99) == Position(1, 2)


def test_the_empty_last_line() -> None:
    buffer = TextBuffer("ab\n", "utf-8")
    assert buffer.offset_at(Position(1, 0)) == 3
    buffer.apply(Change("x", Position(1, 0), Position(1, 0)))
    assert buffer.text == "ab\nx"


def test_line_endings_made_and_broken_at_a_seam() -> None:
    buffer = TextBuffer("a\rb\nc", "utf-8")
    buffer.apply(Change("", Position(1, 0), Position(1, 1)))
    assert (buffer.text, buffer.line(1)) == ("a\r\nc", "c")
    buffer.apply(Change("\r", Position(0, 1), Position(0, 1)))
    assert [buffer.line(number) for number in range(4)] == ["a", "", "c", ""]


def test_only_three_line_endings() -> None:
    text = "a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g"
    assert TextBuffer(text, "utf-8").line(0) == text


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    assert TextBuffer("a\ud83db", "utf-16").text == "a\ufffdb"


def test_a_copy_does_not_change() -> None:
    buffer = TextBuffer("one\ntwo\n", "utf-8")
    twin = buffer.copy()
    buffer.apply(Change("1", Position(0, 0), Position(0, 3)))
    assert (twin.text, buffer.text) == ("one\ntwo\n", "1\ntwo\n")
