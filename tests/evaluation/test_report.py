from __future__ import annotations

from pathlib import Path

import pytest

from lsp_server.evaluation import plot, report
from lsp_server.evaluation.pipeline import Answer
from lsp_server.evaluation.report import Run
from lsp_server.evaluation.runner import Result
from tests.evaluation.rows import row


def run_of(name: str, *exact: float, benchmark: str = "cceval-python") -> Run:
    """A run whose rows score so; the n-th takes n hundred milliseconds and n ten tokens."""
    results = [
        Result(
            row(id=f"{benchmark}/{number}", benchmark=benchmark, groundtruth="right"),
            Answer(
                "right" if value else "wrong",
                "suggested" if number else "empty",
                "psm",
                {"first_token": 100.0 * number, "total": 200.0 * number},
                {"prompt": 10 * number, "generated": number},
            ),
            {"exact match": value, "first line": 1.0},
        )
        for number, value in enumerate(exact)
    ]
    return report.run_of(name, results)


def test_a_group_is_the_mean_of_its_rows_and_what_they_took() -> None:
    [group] = run_of("a", 0, 1, 1, 1).groups
    assert (group.name, group.rows) == ("cceval-python", 4)
    exact = group.scores["exact match"]
    assert exact.mean == 0.75
    assert exact.low < 0.75 < exact.high
    assert group.scores["first line"] == report.Estimate(1, 1, 1)
    assert group.milliseconds["total"] == (300, 600)
    assert group.tokens["prompt"] == (15, 30)
    assert group.outcomes == {"suggested": 3, "empty": 1}


def test_stages_that_not_every_row_had_count_where_they_were() -> None:
    run = run_of("a", 0, 1)
    del run.rows[0].milliseconds["first_token"]
    assert run.groups[0].milliseconds["first_token"] == (100, 100)


def test_groups_are_told_apart() -> None:
    run = Run("a", run_of("a", 1).rows + run_of("a", 0, 0, benchmark="cceval-java").rows)
    assert [(group.name, group.rows) for group in run.groups] == [
        ("cceval-python", 1),
        ("cceval-java python", 2),
    ]


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    run = run_of("a run", 0, 1)
    report.save(run, tmp_path / "run.json")
    assert report.load(tmp_path / "run.json") == run


@pytest.mark.parametrize("text", ["{}", "[]", "no JSON", '{"name": "a", "rows": [1]}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(ValueError, match="was not written by `coder-lsp eval --json`"):
        report.load(tmp_path / "other.json")


def test_differences_are_taken_row_by_row() -> None:
    old, new = run_of("old", 0, 0, 0, 0, 1, 0, 0, 0), run_of("new", 1, 1, 1, 1, 1, 1, 1, 1)
    found = {each.metric: each for each in report.differences(new, old)}
    assert found["exact match"].mean.mean == 7 / 8
    assert found["exact match"].rows == 8
    assert found["exact match"].p_value < 0.05
    assert found["first line"].mean == report.Estimate(0, 0, 0)
    assert found["first line"].p_value == 1


def test_only_rows_that_both_runs_have_are_compared() -> None:
    old, new = run_of("old", 0, 0), run_of("new", 1, 1, 1, 1)
    assert {each.rows for each in report.differences(new, old)} == {2}
    assert report.comparison(run_of("a", 1, benchmark="cceval-java"), old) == (
        "no rows in common with old"
    )


def test_the_same_change_both_ways_is_chance() -> None:
    old, new = run_of("old", 0, 1, 0, 1), run_of("new", 1, 0, 1, 0)
    exact = report.differences(new, old)[0]
    assert (exact.mean.mean, exact.p_value) == (0, 1)


def test_tables() -> None:
    old, new = run_of("old", 0, 0, 0, 0), run_of("new", 1, 1, 1, 1)
    lines = report.markdown(new).split("\n")
    assert lines[0].startswith("| rows of | rows | exact match, % | first line, % |")
    assert lines[2] == (
        "| cceval-python | 4 | 100.0 [100.0, 100.0] | 100.0 [100.0, 100.0] "
        "| 150, p95 300 | 300, p95 600 | 15, p95 30 | 2, p95 3 |"
    )
    compared = report.comparison(new, old).split("\n")
    assert compared[0] == "| rows of | rows | metric | against old | p |"
    assert compared[2].startswith("| cceval-python | 4 | exact match | +100.0 [+100.0, +100.0] |")


def test_words_say_the_same() -> None:
    words = report.text(run_of("new", 1, 1, 1, 1))
    assert "cceval-python, 4 rows\n  exact match        100.0 [100.0, 100.0] %\n" in words
    assert "outcomes           3 suggested, 1 empty" in words


def test_failures_are_shown_against_what_was_wanted() -> None:
    shown = report.failures(run_of("a", 1, 0, 0, 0), 2)
    assert shown.count("cceval-python/") == 2
    assert "cceval-python/0" not in shown
    assert "-right\n+wrong" in shown


def test_a_plot_has_a_point_for_each_run_in_each_group(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    both = Run("both", run_of("", 1, 0).rows + run_of("", 1, benchmark="cceval-java").rows)
    plot.draw([run_of("one", 0, 1), both], tmp_path / "plot.svg")
    drawn = (tmp_path / "plot.svg").read_text()
    assert drawn.lstrip().startswith("<?xml")
    with pytest.raises(plot.PlotError, match=r"plot\.xyz"):
        plot.draw([both], tmp_path / "plot.xyz")
