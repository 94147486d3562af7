"""The prompt for a cursor: what the workspace has to say, and the document around it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from lsp_server.completion.types import Anchor, CompletionRequest, Work
from lsp_server.context.cross_file import CrossFile, Question
from lsp_server.prompt.boundary import split_at_token_boundary
from lsp_server.prompt.layout import PromptBuilder
from lsp_server.prompt.types import Budget, Order, Prompt, Snippet
from lsp_server.settings import Settings

CHARACTERS_PER_TOKEN = 3
"""At least so many, in code: text within this many times a budget is surely shown."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt, and the end of the text before the cursor that it withholds."""

    prompt: Prompt
    withheld: str = ""


@dataclass(frozen=True, slots=True)
class Prompter:
    """Makes prompts with one model's builder, as the settings say."""

    settings: Settings
    context: CrossFile
    builder: PromptBuilder

    async def ask(
        self, request: CompletionRequest, at: Anchor, work: Work, order: Order | None = None
    ) -> Asked:
        """The prompt for a cursor in the request's document, which now reads as `at`.

        `work` is told how long it took and what went in. `order` overrides that of the settings.
        """
        known, withheld = split_at_token_boundary(at.prefix)
        began = time.monotonic()
        cross_file = await self._cross_file(request, known, at.suffix, work)
        work.stages_ms["context"] = 1000 * (time.monotonic() - began)
        began = time.monotonic()
        wanted = self.settings.prompt
        prompt = self.builder.build(
            path=request.path,
            prefix=known,
            suffix=at.suffix,
            cross_file=cross_file,
            repository=request.repository,
            budget=Budget(wanted.prefix_tokens, wanted.suffix_tokens, wanted.cross_file_tokens),
            order=order or (None if wanted.order == "auto" else wanted.order),
            max_new_tokens=self.settings.completion.max_tokens,
        )
        work.stages_ms["prompt"] = 1000 * (time.monotonic() - began)
        work.prompt, work.order = prompt, prompt.order
        work.tokens.update(prompt.part_tokens)
        return Asked(prompt, withheld)

    async def _cross_file(
        self, request: CompletionRequest, prefix: str, suffix: str, work: Work
    ) -> Sequence[Snippet]:
        """What other files say: what the request brings, else what the workspace has."""
        if request.cross_file or request.file is None:
            return request.cross_file
        wanted = self.settings.prompt
        shown_before = CHARACTERS_PER_TOKEN * wanted.prefix_tokens
        shown_after = CHARACTERS_PER_TOKEN * wanted.suffix_tokens
        question = Question(
            file=request.file,
            language_id=request.language,
            prefix=prefix,
            suffix=suffix,
            budget=wanted.cross_file_tokens,
            count=self.builder.count,
            shown=(max(0, len(prefix) - shown_before), len(prefix) + shown_after),
        )
        chosen = await self.context.choose(question, self.settings.context.deadline_ms / 1000)
        work.context = dict(chosen.evidence)
        return chosen.snippets
