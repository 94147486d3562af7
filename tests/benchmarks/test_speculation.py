from __future__ import annotations

from typing import Any

from benchmarks.speculation import MAX_REQUESTS, distinct, type_line
from lsp_server.evaluation.rows import Row
from tests.evaluation.rows import row


class FakeComparison:
    """Foresees what it is told for each beginning that was typed, else nothing."""

    def __init__(self, foreseen: dict[str, str]) -> None:
        self.asked: list[str] = []
        self._foreseen = foreseen

    def line(self, row: Row, typed: str) -> str:
        self.asked.append(typed)
        return self._foreseen.get(typed, "")


def typed(truth: str, foreseen: dict[str, str]) -> list[str]:
    comparison: Any = FakeComparison(foreseen)
    type_line(comparison, row(groundtruth=truth))
    asked: list[str] = comparison.asked
    return asked


def test_what_is_foreseen_is_taken() -> None:
    assert typed("    return x\n", {"    ": "return x\n"}) == ["    "]


def test_it_is_asked_anew_where_the_suggestion_is_wrong() -> None:
    foreseen = {"": "a = 1", "a = b": "\n"}
    assert typed("a = bc\nd", foreseen) == ["", "a = b"]


def test_blanks_do_not_make_a_suggestion_wrong() -> None:
    assert typed("a = bc", {"": "a =x", "a = ": " bc"}) == ["", "a = "]


def test_a_line_that_is_never_foreseen_is_given_up() -> None:
    assert len(typed("x" * 99, {})) == MAX_REQUESTS


def test_a_document_is_taken_once() -> None:
    rows = [
        row(id=str(index), prefix="ab"[:cut], groundtruth="ab"[cut:], suffix=end)
        for index, (cut, end) in enumerate([(0, ""), (1, ""), (1, "c")])
    ]
    chosen = distinct(list(rows), None, seed=0)
    assert len(chosen) == 2
    assert {each.suffix for each in chosen} == {"", "c"}
    assert len(distinct(list(rows), 1, seed=0)) == 1


def test_a_blank_more_makes_no_other_document() -> None:
    rows = [row(id=end, prefix="a", groundtruth="b", suffix=end) for end in ("", "\n", " \n")]
    assert len(distinct(rows, None, seed=0)) == 1
