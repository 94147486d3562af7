from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from lsp_server.evaluation.packages import FetchError, sources, unpack
from tests.benchmarks.tiny import FILES, REQUIREMENT, write_archive


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_archive(tmp_path)


def test_the_python_files_by_their_paths_in_the_distribution(archive: Path) -> None:
    found = sources(REQUIREMENT, archive.parents[1])
    assert {path: text for path, text in found.items() if ".." not in path} == FILES


def test_the_hash_is_checked(archive: Path) -> None:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert sources(f"{REQUIREMENT}:sha256={digest}", archive.parents[1])
    with pytest.raises(FetchError):
        sources(f"{REQUIREMENT}:sha256={digest[::-1]}", archive.parents[1])


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source distribution that pip finds, whose build backend leaves a mark when it is run."""
    archive = tmp_path / "published" / "tiny-1.0.tar.gz"
    archive.parent.mkdir()
    files = {
        "PKG-INFO": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        "pyproject.toml": PYPROJECT,
        "backend.py": BACKEND.format(mark=str(tmp_path / "mark")),
    }
    with tarfile.open(archive, "w:gz") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(f"tiny-1.0/{path}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(archive.parent))
    return archive


PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = """
from pathlib import Path

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    Path({mark!r}).touch()
    info = Path(folder, "tiny-1.0.dist-info")
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n")
    return info.name

def build_wheel(*args, **options):
    raise NotImplementedError
"""


def test_nothing_of_a_package_with_another_hash_is_run(published: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(published.read_bytes()).hexdigest()
    with pytest.raises(FetchError, match=r"tiny==1\.0: .*hash"):
        sources(f"tiny==1.0:sha256={digest[::-1]}", tmp_path / "cache")
    assert not (tmp_path / "mark").exists()
    assert list(sources(f"tiny==1.0:sha256={digest}", tmp_path / "cache")) == ["backend.py"]
    assert (tmp_path / "mark").exists()


def test_a_download_without_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck(command: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", stuck)
    with pytest.raises(FetchError, match="not fetched within 900 s"):
        sources("tiny==1.0", tmp_path)


def test_a_requirement_without_a_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FetchError):
        sources("tiny", tmp_path)


def test_unpacking_writes_all_files_and_none_elsewhere(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    unpack(REQUIREMENT, archive.parents[1], folder)
    written = {each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()}
    assert written == {"tiny/tiny/shelf.py", "tiny/tiny/reader.py", "tiny/read.me"}
