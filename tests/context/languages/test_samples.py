"""Each language's sample file and what is read out of it, whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lsp_server.context.languages.table import language_of
from lsp_server.context.symbols import parse
from lsp_server.context.types import FileSymbols, Symbol
from tests.context.languages.outline import outline

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.txt"))
"""`NAME.ENDING.txt`, so that no tool takes them for this project's own code."""


def read(sample: Path) -> FileSymbols:
    return parse(sample.stem, sample.read_text(encoding="utf-8"), language_of(sample.stem))


def every(symbols: tuple[Symbol, ...]) -> Iterator[Symbol]:
    for symbol in symbols:
        yield symbol
        yield from every(symbol.members)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_symbols_of_a_sample(sample: Path) -> None:
    expected = sample.with_suffix(".expected").read_text(encoding="utf-8")
    assert outline(read(sample)) == expected


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_name_stands_on_its_line(sample: Path) -> None:
    lines = sample.read_text(encoding="utf-8").split("\n")
    for symbol in every(read(sample).symbols):
        assert symbol.name in lines[symbol.line]
        assert symbol.line <= symbol.end_line < len(lines)
        assert len(symbol.signature) <= 240 and "\n" not in symbol.signature


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_half_a_file_is_read_without_its_end(sample: Path) -> None:
    text = sample.read_text(encoding="utf-8")
    whole = {symbol.name for symbol in every(read(sample).symbols)}
    language = language_of(sample.stem)
    for end in range(0, len(text), 97):
        parse(sample.stem, text[:end], language)
    half = parse(sample.stem, text[: len(text) // 2], language)
    assert whole & {symbol.name for symbol in every(half.symbols)}
