"""The walk, and the text of files."""

from __future__ import annotations

import inspect
import os
import random
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from lsp_server.context import files, privacy
from lsp_server.context.files import Rules, Skipped, Walk, read_text

CANARY = "CANARY-7f3a"

posix = pytest.mark.skipif(os.name != "posix", reason="needs links and odd names")


@pytest.fixture(autouse=True)
def no_settings_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def write(path: Path, content: str | bytes = "x = 1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def grow(root: Path, names: Iterable[str]) -> None:
    for name in names:
        write(root / name)


def paths(walk: Walk) -> list[str]:
    return [file.path for file in walk]


def test_files_come_sorted_with_their_stats(root: Path) -> None:
    grow(root, ["b.py", "a/c.py", "a/b/d.py", "a.py", "c/e.py"])
    found = list(Walk([root]))
    assert [file.path for file in found] == ["a.py", "b.py", "a/c.py", "a/b/d.py", "c/e.py"]
    status = (root / "a" / "c.py").stat()
    assert found[2] == files.FileStat(
        "a/c.py", root / "a" / "c.py", status.st_size, status.st_mtime_ns, root
    )


def test_what_tools_keep_is_left_out(root: Path) -> None:
    grow(root, ["node_modules/a.js", ".git/a", "x/__pycache__/a.py", "x/.svn/b", "kept.py"])
    grow(root, ["env/pyvenv.cfg", "env/lib/a.py", "cache/CACHEDIR.TAG", "cache/a.rs"])
    grow(root, ["vendor/modules.txt", "vendor/x/a.go", "own/vendor/a.go"])
    walk = Walk([root])
    assert paths(walk) == ["kept.py", "own/vendor/a.go"]
    assert walk.skipped == {"vendored": 7}


def test_rules_of_git_and_of_the_user(root: Path) -> None:
    (root / ".git").mkdir()
    write(root / ".gitignore", "*.log\nbuild/\n")
    write(root / "a" / ".gitignore", "!keep.txt\n*.txt\n!kept.txt\n")
    grow(root, ["a/keep.txt", "a/kept.txt", "build/a.py", "docs/b.md", "docs/api/c.md", "d.py"])
    walk = Walk([root], Rules(exclude=("/docs/*", "!/docs/api")))
    assert paths(walk) == [".gitignore", "d.py", "a/.gitignore", "a/kept.txt", "docs/api/c.md"]
    assert walk.skipped == {"vendored": 1, "ignored": 2, "excluded": 1}


def test_counts_begin_anew_with_each_walk(root: Path) -> None:
    grow(root, ["yarn.lock", "a.min.js", "a_pb2.py", "a.png", "a.py"])
    walk = Walk([root])
    for _ in range(2):
        assert paths(walk) == ["a.py"]
        assert walk.skipped == {"lock": 1, "minified": 1, "generated": 1, "binary": 1}


def test_large_files_are_left_out(root: Path) -> None:
    write(root / "large.py", "x" * 101)
    write(root / "small.py", "x" * 100)
    walk = Walk([root], Rules(max_file_bytes=100))
    assert paths(walk) == ["small.py"]
    assert walk.skipped == {"large": 1}


def test_no_secret_is_found_anywhere(root: Path) -> None:
    globs = [glob for glob in privacy.NEVER if not glob.startswith("!")]
    for folder in ("", "deep/er/"):
        for glob in (*globs, *privacy.NOT_SHARED):
            name = glob.replace("**", "some/where").replace("*", "x").replace("[._-]", ".")
            if not (root / folder / name).is_dir():
                write(root / folder / name, CANARY)
    write(root / "mine" / "a.py", CANARY)
    write(root / "drafts" / "a.py", CANARY)
    write(root / "code.py")
    found = list(Walk([root], Rules(never=("mine/",), not_shared=("/drafts",))))
    assert [file.path for file in found] == ["code.py"]


def test_a_root_in_a_secret_place_is_secret(tmp_path: Path) -> None:
    write(tmp_path / ".aws" / "project" / "a.py")
    assert paths(Walk([tmp_path / ".aws" / "project"])) == []


def test_patterns_that_the_user_finds_fine(root: Path) -> None:
    grow(root, ["tests/a.pem", "b.pem"])
    assert paths(Walk([root], Rules(fine=("/tests/*.pem",)))) == ["tests/a.pem"]


def test_a_root_within_another_is_walked_once(root: Path) -> None:
    (root / ".git").mkdir()
    write(root / ".gitignore", "/inner\n")
    grow(root, ["a.py", "inner/b.py", "inner/c/d.py"])
    found = list(Walk([root, root / "inner", root / "inner" / "c", root]))
    assert [(file.root, file.path) for file in found] == [
        (root, ".gitignore"),
        (root, "a.py"),
        (root / "inner", "b.py"),
        (root / "inner" / "c", "d.py"),
    ]


@posix
def test_a_root_within_another_by_another_name(root: Path, tmp_path: Path) -> None:
    grow(root, ["a.py", "inner/b.py"])
    (tmp_path / "link").symlink_to(root)
    found = list(Walk([root, tmp_path / "link" / "inner"]))
    assert [file.absolute for file in found] == [
        root / "a.py",
        tmp_path / "link" / "inner" / "b.py",
    ]


@posix
def test_links_are_not_followed(root: Path, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "secret.py", CANARY)
    write(root / "a" / "b.py")
    (root / "out.py").symlink_to(outside)
    (root / "out").symlink_to(outside.parent)
    (root / "a" / "loop").symlink_to(root)
    (root / "a" / "self").symlink_to("self")
    (root / "again.py").symlink_to(root / "a" / "b.py")
    (root / "nothing.py").symlink_to("nowhere")
    walk = Walk([root])
    assert paths(walk) == ["a/b.py"]
    assert walk.skipped == {"link": 6}
    assert list(walk.within(root / "out" / "secret.py")) == []
    assert read_text(root / "out.py", walk.skipped) is None


@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="a file system that wants UTF-8")
def test_odd_names_are_counted(root: Path) -> None:
    for name in (b"a\nb.py", b"a\rb.py", b"\xff.py", b"a\x1bb.py", "a\u2028b.py".encode()):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_text("x")
    grow(root, ["with space.py", "dollar$*[?.py", "中.py", "back\\slash.py"])
    walk = Walk([root])
    assert sorted(paths(walk)) == ["back\\slash.py", "dollar$*[?.py", "with space.py", "中.py"]
    assert walk.skipped == {"name": 5}


@posix
def test_what_is_no_file_is_left_out(root: Path) -> None:
    os.mkfifo(root / "pipe.py")
    walk = Walk([root])
    assert paths(walk) == []
    assert walk.skipped == {"special": 1}
    assert read_text(root / "pipe.py", skipped := Skipped()) is None
    assert skipped == {"unreadable": 1}


def test_files_that_vanish_during_the_walk(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grow(root, ["a/b.py", "c/d.py", "e.py"])
    walk = Walk([root])
    each = iter(walk)
    assert next(each).path == "e.py"
    (root / "a" / "b.py").unlink()
    (root / "a").rmdir()
    assert [file.path for file in each] == ["c/d.py"]
    assert walk.skipped == {"vanished": 1}
    (root / "c" / "d.py").unlink()
    assert read_text(root / "c" / "d.py", walk.skipped) is None
    assert walk.skipped == {"vanished": 2}


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="root may read what nobody else may"
)
def test_what_may_not_be_read_is_counted(root: Path) -> None:
    file, folder = write(root / "a.py"), root / "b"
    write(folder / "c.py")
    file.chmod(0)
    folder.chmod(0)
    try:
        walk = Walk([root])
        assert paths(walk) == ["a.py"]
        assert read_text(file, walk.skipped) is None
        assert walk.skipped == {"unreadable": 2}
    finally:
        folder.chmod(0o700)


def test_a_folder_that_cannot_be_listed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grow(root, ["a/b.py", "c.py"])
    listed = os.scandir

    def scandir(folder: Path) -> object:
        if folder == root / "a":
            raise PermissionError
        return listed(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    walk = Walk([root])
    assert paths(walk) == ["c.py"]
    assert walk.skipped == {"unreadable": 1}


def test_a_root_that_is_not_there(tmp_path: Path) -> None:
    walk = Walk([tmp_path / "nowhere", write(tmp_path / "file.py")])
    assert paths(walk) == []
    assert walk.skipped == {"vanished": 1, "unreadable": 1}


def test_a_tree_deeper_than_the_interpreters_stack(root: Path) -> None:
    depth = 200
    write(root.joinpath(*["d"] * depth) / "a.py")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + depth // 2)
    try:
        found = paths(Walk([root]))
    finally:
        sys.setrecursionlimit(limit)
        _remove_nested(root / "d")  # pytest, which recurses, cannot
    assert found == ["d/" * depth + "a.py"]


def _remove_nested(folder: Path) -> None:
    """Remove a folder that holds nothing but another one, and so on."""
    innermost = [folder]
    while (inner := innermost[-1] / "d").exists():
        innermost.append(inner)
    (innermost[-1] / "a.py").unlink()
    for each in reversed(innermost):
        each.rmdir()


def test_single_paths_are_found_as_the_walk_finds_them(tmp_path: Path) -> None:
    rng = random.Random(5)
    root = tmp_path / "root"
    (root / ".git").mkdir(parents=True)
    names = ["a", "b.py", "c.log", "node_modules", "x.lock", ".env", "d", "vendor", "e.txt"]
    for _ in range(200):
        path = root.joinpath(*rng.choices(names, k=rng.randint(1, 4)))
        if not path.exists() and not any(each.is_file() for each in path.parents):
            write(path, rng.choice(["x", "*.txt\n", ""]))
    for folder in [each for each in root.rglob("*") if each.is_dir()][::3]:
        write(folder / ".gitignore", rng.choice(["*.log\n", "/a\n", "d/\n", "*\n!*/\n!e.txt\n"]))
    walk = Walk([root])
    whole = list(walk)
    assert len(whole) > 20
    assert [each for file in whole for each in walk.within(file.absolute)] == whole
    everything = {each for each in root.rglob("*") if each.is_file()}
    for path in everything:
        assert walk.admits(path) == (path in {file.absolute for file in whole})
    for path in everything - {file.absolute for file in whole}:
        assert list(walk.within(path)) == []
    assert list(walk.within(root)) == whole
    for folder in [each for each in root.rglob("*") if each.is_dir()]:
        below = [file for file in whole if file.absolute.is_relative_to(folder)]
        assert list(walk.within(folder)) == below


def test_files_that_are_not_there_yet_have_the_rules_of_their_place(root: Path) -> None:
    write(root / ".git" / "HEAD")
    write(root / ".gitignore", "*.log\n/out/\n")
    write(root / "file.py")
    walk = Walk([root], Rules(exclude=("/docs",), never=("/mine/",)))
    for name in ("new.py", "new/folder/a.py", "node_modules.py", "logs/a.txt"):
        assert walk.admits(root / name), name
    for name in ("new.log", "new/a.log", "out/a.py", "docs/a.py", "mine/a.py", ".env", "a.min.js"):
        assert not walk.admits(root / name), name
    for name in ("node_modules/a.js", ".git/a.py", "file.py/a.py", "../a.py", "nul\0.py", "."):
        assert not walk.admits(root / name), name


def test_the_folders_that_are_entered(root: Path) -> None:
    (root / ".git").mkdir()
    write(root / ".gitignore", "/out/\n")
    grow(root, ["a/b/c.py", "a/d/.env", "out/e.py", "node_modules/f.js", "env/pyvenv.cfg"])
    walk = Walk([root])
    expected = {root, root / "a", root / "a" / "b", root / "a" / "d"}
    assert set(walk.folders()) == expected
    assert {each for each in (root, *root.rglob("*")) if walk.enters(each)} == expected
    assert not walk.enters(root / "gone") and not walk.enters(root.parent)


def test_what_a_change_concerns(root: Path) -> None:
    write(root / ".git" / "HEAD")
    write(root / ".gitignore", "/out/\n")
    grow(root, ["a/b.py", "a/.env", "out/c.py", "node_modules/d.js", "env/pyvenv.cfg", "env/e.py"])
    walk = Walk([root])
    for name in ("a", "a/b.py", "a/gone.py", "gone", "gone/and/gone.py", "a/b.py/c.py"):
        assert walk.concerned(root / name) == root / name, name
    for name in ("a/.env", "out", "out/c.py", "out/gone.py", "env", "env/e.py", ".git/gone"):
        assert walk.concerned(root / name) is None, name
    for name in ("node_modules/d.js", "node_modules/x/.gitignore", "../a.py", "../root2/a.py"):
        assert walk.concerned(root / name) is None, name
    for name in (".gitignore", "a/.gitignore", "a/.git", "env/pyvenv.cfg", "a/CACHEDIR.TAG"):
        assert walk.concerned(root / name) == (root / name).parent, name
    assert walk.concerned(root) == root


@posix
def test_a_change_may_be_told_by_the_real_path(root: Path, tmp_path: Path) -> None:
    write(root / "a.py")
    (tmp_path / "link").symlink_to(root)
    walk = Walk([tmp_path / "link"])
    assert walk.concerned(root / "a.py") == tmp_path / "link" / "a.py"


def test_paths_outside_of_all_roots(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.py")
    write(root / "b.py")
    walk = Walk([root])
    for path in (tmp_path / "a.py", root / ".." / "a.py", root / "gone.py", tmp_path):
        assert list(walk.within(path)) == []
    for name in ("../a.py", "b.py/c.py", "nul\0byte"):
        assert list(walk.within(root / name)) == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a\r\nb\rc\n", "a\nb\nc\n"),
        (b"\xef\xbb\xbfa", "a"),
        ("é中".encode(), "é中"),
        (b"", ""),
        (b"a\x0cb\n", "a\x0cb\n"),
    ],
)
def test_texts_are_read(root: Path, data: bytes, expected: str) -> None:
    assert read_text(write(root / "a.py", data), skipped := Skipped()) == expected
    assert not skipped


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"a\0b", "binary"),
        ("utf-16".encode("utf-16"), "binary"),
        ("latin é".encode("latin-1"), "encoding"),
        (b"x" * 1_000_001, "large"),
        (b"var a;" * 10_000, "minified"),
        (b"# DO NOT EDIT\n", "generated"),
        (b"key = '-----" + b"BEGIN RSA PRIVATE KEY-----'", "private"),
    ],
)
def test_texts_that_are_left_out(root: Path, data: bytes, reason: str) -> None:
    assert read_text(write(root / "a.py", data), skipped := Skipped()) is None
    assert skipped == {reason: 1}


def test_a_line_of_50_megabytes_is_not_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(root / "a.py", b"x" * 50_000_000)
    walk = Walk([root])
    assert paths(walk) == []
    assert read_text(file, walk.skipped) is None
    assert walk.skipped == {"large": 2}


def test_a_folder_has_no_text(root: Path) -> None:
    assert read_text(root, skipped := Skipped()) is None
    assert skipped == {"unreadable": 1}


def test_a_walk_ends_somewhere(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.py", "b/c.py", "d.py"):
        write(root / name)
    whole = list(Walk([root]))
    monkeypatch.setattr("lsp_server.context.files.MOST_FILES", len(whole))
    assert list(walk := Walk([root])) == whole
    assert "too many" not in walk.skipped
    monkeypatch.setattr("lsp_server.context.files.MOST_FILES", len(whole) - 1)
    assert list(walk := Walk([root])) == whole[:-1]
    assert walk.skipped["too many"] == 1
