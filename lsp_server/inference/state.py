"""How language servers and the model server of one user find each other.

A model server writes a state file when it listens; its name follows from everything that makes two
servers differ, the version of coder-lsp included. The file holds the port and a random bearer token
that only its user can read.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs

from lsp_server import __version__

STATE_VARIABLE = "CODER_LSP_STATE"


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """What a model server is started with; servers of equal specs are one server."""

    model: str
    device: str = "auto"
    threads: int | None = None
    kv_slots: int = 4

    def key(self) -> str:
        """A short name for this specification and version."""
        text = json.dumps([__version__, *asdict(self).values()])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model server listens: `port` on 127.0.0.1, and the token it wants."""

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


def state_file(key: str) -> Path:
    """The state file of the server with this key."""
    return state_dir() / f"model-server-{key}.json"


def log_file(key: str) -> Path:
    """The log of the server with this key."""
    return state_dir() / f"model-server-{key}.log"


def lock_file(key: str) -> Path:
    """Held while a server with this key is looked for and started."""
    return state_dir() / f"model-server-{key}.lock"


def write(key: str, endpoint: Endpoint) -> None:
    """Publish an endpoint; readers see the old file or the whole new one."""
    target = state_file(key)
    draft = target.with_suffix(f".{endpoint.pid}.tmp")
    draft.unlink(missing_ok=True)
    # created unreadable to others, not made so afterwards; on Windows the profile folder is private
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(endpoint), file)
    draft.replace(target)


def read(key: str) -> Endpoint | None:
    """The endpoint last published under this key; its server may be gone."""
    return _read(state_file(key))


def read_all() -> list[Endpoint]:
    """All published endpoints; their servers may be gone."""
    found = (_read(path) for path in state_dir().glob("model-server-*.json"))
    return [endpoint for endpoint in found if endpoint is not None]


def withdraw(key: str, pid: int) -> None:
    """Remove the state file when it is still this process's."""
    endpoint = read(key)
    if endpoint is not None and endpoint.pid == pid:
        state_file(key).unlink(missing_ok=True)


def _read(path: Path) -> Endpoint | None:
    try:
        return Endpoint(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
