from __future__ import annotations

import json
import os
import queue
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tantivy

from lsp_server.context import location, similarity, store
from lsp_server.context.files import FileStat
from lsp_server.context.indexer import Pending
from lsp_server.context.tokens import words

HANG_SECONDS = 60.0


class Child:
    """An indexer process."""

    def __init__(self, root: Path, folder: Path, **rules: Any) -> None:
        self.messages: queue.Queue[dict[str, Any]] = queue.Queue()
        command = [sys.executable, "-m", "lsp_server.context.indexer"]
        command += ["--root", str(root), "--index", str(folder), "--rules", json.dumps(rules)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.messages.put(json.loads(line))

    def send(self, **message: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def wait_for(self, key: str) -> list[dict[str, Any]]:
        """All messages up to the first with a key."""
        seen: list[dict[str, Any]] = []
        while not seen or key not in seen[-1]:
            seen.append(self.messages.get(timeout=HANG_SECONDS))
        return seen

    def end(self) -> int:
        """Close its stdin and wait."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return int(self.process.wait(HANG_SECONDS))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(HANG_SECONDS)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(location.CACHE_VARIABLE, str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg" / "one.py").write_text("class Alpha:\n    def run(self): ...\n", "utf-8")
    (root / "two.py").write_text("from pkg.one import Alpha\n\ndef beta(): ...\n", "utf-8")
    (root / "data.py").write_bytes(b"\0\1")
    return root


@pytest.fixture
def folder(root: Path) -> Path:
    return location.index_folder(root)


@pytest.fixture
def children() -> Iterator[list[Child]]:
    started: list[Child] = []
    yield started
    for child in started:
        child.kill()


def start(children: list[Child], root: Path, folder: Path, **rules: Any) -> Child:
    children.append(Child(root, folder, **rules))
    return children[-1]


def symbols(folder: Path) -> store.Reader:
    return store.Reader(current(folder) / "symbols.db")


def chunks(folder: Path) -> similarity.Reader:
    return similarity.Reader(current(folder) / "similar")


def current(folder: Path) -> Path:
    found = location.current(folder)
    assert found is not None
    return found


def done(messages: list[dict[str, Any]]) -> int:
    return max(int(each["progress"]["done"]) for each in messages if "progress" in each)


def test_everything_is_indexed_and_not_read_again(
    root: Path, folder: Path, children: list[Child]
) -> None:
    child = start(children, root, folder)
    messages = child.wait_for("ready")
    assert done(messages) == 3
    assert {"skipped": {"binary": 1}} in messages
    assert [each.path for each in symbols(folder).named("Alpha")] == ["pkg/one.py"]
    assert chunks(folder).frequency("beta") == 1
    assert child.end() == 0
    child = start(children, root, folder)
    messages = child.wait_for("ready")
    assert done(messages) == 0
    assert {"skipped": {"binary": 1}} in messages


def test_what_changed_while_it_was_away_is_indexed(
    root: Path, folder: Path, children: list[Child]
) -> None:
    child = start(children, root, folder)
    child.wait_for("ready")
    child.end()
    (root / "two.py").write_text("def gamma(): ...\n", "utf-8")
    (root / "pkg" / "one.py").unlink()
    child = start(children, root, folder)
    assert done(child.wait_for("ready")) == 1
    reader = symbols(folder)
    assert [len(reader.named(name)) for name in ("Alpha", "beta", "gamma")] == [0, 0, 1]
    assert [chunks(folder).frequency(name) for name in ("Alpha", "gamma")] == [0, 1]


def test_changes_are_followed(root: Path, folder: Path, children: list[Child]) -> None:
    child = start(children, root, folder)
    child.wait_for("ready")
    (root / "new").mkdir()
    (root / "new" / "three.py").write_text("def gamma(): ...\n", "utf-8")
    shutil.rmtree(root / "pkg")
    (root / "two.py").write_text("def delta(): ...\n", "utf-8")
    child.send(changed=["new", "pkg", "two.py", "never/there.py", "../outside.py"])
    assert done(child.wait_for("ready")) == 2
    reader = symbols(folder)
    found = [len(reader.named(name)) for name in ("Alpha", "beta", "gamma", "delta")]
    assert found == [0, 0, 1, 1]


def test_a_new_ignore_file_makes_what_it_ignores_vanish(
    root: Path, folder: Path, children: list[Child]
) -> None:
    (root / ".git").mkdir()
    child = start(children, root, folder)
    child.wait_for("ready")
    (root / ".gitignore").write_text("pkg/\n", "utf-8")
    child.send(changed=[".gitignore"])
    child.wait_for("ready")
    assert symbols(folder).named("Alpha") == []
    assert len(symbols(folder).named("beta")) == 1


def watch(children: list[Child], root: Path, folder: Path) -> Child:
    child = start(children, root, folder)
    child.send(watch=True)
    return child


def until(child: Child, condition: Callable[[], object]) -> None:
    """Wait for one "ready" after another, each of which nobody but the watch is the reason for."""
    while not condition():
        child.wait_for("ready")


def test_changes_on_disk_are_watched_for(
    root: Path, folder: Path, children: list[Child], tmp_path: Path
) -> None:
    (root / ".git").mkdir()
    child = watch(children, root, folder)
    child.wait_for("ready")
    (root / "two.py").write_text("def gamma(): ...\n", "utf-8")
    until(child, lambda: symbols(folder).named("gamma") and not symbols(folder).named("beta"))
    (root / "three.py").write_text("def delta(): ...\n", "utf-8")
    until(child, lambda: symbols(folder).named("delta"))
    (root / "three.py").unlink()
    until(child, lambda: not symbols(folder).named("delta"))
    (tmp_path / "moved" / "deep").mkdir(parents=True)
    (tmp_path / "moved" / "deep" / "four.py").write_text("def epsilon(): ...\n", "utf-8")
    (tmp_path / "moved").rename(root / "moved")
    until(child, lambda: symbols(folder).named("epsilon"))
    (root / "moved" / "deep" / "four.py").write_text("def zeta(): ...\n", "utf-8")
    until(child, lambda: symbols(folder).named("zeta"))
    (root / "moved").rename(tmp_path / "moved")
    until(child, lambda: not symbols(folder).named("zeta"))
    (root / ".gitignore").write_text("pkg/\n", "utf-8")
    until(child, lambda: not symbols(folder).named("Alpha"))
    (root / ".gitignore").write_text("", "utf-8")
    until(child, lambda: symbols(folder).named("Alpha"))
    assert child.end() == 0


def test_rules_of_git_count_from_when_there_is_a_repository(
    root: Path, folder: Path, children: list[Child]
) -> None:
    (root / ".gitignore").write_text("pkg/\n", "utf-8")
    child = watch(children, root, folder)
    child.wait_for("ready")
    assert symbols(folder).named("Alpha")
    (root / ".git").mkdir()
    until(child, lambda: not symbols(folder).named("Alpha"))


def test_what_comes_during_the_first_walk_is_seen(
    root: Path, folder: Path, children: list[Child]
) -> None:
    for number in range(5000):
        path = root / f"walked{number % 100}" / f"f{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    child = watch(children, root, folder)
    while location.current(folder) is None:  # it is made just before the walk
        time.sleep(0.001)
    for number in range(50):  # some of them when their folder was already listed
        (root / "pkg" / f"late{number}.py").write_text(f"def late_{number}(): ...\n", "utf-8")
        time.sleep(0.01)
    child.wait_for("ready")
    late = [f"late_{number}" for number in range(50)]
    until(child, lambda: all(map(symbols(folder).named, late)))


def test_what_changed_before_the_watch_was_wanted_is_found(
    root: Path, folder: Path, children: list[Child]
) -> None:
    child = start(children, root, folder)
    child.wait_for("ready")
    (root / "two.py").write_text("def gamma(): ...\n", "utf-8")
    child.send(watch=True)
    assert done(child.wait_for("ready")) == 1
    (root / "two.py").write_text("def delta(): ...\n", "utf-8")
    until(child, lambda: symbols(folder).named("delta"))


def test_what_concerns_nothing_is_not_committed(
    root: Path, folder: Path, children: list[Child]
) -> None:
    child = start(children, root, folder)
    child.wait_for("ready")
    child.send(changed=["node_modules/a.js", "../a.py", ".env"])
    child.send(changed=["two.py"])  # as it was
    seen = child.wait_for("ready")
    assert done(seen) == 0 and not any("committed" in message for message in seen)


CANARY = "zqxcanaryzqx"


def test_private_files_enter_neither_index(root: Path, folder: Path, children: list[Child]) -> None:
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----\n"
    secret = f"{CANARY} = '{CANARY}'\n"
    (root / "inside.py").write_text(f'KEY = """{key}"""\n', "utf-8")
    for name in (".env", "id_rsa", "my_secrets.yaml", "mine/token.py", "server.log"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(secret, "utf-8")
    child = start(children, root, folder, never=["mine/"])
    said = json.dumps(child.wait_for("ready"))
    (root / "two.py").write_text(f"def beta():\n    {key!r}\n", "utf-8")
    (root / ".env.local").write_text(secret, "utf-8")
    child.send(changed=["two.py", ".env.local", "mine/token.py"])
    said += json.dumps(child.wait_for("ready"))
    assert child.end() == 0
    assert CANARY not in said
    db = sqlite3.connect(current(folder) / "symbols.db")
    pages = [blob for (blob,) in db.execute("SELECT symbols FROM pages")]
    texts = json.dumps([store._unpack_lines(blob) for blob in pages])
    assert "Alpha" in texts and CANARY not in texts and "beta" not in texts
    left = [path for (path,) in db.execute("SELECT path FROM files WHERE left_out = ''")]
    assert left == ["pkg/one.py"]
    reader = chunks(folder)
    assert [reader.frequency(term) for term in ("Alpha", CANARY, *words(CANARY))] == [1, 0]
    for file in folder.rglob("*"):
        assert not file.is_file() or CANARY.encode() not in file.read_bytes(), file.name


def test_what_a_new_rule_makes_private_leaves_no_trace(
    root: Path, folder: Path, children: list[Child]
) -> None:
    child = start(children, root, folder)
    child.wait_for("ready")
    child.end()
    child = start(children, root, folder, never=["pkg/"])
    child.wait_for("ready")
    assert child.end() == 0
    assert chunks(folder).frequency("run") == 0
    for file in folder.rglob("*"):
        assert not file.is_file() or b"pkg/one" not in file.read_bytes(), file.name


@pytest.mark.parametrize("damaged", ["symbols.db", "similar/meta.json"])
def test_a_damaged_index_is_made_anew(
    root: Path, folder: Path, children: list[Child], damaged: str
) -> None:
    child = start(children, root, folder)
    child.wait_for("ready")
    child.end()
    before = current(folder)
    (before / damaged).write_bytes(b"damaged" * 1000)
    child = start(children, root, folder)
    assert done(child.wait_for("ready")) == 3
    assert current(folder) != before
    assert len(symbols(folder).named("Alpha")) == chunks(folder).frequency("Alpha") - 1 == 1


@pytest.mark.parametrize("lost", ["symbols.db", "similar"])
def test_half_an_index_is_made_anew(
    root: Path, folder: Path, children: list[Child], lost: str
) -> None:
    child = start(children, root, folder)
    child.wait_for("ready")
    child.end()
    path = current(folder) / lost
    path.unlink() if path.is_file() else shutil.rmtree(path)
    child = start(children, root, folder)
    assert done(child.wait_for("ready")) == 3


def test_a_reader_that_finds_damage_has_it_rebuilt(
    root: Path, folder: Path, children: list[Child]
) -> None:
    child = start(children, root, folder)
    child.wait_for("ready")
    before = current(folder)
    child.send(rebuild="0")
    child.send(changed=["two.py"])
    assert done(child.wait_for("ready")) == 0, "that folder is not in use"
    child.send(rebuild=before.name)
    assert done(child.wait_for("ready")) == 3
    assert current(folder) != before


def test_a_second_process_waits_and_takes_over(
    root: Path, folder: Path, children: list[Child]
) -> None:
    first = start(children, root, folder)
    first.wait_for("ready")
    second = start(children, root, folder)
    second.wait_for("waiting")
    second.wait_for("committed")
    (root / "two.py").write_text("def gamma(): ...\n", "utf-8")
    first.send(changed=["two.py"])
    first.wait_for("ready")
    second.wait_for("committed")
    first.kill()
    (root / "two.py").write_text("def epsilon(): ...\n", "utf-8")
    second.wait_for("ready")
    assert len(symbols(folder).named("epsilon")) == 1


KILLS = int(os.environ.get("CODER_LSP_TEST_KILLS", "12"))
"""How often an indexer is killed, and of what tree it makes an index: a small one, or a copy of a
folder, with which it takes long."""
TREE = os.environ.get("CODER_LSP_TEST_TREE")


def grow(root: Path) -> None:
    if TREE:
        shutil.copytree(TREE, root, dirs_exist_ok=True)
        return
    for number in range(150):
        path = root / f"d{number % 7}" / f"f{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"def name{number}():\n    return other\n", "utf-8")


def disturb(root: Path, dice: random.Random) -> None:
    """Change a fifth of the files, delete one, add one, and move a folder."""
    files = sorted(path for path in root.rglob("*.py") if path.is_file())
    for path in dice.sample(files, len(files) // 5):
        with path.open("a") as file:
            file.write(f"\ndef name{dice.randrange(10**9)}(): ...\n")
    dice.choice(files).unlink()
    new = dice.choice(files).with_name(f"new{dice.randrange(10**9)}.py")
    new.write_text("class New: ...\n", "utf-8")
    moved = dice.choice([path for path in root.iterdir() if path.is_dir()])
    moved.rename(root / f"moved{dice.randrange(10**9)}")


def contents(folder: Path) -> tuple[Any, ...]:
    """All that an index holds: files with their symbols, names and where they lead, and chunks."""
    db = sqlite3.connect(current(folder) / "symbols.db")
    paths = dict(db.execute("SELECT id, path FROM files"))
    files = sorted(db.execute("SELECT path, size, mtime_ns, left_out, language FROM files"))
    names = {(key, paths[page >> 6]) for key, page in db.execute("SELECT key, page FROM names")}
    assert not [page for (page,) in db.execute("SELECT id FROM pages") if page >> 6 not in paths]
    db.close()
    reader = symbols(folder)
    stored = [reader.file(path) for path in sorted(paths.values())]
    searcher = chunks(folder)._searcher
    hits = searcher.search(tantivy.Query.all_query(), limit=10**6).hits
    found = [searcher.doc(address) for _, address in hits]
    places = sorted((document["path"][0], document["line"][0]) for document in found)
    return files, names, stored, places


def test_a_kill_at_any_moment_leaves_an_index_that_the_next_start_mends(
    root: Path, folder: Path, children: list[Child], tmp_path: Path
) -> None:
    grow(root)
    dice = random.Random(7)
    began = time.monotonic()
    child = start(children, root, tmp_path / "cache" / "index" / "timed")
    child.wait_for("ready")
    longest = 1.5 * (time.monotonic() - began)
    child.kill()
    for _ in range(KILLS):
        child = start(children, root, folder)
        if dice.random() < 0.2 and (damaged := location.current(folder)):
            child.send(rebuild=damaged.name)
        time.sleep(dice.uniform(0.2, longest))
        if dice.random() < 0.8:
            child.kill()
        else:  # as when the language server is killed
            assert child.end() == 0
        disturb(root, dice)
    child = start(children, root, folder)
    child.wait_for("ready")
    assert child.end() == 0
    fresh = start(children, root, tmp_path / "cache" / "index" / "fresh")
    fresh.wait_for("ready")
    assert fresh.end() == 0
    for mended, expected in zip(
        contents(folder), contents(tmp_path / "cache" / "index" / "fresh"), strict=True
    ):
        assert mended == expected


def pending(*paths: str) -> Pending:
    files = Pending()
    for path in paths:
        files.add(FileStat(path, Path("/", path), 1, 1, Path("/")))
    return files


def taken(files: Pending) -> list[str]:
    return [file.path for file in files.take(99)]


def test_files_near_opened_documents_come_first() -> None:
    files = pending("x.py", "a/b/far.py", "a/c/near.py", "a/c/d/nearer.py")
    files.prefer("a/c/d/open.py")
    assert taken(files) == ["a/c/d/nearer.py", "a/c/near.py", "a/b/far.py", "x.py"]
    assert len(files) == 0


def test_what_changed_last_comes_first_and_once() -> None:
    files = pending("a.py", "b.py", "a.py", "c.py")
    files.discard("c.py")
    assert taken(files) == ["a.py", "b.py"]
