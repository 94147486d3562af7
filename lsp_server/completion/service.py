"""From a request to a suggestion: prompt, generation, the moment to stop, and trimming."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path

from lsp_server.completion import postprocess
from lsp_server.completion.builder import load_builder
from lsp_server.completion.scope import Scope, scope_at
from lsp_server.completion.types import (
    SUPERSEDED,
    CompletionRequest,
    EditorWorkspace,
    EngineState,
    Outcome,
    Receipt,
    Suggestion,
)
from lsp_server.context.cross_file import CrossFile, Question
from lsp_server.context.files import Rules
from lsp_server.inference.client import (
    Chunk,
    CompletionsClient,
    EngineError,
    EngineUnavailableError,
)
from lsp_server.inference.engines import Engine, chosen_model, make_engine
from lsp_server.inference.models.store import ModelError
from lsp_server.prompt.boundary import split_at_token_boundary
from lsp_server.prompt.layout import PromptBuilder
from lsp_server.prompt.line_ends import with_plain_newlines
from lsp_server.prompt.templates import NoTemplateError
from lsp_server.prompt.tokenizer import TokenizerError
from lsp_server.prompt.types import Budget, Prompt, Snippet
from lsp_server.settings import Settings

RECEIPTS_KEPT = 100
CHARACTERS_PER_TOKEN = 3
"""At least so many, in code: text within this many times a budget is surely shown."""

log = logging.getLogger(__name__)


class CompletionService:
    """Answers completion requests with one model. All methods belong to one event loop.

    `on_state` is called at every change of the engine's state; `receipts` holds the latest
    requests' receipts, oldest first. `context` wants to be told of documents and files.
    """

    def __init__(
        self,
        settings: Settings,
        on_state: Callable[[EngineState], None],
        workspace: EditorWorkspace | None = None,
    ) -> None:
        self._settings = settings
        self._workspace = workspace or EditorWorkspace()
        self.context = self._make_context(self._workspace.roots)
        self._on_state = on_state
        self._user = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._engine: Engine | None = None
        self._builder: PromptBuilder | None = None
        self._setup: asyncio.Task[None] | None = None
        self.state = EngineState("starting")
        self.receipts: deque[Receipt] = deque(maxlen=RECEIPTS_KEPT)

    async def start(self) -> None:
        """Begin to bring the model up and to index the workspace, in the background."""
        self._setup = asyncio.get_running_loop().create_task(self._bring_up())
        await self.context.start()

    async def configure(self, settings: Settings) -> None:
        """Take over new settings; engine and context are changed only when they concern them.

        A new `context` knows of no document: it has to be told of those that are open.
        """
        old, self._settings = self._settings, settings
        if (old.model, old.engine) != (settings.model, settings.engine):
            await self._let_go_of_engine()
            self._set_state(EngineState("starting"))
            self._setup = asyncio.get_running_loop().create_task(self._bring_up())
        if (old.context, old.privacy) != (settings.context, settings.privacy):
            await self.context.close()
            self.context = self._make_context(self.context.roots)
            await self.context.start()

    async def close(self) -> None:
        """Let go of the engine, and end indexing."""
        await asyncio.gather(self._let_go_of_engine(), self.context.close())

    async def _let_go_of_engine(self) -> None:
        if self._setup is not None:
            self._setup.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._setup
            self._setup = None
        if self._engine is not None:
            await self._engine.close()
            self._engine = None
        self._builder = None

    def _make_context(self, roots: Sequence[Path]) -> CrossFile:
        wanted, privacy = self._settings.context, self._settings.privacy
        rules = Rules(
            exclude=tuple(wanted.exclude),
            max_file_bytes=wanted.max_file_bytes,
            never=tuple(privacy.never),
            not_shared=tuple(privacy.not_shared),
            fine=tuple(privacy.fine),
        )
        return CrossFile(
            roots,
            rules,
            self._workspace.on_progress,
            watches=self._workspace.watches,
            enabled=wanted.enabled,
        )

    async def complete(self, request: CompletionRequest) -> Suggestion:
        """The suggestion for a request; its text is empty when there is none, and its receipt says
        why. Raises nothing but CancelledError; cancelling ends the generation."""
        receipt = Receipt(path=request.path, offset=request.offset)
        began = time.monotonic()
        try:
            limit = self._settings.engine.timeout_seconds
            text = await asyncio.wait_for(self._answer(request, receipt), limit)
        except asyncio.CancelledError as error:
            superseded = SUPERSEDED in error.args
            receipt.outcome = Outcome.SUPERSEDED if superseded else Outcome.CANCELLED
            raise
        except asyncio.TimeoutError:
            receipt.outcome, text = Outcome.TIMED_OUT, ""
        except EngineError as error:
            receipt.outcome, receipt.detail, text = Outcome.ENGINE_FAILED, str(error), ""
            log.warning("the engine failed: %s", error)
            if self._engine is not None and _means_gone(error):
                self._engine.lost()
        except Exception as error:
            # not what it says: some errors quote the text that they are about
            receipt.outcome, receipt.detail, text = Outcome.FAILED, type(error).__name__, ""
            log.exception("a completion failed")
        finally:
            receipt.stages_ms["total"] = 1000 * (time.monotonic() - began)
            self.receipts.append(receipt)
        return Suggestion(text, receipt)

    async def _answer(self, request: CompletionRequest, receipt: Receipt) -> str:
        file = request.file or Path(request.path)
        # in a thread: it looks for links on the disk, and for keys in all of the text
        if await asyncio.to_thread(self.context.level, file, request.text) == "never":
            receipt.outcome = Outcome.PRIVATE
            return ""
        client = self._engine.client if self._engine is not None else None
        if client is None or self._builder is None:
            receipt.outcome, receipt.detail = Outcome.LOADING, self.state.message
            if self.state.status == "failed":
                receipt.outcome = Outcome.NO_MODEL
                if self._engine is not None and self._engine.state.status == "failed":
                    self._engine.lost()  # it is tried again, with growing pauses
            return ""
        prefix = with_plain_newlines(request.text[: request.offset])
        suffix = with_plain_newlines(request.text[request.offset :])
        scope = scope_at(prefix, suffix)
        known, withheld = split_at_token_boundary(prefix)
        began = time.monotonic()
        cross_file = await self._cross_file(self._builder, request, known, suffix, receipt)
        receipt.stages_ms["context"] = 1000 * (time.monotonic() - began)
        began = time.monotonic()
        prompt = self._prompt(self._builder, request, known, suffix, cross_file)
        receipt.order, receipt.tokens = prompt.order, dict(prompt.part_tokens)
        receipt.stages_ms["prompt"] = 1000 * (time.monotonic() - began)
        raw = await self._generate(client, prompt, prefix, withheld, scope, receipt)
        if raw is None:
            receipt.outcome = Outcome.SUPERSEDED
            return ""
        fitted = postprocess.fit(raw, suffix, scope, self._settings.completion.max_lines)
        if fitted:
            receipt.outcome = Outcome.SUGGESTED
        else:
            receipt.outcome = Outcome.TRIMMED if raw.strip() else Outcome.EMPTY
        return fitted

    async def _cross_file(
        self,
        builder: PromptBuilder,
        request: CompletionRequest,
        prefix: str,
        suffix: str,
        receipt: Receipt,
    ) -> Sequence[Snippet]:
        """What other files say: what the request brings, else what the workspace has."""
        if request.cross_file or request.file is None:
            return request.cross_file
        wanted = self._settings.prompt
        shown_before = CHARACTERS_PER_TOKEN * wanted.prefix_tokens
        shown_after = CHARACTERS_PER_TOKEN * wanted.suffix_tokens
        question = Question(
            file=request.file,
            language_id=request.language,
            prefix=prefix,
            suffix=suffix,
            budget=wanted.cross_file_tokens,
            count=builder.count,
            shown=(max(0, len(prefix) - shown_before), len(prefix) + shown_after),
        )
        chosen = await self.context.choose(question, self._settings.context.deadline_ms / 1000)
        receipt.context = dict(chosen.evidence)
        return chosen.snippets

    def _prompt(
        self,
        builder: PromptBuilder,
        request: CompletionRequest,
        prefix: str,
        suffix: str,
        cross_file: Sequence[Snippet],
    ) -> Prompt:
        wanted = self._settings.prompt
        return builder.build(
            path=request.path,
            prefix=prefix,
            suffix=suffix,
            cross_file=cross_file,
            repository=request.repository,
            budget=Budget(wanted.prefix_tokens, wanted.suffix_tokens, wanted.cross_file_tokens),
            order=None if wanted.order == "auto" else wanted.order,
            max_new_tokens=self._settings.completion.max_tokens,
        )

    async def _generate(
        self,
        client: CompletionsClient,
        prompt: Prompt,
        prefix: str,
        withheld: str,
        scope: Scope,
        receipt: Receipt,
    ) -> str | None:
        """Stream until enough has come, then hang up. The text follows the cursor.

        None when the engine broke off, for a newer request of this editor.
        """
        limits = self._settings.completion
        text, count = "", 0
        began = time.monotonic()
        stream = client.stream(
            prompt.ids, max_tokens=limits.max_tokens, stop_token_ids=prompt.stop_ids
        )
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                if chunk.finish_reason == "abort":
                    return None
                if chunk.text:
                    receipt.stages_ms.setdefault("first_token", 1000 * (time.monotonic() - began))
                    count += 1
                    text += chunk.text
                _note(chunk, receipt)
                following = postprocess.after_withheld(text, prefix, withheld)
                if postprocess.complete_lines(following, scope, limits.max_lines) is not None:
                    break
        receipt.stages_ms["generate"] = 1000 * (time.monotonic() - began)
        receipt.tokens["generated"] = count
        return postprocess.after_withheld(text, prefix, withheld)

    async def _bring_up(self) -> None:
        """Start the engine; as soon as it is ready, load its tokenizer. Failures become a state."""
        try:
            model = await asyncio.to_thread(chosen_model, self._settings)
            ready = asyncio.Event()

            def changed(state: EngineState) -> None:
                if state.status == "ready":
                    ready.set()
                # ready to the editor means that prompts can be made as well
                if state.status != "ready" or self._builder is not None:
                    self._set_state(state)

            self._engine = make_engine(self._settings.engine, model, self._user, changed)
            self._engine.start()
            await ready.wait()
            self._builder = await asyncio.to_thread(load_builder, model)
        except (NoTemplateError, TokenizerError, ModelError, OSError) as error:
            log.warning("no prompts can be made: %s", error)
            self._set_state(EngineState("failed", str(error)))
        except Exception as error:
            log.exception("the model was not brought up")
            self._set_state(EngineState("failed", repr(error)))
        else:
            self._set_state(self._engine.state)

    def _set_state(self, state: EngineState) -> None:
        self.state = state
        self._on_state(state)


def _means_gone(error: EngineError) -> bool:
    """Whether the engine is not there any more, or another program is in its place."""
    return isinstance(error, EngineUnavailableError) or error.status in (401, 403, 404)


def _note(chunk: Chunk, receipt: Receipt) -> None:
    """Keep what the engine tells of itself in its last chunk."""
    details = chunk.usage.get("prompt_tokens_details") or {}
    if "cached_tokens" in details:
        receipt.tokens["cached"] = details["cached_tokens"]
    for stage, milliseconds in chunk.timings_ms.items():
        receipt.stages_ms[f"engine_{stage}"] = milliseconds
