from __future__ import annotations

import json

from benchmarks.replay.__main__ import acceptance, as_json, table
from benchmarks.replay.assistant import Usage
from benchmarks.replay.metrics import figures
from benchmarks.replay.typist import Struck, Trace


def trace(milliseconds: float, saved: int) -> Trace:
    struck = [Struck(1.0, "typed", stayed=False, answered=1.0 + milliseconds / 1000)]
    usage = Usage(answered=4, reused=2, generated=10, outcomes={"cached": 2, "suggested": 2})
    return Trace("a.py:f", 10, struck, saved, ["one two"], usage=usage)


TRACES = {
    "all": [trace(50, 6)],
    "off": [trace(200, 3)],
    "llama.vim": [trace(100, 4)],
}
RESULTS = {name: figures(some, lambda text: len(text.split())) for name, some in TRACES.items()}


def test_every_row_of_the_table_has_all_columns() -> None:
    rows = table(RESULTS).split("\n")
    assert {row.count("|") for row in rows} == {5}
    assert (
        rows[2]
        == "| keys not typed, % | 60.0 [60.0, 60.0] | 30.0 [30.0, 30.0] | 40.0 [40.0, 40.0] |"
    )


def test_what_the_server_is_held_to() -> None:
    shown = "\n".join(acceptance(RESULTS))
    assert "without a new generation: 50.0 [50.0, 50.0] %, wanted ≥ 50" in shown
    assert "key to visible suggestion, p50, ms: 0.25 of off, wanted < 0.33" in shown
    assert "tokens generated per token used: 1.00 of off, wanted ≤ 0.5" in shown
    assert "keys not typed, %: 1.50 of llama.vim, wanted > 1" in shown


def test_what_was_not_run_is_not_compared() -> None:
    assert len(acceptance({"all": RESULTS["all"]})) == 1
    assert acceptance({"off": RESULTS["off"]}) == []


def test_a_key_without_an_answer_waits_for_ever() -> None:
    silent = Trace("a.py:f", 10, [Struck(1.0, "typed", stayed=False, answered=None)])
    results = {"all": RESULTS["all"], "llama.vim": figures([silent], len)}
    assert "| of all keys, those without an answer too, p50, ms | 50.0 [50.0, 50.0] | never |" in (
        table(results)
    )
    assert "p50, ms: 0.00 of llama.vim, wanted < 1" in "\n".join(acceptance(results))
    made = as_json({}, {}, results)
    assert json.loads(json.dumps(made, allow_nan=False))["figures"]["llama.vim"]["key_p50_ms"] == {
        "value": "never",
        "low": "never",
        "high": "never",
    }


def test_all_of_it_as_json() -> None:
    made = json.loads(json.dumps(as_json({"seed": 1}, TRACES, RESULTS)))
    assert made["options"] == {"seed": 1}
    assert made["figures"]["all"]["saved_percent"]["value"] == 60.0
    assert made["traces"]["off"][0]["usage"]["outcomes"] == {"cached": 2, "suggested": 2}
