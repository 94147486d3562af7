"""Documents' URIs as paths within the workspace."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

_DRIVE = re.compile(r"/[A-Za-z]:(?=[/\\]|$)")


class Place(NamedTuple):
    """Where a document is: `path` from the workspace folder that holds it (else its file name),
    with forward slashes, and `repository`, that folder's name (else empty)."""

    path: str
    repository: str


def folders_of(params: Mapping[str, Any]) -> list[str]:
    """The URIs of the workspace folders in `initialize` params."""
    folders = params.get("workspaceFolders")
    if folders:
        return [folder["uri"] for folder in folders]
    root = params.get("rootUri") or params.get("rootPath")
    return [root] if root else []


def locate(uri: str, folders: Iterable[str]) -> Place:
    """A document's place in the innermost of the folders (URIs or plain paths) that hold it."""
    path = _normal(uri)
    roots = [_normal(folder).removesuffix("/") + "/" for folder in folders]
    root = max((each for each in roots if path.startswith(each)), key=len, default="")
    if not root:
        return Place(path.rpartition("/")[2], "")
    name = root.partition("://")[2].rstrip("/").rpartition("/")[2]
    return Place(path.removeprefix(root), name)


def file_of(uri: str) -> Path | None:
    """The absolute path of a file's URI or plain path; None for what is on no disk, such as
    `untitled:`."""
    normal = _normal(uri)
    if not normal.startswith("file://"):
        return None
    host, _, path = normal.removeprefix("file://").partition("/")
    if host and host != "localhost":
        return Path(f"//{host}/{path}")
    return Path(path if _DRIVE.match("/" + path) else "/" + path)


def _normal(uri: str) -> str:
    """One spelling per file: percent-decoded, forward slashes, drive letters in lower case.

    Clients write one Windows drive as `/C:`, `/c:` or `/c%3A`. Something like `untitled:Untitled-1`
    has no folders, only a name.
    """
    scheme, colon, rest = uri.partition("://")
    if colon:
        host, slash, path = unquote(rest).partition("/")
        return f"{scheme}://{host}" + _lower_drive(slash + path)
    if uri.startswith("/"):
        return "file://" + uri
    if _DRIVE.match("/" + uri):
        return "file://" + _lower_drive("/" + uri.replace("\\", "/"))
    return unquote(uri.partition(":")[2] or uri)


def _lower_drive(path: str) -> str:
    return path[:2].lower() + path[2:] if _DRIVE.match(path) else path
