from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from lsp_server.evaluation import results
from lsp_server.evaluation.results import Kept, answer_key, model_identity, scores_key
from lsp_server.evaluation.setup import Setup, as_in_the_paper
from lsp_server.inference.models.store import ModelError, ModelStore
from lsp_server.prompt.types import Snippet
from lsp_server.settings import EngineSettings, PromptSettings, Settings
from tests.evaluation.rows import row

SETUP = Setup(Settings())


def test_what_is_kept_is_there_for_the_next_process(tmp_path: Path) -> None:
    first = Kept(tmp_path / "a" / "kept.db")
    assert first.get("key") is None
    first.put("key", {"text": "é\ud800"})
    second = Kept(tmp_path / "a" / "kept.db")  # while the first is still open
    assert second.get("key") == {"text": "é\ud800"}
    second.put("key", [1])
    assert first.get("key") == [1]
    first.close()
    second.close()


def key(setup: Setup = SETUP, model: str = "m", **parts: Any) -> str:
    return answer_key(row(**parts), setup, model)


def test_an_answer_is_kept_under_all_that_it_depends_on() -> None:
    given = Setup(Settings(), "given")
    shorter = Settings(prompt=PromptSettings(suffix_tokens=1))
    keys = [
        key(),
        key(model="n"),
        key(prefix="other"),
        key(suffix="other"),
        key(path="other.py"),
        key(language="java"),
        key(repository="other"),
        key(setup=Setup(shorter)),
        key(setup=Setup(Settings(), output="raw")),
        key(setup=as_in_the_paper(SETUP)),
        key(setup=given, cross_file=(Snippet("a.py", "1"),)),
        key(setup=given, cross_file=(Snippet("a.py", "2"),)),
    ]
    assert len(set(keys)) == len(keys)


def test_an_answer_does_not_depend_on_what_is_right_or_not_shown() -> None:
    assert key() == key(groundtruth="other", id="other", meta={"a": 1})
    assert key() == key(cross_file=(Snippet("a.py", "1"),))
    engine = EngineSettings(api_key="secret", idle_minutes=1)
    assert key() == key(setup=Setup(attrs.evolve(Settings(), engine=engine, log_level="debug")))


def test_an_answer_depends_on_the_workspace_that_it_is_shown(tmp_path: Path) -> None:
    shown = Setup(Settings(), "workspace")
    keys = set()
    for text in ("a = 1\n", "a = 23\n"):
        results._state_of.cache_clear()
        (tmp_path / "other.py").write_text(text)
        keys.add(key(setup=shown, workspace=tmp_path))
        assert key(workspace=tmp_path) == key()
    assert len(keys) == 2


def test_an_answer_depends_on_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    before, judged = key(), scores_key(row(), "a")
    monkeypatch.setattr(results, "_code", lambda parts: "another")
    assert key() != before
    assert scores_key(row(), "a") != judged


def test_an_answer_depends_on_the_libraries_that_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {each.split()[0].replace("_", "-") for each in results._libraries()}
    assert {"torch", "transformers", "tokenizers", "tantivy"} < named
    assert {"tree-sitter", "tree-sitter-python", "tree-sitter-c-sharp"} < named
    results._code.cache_clear()
    before, judged = key(), scores_key(row(), "a")
    monkeypatch.setattr(results, "_libraries", lambda: ["tree-sitter-python 9"])
    results._code.cache_clear()
    assert key() != before
    assert scores_key(row(), "a") != judged
    results._code.cache_clear()


def test_the_code_is_all_that_makes_answers() -> None:
    root = Path(results.__file__).parents[1]
    names = {
        file.relative_to(root).as_posix()
        for part in results._ANSWERING
        for file in results._sources(root / part)
    }
    assert {"completion/service.py", "context/assembly.py", "prompt/layout.py"} < names
    assert {"inference/engine/llama.py", "inference/models/registry.toml"} < names


def test_scores_are_kept_under_the_row_and_the_prediction() -> None:
    keys = [
        scores_key(row(), "a"),
        scores_key(row(), "b"),
        scores_key(row(groundtruth="other"), "a"),
        scores_key(row(prefix="other"), "a"),
        scores_key(row(suffix="other"), "a"),
        scores_key(row(benchmark="safim-api"), "a"),
        scores_key(row(language="java"), "a"),
        scores_key(row(meta={"test": "pass"}), "a"),
    ]
    assert len(set(keys)) == len(keys)
    assert scores_key(row(), "a") == scores_key(row(id="other"), "a")


def test_scores_are_kept_under_the_python_that_runs_the_programs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = scores_key(row(), "a")
    monkeypatch.setattr(sys, "version_info", (4, 0, 0))
    assert scores_key(row(), "a") != before


def test_a_model_is_known_by_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"1")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("{}")
    settings = Settings(model=str(tmp_path))
    before = model_identity(settings)
    assert model_identity(settings) == before
    os.utime(tmp_path / "model.safetensors", ns=(1, 1))
    assert model_identity(settings) != before


def test_a_model_that_is_not_installed_is_to_be_fetched_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "ModelStore", lambda: ModelStore(tmp_path))
    with pytest.raises(ModelError, match=r"coder-lsp models pull deepseek-coder-1\.3b-base"):
        model_identity(Settings(model="deepseek-coder-1.3b-base"))
    elsewhere = EngineSettings(url="http://127.0.0.1:1")
    settings = Settings(model="deepseek-coder-1.3b-base", engine=elsewhere)
    assert model_identity(settings) == "deepseek-coder-1.3b-base"
