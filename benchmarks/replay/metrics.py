"""Figures of traces, each with a 95 % interval from drawing segments anew.

`visible`: for each change of the text (a key, a backspace, an acceptance) whose answer came before
the next change and was not empty, the time from the change to that answer's being visible, in
milliseconds; 0 where a suggestion stayed visible meanwhile because what was typed agrees with it.
An answer that came too late, and a suggestion that stayed without the new text's answer, do not
count.
`new`: the same without those that stayed. `key`: the same over all changes, where one whose answer
was empty, late or not there counts as never answered (infinite).
`generated_per_used` counts tokens: all that the engine generated, for suggestions shown or not, by
those of the accepted text.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.replay.typist import Struck, Trace

RESAMPLES = 2000
Count = Callable[[str], int]
"""How many tokens a text is."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A value and its interval; None where there is nothing to take it from."""

    value: float | None
    low: float | None
    high: float | None


def figures(traces: Sequence[Trace], count: Count) -> dict[str, Figure]:
    """All figures of one condition, by name."""
    used = {id(trace): sum(map(count, trace.accepted)) for trace in traces}
    measures: dict[str, Callable[[Sequence[Trace]], float | None]] = {
        "saved_percent": lambda some: _percent(_sum(some, "saved"), _sum(some, "keys")),
        "visible_p50_ms": lambda some: percentile(visible_ms(some), 50),
        "visible_p95_ms": lambda some: percentile(visible_ms(some), 95),
        "new_p50_ms": lambda some: percentile(new_ms(some), 50),
        "new_p95_ms": lambda some: percentile(new_ms(some), 95),
        "key_p50_ms": lambda some: percentile(key_ms(some), 50),
        "shown_percent": lambda some: _percent(len(visible_ms(some)), len(_struck(some))),
        "reused_percent": lambda some: _percent(
            sum(each.usage.reused for each in some), sum(each.usage.answered for each in some)
        ),
        "generated_per_used": lambda some: _ratio(
            sum(each.usage.generated for each in some), sum(used[id(each)] for each in some)
        ),
        "rest_p50_ms": lambda some: percentile(_rest_ms(some), 50),
        "rest_p95_ms": lambda some: percentile(_rest_ms(some), 95),
    }
    return {name: _figure(measure, traces) for name, measure in measures.items()}


def visible_ms(traces: Iterable[Trace]) -> list[float]:
    """Times from a change to its visible answer; see above."""
    return [
        0.0 if each.stayed else 1000 * (each.answered - each.at)
        for each in _struck(traces)
        if each.answered is not None
    ]


def new_ms(traces: Iterable[Trace]) -> list[float]:
    """Those of them where nothing had stayed visible."""
    return [
        1000 * (each.answered - each.at)
        for each in _struck(traces)
        if each.answered is not None and not each.stayed
    ]


def key_ms(traces: Sequence[Trace]) -> list[float]:
    """Times of all changes, infinite where there was no visible answer."""
    visible = visible_ms(traces)
    return visible + [math.inf] * (len(_struck(traces)) - len(visible))


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The smallest value that so many percent are not above; None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else None


def _figure(measure: Callable[[Sequence[Trace]], float | None], traces: Sequence[Trace]) -> Figure:
    draw = random.Random(0)
    drawn = (measure(draw.choices(traces, k=len(traces))) for _ in range(RESAMPLES))
    found = sorted(each for each in drawn if each is not None)
    if not found:
        return Figure(measure(traces), None, None)
    return Figure(measure(traces), percentile(found, 2.5), percentile(found, 97.5))


def _struck(traces: Iterable[Trace]) -> list[Struck]:
    return [each for trace in traces for each in trace.struck]


def _rest_ms(traces: Iterable[Trace]) -> list[float]:
    return [each for trace in traces for each in trace.rest_ms]


def _sum(traces: Iterable[Trace], name: str) -> int:
    return sum(getattr(trace, name) for trace in traces)


def _percent(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole else None


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
