"""The prompt for a cursor: what the workspace has to say, and the document around it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from lsp_server.completion.held_context import HeldContext
from lsp_server.completion.types import Anchor, CompletionRequest, Work
from lsp_server.context.cross_file import CrossFile, Question
from lsp_server.context.steadiness import Chosen
from lsp_server.prompt.boundary import (
    split_at_token_boundary,
    split_before_piece,
    without_closers,
)
from lsp_server.prompt.layout import PromptBuilder
from lsp_server.prompt.types import Budget, Order, Prompt
from lsp_server.settings import Settings

CHARACTERS_PER_TOKEN = 3
"""At least so many, in code: text within this many times a budget is surely shown."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt, the end of the text before the cursor that it withholds, and the choice of context
    in it."""

    prompt: Prompt
    withheld: str = ""
    context: Chosen = Chosen()


@dataclass(frozen=True, slots=True)
class Prompter:
    """Makes prompts with one model's builder, as the settings say. `held` is None where context is
    not held on to; `for_ours`: they go to our own model server, which can be told what its text has
    to begin with."""

    settings: Settings
    context: CrossFile
    builder: PromptBuilder
    held: HeldContext | None = None
    for_ours: bool = False

    @property
    def order_within_line(self) -> Order:
        """The order of prompts for a cursor that has text before it on its line."""
        wanted = self.settings.prompt.order
        if wanted != "auto":
            return wanted
        return self.builder.template.order_for(at_line_start=False, is_healed=self.for_ours)

    async def ask(
        self,
        request: CompletionRequest,
        at: Anchor,
        work: Work,
        order: Order | None = None,
        *,
        idle: bool = False,
    ) -> Asked:
        """The prompt for a cursor in the request's document, which now reads as `at`.

        `work` is told how long it took and what went in. `order` overrides that of the settings.
        `idle`: nobody waits for it, so the newest context is taken, whatever it costs to read.
        """
        if self.for_ours:
            known, withheld = split_before_piece(at.prefix, self.builder.tokenizer)
        else:
            known, withheld = split_at_token_boundary(at.prefix)
        began = time.monotonic()
        context = await self._choose(request, at)
        if self.held is not None and not idle:
            context = self.held.prefer(at, context, self._tokens(at))
            self.held.hold(at, context)
        work.context = dict(context.evidence)
        work.stages_ms["context"] = 1000 * (time.monotonic() - began)
        began = time.monotonic()
        wanted = self.settings.prompt
        prompt = await asyncio.to_thread(  # which has milliseconds of text to tokenize
            self.builder.build,
            path=request.path,
            prefix=known,
            suffix=without_closers(at.suffix),
            cross_file=request.cross_file or context.snippets,
            repository=request.repository,
            budget=Budget(wanted.prefix_tokens, wanted.suffix_tokens, wanted.cross_file_tokens),
            order=order or (None if wanted.order == "auto" else wanted.order),
            is_healed=self.for_ours,
            max_new_tokens=self.settings.completion.max_tokens,
        )
        work.stages_ms["prompt"] = 1000 * (time.monotonic() - began)
        work.prompt, work.order = prompt, prompt.order
        work.tokens.update(prompt.part_tokens)
        return Asked(prompt, withheld, context)

    def _tokens(self, at: Anchor) -> int:
        """About how many tokens of the document a prompt has."""
        wanted = self.settings.prompt
        before = min(wanted.prefix_tokens, len(at.prefix) // CHARACTERS_PER_TOKEN)
        return before + min(wanted.suffix_tokens, len(at.suffix) // CHARACTERS_PER_TOKEN)

    async def _choose(self, request: CompletionRequest, at: Anchor) -> Chosen:
        """What the workspace has to say, unless the request brings that itself."""
        if request.cross_file or request.file is None:
            return Chosen()
        wanted = self.settings.prompt
        shown_before = CHARACTERS_PER_TOKEN * wanted.prefix_tokens
        shown_after = CHARACTERS_PER_TOKEN * wanted.suffix_tokens
        question = Question(
            file=request.file,
            language_id=request.language,
            prefix=at.prefix,
            suffix=at.suffix,
            budget=wanted.cross_file_tokens,
            count=self.builder.count,
            shown=(max(0, len(at.prefix) - shown_before), len(at.prefix) + shown_after),
        )
        return await self.context.choose(question, self.settings.context.deadline_ms / 1000)
