from __future__ import annotations

import inspect
import json
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.prompt.layout import PromptBuilder
from lsp_server.prompt.templates import TEMPLATES
from lsp_server.prompt.tokenizer import Tokenizer
from lsp_server.prompt.types import Budget, Order, Prompt, Snippet
from tests.prompt.tiny_tokenizers import byte_level

CODE = inspect.getsource(json) + inspect.getsource(inspect)
WINDOW = 4096

lines = st.lists(
    st.text(max_size=60)
    | st.sampled_from(["    return x", "", "é" * 200, "x" * 3000, "\t\t\t\t\t\t", "<|fim_middle|>"])
)
documents = lines.map("\n".join)


@pytest.fixture(scope="module")
def builder(qwen: Tokenizer) -> PromptBuilder:
    return PromptBuilder(qwen, TEMPLATES["qwen2.5-coder"], WINDOW)


@pytest.fixture(scope="module")
def deepseek_builder(deepseek: Tokenizer) -> PromptBuilder:
    return PromptBuilder(deepseek, TEMPLATES["deepseek-coder"], WINDOW)


def build(
    builder: PromptBuilder,
    prefix: str,
    suffix: str = "",
    budget: Budget | None = None,
    order: Order | None = None,
    snippets: tuple[Snippet, ...] = (),
) -> Prompt:
    return builder.build(
        path="src/main.py",
        prefix=prefix,
        suffix=suffix,
        cross_file=snippets,
        repository="repo",
        budget=budget,
        order=order,
    )


def part(builder: PromptBuilder, prompt: Prompt, after: str) -> str:
    """What stands after a control token, up to the next one."""
    control = set(builder.tokenizer.control_tokens.values())
    ids = list(prompt.ids)
    start = ids.index(builder.tokenizer.control_tokens[after]) + 1
    end = next((at for at in range(start, len(ids)) if ids[at] in control), len(ids))
    return builder.tokenizer.decode(ids[start:end])


def head(one: Prompt, other: Prompt) -> int:
    """How many ids two prompts have in common from the start."""
    same = (a == b for a, b in zip(one.ids, other.ids, strict=False))
    return next((at for at, equal in enumerate(same) if not equal), len(one.ids))


def test_short_files_go_in_whole(builder: PromptBuilder) -> None:
    prompt = build(builder, "a = 1\nb = ", "\nc = 3\n", order="psm")
    assert part(builder, prompt, "<|fim_prefix|>") == "a = 1\nb = "
    assert part(builder, prompt, "<|fim_suffix|>") == "\nc = 3\n"
    assert prompt.part_tokens == {
        "cross_file": 0,
        "prefix": len(builder.tokenizer.encode("a = 1\nb = ")),
        "suffix": len(builder.tokenizer.encode("\nc = 3\n")),
    }
    assert len(prompt.ids) == sum(prompt.part_tokens.values()) + 3


@pytest.mark.parametrize(
    ("prefix", "order"),
    [("a\n", "spm"), ("a\n  ", "spm"), ("", "spm"), ("a", "psm"), ("a\n  b ", "psm")],
)
def test_the_order_follows_the_cursor(builder: PromptBuilder, prefix: str, order: str) -> None:
    assert build(builder, prefix).order == order


@pytest.mark.parametrize(
    ("suffix", "order"), [("", "spm"), ("\nc\n", "spm"), ("  \r\n", "spm"), (" + c\n", "psm")]
)
def test_with_healing_it_follows_what_stands_after_the_cursor(
    builder: PromptBuilder, suffix: str, order: str
) -> None:
    prompt = builder.build(path="a.py", prefix="a = b", suffix=suffix, is_healed=True)
    assert prompt.order == order


def test_an_order_that_the_model_takes_can_be_asked_for(
    builder: PromptBuilder, deepseek_builder: PromptBuilder
) -> None:
    assert build(builder, "a\n", order="psm").order == "psm"
    assert build(deepseek_builder, "a\n", order="spm").order == "psm"


def test_the_cursors_line_begins_the_middle(builder: PromptBuilder) -> None:
    prompt = build(builder, "a = 1\nb = ", "\nc = 3\n", order="line")
    assert part(builder, prompt, "<|fim_prefix|>") == "a = 1\n"
    assert part(builder, prompt, "<|fim_suffix|>") == "\nc = 3\n"
    assert part(builder, prompt, "<|fim_middle|>") == "b = "
    assert prompt.part_tokens["prefix"] == len(prompt.ids) - prompt.part_tokens["suffix"] - 3
    assert build(builder, "a\n", order="line").ids == build(builder, "a\n", order="psm").ids


@pytest.mark.parametrize("line", ["x = (" + "b + " * 30, "é" * 100_000])
def test_a_long_line_stays_in_the_prefix(builder: PromptBuilder, line: str) -> None:
    prompt = build(builder, "a = 1\n" + line, budget=Budget(160, 20, 0), order="line")
    assert part(builder, prompt, "<|fim_middle|>") == ""
    assert line.endswith(part(builder, prompt, "<|fim_prefix|>")[-20:])


def test_empty_documents(builder: PromptBuilder) -> None:
    prompt = build(builder, "", "")
    assert prompt.part_tokens == {"cross_file": 0, "prefix": 0, "suffix": 0}
    assert len(prompt.ids) == 3


def test_parts_are_cut_at_line_starts(builder: PromptBuilder) -> None:
    cursor = CODE.index("def getfile")
    prompt = build(builder, CODE[:cursor], CODE[cursor:], Budget(200, 100, 0), "psm")
    prefix = part(builder, prompt, "<|fim_prefix|>")
    suffix = part(builder, prompt, "<|fim_suffix|>")
    assert CODE[:cursor].endswith("\n" + prefix)
    assert CODE[cursor:].startswith(suffix)
    assert suffix.endswith("\n")
    assert 100 <= prompt.part_tokens["prefix"] <= 200
    assert 60 <= prompt.part_tokens["suffix"] <= 100


def test_wide_lines_are_not_cut_inside(builder: PromptBuilder) -> None:
    """A run of blanks is one token, so these reach the limit of characters before the budget."""
    text = (" " * 90 + "x\n") * 200
    prompt = build(builder, text, text, Budget(100, 100, 0), "psm")
    for marker in ("<|fim_prefix|>", "<|fim_suffix|>"):
        kept = part(builder, prompt, marker)
        assert kept.count("\n") * 92 == len(kept) > 400


def test_a_line_longer_than_the_budget_is_cut_inside(builder: PromptBuilder) -> None:
    prefix, suffix = "import os\n" + "f(x), " * 2000, "g(y), " * 2000 + "\nend\n"
    prompt = build(builder, prefix, suffix, Budget(100, 50, 0), "psm")
    kept = part(builder, prompt, "<|fim_prefix|>")
    assert prefix.endswith(kept)
    assert suffix.startswith(part(builder, prompt, "<|fim_suffix|>"))
    assert 25 <= prompt.part_tokens["prefix"] <= 100
    assert prompt.part_tokens["suffix"] == 50


def test_a_cursor_below_a_giant_line_still_sees_text(builder: PromptBuilder) -> None:
    prompt = build(builder, "x = [" + "1, " * 100_000 + "]\n", budget=Budget(100, 50, 0))
    assert prompt.part_tokens["prefix"] >= 50


def test_line_ends_become_newlines(builder: PromptBuilder) -> None:
    prompt = build(builder, "a = 1\r\nb = ", "\r\nc\r\n")
    assert part(builder, prompt, "<|fim_prefix|>") == "a = 1\nb = "
    assert part(builder, prompt, "<|fim_suffix|>") == "\nc\n"


def test_form_feeds_and_line_separators_are_no_line_ends(builder: PromptBuilder) -> None:
    text = "a = '\x0c\u2028\x85'\n" * 40
    prompt = build(builder, text + "b", text, Budget(100, 100, 0), "psm")
    for marker in ("<|fim_prefix|>", "<|fim_suffix|>"):
        assert part(builder, prompt, marker).startswith("a = '")


@settings(deadline=None, max_examples=100)
@given(
    prefix=documents,
    suffix=documents,
    snippets=st.lists(st.builds(Snippet, st.text(max_size=20), documents), max_size=3),
    budget=st.builds(Budget, *[st.integers(0, 200)] * 3),
    order=st.sampled_from(["psm", "spm", "line", None]),
    window=st.integers(40, 700),
)
def test_budgets_and_the_window_hold(
    qwen: Tokenizer,
    deepseek: Tokenizer,
    prefix: str,
    suffix: str,
    snippets: list[Snippet],
    budget: Budget,
    order: Order | None,
    window: int,
) -> None:
    for tokenizer, family in ((qwen, "qwen2.5-coder"), (deepseek, "deepseek-coder")):
        prompt = PromptBuilder(tokenizer, TEMPLATES[family], window).build(
            path="a/b.py",
            prefix=prefix,
            suffix=suffix,
            cross_file=snippets,
            repository="repo",
            budget=budget,
            order=order,
            max_new_tokens=32,
        )
        assert len(prompt.ids) + 32 <= window
        for name, used in prompt.part_tokens.items():
            assert used <= getattr(budget, name)


@settings(deadline=None, max_examples=200)
@given(prefix=documents.map(lambda text: text.replace("\r", "")), tokens=st.integers(16, 120))
def test_the_prefix_ends_at_the_cursor(deepseek: Tokenizer, prefix: str, tokens: int) -> None:
    builder = PromptBuilder(deepseek, TEMPLATES["deepseek-coder"], WINDOW)
    prompt = build(builder, prefix, "rest", Budget(tokens, 50, 0))
    kept = part(builder, prompt, "<｜fim▁begin｜>")
    assert prefix.endswith(kept.lstrip("\ufffd"))
    assert bool(kept) == bool(prefix)


@settings(deadline=None, max_examples=60)
@given(
    typed=st.text(st.sampled_from("ab (.\n"), min_size=1, max_size=40),
    start=st.integers(0, 100_000),
    budget=st.sampled_from([Budget(1024, 256, 0), Budget(200, 50, 0)]),
)
def test_consecutive_keystrokes_share_the_prompts_head(
    qwen: Tokenizer, typed: str, start: int, budget: Budget
) -> None:
    """Of all keys of a burst, at most one moves the window's start."""
    builder = PromptBuilder(qwen, TEMPLATES["qwen2.5-coder"], WINDOW)
    start %= len(CODE)
    prompts = [
        build(builder, CODE[:start] + typed[:count], CODE[start:], budget, "spm")
        for count in range(len(typed) + 1)
    ]
    moved = 0
    for before, after in pairwise(prompts):
        # Typing may merge with the last tokens before the cursor, not with earlier ones.
        moved += head(before, after) < len(before.ids) - 12
    assert moved <= 1


def test_the_window_moves_in_hops(builder: PromptBuilder) -> None:
    """Typing 200 lines of a file moves the start a few times, not at each line."""
    text = CODE[:20_000]
    ends = [at + 1 for at, char in enumerate(text) if char == "\n"][-200:]
    prompts = [build(builder, text[:end], "tail", Budget(1024, 64, 0), "spm") for end in ends]
    moves = sum(head(a, b) < len(a.ids) - 12 for a, b in pairwise(prompts))
    assert 1 <= moves <= (ends[-1] - ends[0]) // 1024 + 1
    assert all(p.part_tokens["prefix"] >= 512 for p in prompts)


def test_documents_of_megabytes_are_not_read_whole(builder: PromptBuilder) -> None:
    seen = 0

    class Counting(Tokenizer):
        def __init__(self) -> None:
            self.__dict__.update(builder.tokenizer.__dict__)

        def encode(self, text: str) -> list[int]:
            nonlocal seen
            seen += len(text)
            return super().encode(text)

    counting = PromptBuilder(Counting(), builder.template, WINDOW)
    for text in (
        "value = compute(1)\n" * 110_000,
        "x" * 2_000_000,
        " " * 2_000_000,
        "é\n" * 999_999,
    ):
        seen = 0
        started = time.monotonic()
        prompt = build(counting, text, text, Budget())
        assert prompt.part_tokens["prefix"] > 0
        assert seen < 60_000
        assert time.monotonic() - started < 10


def test_snippets_fit_their_budget_best_first(builder: PromptBuilder) -> None:
    best = Snippet("best.py", "".join(f"best_{i} = {i}\n" for i in range(20)))
    other = Snippet("other.py", "".join(f"other_{i} = {i}\n" for i in range(200)))
    prompt = build(builder, "a", "b", Budget(100, 100, 300), "psm", (best, other))
    text = builder.tokenizer.decode(prompt.ids)
    assert f"<|file_sep|>best.py\n{best.text}<|file_sep|>src/main.py\n<|fim_prefix|>" in text
    cut = text[text.index("other.py\n") + 9 : text.index("<|file_sep|>best.py")]
    assert other.text.startswith(cut)
    assert cut.endswith("\n")
    assert 280 <= prompt.part_tokens["cross_file"] <= 300


def test_a_snippet_of_which_too_little_fits_is_left_out(builder: PromptBuilder) -> None:
    best = Snippet("best.py", "x = 1\n" * 10)
    used = build(builder, "a", "b", Budget(9, 9, 500), "psm", (best,)).part_tokens["cross_file"]
    long = Snippet("long.py", "some_name = some_value\n" * 100)
    prompt = build(builder, "a", "b", Budget(9, 9, used + 15), "psm", (best, long))
    assert prompt.part_tokens["cross_file"] == used
    lines = Snippet("lines.py", "some_name = some_value\nother_name = other_value\n")
    prompt = build(builder, "a", "b", Budget(9, 9, used + 12), "psm", (best, lines))
    assert prompt.part_tokens["cross_file"] == used
    prompt = build(builder, "a", "b", Budget(9, 9, 20), "psm", (long,))
    assert builder.tokenizer.decode(prompt.ids).startswith("<|fim_prefix|>a")


def test_markers_in_snippets_and_paths_stay_text(builder: PromptBuilder) -> None:
    snippet = Snippet("<|file_sep|>.py", "a = '<|fim_middle|>'\n")
    prompt = builder.build(
        path="<|fim_prefix|>.py",
        prefix="x = '<|fim_middle|>' + ",
        suffix="<|endoftext|>",
        cross_file=[snippet],
        repository="<|repo_name|>",
        order="psm",
    )
    control = set(builder.tokenizer.control_tokens.values())
    names = [builder.tokenizer.decode([id_]) for id_ in prompt.ids if id_ in control]
    assert names == [
        *("<|repo_name|>", "<|file_sep|>", "<|file_sep|>"),
        *("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    ]


def test_a_window_too_small_for_the_budgets(qwen: Tokenizer) -> None:
    small = PromptBuilder(qwen, TEMPLATES["qwen2.5-coder"], 512)
    prompt = build(small, CODE, CODE, snippets=(Snippet("a.py", CODE),))
    assert prompt.part_tokens["cross_file"] == 0
    assert prompt.part_tokens["prefix"] > prompt.part_tokens["suffix"] > 0
    assert len(prompt.ids) + 128 <= 512
    with pytest.raises(ValueError, match="has no room for a prompt"):
        PromptBuilder(qwen, TEMPLATES["qwen2.5-coder"], 128).build(path="", prefix="", suffix="")


def test_a_leading_space_is_within_the_budget() -> None:
    template = TEMPLATES["codellama"]
    tokenizer = byte_level([*template.control_tokens])
    builder = PromptBuilder(tokenizer, template, WINDOW)
    for budget in range(1, 40):
        prompt = build(builder, "9=1\n" * 20, "", Budget(budget, 0, 0))
        assert 0 < prompt.part_tokens["prefix"] <= budget


def test_left_is_only_what_stands_before_the_cursor(builder: PromptBuilder) -> None:
    prompt = build(builder, "a = 1\nb =", "\nc = 3\n", order="left")
    assert builder.tokenizer.decode(prompt.ids) == "a = 1\nb ="
    assert prompt.part_tokens["suffix"] == 0


def test_left_has_the_room_that_other_files_leave(builder: PromptBuilder) -> None:
    budget, prefix = Budget(100, 100, 50), "x = 1\n" * 99
    alone = build(builder, prefix, budget=budget, order="left")
    other = build(
        builder, prefix, budget=budget, order="left", snippets=(Snippet("o.py", "y = 2\n"),)
    )
    for prompt in (alone, other):
        assert 140 < sum(prompt.part_tokens.values()) <= 150
    assert other.part_tokens["prefix"] < alone.part_tokens["prefix"]
