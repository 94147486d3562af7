"""Repositories of the hub, through `huggingface_hub` and its own environment variables.

Of a repository only the configuration, the tokenizer and safetensors are ever fetched: no pickles
and no code. Where the hub cannot be reached (or HF_HUB_OFFLINE is set) its cache is used.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lsp_server.inference.models.model import NEEDED_FILES, what_instead
from lsp_server.inference.models.progress import ModelError

REPOSITORY = re.compile(r"(?!.*(?:--|\.\.))[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SMALL_FILES = (*NEEDED_FILES, "generation_config.json", "tokenizer_config.json")
_INDEX = "model.safetensors.index.json"
_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
_TIMEOUT_SECONDS = 10.0
_NO_HUB = "set HF_ENDPOINT to a mirror that can be reached, or name a local directory instead"
_BROKEN_OFF = "try again: the download goes on where it stopped"


@dataclass(frozen=True, slots=True)
class RepoFile:
    """A file of a repository: `digest` is its sha256 (64 hex digits) or git blob sha1 (40).

    The digest is empty only for a cached copy that does not say it.
    """

    name: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Files of a repository at one revision; `cache` is the folder of a cached copy."""

    repo: str
    revision: str
    files: tuple[RepoFile, ...]
    cache: Path | None = None

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def resolve(repo: str, probe: str = "config.json") -> Snapshot:
    """All files of the newest revision; where the hub cannot be reached, of the cached one.

    `probe` is a file by which a cached copy is found. Answers within seconds. Raises ModelError
    with what the user can do about it.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        info = HfApi().model_info(repo, files_metadata=True, timeout=_TIMEOUT_SECONDS)
    except HfHubHTTPError as error:
        raise _explain(error, repo, _NO_HUB) from error
    except Exception as error:  # the HTTP library below, and so its errors, changed before
        cached = _cached(repo, probe)
        if cached is None:
            raise _explain(error, repo, _NO_HUB) from error
        return cached
    files = tuple(_repo_file(sibling) for sibling in info.siblings or ())
    return Snapshot(repo, str(info.sha), files)


def model_files(snapshot: Snapshot) -> Snapshot:
    """The snapshot cut down to what a model needs. Raises ModelError where something is missing."""
    names = {file.name for file in snapshot.files}
    shards = {name for name in names if _SHARD.fullmatch(name)} if _INDEX in names else set()
    weights = shards | {_INDEX} if shards else names & {"model.safetensors"}
    if not weights:
        raise ModelError(f"{snapshot.repo} has no safetensors{what_instead(names)}")
    return _only(snapshot, {*weights, *_SMALL_FILES})


def tokenizer_files(snapshot: Snapshot) -> Snapshot:
    """The snapshot cut down to its tokenizer and configuration."""
    return _only(snapshot, set(NEEDED_FILES))


def download(snapshot: Snapshot, file: RepoFile, folder: Path) -> Path:
    """Fetch one file of a snapshot into `folder`; a download that broke off there goes on.

    Its hash is not checked here. Raises ModelError with what the user can do about it.
    """
    target = folder / file.name
    if target.exists():
        return target
    cached = _cached_path(snapshot, file.name)
    if cached is not None:
        return _copy(cached, target)
    try:
        return _download(snapshot, file, target)
    except Exception as error:  # as in resolve
        raise _explain(error, snapshot.repo, _BROKEN_OFF) from error


def _download(snapshot: Snapshot, file: RepoFile, target: Path) -> Path:
    # Not hf_hub_download: since 2.x it starts each file afresh when it was interrupted.
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    part = target.with_name(f"{file.name}.{file.digest[:16]}.part")
    with part.open("ab") as stream:
        http_get(
            hf_hub_url(snapshot.repo, file.name, revision=snapshot.revision),
            stream,
            resume_size=stream.tell(),
            headers=build_hf_headers(),
            expected_size=file.size,
            tqdm_class=_silent_tqdm(),
        )
    return part.replace(target)


def _only(snapshot: Snapshot, names: set[str]) -> Snapshot:
    files = tuple(file for file in snapshot.files if file.name in names)
    for needed in NEEDED_FILES:
        if needed not in {file.name for file in files}:
            raise ModelError(f"{snapshot.repo} has no {needed}, so it cannot be used")
    for file in files:
        if not file.digest and snapshot.cache is None:
            raise ModelError(f"the hub does not state a hash for {file.name} of {snapshot.repo}")
    return replace(snapshot, files=files)


def _repo_file(sibling: Any) -> RepoFile:
    digest = sibling.lfs.sha256 if sibling.lfs else sibling.blob_id
    return RepoFile(sibling.rfilename, int(sibling.size or 0), digest or "")


def _cached(repo: str, probe: str) -> Snapshot | None:
    """The copy of a repository in the hub's own cache, if it has one."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, probe)
    if not isinstance(found, str):
        return None
    folder = Path(found).parent
    files = tuple(_cached_file(path) for path in sorted(folder.iterdir()) if path.is_file())
    return Snapshot(repo, folder.name, files, folder)


def _cached_path(snapshot: Snapshot, name: str) -> Path | None:
    """The file in the hub's own cache, if it is there in the snapshot's revision."""
    if snapshot.cache is not None:
        return (snapshot.cache / name).resolve()
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(snapshot.repo, name, revision=snapshot.revision)
    return Path(found).resolve() if isinstance(found, str) else None


def _cached_file(path: Path) -> RepoFile:
    blob = path.resolve().name  # the cache names its blobs by their digest, where it can link
    digest = blob if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", blob) else ""
    return RepoFile(path.name, path.stat().st_size, digest)


def _copy(source: Path, target: Path) -> Path:
    """A hard link where the file system allows it, else a copy."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target


def _silent_tqdm() -> type[Any]:
    """A progress bar that shows nothing: progress is reported in our own way."""
    from tqdm import tqdm

    class Silent(tqdm):  # type: ignore[misc, unused-ignore]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})

    return Silent


def _explain(error: Exception, repo: str, hint: str) -> ModelError:
    """What went wrong at the hub, and what the user can do about it."""
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, OfflineModeIsEnabled, RepositoryNotFoundError

    page = f"{constants.ENDPOINT}/{repo}"
    if isinstance(error, GatedRepoError):
        return ModelError(
            f"{repo} asks you to accept its terms: do so at {page} when signed in there, then set "
            "HF_TOKEN to an access token of yours (or run `hf auth login`) and try again"
        )
    if isinstance(error, RepositoryNotFoundError):
        return ModelError(
            f"the hub has no {repo}, or shows it only with an access token (set HF_TOKEN)"
        )
    if isinstance(error, OfflineModeIsEnabled):
        return ModelError(f"HF_HUB_OFFLINE is set, and {repo} is not in the hub's cache")
    reason = str(error).strip().splitlines() or [""]
    return ModelError(
        f"the hub at {constants.ENDPOINT} failed ({type(error).__name__}: {reason[0]}); {hint}"
    )
