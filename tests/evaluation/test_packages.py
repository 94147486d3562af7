from __future__ import annotations

import hashlib
from pathlib import Path

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


def test_a_requirement_without_a_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FetchError):
        sources("tiny", tmp_path)


def test_unpacking_writes_all_files_and_none_elsewhere(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    unpack(REQUIREMENT, archive.parents[1], folder)
    written = {each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()}
    assert written == {"tiny/tiny/shelf.py", "tiny/tiny/reader.py", "tiny/read.me"}
