from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.context import store
from lsp_server.context.store import Reader, Stat, StoredFile, Writer, encode
from lsp_server.context.types import FileSymbols, Import, Symbol

STAT = Stat(10, 20)


def function(path: str, name: str, line: int = 0, container: str = "") -> Symbol:
    signature = f"def {name}()"
    return Symbol(name, "function", path, line, line + 1, signature, container=container)


def class_with(path: str, name: str, *members: Symbol) -> Symbol:
    return Symbol(
        *(name, "class", path, 3, 9, f"class {name}(Base)", "What it is.", "", ("Base",), ""),
        members,
    )


def file_of(path: str, *symbols: Symbol) -> FileSymbols:
    return FileSymbols(path, "python", symbols, (Import("a.b", "c", "d", 0),))


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "symbols.db")


def reader_of(tmp_path: Path) -> Reader:
    return Reader(tmp_path / "symbols.db")


def test_a_stored_file_is_read_back_whole(writer: Writer, tmp_path: Path) -> None:
    method = function("a.py", "run", 4, container="Thing")
    original = file_of("a.py", class_with("a.py", "Thing", method), function("a.py", "main", 12))
    writer.put(encode(original, STAT))
    writer.commit()
    assert reader_of(tmp_path).file("a.py") == original


texts = st.text(st.characters(), max_size=12)
symbols = st.recursive(
    st.builds(
        *(Symbol, texts, st.sampled_from(["function", "class", "type"]), st.just("p.py")),
        *(st.integers(0, 9), st.integers(0, 9), texts, texts, texts),
        *(st.lists(texts, max_size=2).map(tuple), texts),
    ),
    lambda inner: st.builds(
        *(Symbol, texts, st.just("class"), st.just("p.py"), st.just(0), st.just(1)),
        *(texts, texts, texts, st.just(()), texts, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


@given(st.lists(symbols, max_size=5).map(tuple))
def test_any_symbols_survive_the_store(found: tuple[Symbol, ...]) -> None:
    stored = encode(FileSymbols("p.py", "python", found), STAT)
    assert sum((store._unpack_symbols(blob, "p.py") for blob, _ in stored.pages), ()) == found


def test_members_and_top_level_symbols_are_told_apart(writer: Writer, tmp_path: Path) -> None:
    inner = class_with("a.py", "Meta", function("a.py", "run", 5))
    outer = class_with("a.py", "Thing", inner, function("a.py", "save", 6))
    top = function("a.py", "run", 20)
    writer.put(encode(file_of("a.py", outer, top), STAT))
    writer.commit()
    reader = reader_of(tmp_path)
    assert reader.named("run") == [top]
    assert reader.members_named("run") == list(inner.members)
    assert reader.named("Meta") == [inner], "a nested class is found by its name"
    assert reader.members_named("Meta") == []
    assert reader.members_named("save") == [outer.members[1]]
    assert reader.named("nowhere") == []


def test_replacing_and_removing_leave_nothing_behind(writer: Writer, tmp_path: Path) -> None:
    writer.put(encode(file_of("a.py", function("a.py", "old")), STAT))
    writer.put(encode(file_of("b.py", function("b.py", "gone")), STAT))
    writer.commit()
    reader = reader_of(tmp_path)
    assert reader.named("old") and reader.named("gone")
    writer.put(encode(file_of("a.py", function("a.py", "new")), Stat(11, 21)))
    writer.remove("b.py")
    writer.remove("never stored.py")
    writer.commit()
    assert reader.named("old"), "not before it is told"
    reader.reload()
    assert (reader.named("old"), reader.named("gone")) == ([], [])
    assert reader.named("new") == [function("a.py", "new")]
    assert writer.stats() == {"a.py": Stat(11, 21)}
    with sqlite3.connect(tmp_path / "symbols.db") as db:
        assert db.execute("SELECT count(*) FROM names").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM pages").fetchone() == (1,)


def test_a_file_left_out_is_known_but_does_not_exist(writer: Writer, tmp_path: Path) -> None:
    writer.put(StoredFile("big.bin", STAT, "binary"))
    writer.commit()
    reader = reader_of(tmp_path)
    assert writer.stats() == {"big.bin": STAT}
    assert writer.left_out() == {"binary": 1}
    assert not reader.exists("big.bin") and reader.file("big.bin") is None
    assert reader.modules(("big",)) == []


def test_modules_are_found_by_the_end_of_their_path(writer: Writer, tmp_path: Path) -> None:
    for path in ("src/a/b.py", "lib/a/b/__init__.py", "web/a/b/index.ts", "xa/b.py", "a/b/c.py"):
        writer.put(encode(file_of(path), STAT))
    writer.commit()
    reader = reader_of(tmp_path)
    found = ["lib/a/b/__init__.py", "src/a/b.py", "web/a/b/index.ts"]
    assert reader.modules(("a", "b")) == found
    assert reader.modules(("b",)) == [*found, "xa/b.py"]
    assert reader.modules(("src", "a", "b")) == ["src/a/b.py"]
    assert reader.modules(("%",)) == [] and reader.modules(()) == []
    assert reader.modules(("b", "__init__")) == ["lib/a/b/__init__.py"]
    assert reader.exists("xa/b.py") and not reader.exists("b.py")


def test_files_are_found_by_the_end_of_their_folder(writer: Writer, tmp_path: Path) -> None:
    for path in ("x/a/b/one.go", "a/b/two.go", "xa/b/three.go", "a/b/c/four.go", "top.go"):
        writer.put(encode(file_of(path), STAT))
    writer.commit()
    reader = reader_of(tmp_path)
    assert reader.folder(("a", "b")) == ["a/b/two.go", "x/a/b/one.go"]
    assert reader.folder(()) == [] and reader.folder(("go",)) == []


def test_stats_of_a_folder_are_of_what_is_below_it(writer: Writer) -> None:
    for path in ("a/b.py", "a/c/d.py", "ab.py", "a"):
        writer.put(encode(file_of(path), STAT))
    assert set(writer.stats("a")) == {"a", "a/b.py", "a/c/d.py"}
    assert set(writer.stats()) == {"a", "a/b.py", "a/c/d.py", "ab.py"}


def test_long_files_are_paged_and_cut(writer: Writer, tmp_path: Path) -> None:
    count = store.MOST_SYMBOLS + 50
    functions = [function("a.py", f"f{number}", number) for number in range(count)]
    writer.put(encode(file_of("a.py", *functions), STAT))
    writer.commit()
    reader = reader_of(tmp_path)
    assert reader.named("f1321") == [functions[1321]]
    assert reader.named(f"f{count - 1}") == []
    whole = reader.file("a.py")
    assert whole is not None and list(whole.symbols) == functions[: store.MOST_SYMBOLS]


def test_a_name_that_everything_defines_reads_a_bounded_number_of_pages(
    writer: Writer, tmp_path: Path
) -> None:
    for number in range(store.MOST_PAGES + 9):
        path = f"{number}.py"
        writer.put(encode(file_of(path, function(path, "main")), STAT))
    writer.commit()
    assert len(reader_of(tmp_path).named("main")) == store.MOST_PAGES


@pytest.mark.parametrize("content", [b"not a database" * 99, b""])
def test_a_damaged_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "symbols.db").write_bytes(content)
    with pytest.raises(sqlite3.DatabaseError):
        reader_of(tmp_path)
    if content:
        with pytest.raises(sqlite3.DatabaseError):
            Writer(tmp_path / "symbols.db")


def test_another_version_is_told(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.close()
    monkeypatch.setattr(store, "VERSION", store.VERSION + 1)
    for opened in (Writer, Reader):
        with pytest.raises(sqlite3.DatabaseError, match="version"):
            opened(tmp_path / "symbols.db")


def test_a_damaged_page_is_told(writer: Writer, tmp_path: Path) -> None:
    writer.put(encode(file_of("a.py", function("a.py", "f")), STAT))
    writer.commit()
    writer.close()
    with sqlite3.connect(tmp_path / "symbols.db") as db:
        db.execute("UPDATE pages SET symbols = x'0011'")
    with pytest.raises(sqlite3.DatabaseError):
        reader_of(tmp_path).named("f")


def test_a_reader_works_from_many_threads(writer: Writer, tmp_path: Path) -> None:
    for number in range(50):
        path = f"{number}.py"
        writer.put(encode(file_of(path, function(path, f"f{number}")), STAT))
    writer.commit()
    reader = reader_of(tmp_path)
    wrong: list[str] = []

    def look_up() -> None:
        for number in range(50):
            found = [each.path for each in reader.named(f"f{number}")]
            wrong.extend(found if found != [f"{number}.py"] else [])

    threads = [threading.Thread(target=look_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_settling_frees_space_and_keeps_what_readers_see(writer: Writer, tmp_path: Path) -> None:
    functions = [function(f"{number}.py", f"f{number}", 1) for number in range(3000)]
    for each in functions:
        writer.put(encode(file_of(each.path, each), STAT))
    writer.commit()
    reader = reader_of(tmp_path)
    assert reader.named("f7") == [functions[7]]
    writer.settle()
    assert (tmp_path / "symbols.db-wal").stat().st_size == 0
    assert reader.named("f1234") == [functions[1234]]
    writer.remove("7.py")
    writer.settle()
    reader.reload()
    assert reader.named("f7") == []


def test_what_a_file_defines_is_found_however_frequent_its_name_is(
    writer: Writer, tmp_path: Path
) -> None:
    paths = [f"{number:03}.py" for number in range(store.MOST_PAGES + 8)]
    for path in paths:
        member = function(path, "run", 4, "Thing")
        writer.put(
            encode(file_of(path, function(path, "run"), class_with(path, "Thing", member)), STAT)
        )
    writer.commit()
    reader = reader_of(tmp_path)
    assert paths[-1] not in {symbol.path for symbol in reader.named("run")}
    assert reader.named_in(paths[-1], "run") == [function(paths[-1], "run")]
    assert reader.named_in(paths[-1], "walk") == reader.named_in("none.py", "run") == []


def test_imports_are_read_without_the_symbols(writer: Writer, tmp_path: Path) -> None:
    writer.put(encode(file_of("a.py"), STAT))
    writer.put(StoredFile("b.bin", STAT, "binary"))
    writer.commit()
    reader = reader_of(tmp_path)
    assert reader.imports("a.py") == file_of("a.py").imports
    assert reader.imports("b.bin") == reader.imports("c.py") == ()
