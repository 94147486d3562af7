from __future__ import annotations

import pytest

from lsp_server.inference.engine.kv_cache import common_prefix
from lsp_server.prompt.layout import PromptBuilder
from lsp_server.prompt.templates import TEMPLATES, NoTemplateError, Slot, Template, recognise
from lsp_server.prompt.tokenizer import Tokenizer
from lsp_server.prompt.types import Order, Snippet
from tests.prompt.tiny_tokenizers import byte_level, sentencepiece
from tests.tokenizers import tokenizer_json

SNIPPETS = (Snippet("best.py", "one = 1\n"), Snippet("next.py", "two = 2"))
SENTENCEPIECE = {"codellama", "codestral", "codegemma"}


def tokenizer_of(family: str) -> Tokenizer:
    template = TEMPLATES[family]
    tokens = list(dict.fromkeys([*template.control_tokens, *template.marks]))
    return sentencepiece(tokens) if family in SENTENCEPIECE else byte_level(tokens)


def written(family: str, order: Order | None = None, *, repository: bool = False) -> str:
    """The whole prompt as text, control tokens by name, for a cursor after `a = `."""
    tokenizer = tokenizer_of(family)
    prompt = PromptBuilder(tokenizer, TEMPLATES[family], 4096).build(
        path="main.py",
        prefix="def f():\n    a = ",
        suffix=" + 1\n",
        cross_file=SNIPPETS if repository else (),
        repository="repo",
        order=order,
    )
    return tokenizer.decode(prompt.ids)


PRE, SUF = "def f():\n    a = ", " + 1\n"
PLAIN_PSM = f"<fim_prefix>{PRE}<fim_suffix>{SUF}<fim_middle>"
PLAIN_SPM = f"<fim_prefix><fim_suffix>{SUF}<fim_middle>{PRE}"
PIPES_PSM = f"<|fim_prefix|>{PRE}<|fim_suffix|>{SUF}<|fim_middle|>"
PIPES_SPM = f"<|fim_prefix|><|fim_suffix|>{SUF}<|fim_middle|>{PRE}"
DEEPSEEK = f"<｜begin▁of▁sentence｜><｜fim▁begin｜>{PRE}<｜fim▁hole｜>{SUF}<｜fim▁end｜>"


@pytest.mark.parametrize(
    ("family", "order", "expected"),
    [
        ("deepseek-coder", "psm", DEEPSEEK),
        ("deepseek-coder", "spm", DEEPSEEK),
        ("deepseek-coder-v2", "psm", DEEPSEEK),
        ("qwen2.5-coder", "psm", PIPES_PSM),
        ("qwen2.5-coder", "spm", PIPES_SPM),
        ("starcoder2", "psm", PLAIN_PSM),
        ("starcoder2", "spm", PLAIN_SPM),
        ("granite-code", "psm", PLAIN_PSM),
        ("granite-code", "spm", PLAIN_SPM),
        ("codellama", "psm", f"<s>▁<PRE> {PRE}▁<SUF>{SUF}▁<MID>"),
        ("codellama", "spm", f"<s>▁<PRE>▁<SUF>{SUF}▁<MID> {PRE}"),
        ("codegemma", "psm", f"<bos>{PIPES_PSM}"),
        ("codestral", "spm", f"<s>[SUFFIX]{SUF}[PREFIX] {PRE}"),
        ("codestral", "psm", f"<s>[SUFFIX]{SUF}[PREFIX] {PRE}"),
        ("mellum", "spm", f"<fim_suffix>{SUF}<fim_prefix>{PRE}<fim_middle>"),
        ("seed-coder", "spm", f"<[fim-suffix]>{SUF}<[fim-prefix]>{PRE}<[fim-middle]>"),
        ("plain-pipes", "psm", PIPES_PSM),
    ],
)
def test_the_form_without_other_files(family: str, order: Order, expected: str) -> None:
    assert written(family, order) == expected


COMMENTS = "# next.py\ntwo = 2\n# best.py\none = 1\n# main.py\n"


@pytest.mark.parametrize(
    ("family", "order", "expected"),
    [
        (
            "deepseek-coder",
            "psm",
            "<｜begin▁of▁sentence｜><｜fim▁begin｜>#next.py\ntwo = 2\n#best.py\none = 1\n#main.py\n"
            f"{PRE}<｜fim▁hole｜>{SUF}<｜fim▁end｜>",
        ),
        (
            "qwen2.5-coder",
            "psm",
            "<|repo_name|>repo\n<|file_sep|>next.py\ntwo = 2\n<|file_sep|>best.py\none = 1\n"
            f"<|file_sep|>main.py\n{PIPES_PSM}",
        ),
        (
            "qwen2.5-coder",
            "spm",
            "<|repo_name|>repo\n<|file_sep|>next.py\ntwo = 2\n<|file_sep|>best.py\none = 1\n"
            f"<|file_sep|>main.py\n{PIPES_SPM}",
        ),
        (
            "starcoder2",
            "psm",
            "<repo_name>repo<file_sep>next.py\ntwo = 2\n<file_sep>best.py\none = 1\n<file_sep>"
            f"<fim_prefix>main.py\n{PRE}<fim_suffix>{SUF}<fim_middle>",
        ),
        (
            "codegemma",
            "psm",
            "<bos>next.py\ntwo = 2\n<|file_separator|>best.py\none = 1\n<|file_separator|>"
            f"main.py\n{PIPES_PSM}",
        ),
        (
            "mellum",
            "spm",
            "<filename>next.py\ntwo = 2\n<filename>best.py\none = 1\n<filename>main.py\n"
            f"<fim_suffix>{SUF}<fim_prefix>{PRE}<fim_middle>",
        ),
        ("codellama", "psm", f"<s>▁<PRE>{COMMENTS}{PRE}▁<SUF>{SUF}▁<MID>"),
        ("codestral", "spm", f"<s>[SUFFIX]{SUF}[PREFIX]{COMMENTS}{PRE}"),
        ("granite-code", "psm", f"<fim_prefix>{COMMENTS}{PRE}<fim_suffix>{SUF}<fim_middle>"),
    ],
)
def test_the_repository_form(family: str, order: Order, expected: str) -> None:
    assert written(family, order, repository=True) == expected


def test_qwen_chooses_its_order_by_the_cursor_unless_it_heals() -> None:
    template = TEMPLATES["qwen2.5-coder"]
    assert template.order_for(at_line_start=True, is_healed=False) == "spm"
    assert template.order_for(at_line_start=False, is_healed=False) == "psm"
    assert template.order_for(at_line_start=False, is_healed=True) == "spm"


@pytest.mark.parametrize("family", TEMPLATES)
def test_where_tokens_are_healed_a_key_only_adds_to_the_prompt(family: str) -> None:
    builder = PromptBuilder(tokenizer_of(family), TEMPLATES[family], 4096)
    before, after = (
        builder.build(path="a.py", prefix=prefix, suffix="\nc = 3\n", is_healed=True).ids
        for prefix in ("a = 1\nb =", "a = 1\nb = c")
    )
    middle = 1  # where it stands after the prefix, it moves
    assert common_prefix(before, after) >= len(before) - middle
    assert len(after) > len(before)


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES.keys())
def test_every_template_is_complete(template: Template) -> None:
    assert template.source
    used = {template.at_line_start, template.within_line, template.healed}
    assert set(template.orders) >= used
    for order in template.orders:
        parts = template.sequence(order)
        assert len(parts) == len(set(parts))
        assert set(parts) >= set(Slot) - {Slot.LINE, Slot.REPOSITORY, Slot.PATH, Slot.TEXT}
        assert (Slot.LINE in parts) == (order == "line")
        assert set(template.stop) >= {part for part in parts if isinstance(part, str)}


def test_an_order_that_a_family_was_not_trained_on_is_refused() -> None:
    with pytest.raises(ValueError, match="deepseek-coder was not trained on spm"):
        TEMPLATES["deepseek-coder"].sequence("spm")


@pytest.mark.parametrize("family", TEMPLATES)
def test_each_family_is_recognised_by_its_own_tokens(family: str) -> None:
    assert recognise(tokenizer_of(family)).name == family


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("deepseek-coder-33b-base", "deepseek-coder"),
        ("deepseek-v2.5", "deepseek-coder-v2"),
        ("qwen-2.5", "qwen2.5-coder"),
    ],
)
def test_published_tokenizers_are_recognised(name: str, family: str) -> None:
    assert recognise(Tokenizer(tokenizer_json(name))).name == family


def test_models_that_cannot_fill_in_are_refused() -> None:
    tokenizer = Tokenizer(tokenizer_json("deepseek-v2"))
    with pytest.raises(NoTemplateError, match=r"<｜fim▁hole｜>.*coder-lsp models list"):
        recognise(tokenizer)
    with pytest.raises(NoTemplateError, match=r"lacks <\|fim_prefix\|>"):
        PromptBuilder(tokenizer, TEMPLATES["qwen2.5-coder"], 4096)


def test_stop_ids_of_the_published_tokenizers(deepseek: Tokenizer, qwen: Tokenizer) -> None:
    template = TEMPLATES["deepseek-coder"]
    stop = PromptBuilder(deepseek, template, 4096).stop_ids
    assert stop == (32013, 32014, 32015, 32016, 32017, 32021)
    stop = PromptBuilder(qwen, TEMPLATES["qwen2.5-coder"], 4096).stop_ids
    assert stop == (151643, 151644, 151645, *range(151659, 151665))
