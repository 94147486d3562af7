"""What changes on disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import watchfiles

from lsp_server.context.files import Rules, Walk
from lsp_server.context.watch import watch

PATIENCE = 20.0


class Watching:
    """A watch in a thread."""

    def __init__(self, walk: Walk, rescan_seconds: float) -> None:
        self.seen: set[Path] = set()
        self.fallbacks: list[str] = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(walk, rescan_seconds))
        self.thread.start()

    def _run(self, walk: Walk, rescan_seconds: float) -> None:
        for paths in watch(walk, self.stop, self.fallbacks.append, rescan_seconds):
            self.seen |= paths

    def wait_for(self, path: Path, change: Callable[[], object]) -> None:
        """Until a path is seen; the change is repeated, since the watch may begin after it."""
        end = time.monotonic() + PATIENCE
        while path not in self.seen:
            assert time.monotonic() < end, f"{path} not seen, but {self.seen}"
            change()
            time.sleep(0.2)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "root"
    (folder / "src").mkdir(parents=True)
    (folder / "node_modules").mkdir()
    (folder / ".gitignore").write_text("*.log\n")
    return folder


@pytest.fixture
def start(root: Path) -> Iterator[Callable[[float], Watching]]:
    started: list[Watching] = []

    def begin(rescan_seconds: float) -> Watching:
        walk = Walk([root, root.parent / "gone"], Rules(exclude=("/excluded",)))
        started.append(Watching(walk, rescan_seconds))
        return started[-1]

    yield begin
    for each in started:
        each.stop.set()
        each.thread.join(PATIENCE)
        assert not each.thread.is_alive()


def check_changes(root: Path, watching: Watching) -> None:
    moments = iter(range(10_000))

    def touch(name: str) -> None:
        (root / name).write_text(f"x = {next(moments)}\n")

    unseen = ["a.log", ".env", "node_modules/a.js", "excluded"]
    for name in unseen:
        touch(name)
    watching.wait_for(root / "src" / "a.py", lambda: touch("src/a.py"))
    for name in unseen:
        touch(name)
    watching.wait_for(root / "b.py", lambda: touch("b.py"))
    watching.seen.clear()
    (root / "b.py").unlink()
    watching.wait_for(root / "b.py", lambda: None)
    assert not watching.seen & {root / name for name in unseen}


def test_changes_are_seen(root: Path, start: Callable[[float], Watching]) -> None:
    watching = start(3600.0)
    check_changes(root, watching)
    assert watching.fallbacks == []


def test_folders_moved_in_are_seen(
    root: Path, tmp_path: Path, start: Callable[[float], Watching]
) -> None:
    watching = start(3600.0)
    watching.wait_for(root / "a.py", lambda: (root / "a.py").write_text("x"))
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "b.py").write_text("x")
    (tmp_path / "package").rename(root / "package")
    watching.wait_for(root / "package", lambda: None)
    assert [file.path for file in Walk([root]).within(root / "package")] == ["package/b.py"]


def test_where_nothing_can_be_watched_the_walk_is_repeated(
    root: Path, start: Callable[[float], Watching], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr(watchfiles, "watch", fail)
    watching = start(0.05)
    check_changes(root, watching)
    assert len(watching.fallbacks) == 1
    assert "watch limit reached" in watching.fallbacks[0]
