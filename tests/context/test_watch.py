"""What changes on disk."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import watchfiles

from lsp_server.context import watch
from lsp_server.context.files import Walk
from lsp_server.context.watch import Watch

PATIENCE = 20.0


class Watched:
    """What a watch tells of a folder."""

    def __init__(self, walk: Walk, rescan_seconds: float) -> None:
        self.seen: set[Path] = set()
        self.times = 0
        self.fallbacks: list[str] = []
        self.watch = Watch(walk, self._take, self.fallbacks.append, rescan_seconds)

    def _take(self, changed: set[Path]) -> None:
        self.times += 1
        self.seen |= changed

    def wait_for(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"only {self.seen}"
            time.sleep(0.02)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "root"
    (folder / "src").mkdir(parents=True)
    return folder


@pytest.fixture
def start(root: Path) -> Iterator[Callable[..., Watched]]:
    started: list[Watched] = []

    def begin(rescan_seconds: float = 3600.0, walk: Walk | None = None) -> Watched:
        started.append(Watched(walk or Walk([root]), rescan_seconds))
        return started[-1]

    yield begin
    for each in started:
        each.watch.close()
        assert not any(thread.name == "watch" for thread in threading.enumerate())


@pytest.fixture(params=[True, False] if sys.platform == "linux" else [False])
def one_by_one(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether folders are watched one by one. Linux can do both."""
    monkeypatch.setattr(watch, "_ONE_BY_ONE", request.param)
    return bool(request.param)


def test_from_its_beginning_no_change_is_missed(
    root: Path, start: Callable[[], Watched], one_by_one: bool
) -> None:
    (root / "old.py").write_text("x\n")
    watched = start()
    (root / "src" / "a.py").write_text("x\n")
    (root / "old.py").unlink()
    (root / "package" / "inner").mkdir(parents=True)
    expected = {root / "src" / "a.py", root / "old.py", root / "package"}
    watched.wait_for(lambda: expected <= watched.seen)
    (root / "package" / "inner" / "b.py").write_text("x\n")
    watched.wait_for(lambda: root / "package" / "inner" / "b.py" in watched.seen)
    assert watched.fallbacks == []


def test_new_folders_are_watched(
    root: Path, tmp_path: Path, start: Callable[[], Watched], one_by_one: bool
) -> None:
    (tmp_path / "moved" / "deep").mkdir(parents=True)
    watched = start()
    (root / "src" / "new" / "inner").mkdir(parents=True)
    watched.wait_for(lambda: root / "src" / "new" in watched.seen)
    (root / "src" / "new" / "inner" / "a.py").write_text("x\n")
    watched.wait_for(lambda: root / "src" / "new" / "inner" / "a.py" in watched.seen)
    (tmp_path / "moved").rename(root / "moved")
    watched.wait_for(lambda: root / "moved" in watched.seen)
    (root / "moved" / "deep" / "b.py").write_text("x\n")
    watched.wait_for(lambda: root / "moved" / "deep" / "b.py" in watched.seen)
    shutil.rmtree(root / "moved")
    watched.wait_for(lambda: root / "moved" in watched.seen)
    watched.seen.clear()
    (root / "moved").mkdir()
    watched.wait_for(lambda: root / "moved" in watched.seen)
    (root / "moved" / "c.py").write_text("x\n")
    watched.wait_for(lambda: root / "moved" / "c.py" in watched.seen)


class DisturbedWalk(Walk):
    """A walk during whose first listing of folders something happens."""

    def __init__(self, root: Path, disturb: Callable[[], object]) -> None:
        super().__init__([root])
        self._disturb = [disturb]

    def folders(self) -> Iterator[Path]:
        yield from super().folders()
        while self._disturb:
            self._disturb.pop()()


def test_folders_that_come_while_folders_are_listed_are_watched(
    root: Path, start: Callable[..., Watched]
) -> None:
    watched = start(walk=DisturbedWalk(root, (root / "src" / "late").mkdir))
    (root / "src" / "late" / "a.py").write_text("x\n")
    watched.wait_for(lambda: root / "src" / "late" / "a.py" in watched.seen)


def test_folders_that_go_while_folders_are_listed_do_no_harm(
    root: Path, start: Callable[..., Watched]
) -> None:
    watched = start(walk=DisturbedWalk(root, (root / "src").rmdir))
    (root / "a.py").write_text("x\n")
    watched.wait_for(lambda: root / "a.py" in watched.seen)
    assert watched.fallbacks == []


def test_folders_whose_rules_change_are_watched(
    root: Path, start: Callable[[], Watched], one_by_one: bool
) -> None:
    (root / ".git").mkdir()
    (root / ".gitignore").write_text("/src/\n")
    watched = start()
    (root / ".gitignore").write_text("")
    watched.wait_for(lambda: root / ".gitignore" in watched.seen)
    (root / "src" / "a.py").write_text("x\n")
    watched.wait_for(lambda: root / "src" / "a.py" in watched.seen)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system does not follow links")
def test_what_is_not_entered_is_not_watched(
    root: Path, tmp_path: Path, start: Callable[[], Watched]
) -> None:
    for folder in (root / "node_modules" / "a", root / ".git", tmp_path / "outside"):
        folder.mkdir(parents=True)
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "loop").symlink_to(root)
    watched = start()
    for name in ("node_modules/a/b.js", ".git/index", "link/c.py", "src/d.py"):
        (root / name).write_text("x\n")
    watched.wait_for(lambda: root / "src" / "d.py" in watched.seen)
    assert watched.seen == {root / "src" / "d.py"}


def test_a_folder_that_is_only_called_modified_is_not_told(
    root: Path, start: Callable[[], Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a.py").write_text("x\n")
    kinds, names = watchfiles.Change, (root, root / "src", root / "a.py")

    def say(*_: Any, **__: Any) -> Iterator[set[tuple[watchfiles.Change, str]]]:
        yield {(kinds.modified, str(name)) for name in names}
        yield {(kinds.added, str(root / "src"))}
        while True:
            time.sleep(0.01)
            yield set()

    monkeypatch.setattr(watchfiles, "watch", say)
    monkeypatch.setattr(watch, "_ONE_BY_ONE", False)
    watched = start()
    watched.wait_for(lambda: watched.times == 2)
    assert watched.seen == {root / "a.py", root / "src"}


def test_where_nothing_can_be_watched_the_folder_is_told_again_and_again(
    root: Path, start: Callable[[float], Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr(watchfiles, "watch", fail)
    watched = start(0.05)
    watched.wait_for(lambda: watched.times > 2)
    assert watched.seen == {root}
    assert watched.fallbacks == ["OS file watch limit reached"]
