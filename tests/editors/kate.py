"""A real Kate, set up as `editors/kate/README.md` says, on a screen that nobody sees.

Kate and its X server are Debian's, unpacked into the cache folder, and look for their files at the
root. So each runs with that folder as its root, in a mount namespace of its own, which takes
root. What Kate shows, it tells as it would tell a screen reader.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock
from jeepney import DBusAddress, MessageType, new_method_call
from jeepney.io.blocking import open_dbus_connection

from lsp_server import endpoints

from . import install
from .conftest import endpoint_of
from .waiting import wait

CHECKOUT = Path(__file__).resolve().parents[2]
CONFIGURATION = CHECKOUT / "editors" / "kate" / "settings.json"
PACKAGES = (
    *("kate", "xvfb", "xdotool", "dbus-daemon"),
    *("coreutils", "dash", "bash", "base-files"),
)
DISPLAY = ":97"
USERS = "root:x:0:0:root:/root:/bin/sh\n"
HELD_BACK = 0.5
"""For so many seconds and less, Kate takes Return for a new line once the list has come up."""
SESSION_BUS = "--config-file=/usr/share/dbus-1/session.conf"

ACCESSIBLE = "org.a11y.atspi.Accessible"

T = TypeVar("T")


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
        (folder / "etc" / "passwd").write_text(USERS)
    return folder


class Kate:
    """One running Kate with one file open, and the cursor at its end.

    `home` is where Kate keeps what is its own; `command` runs there as `coder-lsp`, with these
    variables.
    """

    def __init__(
        self,
        file: Path,
        home: Path,
        command: Sequence[str],
        environment: Mapping[str, str],
    ) -> None:
        self._root, self._home, self._file = root(), home, file
        self._needed = [Path(sys.base_prefix), CHECKOUT, home.parent, endpoints.state_dir()]
        configuration = home / ".config" / "kate" / "lspclient"
        configuration.mkdir(parents=True)
        shutil.copy(CONFIGURATION, configuration)
        # What a user answers when Kate asks whether it may start the server.
        allowed = f"[lspclient]\nAllowedServerCommandLines={home}/bin/coder-lsp\n"
        (home / ".config" / "katerc").write_text(allowed)
        self._provide(command, environment)
        self._running = [self._start("Xvfb", DISPLAY, "-screen", "0", "1000x650x24")]
        try:
            self._open(file)
        except BaseException:
            self.close()
            raise

    def _open(self, file: Path) -> None:
        bus = self._home / "bus"
        self._running.append(
            self._start("dbus-daemon", "--nofork", SESSION_BUS, f"--address=unix:path={bus}")
        )
        self.wait(lambda: self._succeeds("xdotool", "getdisplaygeometry"), "an X server")
        self.wait(bus.exists, "a bus")
        self._running.append(self._start("kate", "-n", "-b", str(file)))
        self.wait_for_server(1)
        self._window = Window(bus, file.name, self.wait)
        find = ("search", "--onlyvisible", "--sync", "--name", file.name)
        self._do("xdotool", *find, "windowfocus", "key", "ctrl+End")
        end = len(file.read_text())
        self.wait(lambda: len(self._window.before_cursor()) == end, "the cursor is at the end")

    def wait_for_server(self, number: int) -> None:
        """Waits until so many servers were started, one after the other, and the last one answers
        requests."""
        pids = self._home / "pids"
        started = self.wait(
            lambda: pids.exists() and len(ids := pids.read_text().split()) == number and ids,
            "the server is started",
        )
        assert started
        self.wait(lambda: endpoint_of(int(started[-1])), "the server is ready")

    def server_pid(self) -> int:
        """The process id of the language server."""
        return int((self._home / "pids").read_text().splitlines()[-1])

    def type(self, text: str) -> None:
        self._do("xdotool", "type", "--delay", "60", text)

    def press(self, *keys: str) -> None:
        """Presses keys, by their names in X."""
        self._do("xdotool", "key", *keys)

    def line(self) -> str:
        """The line up to the cursor."""
        return self._window.before_cursor().rpartition("\n")[2]

    def suggestion(self) -> str:
        """What the list would insert behind the word before the cursor, or ''."""
        word = self.line().rpartition(" ")[2]
        return self._window.chosen().removeprefix(word)

    def accept(self) -> None:
        """Takes the suggestion that is shown."""
        time.sleep(HELD_BACK)
        self.press("Return")

    def save(self) -> None:
        self.press("ctrl+s")

    def close(self) -> None:
        for process in reversed(self._running):
            process.kill()
            process.wait()

    def wait(self, poll: Callable[[], T], what: str, seconds: float = 60) -> T:
        """The first value of `poll` that is true; fails, naming `what`, after `seconds`."""
        pause = partial(time.sleep, 0.05)
        return wait(poll, what, seconds, pause=pause, report=self._logs)

    def _logs(self) -> str:
        return "\n".join(log.read_text() for log in self._home.glob("*.log"))

    def _provide(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Puts `command` where Kate finds `coder-lsp`; its process id goes into a file."""
        program = self._home / "bin" / "coder-lsp"
        program.parent.mkdir()
        given = {endpoints.STATE_VARIABLE: str(endpoints.state_dir()), **environment}
        variables = [f"{name}={value}" for name, value in given.items()]
        run = shlex.join(["/usr/bin/env", *variables, *command])
        program.write_text(f"#!/bin/sh\necho $$ >> {self._home}/pids\nexec {run}\n")
        program.chmod(0o755)

    def _succeeds(self, *command: str) -> bool:
        return subprocess.run(self._inside(*command), capture_output=True).returncode == 0

    def _do(self, *command: str) -> None:
        subprocess.run(self._inside(*command), check=True, capture_output=True)

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        with (self._home / f"{command[0]}.log").open("wb") as log:
            return subprocess.Popen(self._inside(*command), stdout=log, stderr=log)

    def _inside(self, *command: str) -> list[str]:
        """`command` with Kate's folder as its root, and in that what it needs of this machine."""
        mounts = [
            f"mkdir -p {self._root}{each} && mount --rbind {each} {self._root}{each}"
            for each in (Path("/proc"), Path("/dev"), *self._needed)
        ]
        variables = {
            "HOME": str(self._home),
            "PATH": f"{self._home}/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "DISPLAY": DISPLAY,
            "XDG_RUNTIME_DIR": str(self._home),
            "AT_SPI_BUS_ADDRESS": f"unix:path={self._home}/bus",
            "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1",
        }
        given = [f"{name}={value}" for name, value in variables.items()]
        run = shlex.join(["chroot", str(self._root), "/usr/bin/env", "-i", *given, *command])
        return ["unshare", "--mount", "sh", "-ec", "\n".join([*mounts, f"exec {run}"])]


Wait = Callable[[Callable[[], Any], str], Any]


class Window:
    """Kate's window as a screen reader sees it: by the interfaces of AT-SPI, on a D-Bus."""

    ROOT = "/org/a11y/atspi/accessible/root"
    SELECTED, SHOWING = 1 << 23, 1 << 25
    NAME_END = " []"  # of a list's item: what Kate would show beside it

    def __init__(self, bus: Path, file: str, wait: Wait) -> None:
        self._bus = open_dbus_connection(f"unix:path={bus}")
        self._kate = wait(self._find_kate, "Kate is on the bus")
        self._text = wait(lambda: self._find(self.ROOT, "text", file), "the text")
        self._list = wait(self._find_list, "the list")

    def before_cursor(self) -> str:
        """The text up to the cursor."""
        text = "org.a11y.atspi.Text"
        cursor = self._property(self._text, text, "CaretOffset")
        return str(self._call(self._text, text, "GetText", "ii", (0, cursor))[0])

    def chosen(self) -> str:
        """The entry of the completion list that Return takes; '' where none is shown."""
        if not self._is(self._list, self.SHOWING):
            return ""
        rows = [each for each in self._children(self._list) if self._is(each, self.SELECTED)]
        names = [self._name(each) for each in rows]
        return next(filter(None, names), "").removesuffix(self.NAME_END)

    def _is(self, at: str, state: int) -> bool:
        states = self._call(at, ACCESSIBLE, "GetState")
        return bool(states and states[0][0] & state)

    def _find_kate(self) -> str:
        """Kate's name on the bus, where it has more than one connection."""
        bus = "org.freedesktop.DBus"
        address = DBusAddress("/org/freedesktop/DBus", bus, bus)
        names = self._bus.send_and_get_reply(new_method_call(address, "ListNames")).body[0]
        others = [each for each in names if each[0] == ":" and each != self._bus.unique_name]
        for self._kate in others:
            if self._children(self.ROOT):
                return str(self._kate)
        return ""

    def _find(self, at: str, role: str, name: str) -> str:
        """The first part of the window, from this one on, of a role and name; '' where none is."""
        if self._role(at) == role and self._name(at) == name:
            return at
        parts = (self._find(each, role, name) for each in self._children(at))
        return next(filter(None, parts), "")

    def _find_list(self) -> str:
        """The completion list: it lies over all else, and so directly in the window."""
        [window] = self._children(self.ROOT)
        over = [each for each in self._children(window) if self._role(each) == "panel"]
        return next(filter(None, (self._find(each, "tree", "") for each in over[1:])), "")

    def _children(self, at: str) -> list[str]:
        found = self._call(at, ACCESSIBLE, "GetChildren")
        return [path for _, path in found[0]] if found else []

    def _role(self, at: str) -> str:
        return str(*self._call(at, ACCESSIBLE, "GetRoleName"))

    def _name(self, at: str) -> str:
        return str(self._property(at, ACCESSIBLE, "Name") or "")

    def _property(self, at: str, interface: str, name: str) -> Any:
        properties = "org.freedesktop.DBus.Properties"
        found = self._call(at, properties, "Get", "ss", (interface, name))
        return found[0][1] if found else None

    def _call(
        self, at: str, interface: str, method: str, signature: str = "", given: tuple[Any, ...] = ()
    ) -> Any:
        """What Kate answers; nothing of a part that is gone."""
        address = DBusAddress(at, self._kate, interface)
        message = new_method_call(address, method, signature or None, given)
        reply = self._bus.send_and_get_reply(message, timeout=60)
        return () if reply.header.message_type is MessageType.error else reply.body
