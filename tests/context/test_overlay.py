from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lsp_server.context.overlay import Overlay
from lsp_server.context.store import Reader, Writer, encode
from lsp_server.context.types import FileSymbols, SymbolIndex
from tests.context.test_store import STAT, class_with, file_of, function


def unreachable() -> None:
    raise AssertionError("the index is not damaged")


@pytest.fixture
def index(tmp_path: Path) -> Overlay:
    writer = Writer(tmp_path / "symbols.db")
    run = function("pkg/a.py", "run", 4, "Thing")
    stored = class_with("pkg/a.py", "Thing", run)
    writer.put(encode(file_of("pkg/a.py", stored), STAT))
    writer.put(encode(file_of("pkg/b.py", function("pkg/b.py", "Thing")), STAT))
    writer.commit()
    writer.close()
    reader = Reader(tmp_path / "symbols.db")
    return Overlay(lambda: reader, unreachable)


def test_open_buffers_win_in_every_lookup(index: Overlay) -> None:
    new = class_with("pkg/a.py", "Thing", function("pkg/a.py", "walk", 4, "Thing"))
    buffer = file_of("pkg/a.py", new)
    index.put("pkg/a.py", buffer)
    assert index.named("Thing") == [new, function("pkg/b.py", "Thing")]
    assert index.members_named("walk") == list(new.members)
    assert index.file("pkg/a.py") == buffer
    assert index.modules(("pkg", "a")) == ["pkg/a.py"]
    assert index.folder(("pkg",)) == ["pkg/a.py", "pkg/b.py"]


def test_stale_definitions_of_an_open_buffer_are_gone(index: Overlay) -> None:
    index.put("pkg/b.py", file_of("pkg/b.py"))
    assert [each.path for each in index.named("Thing")] == ["pkg/a.py"]
    index.remove("pkg/b.py")
    assert [each.path for each in index.named("Thing")] == ["pkg/a.py", "pkg/b.py"]


def test_a_file_is_asked_for_its_names_and_imports(index: Overlay) -> None:
    assert index.named_in("pkg/b.py", "Thing") == [function("pkg/b.py", "Thing")]
    assert index.imports("pkg/b.py") == file_of("pkg/b.py").imports
    index.put("pkg/b.py", FileSymbols("pkg/b.py", "python", (function("pkg/b.py", "other"),)))
    assert index.named_in("pkg/b.py", "Thing") == [] and index.imports("pkg/b.py") == ()
    assert index.named_in("pkg/b.py", "other") == [function("pkg/b.py", "other")]


def test_a_new_file_exists_as_soon_as_it_is_open(index: Overlay) -> None:
    assert not index.exists("pkg/new.py")
    index.put("pkg/new.py", file_of("pkg/new.py"))
    assert index.exists("pkg/new.py") and index.exists("pkg/a.py")
    assert index.modules(("new",)) == ["pkg/new.py"] and index.modules(()) == []
    assert "pkg/new.py" in index.folder(("pkg",)) and index.folder(()) == []


def test_it_works_before_there_is_a_store() -> None:
    index: SymbolIndex = Overlay(lambda: None, unreachable)
    assert (index.named("x"), index.members_named("x"), index.modules(("x",))) == ([], [], [])
    assert index.file("x") is None and not index.exists("x")


def test_damage_is_told_and_nothing_is_found(index: Overlay, tmp_path: Path) -> None:
    told: list[bool] = []
    damaged = Overlay(lambda: Reader(tmp_path / "symbols.db"), lambda: told.append(True))
    with sqlite3.connect(tmp_path / "symbols.db") as db:
        db.execute("UPDATE pages SET symbols = x'0011'")
    assert damaged.named("Thing") == [] and damaged.file("pkg/a.py") is None
    assert damaged.exists("pkg/a.py") and len(told) == 2
