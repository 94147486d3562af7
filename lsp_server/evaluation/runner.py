"""Runs a benchmark: every row is completed, and judged, unless that was done before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from lsp_server.evaluation.pipeline import Answer, EvaluationError, Pipeline
from lsp_server.evaluation.results import Kept, answer_key, model_identity, scores_key
from lsp_server.evaluation.rows import Row, with_line_end
from lsp_server.evaluation.setup import Setup
from lsp_server.evaluation.suites import Scores, Suite

FIRST_ROWS = 3
"""If all of them fail, so would the others."""


@dataclass(frozen=True, slots=True)
class Result:
    """A row as it was completed, the answer, and its scores: 0 where the answer is a failure."""

    row: Row
    answer: Answer
    scores: Scores


async def evaluate(
    suite: Suite, rows: Iterable[Row], setup: Setup, kept: Kept
) -> AsyncIterator[Result]:
    """The results of rows, one after the other, those of one workspace together. The model is
    brought up only where an answer is missing; what fails is not kept, and so tried again the next
    time. Raises EvaluationError, also where all of the first rows fail, ModelError, or
    SandboxUnavailable; what was found until then is kept."""
    model = model_identity(setup.settings)
    async with AsyncExitStack() as stack:
        pipeline: Pipeline | None = None
        failures: list[str] = []
        for row in sorted(rows, key=lambda row: str(row.workspace or "")):
            placed = setup.place(row)
            key = answer_key(placed, setup, model)
            if (known := kept.get(key)) is not None:
                answer = Answer(**known)
            else:
                if pipeline is None:
                    pipeline = await stack.enter_async_context(Pipeline(setup))
                answer = await pipeline.answer(placed)
                failures.append(answer.failure)
                if len(failures) == FIRST_ROWS and all(failures):
                    raise EvaluationError(f"the first rows fail: {'; '.join(failures)}")
                if not answer.failure:
                    kept.put(key, answer.as_data())
            yield Result(placed, answer, await _scores(suite, placed, answer, setup, kept))


async def _scores(suite: Suite, row: Row, answer: Answer, setup: Setup, kept: Kept) -> Scores:
    prediction = answer.text if setup.output == "raw" else with_line_end(row, answer.text)
    key = scores_key(row, prediction)
    scores: Scores | None = kept.get(key)
    if scores is None:
        scores = await suite.score(row, prediction)
        kept.put(key, scores)
    return dict.fromkeys(scores, 0.0) if answer.failure else scores
