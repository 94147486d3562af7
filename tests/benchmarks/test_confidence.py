from __future__ import annotations

import math

import pytest

from benchmarks.confidence import FIGURES, Line, bins, roc_area, trade_off


def line(*probabilities: float, right: bool = True) -> Line:
    return Line(tuple(map(math.log, probabilities)), right)


def test_figures_of_a_line() -> None:
    found = line(0.1, 1.0, 1.0, 0.01)
    assert found.geometric_mean == pytest.approx(0.001**0.25)
    assert found.mean == pytest.approx(2.11 / 4)
    assert found.minimum == pytest.approx(0.01)


def test_a_bound_is_applied_from_the_third_token_on() -> None:
    assert line(0.1, 0.1, 1.0, 1.0).lowest_mean == pytest.approx(0.01 ** (1 / 3))
    assert line(0.1, 0.4).lowest_mean == pytest.approx(0.2)
    assert line(0.9).lowest_mean == pytest.approx(0.9)


def test_the_area_is_that_of_a_right_line_having_the_greater_figure() -> None:
    figure = FIGURES["geometric mean"]
    assert roc_area([line(0.9), line(0.2, right=False)], figure) == 1
    assert roc_area([line(0.2), line(0.9, right=False)], figure) == 0
    assert roc_area([line(0.5), line(0.5, right=False)], figure) == 0.5
    assert math.isnan(roc_area([line(0.5)], figure))


def test_bins_hold_every_line_once() -> None:
    lines = [line(p) for p in (0.05, 0.1, 0.55, 0.58, 0.99, 1.0)]
    found = bins(lines)
    assert [low for low, _ in found] == [0.0, 0.1, 0.5, 0.9]
    assert [each for _, inside in found for each in inside] == lines


def test_what_a_bound_withholds_and_loses() -> None:
    lines = [line(0.9), line(0.3), line(0.2, right=False), line(0.8, right=False)]
    assert trade_off(lines, 0.5) == ["50.0 %", "50.0 %", "50.0 %", "50.0 %"]
    assert trade_off(lines, 0.1) == ["0.0 %", "-", "0.0 %", "50.0 %"]
