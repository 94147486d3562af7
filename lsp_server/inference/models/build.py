"""Puts one model together from its sources, in a directory of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lsp_server.inference.models import gguf, hub
from lsp_server.inference.models.model import MANIFEST, read_window
from lsp_server.inference.models.progress import ModelError, Report, megabytes
from lsp_server.inference.models.registry import Entry, PinnedFile
from lsp_server.inference.models.sources import (
    digest_of,
    fetch_pinned,
    fetch_snapshot,
    folder_size,
)

_SPARE_BYTES = 50_000_000  # for logs, caches and rounding of file systems


class Build:
    """A model in the making: downloads under `partial/download`, what is finished in `ready`.

    What was downloaded stays for the next try; `ready` starts empty.
    """

    def __init__(self, partial: Path, report: Report) -> None:
        self.ready = partial / "ready"
        self._download = partial / "download"
        self._report = report
        self._download.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.ready, ignore_errors=True)
        self.ready.mkdir()

    def model(self, target: Entry | str | Path) -> None:
        """A whole model. Raises ModelError."""
        if isinstance(target, Path):
            self._local_gguf(target)
        elif isinstance(target, Entry) and target.files:
            self._pinned(target)
        else:
            self._repository(target, hub.model_files)

    def tokenizer(self, target: Entry | str) -> None:
        """A model's tokenizer.json, and its config.json where the hub gives it."""
        if isinstance(target, Entry) and target.tokenizer:
            origin = fetch_pinned(target.tokenizer, self._download, self._report)
            self._finish(target.tokenizer.name)
            self._manifest(target, origin, {target.tokenizer.name: _facts(target.tokenizer)})
        else:
            self._repository(target, hub.tokenizer_files)

    def _pinned(self, entry: Entry) -> None:
        self._require_space(_space_for(entry), entry.name)
        origins = []
        for file in entry.files:
            origins.append(fetch_pinned(file, self._download, self._report))
            path = self._download / file.name
            if path.suffix == ".gguf":
                gguf.convert(path, self.ready, self._report)
            else:
                self._finish(file.name)
        self._manifest(entry, origins[0], {file.name: _facts(file) for file in entry.files})

    def _repository(
        self, target: Entry | str, choose: Callable[[hub.Snapshot], hub.Snapshot]
    ) -> None:
        repo = target.repo if isinstance(target, Entry) else target
        snapshot = choose(hub.resolve(repo))
        self._require_space(snapshot.size, repo)
        fetch_snapshot(snapshot, self._download, self._report)
        for file in snapshot.files:
            self._finish(file.name)
        files = {file.name: self._measured(file.name) for file in snapshot.files}
        self._manifest(target, f"hub {repo} at {snapshot.revision}", files)

    def _local_gguf(self, path: Path) -> None:
        if not path.is_file():
            raise ModelError(f"there is no file {path}")
        self._require_space(gguf.converted_size(path), path.name)
        gguf.convert(path, self.ready, self._report)
        beside = path.with_name("tokenizer.json")
        if beside.exists():
            shutil.copyfile(beside, self.ready / beside.name)
        else:
            gguf.write_tokenizer(path, self.ready)
        self._manifest(path, "converted from a local GGUF file", {})

    def _finish(self, name: str) -> None:
        (self._download / name).rename(self.ready / name)

    def _measured(self, name: str) -> dict[str, Any]:
        path = self.ready / name
        return {"bytes": path.stat().st_size, "sha256": digest_of(path, "sha256", self._report)}

    def _manifest(self, target: Entry | str | Path, source: str, files: dict[str, Any]) -> None:
        """Say what the model is and where it came from; the last file to be written."""
        entry = target if isinstance(target, Entry) else None
        manifest = {
            "name": entry.name if entry else str(target),
            "family": entry.family if entry else None,
            "window": entry.window if entry else read_window(self.ready),
            "licence": entry.licence if entry else None,
            "source": source,
            "pinned": bool(entry and entry.pinned),
            "files": files,
        }
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        (self.ready / MANIFEST).write_text(text, encoding="utf-8")

    def _require_space(self, needed: int, name: str) -> None:
        """Raise ModelError unless there is room for `needed` bytes, less what is already here."""
        missing = needed + _SPARE_BYTES - folder_size(self._download)
        free = shutil.disk_usage(self._download).free
        if free < missing:
            raise ModelError(
                f"{name} needs {megabytes(missing)} of free disk (files being converted included), "
                f"but {self._download.parent.parent.parent} has {megabytes(free)}"
            )


def _space_for(entry: Entry) -> int:
    """Most bytes a pinned model takes on the way: parts and what they are joined to, or a file and
    what it is converted to."""
    total = sum(file.size for file in entry.files)
    return total + max(max(file.size for file in entry.files), entry.size)


def _facts(file: PinnedFile) -> dict[str, Any]:
    return {"bytes": file.size, "sha256": file.sha256}
