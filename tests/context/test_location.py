from __future__ import annotations

from pathlib import Path

import pytest

from lsp_server.context import location


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(location.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def folder_of(root: Path) -> Path:
    root.mkdir(exist_ok=True)
    folder = location.index_folder(root)
    location.prepare(folder, root)
    return folder


def test_every_root_has_its_own_folder(tmp_path: Path, cache: Path) -> None:
    one, two = folder_of(tmp_path / "one"), folder_of(tmp_path / "two")
    assert one != two and one.parent == two.parent == cache / "index"
    assert location.index_folder(tmp_path / "two" / ".." / "one") == one


def test_renewing_puts_an_empty_folder_in_the_place_of_the_old_one(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "root")
    assert location.current(folder) is None
    first = location.renew(folder)
    (first / "file").touch()
    assert location.current(folder) == first
    second = location.renew(folder)
    assert location.current(folder) == second != first
    assert not first.exists() and list(second.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"..\n", b"\xff", b"7"])
def test_an_odd_pointer_is_none(tmp_path: Path, content: bytes) -> None:
    folder = folder_of(tmp_path / "root")
    (folder / "current").write_bytes(content)
    assert location.current(folder) is None


def test_indexes_of_vanished_roots_are_removed(tmp_path: Path) -> None:
    gone, kept, busy = (folder_of(tmp_path / name) for name in ("gone", "kept", "busy"))
    (tmp_path / "gone").rmdir()
    (tmp_path / "busy").rmdir()
    with location.lock(busy):
        location.remove_orphans()
    assert [each.exists() for each in (gone, kept, busy)] == [False, True, True]
