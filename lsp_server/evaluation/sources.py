"""Where rows come from: files that the user names, the hub, or PyPI."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from lsp_server.context.location import cache_dir
from lsp_server.evaluation.packages import FetchError
from lsp_server.evaluation.repository import PACKAGES, package_rows
from lsp_server.evaluation.rows import Row, RowsError, read
from lsp_server.evaluation.suites import Suite

HUB = {
    "heinfill": ("loubnabnl/humaneval_infilling", ("*Infilling*.jsonl*",)),
    "cceval": ("Vincentvmt/CrossCodeEval", ("*/line_completion_rg1_bm25.jsonl",)),
    "safim": ("gonglinyuan/safim", ("*api_completion.jsonl*", "*control_completion.jsonl*")),
}
"""Where a suite's rows are on the hub, by the patterns of their files' names."""
_TIMEOUT_SECONDS = 10.0


def rows_of(suite: Suite, named: Sequence[str], seed: int) -> list[Row]:
    """All rows of a suite. `named` are files or folders of rows, or, for the suite `repository`,
    packages as NAME==VERSION, in which `seed` draws places; without, the hub's files or the pinned
    packages. Raises RowsError."""
    if suite.short == "repository":
        return list(_of_packages(named or PACKAGES, seed))
    files = [Path(each) for each in named] or _from_hub(suite)
    rows = [row for file in files for row in read(file) if suite.holds(row)]
    where = ", ".join(map(str, files))
    if not rows:
        raise RowsError(f"{where}: no rows of {suite.name} in there")
    name, count = Counter(row.id for row in rows).most_common(1)[0]
    if count > 1:
        raise RowsError(f"{where}: row {name} is in there {count} times, so name single files")
    return rows


def _of_packages(named: Sequence[str], seed: int) -> Iterator[Row]:
    for requirement in named:
        try:
            yield from package_rows(requirement, seed, cache_dir() / "packages")
        except FetchError as error:
            raise RowsError(str(error)) from error


def _from_hub(suite: Suite) -> list[Path]:
    """A suite's files, fetched unless they are here."""
    from huggingface_hub import HfApi, hf_hub_download

    repo, patterns = HUB[suite.short]
    try:
        files = HfApi().dataset_info(repo, timeout=_TIMEOUT_SECONDS).siblings or []
        names = [file.rfilename for file in files]
        wanted = [name for name in names if any(fnmatch(name, each) for each in patterns)]
        paths = [hf_hub_download(repo, name, repo_type="dataset") for name in wanted]
    except Exception as error:  # the HTTP library below, and so its errors, changed before
        raise RowsError(
            f"the rows of {suite.name} cannot be fetched from the hub's data set {repo} "
            f"({type(error).__name__}). Name files or folders of rows instead: JSON lines as the "
            "benchmark publishes them"
        ) from error
    if not paths:
        raise RowsError(f"the hub's data set {repo} has no files {', '.join(patterns)} any more")
    return [Path(path) for path in paths]
