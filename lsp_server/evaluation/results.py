"""What was found is kept, row by row, under everything that it depends on."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import attrs

import lsp_server
from lsp_server.context.location import cache_dir
from lsp_server.evaluation.rows import Row
from lsp_server.evaluation.setup import Setup
from lsp_server.inference.engines import chosen_model
from lsp_server.inference.models.store import ModelError, ModelStore
from lsp_server.settings import Settings

FILE = "evaluation.db"
_BUSY_SECONDS = 60.0
_WITHOUT_EFFECT = ("api_key", "idle_minutes", "kv_slots", "kv_megabytes", "download")
_ANSWERING = ("completion", "context", "prompt", "inference", "evaluation/pipeline.py")
_LIBRARIES = re.compile(r"torch|transformers|tokenizers|tantivy|tree[-_]sitter.*")
_SCORING = tuple(f"evaluation/{name}.py" for name in ("metrics", "sandbox", "confined", "suites"))


class Kept:
    """Results by key, in the user's cache; several processes may use it at once."""

    def __init__(self, file: Path | None = None) -> None:
        file = file or cache_dir() / FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        # each is on the disk at once, so that nothing is lost however the process ends
        self._database = sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None)
        self._database.execute("pragma journal_mode = wal")
        self._database.execute(
            "create table if not exists results (key text primary key, value text not null)"
        )

    def get(self, key: str) -> Any:
        """What is kept under a key; None where nothing is."""
        found = self._database.execute("select value from results where key = ?", (key,)).fetchone()
        return None if found is None else json.loads(found[0])

    def put(self, key: str, value: Any) -> None:
        """Keep something that JSON can say."""
        self._database.execute(
            "insert or replace into results values (?, ?)", (key, json.dumps(value))
        )

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


def answer_key(row: Row, setup: Setup, model: str) -> str:
    """The key of an answer: what the service is given, and what it does with it. `model` is as
    `model_identity` says."""
    settings = attrs.asdict(setup.settings)
    settings.pop("log_level")
    for name in _WITHOUT_EFFECT:
        settings["engine"].pop(name, None)
    in_workspace = setup.cross_file == "workspace" and row.workspace is not None
    asked = (
        row.path,
        row.language,
        row.prefix,
        row.suffix,
        row.repository,
        [(each.path, each.text) for each in setup.shown(row)],
        _state_of(row.workspace) if in_workspace and row.workspace else None,
    )
    return _digest(asked, settings, setup.output, model, _code(_ANSWERING))


def scores_key(row: Row, prediction: str) -> str:
    """The key of a prediction's scores; programs among them are judged by this Python."""
    judged = (row.benchmark, row.language, row.prefix, row.suffix, row.groundtruth, dict(row.meta))
    return _digest(judged, prediction, _code(_SCORING), sys.version_info[:2])


def model_identity(settings: Settings) -> str:
    """Which model answers, and with which files, unless these are on another server. Raises
    ModelError, also where the model is not installed."""
    name = chosen_model(settings)
    if settings.engine.url:
        return name
    model = ModelStore().find(name)
    if model is None:
        raise ModelError(f"{name} is not installed: `coder-lsp models pull {name}` does it")
    files = sorted(file for file in model.directory.iterdir() if file.is_file())
    return _digest(name, [(file.name, *_stat(file)) for file in files])


@cache
def _state_of(workspace: Path) -> str:
    files = sorted(file for file in workspace.rglob("*") if file.is_file())
    return _digest([(file.relative_to(workspace).as_posix(), *_stat(file)) for file in files])


def _stat(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns


@cache
def _code(parts: tuple[str, ...]) -> str:
    """The version of parts of our own code, and of libraries whose results may change with it."""
    root = Path(lsp_server.__file__).parent
    files = [file for part in parts for file in _sources(root / part)]
    ours = [(file.relative_to(root).as_posix(), file.read_text("utf-8")) for file in files]
    return _digest(ours, _libraries())


def _libraries() -> list[str]:
    # what a broken removal left behind has no name
    found = [each for each in distributions() if each.metadata and each.metadata["Name"]]
    return sorted(
        f"{each.name} {each.version}" for each in found if _LIBRARIES.fullmatch(each.name)
    )


def _sources(part: Path) -> Iterable[Path]:
    return [part] if part.is_file() else sorted([*part.rglob("*.py"), *part.rglob("*.toml")])


def _digest(*parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
