"""A real Kate, set up as `editors/kate/README.md` says, on a screen that nobody sees.

Kate and its X server are Debian's, unpacked into the cache folder, and look for their files at the
root. So each runs with that folder as its root, in a mount namespace of its own, which takes
root. Kate cannot be asked what it shows: a test looks at its screen, and at what it saves.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from filelock import FileLock

from . import install

CHECKOUT = Path(__file__).resolve().parents[2]
CONFIGURATION = CHECKOUT / "editors" / "kate" / "settings.json"
PACKAGES = ("kate", "xvfb", "xdotool", "maim", "coreutils", "dash", "bash", "base-files")
DISPLAY = ":97"
LIST_BYTES = 10_000
"""By so many and more the open list changes a picture of the screen; typed text does not."""
CURSOR_BYTES = 300
"""So many and fewer, the blinking cursor changes."""


def root() -> Path:
    """The folder with Kate in it, installed once (some 250 MB to fetch, 900 MB on disk).

    Raises `install.NotAvailable` where Kate cannot be run or installed.
    """
    if os.geteuid() != 0:
        raise install.NotAvailable("only root can give Kate a root folder of its own")
    if Path(sys.base_prefix) == Path("/usr"):
        raise install.NotAvailable("Python lies where Kate's own libraries have to be")
    install.tool("unshare")
    folder = install.cache_folder() / "kate"
    complete = folder / "complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            install.unpack_debian(PACKAGES, folder)
            complete.touch()
    return folder


class Kate:
    """One running Kate with one file open, and the cursor at its end.

    `home` is where Kate keeps what is its own; `server` runs there as `coder-lsp`, and suggests
    `suggestion`.
    """

    def __init__(self, file: Path, home: Path, server: Path, suggestion: str) -> None:
        self._root, self._home, self._file = root(), home, file
        configuration = home / ".config" / "kate" / "lspclient"
        configuration.mkdir(parents=True)
        shutil.copy(CONFIGURATION, configuration)
        # What a user answers when Kate asks whether it may start the server.
        allowed = f"[lspclient]\nAllowedServerCommandLines={home}/bin/coder-lsp\n"
        (home / ".config" / "katerc").write_text(allowed)
        self._provide(server, suggestion)
        self._running = [self._start("Xvfb", DISPLAY, "-screen", "0", "1000x650x24")]
        try:
            self._open(file)
        except BaseException:
            self.close()
            raise

    def _open(self, file: Path) -> None:
        self._wait(self._screen, "an X server")
        self._running.append(self._start("kate", "-n", "-b", str(file)))
        self.wait_for_server(1)
        find = ("search", "--onlyvisible", "--sync", "--name", file.name)
        self._do("xdotool", *find, "windowfocus", "key", "ctrl+End")
        self._rest()

    def wait_for_server(self, number: int) -> None:
        """Waits until so many servers, one after the other, have said what they can."""
        said = self._home / "sent"
        says = "completionProvider"
        self._wait(lambda: said.exists() and said.read_text().count(says) == number, "the server")

    def server_pid(self) -> int:
        """The process id of the language server."""
        return int((self._home / "pids").read_text().splitlines()[-1])

    def type(self, text: str) -> None:
        """Types `text`, and waits for the list."""
        before = self._screen()
        self._do("xdotool", "type", "--delay", "60", text)
        self._wait(lambda: differences(self._screen(), before) > LIST_BYTES, "the list")
        self._rest()

    def dismiss(self) -> None:
        """Closes the list, and waits until it is closed."""
        before = self._screen()
        self.press("Escape")
        self._wait(lambda: differences(self._screen(), before) > LIST_BYTES, "no list")

    def press(self, *keys: str) -> None:
        """Presses keys, by their names in X."""
        self._do("xdotool", "key", *keys)

    def wait_until_saved(self, expected: bytes) -> None:
        """Saves, until that is what the file has."""

        def saved() -> bool:
            self.press("ctrl+s")
            return self._file.read_bytes() == expected

        self._wait(saved, f"{expected!r} is saved")

    def close(self) -> None:
        for process in reversed(self._running):
            process.kill()
            process.wait()

    def _provide(self, server: Path, suggestion: str) -> None:
        """Puts `server` where Kate finds `coder-lsp`; what it sends, and its process id, goes into
        files."""
        program = self._home / "bin" / "coder-lsp"
        program.parent.mkdir()
        command = shlex.join([sys.executable, str(server)])
        program.write_text(
            "#!/bin/bash\n"
            f"echo $$ >> {self._home}/pids\n"
            f"export FAKE_TEXT={shlex.quote(suggestion)}\n"
            f"exec {command} > >(tee -a {self._home}/sent)\n"
        )
        program.chmod(0o755)

    def _screen(self) -> bytes:
        """A picture of the screen, uncompressed; empty where there is no screen."""
        picture = self._inside("maim", "--format=bmp", "--hidecursor")
        return subprocess.run(picture, capture_output=True).stdout

    def _rest(self) -> None:
        """Waits until the screen stays as it is, but for the cursor."""
        seen: list[bytes] = []

        def is_at_rest() -> bool:
            seen.append(self._screen())
            changes = [differences(each, seen[-1]) for each in seen[-4:-1]]
            return len(changes) == 3 and max(changes) < CURSOR_BYTES

        self._wait(is_at_rest, "rest")

    def _do(self, *command: str) -> None:
        subprocess.run(self._inside(*command), check=True, capture_output=True)

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        with (self._home / f"{command[0]}.log").open("wb") as log:
            return subprocess.Popen(self._inside(*command), stdout=log, stderr=log)

    def _inside(self, *command: str) -> list[str]:
        """`command` with Kate's folder as its root, and in that what it needs of this machine."""
        needed = [Path("/proc"), Path("/dev"), Path(sys.base_prefix), CHECKOUT, self._home.parent]
        mounts = [
            f"mkdir -p {self._root}{each} && mount --rbind {each} {self._root}{each}"
            for each in needed
        ]
        variables = {
            "HOME": str(self._home),
            "PATH": f"{self._home}/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "DISPLAY": DISPLAY,
            "XDG_RUNTIME_DIR": str(self._home),
        }
        given = [f"{name}={value}" for name, value in variables.items()]
        run = shlex.join(["chroot", str(self._root), "/usr/bin/env", "-i", *given, *command])
        return ["unshare", "--mount", "sh", "-ec", "\n".join([*mounts, f"exec {run}"])]

    def _wait(self, poll: Callable[[], object], what: str, seconds: float = 40) -> None:
        deadline = time.monotonic() + seconds
        while not poll():
            if time.monotonic() > deadline:
                logs = "\n".join(log.read_text() for log in self._home.glob("*.log"))
                raise AssertionError(f"{what}: not within {seconds} s. {logs}")
            time.sleep(0.1)


def differences(one: bytes, other: bytes) -> int:
    """How many bytes differ."""
    return int(np.count_nonzero(np.frombuffer(one, np.uint8) != np.frombuffer(other, np.uint8)))
