"""Ignore rules, compared with git's own."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lsp_server.context.ignore import Scope, scope_of

REPOSITORIES, TREES = 6, 50
PIECES = (
    *("a", "b", "foo", "build", "x.log", "é", "A", "*", "**", "?", "*.log", "a*", "*b*", "*a*b*"),
    *("a**", "**b", "?oo", "[ab]", "[!a]", "[^b]", "fo[o-z]", "[]a]", "[[:alpha:]]", "[a\\-c]"),
    *("[[:digit:][:alpha:]]", "[[:none:]]", "[[:alpha]", "[a-", "[", "\\a", "\\*", "{a,b}"),
)
NAMES = (
    *("a", "b", "foo", "build", "x.log", "y.log", "ab", "aab", "é", "*", "[", "c-d", "-", "aXb"),
    *("{a,b}", " ", "a ", "A", "]"),
)

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture(autouse=True)
def no_settings_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in [name for name in os.environ if name in ("GIT_DIR", "GIT_WORK_TREE")]:
        monkeypatch.delenv(name)


def git(folder: Path, *arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)
    return done.stdout


def gits_files(top: Path, folder: str = ".") -> list[str]:
    listed = git(top / folder, "ls-files", "-co", "--exclude-standard", "-z")
    return sorted(os.fsdecode(path) for path in listed.split(b"\0") if path)


def our_files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root).as_posix()) for path in entries(root, scope_of(root)))


def entries(folder: Path, scope: Scope) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name == ".git" or scope.ignores(path.name, path.is_dir()):
            continue
        if path.is_dir():
            yield from entries(path, scope.enter(path))
        else:
            yield path


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def random_pattern(rng: random.Random) -> str:
    pattern = "/".join(rng.choice(PIECES) for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))))
    before = rng.choice(("", "", "", "/")) + pattern
    after = rng.choice(("", "", "", "/")) + rng.choice(("", "", "", " ", "  ", "\r", "\\ ", "\t"))
    return rng.choice(("", "", "!")) + before + after


def random_ignore_file(rng: random.Random) -> str:
    lines = [random_pattern(rng) for _ in range(rng.randint(1, 6))]
    return rng.choice(("", "", "\ufeff")) + "\n".join(lines) + rng.choice(("", "\n"))


def grow(rng: random.Random, folder: Path, depth: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    for name in rng.sample(NAMES, rng.randint(1, 6)):
        if depth < 3 and rng.random() < 0.45:
            grow(rng, folder / name, depth + 1)
        else:
            write(folder / name)
    if rng.random() < 0.3:
        write(folder / ".gitignore", random_ignore_file(rng))


@needs_git
@pytest.mark.skipif(os.name != "posix", reason="names that other systems do not allow")
def test_random_trees_have_the_files_that_git_finds(tmp_path: Path) -> None:
    for seed in range(REPOSITORIES):
        rng = random.Random(seed)
        top = tmp_path / str(seed)
        git(tmp_path, "init", "-q", str(top))
        write(top / ".git" / "info" / "exclude", random_ignore_file(rng) if seed else "")
        for tree in range(TREES):
            grow(rng, top / f"tree-{tree}")
        assert our_files(top) == gits_files(top), f"seed {seed}"


@needs_git
def test_every_source_of_rules(tmp_path: Path) -> None:
    top = tmp_path / "repository"
    write(tmp_path / "home" / "mine", "*.mine\n*.kept\n")
    write(tmp_path / "home" / ".gitconfig", "[user]\n\tname = x\n[core]\n\texcludesFile = ~/mine\n")
    git(tmp_path, "init", "-q", str(top))
    write(top / ".git" / "info" / "exclude", "*.excluded\n!x.kept\n")
    write(top / ".gitignore", "*.ignored\n")
    for ending in ("mine", "excluded", "ignored", "kept", "txt"):
        write(top / f"x.{ending}")
    assert our_files(top) == gits_files(top) == [".gitignore", "x.kept", "x.txt"]


@needs_git
def test_the_default_place_of_a_users_rules(tmp_path: Path) -> None:
    write(tmp_path / "home" / ".config" / "git" / "ignore", "*.mine\n")
    git(tmp_path, "init", "-q", "repository")
    write(tmp_path / "repository" / "x.mine")
    write(tmp_path / "repository" / "x.txt")
    top = tmp_path / "repository"
    assert our_files(top) == gits_files(top) == ["x.txt"]


@needs_git
def test_a_root_inside_a_repository(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path / ".gitignore", "*.log\n/packages/one/out\nignored/\n")
    write(tmp_path / "packages" / ".gitignore", "!keep.log\n")
    root = tmp_path / "packages" / "one"
    for name in ("a.log", "keep.log", "out/x", "src/out/y", "ignored/z"):
        write(root / name)
    assert our_files(root) == gits_files(tmp_path, "packages/one") == ["keep.log", "src/out/y"]


@needs_git
def test_case_is_ignored_where_the_repository_says_so(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "config", "core.ignorecase", "true")
    write(tmp_path / ".gitignore", "Build/\n*.LOG\n")
    write(tmp_path / "build" / "x")
    write(tmp_path / "a.log")
    assert our_files(tmp_path) == gits_files(tmp_path) == [".gitignore"]


@needs_git
def test_a_repository_within_starts_anew(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path / ".gitignore", "*.py\n")
    git(tmp_path, "init", "-q", "inner")
    write(tmp_path / "inner" / "a.py")
    assert gits_files(tmp_path / "inner") == ["a.py"]
    assert our_files(tmp_path) == [".gitignore", "inner/a.py"]


@needs_git
def test_a_worktree_has_the_rules_of_its_repository(tmp_path: Path) -> None:
    main, tree = tmp_path / "main", tmp_path / "tree"
    git(tmp_path, "init", "-q", "main")
    identity = ("-c", "user.name=x", "-c", "user.email=x@y.z")
    git(main, *identity, "commit", "-q", "--allow-empty", "-m", "x")
    git(main, "worktree", "add", "-q", str(tree))
    write(main / ".git" / "info" / "exclude", "*.excluded\n")
    write(tree / "a.excluded")
    write(tree / "a.txt")
    assert our_files(tree) == gits_files(tree) == ["a.txt"]


def test_outside_of_a_repository_nothing_is_ignored(tmp_path: Path) -> None:
    write(tmp_path / "home" / ".config" / "git" / "ignore", "*.log\n")
    root = tmp_path / "release"
    for folder in (root, root / "b"):
        write(folder / ".gitignore", "*.log\n/*\n")
        write(folder / "a.log")
    assert our_files(root) == [".gitignore", "a.log", "b/.gitignore", "b/a.log"]


def test_repositories_within_what_is_none(tmp_path: Path) -> None:
    write(tmp_path / "projects" / ".gitignore", "*.py\n")
    write(tmp_path / "projects" / "one" / ".git" / "HEAD")
    write(tmp_path / "projects" / "one" / ".gitignore", "*.log\n")
    for name in ("a.log", "a.py", "b/a.log", "b/a.py"):
        write(tmp_path / "projects" / "one" / name)
        write(tmp_path / "projects" / "two" / name)
    kept = [".gitignore", "a.py", "b/a.py"]
    two = ["a.log", "a.py", "b/a.log", "b/a.py"]
    expected = [".gitignore", *(f"one/{each}" for each in kept), *(f"two/{each}" for each in two)]
    assert our_files(tmp_path / "projects") == expected


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_a_gitignore_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "rules", "*.log\n")
    (tmp_path / "root" / ".git").mkdir(parents=True)
    (tmp_path / "root" / ".gitignore").symlink_to(tmp_path / "rules")
    write(tmp_path / "root" / "a.log")
    assert "a.log" in our_files(tmp_path / "root")
