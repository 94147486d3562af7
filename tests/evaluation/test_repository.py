from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from lsp_server.evaluation import repository, sources
from lsp_server.evaluation.repository import package_rows, with_published
from lsp_server.evaluation.rows import Row, RowsError
from lsp_server.evaluation.sources import rows_of
from lsp_server.evaluation.suites import SUITES
from lsp_server.prompt.types import Snippet
from tests.benchmarks.tiny import FILES, REQUIREMENT, write_archive


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return write_archive(tmp_path).parents[1]


def found(cache: Path) -> list[Row]:
    return list(package_rows(REQUIREMENT, 1, cache))


def test_rows_are_places_in_the_package_s_files(cache: Path) -> None:
    rows = found(cache)
    assert {row.benchmark for row in rows} == {"repository-member", "repository-random"}
    for row in rows:
        assert row.prefix + row.groundtruth + row.suffix == FILES[row.path]
        assert "\n" not in row.groundtruth
        assert row.repository == "tiny"
    member = next(row for row in rows if row.benchmark == "repository-member")
    line = member.prefix.count("\n") + 1
    assert member.id == f"tiny==1.0/member/{member.path}:{line}"
    assert len({row.id for row in rows}) == len(rows)


def test_the_package_lies_beside_as_a_workspace(cache: Path) -> None:
    [workspace] = {row.workspace for row in found(cache)}
    assert workspace is not None
    for path, text in FILES.items():
        assert (workspace / path).read_text() == text
    assert not list(cache.rglob("escaped.py"))
    assert found(cache)[0].workspace == workspace


def test_a_package_is_unpacked_whole_or_not_at_all(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(requirement: str, cache: Path, folder: Path) -> None:
        (folder / "tiny").mkdir()
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(repository, "unpack", broken)
        with pytest.raises(OSError, match="the disk is full"):
            found(cache)
    workspace = found(cache)[0].workspace
    assert workspace is not None and (workspace / "tiny" / "reader.py").exists()


def test_rows_can_bring_what_the_published_retriever_finds(cache: Path) -> None:
    assert {row.cross_file for row in found(cache)} == {()}
    for row in with_published(found(cache)):
        assert 0 < len(row.cross_file) <= 5
        assert {type(each) for each in row.cross_file} == {Snippet}
        assert row.path not in {each.path for each in row.cross_file}


def test_packages_are_named_by_the_user(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "cache_dir", lambda: cache.parent)
    cache.rename(cache.parent / "packages")
    rows = rows_of(SUITES["repository"], [REQUIREMENT], 1)
    assert {row.repository for row in rows} == {"tiny"}
    with pytest.raises(RowsError, match="tiny names no version"):
        rows_of(SUITES["repository"], ["tiny"], 1)


def test_every_pinned_package_has_a_hash() -> None:
    for requirement in repository.PACKAGES:
        name, _, digest = requirement.partition(":sha256=")
        assert "==" in name and len(bytes.fromhex(digest)) == 32


def test_the_hub_s_files_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huggingface_hub = pytest.importorskip("huggingface_hub")
    asked: list[tuple[str, str]] = []

    class Hub:
        def dataset_info(self, repo: str, timeout: float) -> SimpleNamespace:
            names = ("README.md", "data/block_completion.jsonl.gz", "data/api_completion.jsonl")
            return SimpleNamespace(siblings=[SimpleNamespace(rfilename=each) for each in names])

    def download(repo: str, name: str, repo_type: str) -> str:
        asked.append((repo, name))
        file = tmp_path / Path(name).name
        file.write_text(
            '{"task_id": "1", "lang": "java", "eval_prompt": "a{{completion}}b", '
            '"ground_truth": "c", "unit_tests": []}\n'
        )
        return str(file)

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    [row] = rows_of(SUITES["safim"], [], 0)
    assert (row.prefix, row.groundtruth, row.suffix) == ("a", "c", "b")
    assert asked == [("gonglinyuan/safim", "data/api_completion.jsonl")]
    with pytest.raises(RowsError, match=r"has no files .*Infilling.* any more"):
        rows_of(SUITES["humaneval-infilling"], [], 0)


def test_without_a_hub_files_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    huggingface_hub = pytest.importorskip("huggingface_hub")

    class Hub:
        def dataset_info(self, repo: str, timeout: float) -> SimpleNamespace:
            raise ConnectionError

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    with pytest.raises(RowsError, match=r"cannot be fetched.*Name files or folders of rows"):
        rows_of(SUITES["crosscodeeval"], [], 0)
