import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from lsp_server.context.git import Changes, changed_paths

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

IDENTITY = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *IDENTITY, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / "sub").mkdir(parents=True)
    for name in ("same.py", "edited.py", "gone.py", "sub/staged.py"):
        (root / name).write_text("x = 1\n")
    (root / ".gitignore").write_text("*.log\n")
    git(root, "init")
    git(root, "add", ".")
    git(root, "commit", "-m", "first")
    return root


def touch(root: Path, name: str, age: int) -> None:
    (root / name).write_text(f"x = {age}00\n")
    at = time.time() - age
    os.utime(root / name, (at, at))


def test_changed_staged_and_untracked_files_newest_first(repository: Path) -> None:
    touch(repository, "edited.py", 300)
    touch(repository, "sub/staged.py", 200)
    git(repository, "add", "sub/staged.py")
    touch(repository, "ünew.py", 100)
    touch(repository, "ignored.log", 50)
    (repository / "gone.py").unlink()
    assert changed_paths(repository) == ("ünew.py", "sub/staged.py", "edited.py")


def test_paths_are_from_the_folder_that_is_asked_for(repository: Path) -> None:
    touch(repository, "edited.py", 300)
    touch(repository, "sub/staged.py", 200)
    assert changed_paths(repository / "sub") == ("staged.py",)


def test_nothing_without_a_repository_or_a_commit(tmp_path: Path) -> None:
    assert changed_paths(tmp_path) == ()
    (tmp_path / "a.py").write_text("")
    git(tmp_path, "init")
    assert changed_paths(tmp_path) == ("a.py",)


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
@pytest.mark.parametrize(
    "config",
    [
        "[core]\n\tfsmonitor = {script}\n",
        '[filter "evil"]\n\tclean = {script}\n\trequired = true\n',
        '[filter "evil"]\n\tprocess = {script}\n\trequired = true\n',
        '[filter "e=vil.x"]\n\tclean = {script}\n',
    ],
)
def test_nothing_that_a_repository_configures_is_executed(repository: Path, config: str) -> None:
    trace = repository.parent / "executed"
    script = repository.parent / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch '{trace}'\ncat\n")
    script.chmod(0o755)
    with (repository / ".git/config").open("a") as file:
        file.write(config.format(script=script))
    name = "e=vil.x" if "e=vil" in config else "evil"
    (repository / ".gitattributes").write_text(f"*.py filter={name}\n")
    (repository / "same.py").write_text("x = 1\n")  # another time, the same text
    touch(repository, "edited.py", 300)
    assert "edited.py" in changed_paths(repository)
    assert not trace.exists()
    subprocess.run(["git", "diff", "--name-only"], cwd=repository, capture_output=True, timeout=20)
    assert trace.exists(), "the trap itself does not work"


def test_changes_are_given_at_once_and_refreshed_later(repository: Path) -> None:
    touch(repository, "edited.py", 300)
    changes = Changes(repository)
    assert changes.paths() == ()
    deadline = time.monotonic() + 20
    while not changes.paths() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert changes.paths() == ("edited.py",)
