from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from benchmarks.answers import QUESTIONS, Question, Variant, p_value, rows_for, table
from lsp_server.evaluation.report import Judged, Run
from lsp_server.evaluation.rows import RowsError

MEASURED = ("order", "prefix", "suffix", "suffix-lines", "budget", "output", "lines", "confidence")


def run_of(name: str, **scores: tuple[int, ...]) -> Run:
    """A run whose groups score so, row by row."""
    return Run(
        name,
        [
            Judged(f"{group}/{number}", group, "", "", "suggested", {"em": value}, {}, {})
            for group, values in scores.items()
            for number, value in enumerate(values)
        ],
    )


@pytest.mark.parametrize(
    "question", [each for each in QUESTIONS if each.name in MEASURED], ids=lambda each: each.name
)
def test_alternatives_are_measured_against_the_default(question: Question) -> None:
    first = question.variants[0]
    assert first.setup("a") == Variant("", cross_file=first.cross_file).setup("a")


def test_variants_differ() -> None:
    for question in QUESTIONS:
        setups = [variant.setup("a") for variant in question.variants]
        assert all(setup not in setups[:index] for index, setup in enumerate(setups))


def test_each_group_has_a_line_for_each_run_and_its_own_difference() -> None:
    lines = table([run_of("one", a=(0,), b=(1,)), run_of("two", a=(1,), b=(1,))]).split("\n")
    cells = [[cell.strip() for cell in line.split("|")[1:5]] for line in lines[2:]]
    assert cells == [
        ["a, 1", "one", "0.0 [0.0, 0.0]", ""],
        ["a, 1", "two", "100.0 [100.0, 100.0]", "+100.0 [+100.0, +100.0], p 1.000"],
        ["b, 1", "one", "100.0 [100.0, 100.0]", ""],
        ["b, 1", "two", "100.0 [100.0, 100.0]", "+0.0 [+0.0, +0.0], p 1.000"],
    ]


def test_small_chances_are_only_called_small() -> None:
    assert (p_value(0.00052), p_value(0.0312)) == ("< 0.001", "0.031")


def test_a_question_needs_rows(tmp_path: Path) -> None:
    row = {"id": "1", "benchmark": "cceval-java", "language": "java"}
    text = {"prefix": "a", "suffix": "", "groundtruth": "b"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row | text))
    args = argparse.Namespace(rows=tmp_path, limit=None, seed=0)
    questions = {each.name: each for each in QUESTIONS}
    assert [each.id for each in rows_for(questions["cross-file"], args)] == ["1"]
    for missing in ("prefix", "output-api"):
        with pytest.raises(RowsError):
            rows_for(questions[missing], args)
