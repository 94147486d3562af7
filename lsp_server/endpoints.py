"""How processes of one user find each other: files that name a port and a bearer token.

Each process that listens writes one, which only its user can read.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs

STATE_VARIABLE = "CODER_LSP_STATE"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a process listens: `port` on 127.0.0.1, and the token it wants."""

    pid: int
    port: int
    token: str

    @property
    def url(self) -> str:
        """Base URL, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"


def state_dir() -> Path:
    """The folder of state files, locks and logs; made when missing, for its user only."""
    chosen = os.environ.get(STATE_VARIABLE)
    folder = Path(chosen or platformdirs.user_state_dir("coder-lsp", appauthor=False))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def publish(file: Path, endpoint: Endpoint) -> None:
    """Write an endpoint's file; readers see the old file or the whole new one."""
    draft = file.with_suffix(f".{endpoint.pid}.tmp")
    draft.unlink(missing_ok=True)
    # created unreadable to others, not made so afterwards; on Windows the profile folder is private
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as written:
        json.dump(asdict(endpoint), written)
    draft.replace(file)


def read(file: Path) -> Endpoint | None:
    """The endpoint that a file names; its process may be gone."""
    try:
        return Endpoint(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def read_all(pattern: str) -> list[tuple[Path, Endpoint]]:
    """The files of the folder whose names fit, and their endpoints; the processes may be gone."""
    found = ((file, read(file)) for file in sorted(state_dir().glob(pattern)))
    return [(file, endpoint) for file, endpoint in found if endpoint is not None]


def running(pattern: str) -> list[tuple[Path, Endpoint]]:
    """The same of the processes that are there; the files of the others are removed."""
    there = []
    for file, endpoint in read_all(pattern):
        if is_alive(endpoint.pid):
            there.append((file, endpoint))
        else:
            withdraw(file, endpoint.pid)
    return there


def withdraw(file: Path, pid: int) -> None:
    """Remove an endpoint's file when it is still this process's."""
    endpoint = read(file)
    if endpoint is not None and endpoint.pid == pid:
        file.unlink(missing_ok=True)


def is_alive(pid: int) -> bool:
    """Whether there is a process with this id."""
    if sys.platform == "win32":
        import ctypes

        synchronize, timed_out, denied = 0x00100000, 0x102, 5
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        handle = kernel.OpenProcess(synchronize, False, pid)
        if not handle:
            return ctypes.get_last_error() == denied
        alive = bool(kernel.WaitForSingleObject(handle, 0) == timed_out)
        kernel.CloseHandle(handle)
        return alive
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it belongs to somebody else
    return True
