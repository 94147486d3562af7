from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lsp_server.evaluation import runner
from lsp_server.evaluation.pipeline import Answer, EvaluationError, Pipeline
from lsp_server.evaluation.results import Kept
from lsp_server.evaluation.rows import Row
from lsp_server.evaluation.runner import Result, evaluate
from lsp_server.evaluation.setup import Setup, unhurried
from lsp_server.evaluation.suites import SUITES, Scores
from lsp_server.settings import Settings
from tests.commands.fake_engine import install
from tests.evaluation.rows import row

SETUP = Setup(unhurried(Settings(model="a")), cursor="published")


@pytest.fixture(autouse=True)
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODER_LSP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(runner, "model_identity", lambda _: "a model")
    install(monkeypatch, "a + 1")


async def results(rows: Iterable[Row], setup: Setup = SETUP) -> list[Result]:
    kept = Kept()
    try:
        return [each async for each in evaluate(SUITES["repository"], rows, setup, kept)]
    finally:
        kept.close()


def rows(count: int) -> list[Row]:
    return [row(id=str(number), prefix=f"a = {number}\nb = ") for number in range(count)]


def fail_at(monkeypatch: pytest.MonkeyPatch, failing: Sequence[str]) -> list[str]:
    """Have those rows fail; returns the ids of the rows that are asked."""
    asked: list[str] = []
    answer = Pipeline.answer

    async def failing_answer(self: Pipeline, row: Row) -> Answer:
        asked.append(row.id)
        found = await answer(self, row)
        return replace(found, failure="too long") if row.id in failing else found

    monkeypatch.setattr(Pipeline, "answer", failing_answer)
    return asked


async def test_a_row_that_fails_counts_as_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_at(monkeypatch, "013")
    found = await results(rows(5))
    assert [each.scores["exact match"] for each in found] == [0, 0, 1, 0, 1]
    assert [each.answer.failure for each in found] == ["too long", "too long", "", "too long", ""]


async def test_a_row_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = fail_at(monkeypatch, "0")
    await results(rows(3))
    await results(rows(3))
    assert asked == ["0", "1", "2", "0"]


async def test_nothing_is_measured_where_all_of_the_first_rows_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = fail_at(monkeypatch, "01234")
    with pytest.raises(EvaluationError, match="the first rows fail: too long; too long; too long"):
        await results(rows(5))
    assert asked == ["0", "1", "2"]


async def test_a_line_is_ended_only_for_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []

    async def score(row: Row, prediction: str) -> Scores:
        judged.append(prediction)
        return {"exact match": 0.0}

    suite = replace(SUITES["repository"], score=score)
    monkeypatch.setitem(SUITES, "repository", suite)
    there = row(prefix="a = 1\n", groundtruth="a + 1\n", suffix="b = 2\n")
    await results([there])
    await results([there], replace(SETUP, output="raw"))
    assert judged == ["a + 1\n", "a + 1"]
