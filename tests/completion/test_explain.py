from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.completion.explain import as_data, explain, explain_many, show, summary
from lsp_server.completion.place import place_at
from lsp_server.completion.scope import ScopeRules, scope_at
from lsp_server.completion.types import Outcome, Receipt
from lsp_server.prompt.types import Prompt
from lsp_server.settings import reference

SETTINGS = set(reference())
USUAL = {Outcome.SUGGESTED, Outcome.CACHED, Outcome.ATTACHED}
REASONS = [
    "",
    "completion.disabled_languages has markdown",
    "completion.eagerness is on-demand",
    "the cursor is in a comment",
    "the cursor is in a string",
    "there is text after the cursor",
    "the cursor is inside or right before a word",
]


def receipt(outcome: Outcome = Outcome.SUGGESTED, **more: Any) -> Receipt:
    return Receipt("src/a.py", 120, "file:///w/src/a.py", outcome=outcome, **more)


def answered() -> Receipt:
    return receipt(
        suggested=34,
        order="psm",
        stages_ms={"context": 12.25, "prompt": 2.04, "first_token": 55.0, "total": 84.4},
        tokens={"cross_file": 512, "prefix": 400, "suffix": 108, "cached": 900, "generated": 12},
        context={"src/b.py": "receiver", "src/c.py": "similar text", "src/d.py": "a new reason"},
        prompt=Prompt((1, 2), "psm", {}, ()),
    )


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_words(outcome: Outcome) -> None:
    first, *rest = explain(receipt(outcome)).split("\n")
    assert outcome.value in first
    assert bool(rest) is (outcome not in USUAL), "what to do, where something went otherwise"
    assert outcome.name not in explain(receipt(outcome))


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("reason", REASONS)
def test_settings_that_are_named_exist(outcome: Outcome, reason: str) -> None:
    words = explain(receipt(outcome, detail=reason))
    groups = {name.partition(".")[0] for name in SETTINGS if "." in name}
    named = re.findall(rf"\b(?:{'|'.join(groups)})\.\w+", words)
    assert set(named) <= SETTINGS


@pytest.mark.parametrize(
    ("prefix", "suffix", "setting"),
    [
        ("x = 1  # so ", "\n", "completion.in_comments to true"),
        ("x = 'so ", "'\n", "completion.in_strings to true"),
        ("x = ", " + more(1)\n", "completion.before_text to true"),
        ("x = na", "me\n", "and you get one"),
    ],
)
def test_where_suggestions_are_not_wanted_what_changes_that(
    prefix: str, suffix: str, setting: str
) -> None:
    rules = ScopeRules(in_comments=False, in_strings=False)
    why = scope_at(place_at(prefix, suffix, "python"), rules, invoked=False).why
    words = explain(receipt(Outcome.DISABLED, detail=why))
    assert why and why in words
    assert setting in words


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("completion.disabled_languages has markdown", "Taken out of completion.disabled"),
        ("completion.eagerness is on-demand", "completion.eagerness to normal"),
    ],
)
def test_where_settings_switch_suggestions_off_what_changes_that(reason: str, says: str) -> None:
    words = explain(receipt(Outcome.DISABLED, detail=reason))
    assert reason in words
    assert says in words


def test_all_that_is_known_of_an_answer() -> None:
    first, *rest = explain(answered()).split("\n")
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d, src/a\.py at character 120: suggested: 34 characters\.", first
    )
    assert rest == [
        "It took 84 ms. Milliseconds of the generation: context 12, prompt 2.0, first token 55.",
        "Tokens: 1020 in the prompt (512 of other files, 400 before the cursor, 108 after it), "
        "900 read before and reused; 12 generated.",
        "Other files in the prompt, and why:",
        "  src/b.py: the type of what stands before the dot",
        "  src/c.py: text like that around the cursor",
        "  src/d.py: a new reason",
    ]


@pytest.mark.parametrize("outcome", Outcome)
def test_where_to_look_is_said_once(outcome: Outcome) -> None:
    words = explain(receipt(outcome))
    assert words.count("doctor") <= 1
    assert len(re.findall(r"\blogs?\b", words)) <= 1


def test_how_unsure_the_model_was() -> None:
    words = explain(receipt(Outcome.UNSURE, detail="0.21 of at least 0.50"))
    assert "the model was too unsure (0.21 of at least 0.50)." in words
    assert "completion.min_confidence" in words


def test_how_far_loading_is() -> None:
    words = explain(receipt(Outcome.LOADING, detail="loading deepseek-coder-1.3b-base, 45 %"))
    assert "the model is not ready yet (loading deepseek-coder-1.3b-base, 45 %)." in words


def test_many_have_a_line_each() -> None:
    withdrawn = receipt(Outcome.CANCELLED, stages_ms={"total": 3.21})
    first, second = explain_many([withdrawn, answered()]).split("\n")
    assert first.endswith(f"  src/a.py at character 120  {Outcome.CANCELLED.value}  3.2 ms")
    assert second.endswith("  suggested: 34 characters  84 ms")
    assert explain_many([]) == ""


def test_a_place_is_a_line_where_that_is_known() -> None:
    assert "src/a.py at line 7" in explain(receipt(line=7))


def test_a_single_character() -> None:
    assert summary(receipt(suggested=1)) == "suggested: 1 character"


@given(st.text(), st.text(), st.text())
def test_nothing_from_outside_steers_a_terminal(path: str, detail: str, prompt: str) -> None:
    noted = Receipt(path, 0, detail=detail, context={path: detail})
    assert len(explain_many([noted, noted]).splitlines()) == 2
    shown = show(noted, prompt)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]", shown)


def test_the_exact_prompt_is_shown() -> None:
    prompt = "<|fim_prefix|>def f():\n\treturn <|fim_suffix|>\n\x1b[31m<|fim_middle|>"
    words, _, rest = show(answered(), prompt).partition("\n\n")
    assert words == explain(answered())
    assert rest == (
        "The prompt it comes from (in the order psm), control tokens by name:\n\n"
        "<|fim_prefix|>def f():\n\treturn <|fim_suffix|>\n␛[31m<|fim_middle|>"
    )


def test_where_there_is_no_prompt_that_is_said() -> None:
    assert show(answered(), None).endswith("\n\nIts prompt is not kept any more.")
    cached = show(receipt(Outcome.CACHED), None)
    assert cached.endswith("\n\nIts prompt is not kept any more.")
    private = show(receipt(Outcome.PRIVATE), None)
    assert private.endswith("\n\nFor this request the model was given no prompt.")


def test_as_plain_data_without_the_prompt() -> None:
    data = as_data(answered())
    assert json.loads(json.dumps(data)) == data
    assert (data["outcome"], data["why"]) == ("suggested", "suggested")
    assert data["context"]["src/c.py"] == "similar text"
    assert "prompt" not in data
