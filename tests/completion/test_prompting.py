from __future__ import annotations

from pathlib import Path
from typing import Any

from lsp_server.completion.prompting import Prompter
from lsp_server.completion.types import CompletionRequest, Work
from lsp_server.context.cross_file import Question
from lsp_server.context.steadiness import Chosen
from lsp_server.prompt.layout import PromptBuilder
from lsp_server.prompt.templates import TEMPLATES
from lsp_server.settings import Settings
from tests.prompt.tiny_tokenizers import byte_level


class Context:
    """Keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Question] = []

    async def choose(self, question: Question, seconds: float) -> Chosen:
        self.asked.append(question)
        return Chosen()


TEXT = "return account.bal"
REQUEST = CompletionRequest("a.py", "python", TEXT, len(TEXT), file=Path("a.py"))


def prompter(context: Any, *, for_ours: bool) -> Prompter:
    template = TEMPLATES["qwen2.5-coder"]
    builder = PromptBuilder(byte_level(list(template.control_tokens)), template, window=2048)
    return Prompter(Settings(), context, builder, for_ours=for_ours)


async def test_the_context_sees_what_is_withheld_from_the_model() -> None:
    """The receiver before the cursor, above all."""
    context = Context()
    asked = await prompter(context, for_ours=True).ask(REQUEST, REQUEST.anchor(), Work())
    assert asked.withheld
    assert context.asked[0].prefix == TEXT


async def test_the_order_depends_on_whether_the_engine_heals_tokens() -> None:
    for for_ours, order in ((True, "spm"), (False, "psm")):
        work, made = Work(), prompter(Context(), for_ours=for_ours)
        await made.ask(REQUEST, REQUEST.anchor(), work)
        assert work.order == made.order_within_line == order


async def test_a_bracket_that_the_editor_closes_leaves_the_prompt_as_it_is() -> None:
    made = prompter(Context(), for_ours=True)
    prompts = []
    for text, offset in (("f(", 2), ("f()", 2)):
        request = CompletionRequest("a.py", "python", text + "\nb = 2\n", offset)
        prompts.append((await made.ask(request, request.anchor(), Work())).prompt.ids)
    assert prompts[0] == prompts[1]
