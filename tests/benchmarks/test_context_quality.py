from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.context.__main__ import main
from benchmarks.context.methods import BUDGET, METHODS
from benchmarks.context.quality import Score, measure, recall, summarise, table
from lsp_server.evaluation.cursors import Case
from lsp_server.prompt.types import Snippet
from tests.benchmarks.tiny import FILES, REQUIREMENT, write_archive


def count(text: str) -> int:
    return len(text.split()) + 1


def case(*needed: str) -> Case:
    return Case("tiny", "member", "tiny/reader.py", "shelf.", "", frozenset(needed))


def test_recall_is_the_share_of_needed_names_as_whole_words() -> None:
    context = [Snippet("a.py", "def shelve(record): ...\n"), Snippet("b.py", "removed = 1\n")]
    assert recall(case("shelve", "removed"), context) == 1.0
    assert recall(case("shelve", "remove"), context) == 0.5
    assert recall(case("shelve"), []) == 0.0


def test_definitions_of_other_files_are_found_within_the_budget() -> None:
    scores = measure("tiny", FILES, 5, 0, count)
    members = [each for each in scores if each.kind == "member"]
    assert {each.method for each in members} == set(METHODS)
    for score in members:
        assert score.tokens <= BUDGET
        if score.method in ("definitions", "full"):
            assert score.recall == 1.0
        elif score.method == "none":
            assert score.recall == score.tokens == 0


def test_the_interval_is_that_of_packages_not_of_cursors() -> None:
    ones = [Score("member", "full", "one", 1.0, 10)] * 40
    zeros = [Score("member", "full", "zero", 0.0, 20)] * 40
    row = summarise(ones + zeros)["member"]["full"]
    assert (row["recall"], row["low"], row["high"]) == (50.0, 0.0, 100.0)
    assert (row["tokens"], row["cursors"]) == (15.0, 80)
    alone = summarise(ones)["member"]["full"]
    assert alone["low"] == alone["high"] == 100.0


def test_many_alike_packages_give_a_narrow_interval() -> None:
    scores = [
        Score("member", "full", str(package), float(package % 2), 10) for package in range(100)
    ]
    row = summarise(scores)["member"]["full"]
    assert 35 < row["low"] < 45 and 55 < row["high"] < 65


def test_the_table_has_a_row_for_each_kind_and_method() -> None:
    rows = table(summarise(measure("tiny", FILES, 2, 0, count))).split("\n")
    assert len(rows) == 2 + 2 * len(METHODS)
    assert len({row.count("|") for row in rows}) == 1


def test_the_command_prints_one_json_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_archive(tmp_path)
    monkeypatch.setenv("CODER_LSP_TEST_CACHE", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["", "quality", "--packages", REQUIREMENT, "--json"])
    main()
    printed = json.loads(capsys.readouterr().out)
    for kind in ("member", "random"):
        assert set(printed[kind]) == set(METHODS)
        assert all(0 <= each <= 100 for each in printed[kind].values())
    assert printed["member"]["full"] == 100 and printed["member"]["none"] == 0
