from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lsp_server.context import indexer_process, location
from lsp_server.context.files import Rules
from lsp_server.context.types import Cursor, Progress
from lsp_server.context.workspace import Workspace

HANG_SECONDS = 60.0
STORED = """\
class Shelf:
    def put(self, record):
        record.check()
        self.books.append(record)
        self.changed.emit()
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(location.CACHE_VARIABLE, str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / "shelf.py").write_text(STORED, "utf-8")
    (root / "mine.py").write_text("record.check()\n", "utf-8")
    return root


class Followed(Workspace):
    """A workspace and all that it told of its progress."""

    def __init__(self, root: Path, watches: bool = False) -> None:
        self.told: list[Progress] = []
        rules = Rules(never=("mine/",), exclude=("/drafts",))
        super().__init__(root, rules, self.told.append, watches=watches)

    async def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + HANG_SECONDS
        while not condition():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)

    def defines(self, name: str) -> list[str]:
        return [each.path for each in self.index_for("mine.py").named(name)]

    def shows(self, prefix: str) -> list[str]:
        found = self.similar(Cursor("mine.py", "python", prefix, "\n"))
        return [line for window in found for line in window.lines]


@pytest.fixture
async def workspace(root: Path) -> AsyncIterator[Followed]:
    workspace = Followed(root)
    await workspace.start()
    await workspace.until(lambda: workspace.progress.ready and workspace.defines("Shelf"))
    yield workspace
    await workspace.close()


async def test_the_workspace_is_known_once_it_is_ready(workspace: Followed) -> None:
    assert workspace.defines("Shelf") == ["shelf.py"]
    assert "        self.books.append(record)" in workspace.shows("    record.check()\n")
    assert workspace.progress.done == workspace.progress.total == 2
    assert not workspace.told[0].ready and workspace.told[-1].ready


async def test_the_next_start_answers_at_once(workspace: Followed, root: Path) -> None:
    await workspace.close()
    again = Followed(root)
    await again.start()
    try:
        assert again.defines("Shelf") == ["shelf.py"]
        assert again.shows("    record.check()\n")
    finally:
        await again.close()


async def test_open_documents_win_at_once_and_no_longer_than_they_are_open(
    workspace: Followed,
) -> None:
    workspace.opened("shelf.py", "python", STORED)
    workspace.edited("shelf.py", STORED.replace("Shelf", "Board").replace("books", "cards"))
    assert (workspace.defines("Shelf"), workspace.defines("Board")) == ([], ["shelf.py"])
    assert "        self.cards.append(record)" in workspace.shows("    record.check()\n")
    workspace.closed("shelf.py")
    assert (workspace.defines("Shelf"), workspace.defines("Board")) == (["shelf.py"], [])
    assert "        self.books.append(record)" in workspace.shows("    record.check()\n")


async def test_a_keystroke_is_not_parsed_for_the_document_itself(
    workspace: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lsp_server.context.workspace.parse", None)  # calling it would fail
    workspace.opened("mine.py", "python", "def new(): ...\n")
    workspace.edited("mine.py", "def newer(): ...\n")
    assert workspace.defines("newer") == [] and workspace.shows("record.check()\n")


async def test_a_saved_file_is_found(workspace: Followed, root: Path) -> None:
    (root / "new.py").write_text("class Added: ...\n", "utf-8")
    workspace.changed(["new.py"])
    await workspace.until(lambda: workspace.defines("Added"))


CANARY = "zqxcanaryzqx"


async def test_private_text_is_neither_defined_nor_shown(workspace: Followed, root: Path) -> None:
    secret = f"{CANARY} = 1\nrecord.check()\n"
    key = "-----BEGIN PRIVATE KEY-----"
    for path, text in ((".env", secret), ("mine/a.py", secret), ("shelf.py", secret + key)):
        workspace.opened(path, "python", text)
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text, "utf-8")
    (root / "after.py").write_text("class After: ...\n", "utf-8")
    workspace.changed([".env", "mine/a.py", "shelf.py", "after.py"])
    await workspace.until(lambda: workspace.defines("After"))
    assert workspace.defines(CANARY) == []
    assert not any(CANARY in line for line in workspace.shows(f"{CANARY}\nrecord.check()\n"))


async def test_what_is_left_out_on_disk_is_left_out_when_it_is_open(
    workspace: Followed, root: Path
) -> None:
    (root / ".git").mkdir()
    (root / ".gitignore").write_text("/out/\n*.tmp.py\n", "utf-8")
    text = f"{CANARY} = 1\nrecord.check()\n"
    for path in ("out/a.py", "b.tmp.py", "drafts/c.py", "node_modules/d.py", "e_pb2.py"):
        workspace.opened(path, "python", text)
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text, "utf-8")
    workspace.opened("drafts/unsaved.py", "python", text)
    workspace.opened("generated.py", "python", f"# DO NOT EDIT\n{text}")
    workspace.opened("minified.py", "python", f"{text}DATA = '{20_000 * 'x'}'\n")
    workspace.opened("unsaved/new.py", "python", "class Unsaved: ...\nrecord.check(unsaved)\n")
    shown = workspace.shows(f"{CANARY}\nrecord.check()\n")
    assert workspace.defines("Unsaved") == ["unsaved/new.py"]
    assert "record.check(unsaved)" in shown
    assert workspace.defines(CANARY) == []
    assert not any(CANARY in line for line in shown)
    workspace.edited("generated.py", text)
    assert workspace.defines(CANARY) == ["generated.py"]


async def test_a_file_that_became_private_is_not_shown_before_it_is_indexed_again(
    workspace: Followed, root: Path
) -> None:
    key = "-----BEGIN PRIVATE KEY-----"
    (root / "shelf.py").write_text(f"{CANARY}\n{key}\n{STORED}", "utf-8")
    assert workspace.shows("    record.check()\n") == []


async def test_a_dead_indexer_is_started_again(workspace: Followed, root: Path) -> None:
    pid = workspace._indexer.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await workspace.until(lambda: workspace._indexer.pid not in (pid, None))
    (root / "new.py").write_text("class Added: ...\n", "utf-8")
    workspace.changed(["new.py"])
    await workspace.until(lambda: workspace.defines("Added"))


async def test_an_indexer_that_is_started_again_watches_again(
    workspace: Followed, root: Path
) -> None:
    workspace.watch()
    pid = workspace._indexer.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await workspace.until(lambda: workspace._indexer.pid not in (pid, None))
    workspace.told.clear()
    await workspace.until(lambda: workspace.told and workspace.told[-1].ready)
    (root / "new.py").write_text("class Added: ...\n", "utf-8")
    await workspace.until(lambda: workspace.defines("Added"))


async def test_where_files_cannot_be_watched_the_log_says_so(
    workspace: Followed, caplog: pytest.LogCaptureFixture
) -> None:
    before = workspace.progress
    workspace._take_message({"unwatched": "OS file watch limit reached"})
    assert "OS file watch limit reached" in caplog.text
    assert workspace.progress == before


async def test_damage_that_a_lookup_meets_is_mended(workspace: Followed, root: Path) -> None:
    folder = location.current(location.index_folder(root))
    assert folder is not None
    await workspace.close()
    for file in (folder / "similar").glob("*.term"):
        file.write_bytes(b"damaged")
    again = Followed(root)
    await again.start()
    try:
        await again.until(lambda: again.shows("    record.check()\n"))
        assert location.current(location.index_folder(root)) != folder
    finally:
        await again.close()


async def test_two_windows_share_an_index(workspace: Followed, root: Path) -> None:
    second = Followed(root)
    await second.start()
    try:
        await second.until(lambda: second.progress.elsewhere)
        assert second.defines("Shelf") == ["shelf.py"]
        (root / "new.py").write_text("class Added: ...\n", "utf-8")
        workspace.changed(["new.py"])
        await workspace.until(lambda: second.defines("Added"))
    finally:
        await second.close()


async def test_an_index_that_cannot_be_written_ends_the_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(indexer_process, "RESTART_SECONDS", (0.0,))
    blocked = tmp_path / "cache"
    blocked.write_text("a file where a folder should be")
    monkeypatch.setenv("CODER_LSP_CACHE", str(blocked))
    (tmp_path / "a.py").write_text("def f(): ...\n")
    seen: list[Progress] = []
    workspace = Workspace(tmp_path, Rules(), seen.append)
    await workspace.start()
    deadline = time.monotonic() + 60
    while not (seen and seen[-1].ready):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    await workspace.close()
    assert "the indexer ended with code 1" in caplog.text
