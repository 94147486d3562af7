"""The models on this machine: found by name without network or torch, fetched once, removed.

`<root>/models/<name>/` holds config.json, tokenizer.json, safetensors and a manifest.json that says
where they came from. Models are put together in `<root>/models/.partial/` and renamed at the end,
so that a model's directory that exists is complete.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import platformdirs
from filelock import FileLock, Timeout

from lsp_server.inference.models import hub
from lsp_server.inference.models.model import Model, from_directory, from_store
from lsp_server.inference.models.progress import ModelError, Progress, Report
from lsp_server.inference.models.registry import Entry, registry, unknown
from lsp_server.inference.models.sources import HashError, folder_size

if TYPE_CHECKING:  # it loads numpy, which finding a model does not need
    from lsp_server.inference.models.build import Build

__all__ = ["Model", "ModelError", "ModelStore", "Progress", "default_root", "is_local"]

HOME_VARIABLE = "CODER_LSP_HOME"
Target: TypeAlias = Entry | str | Path
"""What a name means: an entry of the registry, a hub id, or a local directory or GGUF file."""


def default_root() -> Path:
    """Where models are kept: CODER_LSP_HOME, else the user's data directory."""
    home = os.environ.get(HOME_VARIABLE)
    return Path(home or platformdirs.user_data_dir("coder-lsp", appauthor=False)).expanduser()


class ModelStore:
    """Finds, fetches and removes models by registry name, hub id, or local path.

    A local path is absolute or starts with `.` or `~`, or ends in `.gguf`: a plain name never means
    a file of the directory that a program happens to run in. A GGUF file is known by its path: one
    that was replaced is converted again after `remove`.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or default_root()).absolute()
        self._models = self.root / "models"

    def find(self, name: str) -> Model | None:
        """The model if it is ready on this machine. Cheap: no network, no torch.

        Raises ModelError for a name that can never be a model, and for a local directory that
        cannot be used.
        """
        target = _target(name)
        if isinstance(target, Path) and target.suffix != ".gguf":
            return from_directory(target)
        return from_store(self._directory(target))

    def find_tokenizer(self, name: str) -> Model | None:
        """The model, or what `pull_tokenizer` fetched of it; then there are no weights."""
        return self.find(name) or from_store(self._tokenizer_directory(_target(name)))

    def pull(self, name: str, report: Report) -> Model:
        """The model, fetched first if it is not here.

        Waits while another process fetches the same model. `report` is called from this and from
        another thread, never from both at once. Raises ModelError.
        """
        model = self.find(name)
        if model is not None:
            return model
        target = _target(name)
        self._make(self._directory(target), report, lambda build: build.model(target))
        return self._found(self.find(name), name)

    def pull_tokenizer(self, name: str, report: Report = lambda _: None) -> Model:
        """A model's tokenizer.json (its weights may be missing), for an engine elsewhere.

        Of a registry's model it is enough for `family` and `window`. Raises ModelError.
        """
        model = self.find_tokenizer(name)
        if model is not None:
            return model
        target = _target(name)
        if isinstance(target, Path):  # converting it may load torch: not for every process
            raise ModelError(f"{target} is to be converted first: `coder-lsp models pull {target}`")
        directory = self._tokenizer_directory(target)
        self._make(directory, report, lambda build: build.tokenizer(target))
        return self._found(self.find_tokenizer(name), name)

    def remove(self, name: str) -> int:
        """Delete a model, its tokenizer and unfinished downloads; the bytes freed.

        Raises ModelError for a local directory, which is never deleted.
        """
        target = _target(name)
        if isinstance(target, Path) and target.suffix != ".gguf":
            raise ModelError(f"{target} is not in the store, so it is not deleted")
        freed = 0
        for directory in (self._directory(target), self._tokenizer_directory(target)):
            with self._locked(directory, lambda _: None):
                freed += self._delete(directory)
        return freed

    def installed(self) -> list[Model]:
        """All models that are ready in the store, by name."""
        directories = sorted(self._models.glob("[!.]*/manifest.json"))
        found = (from_store(path.parent) for path in directories)
        return [model for model in found if model is not None]

    def _directory(self, target: Target) -> Path:
        return self._models / _safe_name(target)

    def _tokenizer_directory(self, target: Target) -> Path:
        return self.root / "tokenizers" / _safe_name(target)

    def _found(self, model: Model | None, name: str) -> Model:
        if model is None:
            raise ModelError(f"{name} was removed by another process while it was fetched")
        return model

    def _make(self, directory: Path, report: Report, make: Callable[[Build], None]) -> None:
        """Put a directory together under its lock, unless another process just did."""
        from lsp_server.inference.models.build import Build

        with self._locked(directory, report):
            if directory.exists():
                return
            partial = _partial(directory)
            try:
                build = Build(partial, report)
                make(build)
                build.ready.rename(directory)
                shutil.rmtree(partial, ignore_errors=True)  # with what was converted
            except (ModelError, OSError) as error:
                if isinstance(error, HashError) or not folder_size(partial):
                    shutil.rmtree(partial, ignore_errors=True)
                if isinstance(error, ModelError):
                    raise
                raise ModelError(f"{directory} cannot be written: {error}") from error

    @contextmanager
    def _locked(self, directory: Path, report: Report) -> Iterator[None]:
        path = directory.parent / ".locks" / f"{directory.name}.lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ModelError(f"{path.parent} cannot be written to: {error}") from error
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            report(Progress("downloading", 0, 0, f"{directory.name}: another process is at it"))
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _delete(self, directory: Path) -> int:
        partial = _partial(directory)
        freed = folder_size(directory) + folder_size(partial)
        try:
            if directory.exists():  # renamed first: what is half deleted is no model
                partial.mkdir(parents=True, exist_ok=True)
                directory.rename(partial / "deleted")
            if partial.exists():
                shutil.rmtree(partial)
        except OSError as error:
            raise ModelError(f"{directory} cannot be deleted, is it in use? ({error})") from error
        return freed


def is_local(name: str) -> bool:
    """Whether a name means a local directory or GGUF file."""
    return name.startswith((".", "~")) or name.endswith(".gguf") or Path(name).is_absolute()


def _partial(directory: Path) -> Path:
    return directory.parent / ".partial" / directory.name


def _target(name: str) -> Target:
    """What a name means. Raises ModelError where it can mean nothing."""
    if name in registry():
        return registry()[name]
    for entry in registry().values():
        if name == entry.repo:
            return entry
    if is_local(name):
        return Path(name).expanduser().resolve()
    if hub.REPOSITORY.fullmatch(name):
        return name
    raise unknown(name)


def _safe_name(target: Target) -> str:
    """The name of a target's directory."""
    if isinstance(target, Entry):
        return target.name
    if isinstance(target, str):
        return target.replace("/", "--")
    return f"{target.stem}-{hashlib.sha256(str(target).encode()).hexdigest()[:8]}"
