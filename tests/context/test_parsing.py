from __future__ import annotations

import os
from pathlib import Path

import pytest

from lsp_server.context import parsing
from lsp_server.context.files import FileStat, Walk
from lsp_server.context.parsing import Parsed, Parsers, parse_file


def files_in(root: Path, texts: dict[str, str | bytes]) -> list[FileStat]:
    for name, text in texts.items():
        (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(Walk([root]))


def parsed(parsers: Parsers, files: list[FileStat]) -> dict[str, Parsed]:
    waiting = list(files)

    def take(count: int) -> list[FileStat]:
        batch, waiting[:] = waiting[:count], waiting[count:]
        return batch

    return {each.stored.path: each for each in parsers.parse(take)}


def test_a_file_is_read_and_cut_into_chunks(tmp_path: Path) -> None:
    [file] = files_in(tmp_path, {"a.py": "def f(): ...\n"})
    result = parse_file(file, 100)
    assert result.stored.stat == (file.size, file.mtime_ns) and result.stored.language == "python"
    assert [chunk.first_line for chunk in result.chunks] == [0]


def test_what_cannot_be_indexed_is_told_with_the_reason(tmp_path: Path) -> None:
    files = files_in(
        tmp_path, {"a.py": b"\0", "b.py": b"x = '\xff'", "c.py": "x\n" * 60, "d.py": ""}
    )
    (tmp_path / "d.py").unlink()
    reasons = [parse_file(file, 100).stored.left_out for file in files]
    assert reasons == ["binary", "encoding", "large", "vanished"]


def test_many_files_are_parsed_by_processes(tmp_path: Path) -> None:
    count = 3 * parsing.BATCH
    files = files_in(tmp_path, {f"f{number}.py": f"n{number} = 1\n" for number in range(count)})
    parsers = Parsers(100)
    try:
        assert set(parsed(parsers, files)) == {file.path for file in files}
    finally:
        parsers.close()


def _crash_on_bad(file: FileStat, max_bytes: int) -> Parsed:
    if file.path == "bad.py":
        os._exit(1)
    return parse_file(file, max_bytes)


def _parse_all(batch: list[FileStat], max_bytes: int) -> list[Parsed]:
    return [_crash_on_bad(file, max_bytes) for file in batch]


def test_a_file_that_crashes_its_process_is_left_out_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = files_in(tmp_path, {"bad.py": "x", "a.py": "a = 1", "b.py": "b = 1"})
    monkeypatch.setattr(parsing, "_parse_all", _parse_all)
    parsers = Parsers(100)
    try:
        result = parsed(parsers, files)
    finally:
        parsers.close()
    left_out = {path: each.stored.left_out for path, each in result.items()}
    assert left_out == {"a.py": "", "b.py": "", "bad.py": "crashed the parser"}
