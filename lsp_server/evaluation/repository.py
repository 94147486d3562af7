"""A suite of our own that anyone can rebuild: places in pinned source distributions from PyPI.

Where the cursors stand is said in `cursors`: behind the dot of a member that another file defines,
and at random lines. What is wanted is the rest of the line. The repository lies unpacked beside, so
that our own context can be chosen from it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from lsp_server.evaluation.cursors import KINDS, cases
from lsp_server.evaluation.packages import sources_in, unpack
from lsp_server.evaluation.rows import Row, RowsError

PACKAGES = (
    "black==24.10.0:sha256=846ea64c97afe3bc677b761787993be4991810ecc7a4a937816dd6bddedc4875",
    "fastapi==0.115.6:sha256=9ec46f7addc14ea472958a96aae5b5de65f39721a46aaf5705c480d9a8b76654",
    "httpcore==1.0.7:sha256=8551cb62a169ec7162ac7be8d4817d561f60e08eaa485234898414bb5a8a0b4c",
    "sphinx==8.1.3:sha256=43c1911eecb0d3e161ad78611bc905d1ad0e523e4ddc202a58a821773dc4c927",
    "tornado==6.4.2:sha256=92bad5b4746e9879fd7bf1eb21dce4e3fc5128d71601f80005afa39237ad620b",
    "starlette==0.41.3:sha256=0e4ab3d16522a255be6b28260b938eae2482f98ce5cc934cb08dce8dc3ba5835",
    "cherrypy==18.10.0:sha256=6c70e78ee11300e8b21c0767c542ae6b102a49cac5cfd4e3e313d7bb907c5891",
    "luigi==3.8.1:sha256=2fa5eb5d3474e495de09bd964f502936c08f8b1eb6e0f3ca3c8a69116c38d0c3",
    "pyramid==2.1:sha256=5a24bc1b5f9e0f0d1c0b6ddd1111e84c15dac44a07e3c1d24e74dd9bb4fc22eb",
    "celery==5.7.0:sha256=6a5dfcf6662287204f009a02002b9e66c83d4105e47ebabdc7079108772fc6f0",
    "gunicorn==27.0.1:sha256=b1514965361c8b7e8107a80aa2a92636878df1ccfac6dd204a676426e04d9e3e",
    "virtualenv==20.26.6:sha256=280aede09a2a5c317e409a00102e7077c6432c5a38f0ef938e643805a7ad2c48",
)
"""Well known, and none that our context was built or tuned on."""
CURSORS = 30
"""Of each kind in each package."""


def package_rows(requirement: str, seed: int, downloads: Path) -> Iterator[Row]:
    """The rows of `NAME==VERSION[:sha256=HEX]`, at most `CURSORS` of each kind. What is fetched and
    unpacked is kept in the folder `downloads`. Raises FetchError."""
    exact = requirement.partition(":")[0]
    workspace = _unpacked(requirement, downloads)
    files = sources_in(workspace)
    for kind in KINDS:
        for case in cases(exact, files, kind, CURSORS, seed):
            line = case.prefix.count("\n") + 1
            text = files[case.path]
            yield Row(
                id=f"{exact}/{kind}/{case.path}:{line}",
                benchmark=f"repository-{kind}",
                language="python",
                prefix=case.prefix,
                suffix=case.suffix,
                groundtruth=text[len(case.prefix) : len(text) - len(case.suffix)],
                path=case.path,
                repository=exact.partition("==")[0],
                workspace=workspace,
            )


def with_published(rows: Iterable[Row]) -> list[Row]:
    """Rows of packages, each bringing what the published retriever finds for it. Raises RowsError
    where that is not installed."""
    try:
        from lsp_server.evaluation.published import PublishedContext
    except ImportError as error:
        raise RowsError(
            f"the published retriever needs {error.name}: pip install 'coder-lsp[eval]'"
        ) from error
    retriever = cache(lambda workspace: PublishedContext(sources_in(workspace)))
    return [
        replace(row, cross_file=tuple(retriever(row.workspace).best(row.path, row.prefix)))
        for row in rows
    ]


def _unpacked(requirement: str, downloads: Path) -> Path:
    """The folder of a package's files; it is whole if it is there."""
    exact = requirement.partition(":")[0]
    folder = downloads / "unpacked" / exact.replace("==", "-")
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as draft:
            unpack(requirement, downloads, Path(draft))
            (Path(draft) / exact.partition("==")[0]).rename(folder)
    return folder
