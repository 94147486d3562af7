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


async def test_the_context_sees_what_is_withheld_from_the_model() -> None:
    """The receiver before the cursor, above all."""
    context: Any = Context()
    template = TEMPLATES["qwen2.5-coder"]
    builder = PromptBuilder(byte_level(list(template.control_tokens)), template, window=2048)
    prompter = Prompter(Settings(), context, builder, for_ours=True)
    text = "return account.bal"
    request = CompletionRequest("a.py", "python", text, len(text), file=Path("a.py"))
    asked = await prompter.ask(request, request.anchor(), Work())
    assert asked.withheld
    assert context.asked[0].prefix == text
