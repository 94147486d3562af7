"""How language servers and the model server of one user find each other.

A model server writes a state file when it listens; its name follows from everything that makes two
servers differ, the version of coder-lsp included. The file holds the port and a random bearer token
that only its user can read.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lsp_server import __version__, endpoints
from lsp_server.endpoints import STATE_VARIABLE, Endpoint, state_dir

__all__ = [
    "STATE_VARIABLE",
    "Endpoint",
    "ServerSpec",
    "lock_file",
    "log_file",
    "read",
    "read_all",
    "state_dir",
    "state_file",
    "withdraw",
    "write",
]


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """What a model server is started with; servers of equal specs are one server."""

    model: str
    device: str = "auto"
    threads: int | None = None
    kv_slots: int = 4
    kv_megabytes: int = 2048

    def key(self) -> str:
        """A short name for this specification and version."""
        text = json.dumps([__version__, *asdict(self).values()])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


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
    endpoints.publish(state_file(key), endpoint)


def read(key: str) -> Endpoint | None:
    """The endpoint last published under this key; its server may be gone."""
    return endpoints.read(state_file(key))


def read_all() -> list[Endpoint]:
    """All published endpoints; their servers may be gone."""
    return [endpoint for _, endpoint in endpoints.read_all("model-server-*.json")]


def withdraw(key: str, pid: int) -> None:
    """Remove the state file when it is still this process's."""
    endpoints.withdraw(state_file(key), pid)
