"""The benchmarks: what of a prediction is judged, and how."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lsp_server.evaluation import metrics
from lsp_server.evaluation.rows import Row
from lsp_server.evaluation.sandbox import run_script, run_tests

Scores = dict[str, float]
"""By metric, each from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A benchmark. `short` is how its rows' benchmark begins; `cross_file` says which pieces of
    other files are shown where nothing else is asked for; `score` judges a prediction, the text
    inserted at a row's cursor."""

    name: str
    short: str
    cross_file: str
    score: Callable[[Row, str], Awaitable[Scores]]

    def holds(self, row: Row) -> bool:
        """Whether a row is of this benchmark."""
        return row.benchmark.split("-")[0] == self.short


def first_line(text: str) -> str:
    """The first line that is not blank, without blank space at its ends."""
    return next((line.strip() for line in text.split("\n") if line.strip()), "")


async def _humaneval_infilling(row: Row, prediction: str) -> Scores:
    """pass@1 by the tests that the row brings."""
    program = f"{row.prefix}{prediction}{row.suffix}\n{row.meta['test']}\n"
    verdict = await run_tests(f"{program}check({row.meta['entry_point']})\n")
    return {
        "pass@1": float(verdict.passed),
        "exact match": float(metrics.exact_match(prediction, row.groundtruth)),
        "edit similarity": metrics.edit_similarity(prediction, row.groundtruth),
        "first line": _first_line_match(row, prediction),
    }


async def _crosscodeeval(row: Row, prediction: str) -> Scores:
    scores = metrics.cross_code_scores(row.prefix, prediction, row.groundtruth, row.language)
    return {
        "exact match": float(scores.exact_match),
        "edit similarity": scores.edit_similarity,
        "identifier match": float(scores.identifier_exact),
        "identifier F1": scores.identifier_f1,
        "first line": _first_line_match(row, prediction),
    }


async def _safim(row: Row, prediction: str) -> Scores:
    """API calls are compared. Control-flow expressions are right when they are the same, or, in
    Python, when the program passes its tests; the other languages' are not run."""
    if row.benchmark == "safim-api":
        judged = metrics.safim_api_call(prediction)
        passed = metrics.safim_api_match(judged, row.groundtruth, row.language)
    else:
        judged = metrics.safim_control_expression(prediction, row.language)
        passed = "".join(judged.split()) == "".join(row.groundtruth.split())
        if not passed and row.language == "python":
            passed = await _passes(row.prefix + judged + row.suffix, row.meta["unit_tests"])
    return {"pass@1": float(passed), "first line": _first_line_match(row, prediction)}


async def _passes(program: str, tests: Sequence[Mapping[str, Any]]) -> bool:
    """Whether there are tests, and a program writes what each expects for its input."""
    for test in tests:
        verdict = await run_script(program, test["input"])
        right = (metrics.safim_output_match(verdict.output, each) for each in test["output"])
        if not (verdict.passed and any(right)):
            return False
    return bool(tests)


async def _repository(row: Row, prediction: str) -> Scores:
    """The rest of the cursor's line, however much more is suggested."""
    predicted, true = (text.split("\n")[0].strip() for text in (prediction, row.groundtruth))
    return {
        "exact match": float(predicted == true),
        "edit similarity": metrics.edit_similarity(predicted, true),
        "identifier match": float(metrics.identifier_exact(predicted, true, row.language)),
        "identifier F1": metrics.identifier_f1(predicted, true, row.language),
    }


def _first_line_match(row: Row, prediction: str) -> float:
    """Whether the first lines are the same; within a line, both begin there or both below it."""
    is_within = bool(row.prefix.split("\n")[-1].strip())
    if is_within and _begins_below(prediction) != _begins_below(row.groundtruth):
        return 0.0
    return float(first_line(prediction) == first_line(row.groundtruth))


def _begins_below(text: str) -> bool:
    return not text.split("\n")[0].strip()


SUITES = {
    suite.name: suite
    for suite in (
        Suite("humaneval-infilling", "heinfill", "none", _humaneval_infilling),
        Suite("crosscodeeval", "cceval", "given", _crosscodeeval),
        Suite("safim", "safim", "none", _safim),
        Suite("repository", "repository", "workspace", _repository),
    )
}
