"""Source distributions of PyPI packages, fetched once and read as data."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

MOST_BYTES = 1_000_000
"""Of one file; what is larger is generated."""
FETCH_SECONDS = 900


class FetchError(Exception):
    """A package cannot be had, or is not the one that was asked for."""


def sources(requirement: str, cache: Path) -> dict[str, str]:
    """The Python files of `NAME==VERSION`, by their paths in its source distribution.

    `NAME==VERSION:sha256=HEX` wants that hash, and then nothing looks into an archive with another
    one. It is downloaded into `cache` by pip, which lets the package's build backend state its
    metadata, and is unpacked in memory only. Raises FetchError.
    """
    return _sources(_files(requirement, cache))


def sources_in(folder: Path) -> dict[str, str]:
    """The Python files of a folder, as `sources` gives those of a distribution."""
    files = (file for file in folder.rglob("*.py") if file.is_file())
    return _sources((file.relative_to(folder).as_posix(), file.read_bytes()) for file in files)


def unpack(requirement: str, cache: Path, folder: Path) -> None:
    """Write all files of a source distribution, got as by `sources`, into a folder of its name
    below `folder`. Raises FetchError."""
    home = (folder / requirement.partition("==")[0]).resolve()
    for path, content in _files(requirement, cache):
        file = (home / path).resolve()
        if file.is_relative_to(home):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def _sources(files: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    return {
        path: _decoded(content)
        for path, content in sorted(files)
        if path.endswith(".py") and len(content) <= MOST_BYTES
    }


def _files(requirement: str, cache: Path) -> Iterator[tuple[str, bytes]]:
    """Paths in the one folder that archives hold, named after the package and its version."""
    exact, _, digest = requirement.partition(":sha256=")
    archive = _archive(exact, digest, cache)
    if digest and hashlib.sha256(archive.read_bytes()).hexdigest() != digest:
        raise FetchError(f"{archive} does not have the hash {digest}")
    members = _zipped(archive) if archive.suffix == ".zip" else _tarred(archive)
    return ((path.partition("/")[2], content) for path, content in members)


def _archive(exact: str, digest: str, cache: Path) -> Path:
    name, _, version = exact.partition("==")
    if not version:
        raise FetchError(f"{exact} names no version: NAME==VERSION")
    folder = cache / f"{name}-{version}"
    if not any(folder.glob("*.*")):
        folder.mkdir(parents=True, exist_ok=True)
        _download(exact, digest, folder)
    return next(folder.glob("*.*"))


def _download(exact: str, digest: str, folder: Path) -> None:
    """Have pip fetch a source distribution: from where, its own settings say. It compares hashes
    before it opens the archive, but takes them from a file only."""
    name = exact.partition("==")[0]
    with tempfile.TemporaryDirectory() as draft:
        wanted = Path(draft) / "requirements.txt"
        wanted.write_text(f"{exact} --hash=sha256:{digest}" if digest else exact, "utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--no-binary", name, "--dest", str(folder), "--requirement", str(wanted)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise FetchError(f"{exact}: not fetched within {FETCH_SECONDS} s") from error
    if done.returncode != 0:
        raise FetchError(f"{exact}: {done.stderr.strip()[:2000]}")


def _tarred(archive: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and (file := tar.extractfile(member)):
                yield member.name, file.read()


def _zipped(archive: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as files:
        for member in files.infolist():
            if not member.is_dir():
                yield member.filename, files.read(member)


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", "replace").replace("\r\n", "\n")
