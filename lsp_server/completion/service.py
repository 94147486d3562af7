"""The life of a request: from what is known already, else from a generation, which outlives it."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from lsp_server.completion.backend import Backend
from lsp_server.completion.cache import Recalled
from lsp_server.completion.explain import summary
from lsp_server.completion.feedback import Feedback
from lsp_server.completion.generation import Abandoned, Aim, Diverged, Generation
from lsp_server.completion.generations import PROMPTS_KEPT, Generations
from lsp_server.completion.head_start import HeadStart
from lsp_server.completion.place import look_ahead, place_at
from lsp_server.completion.rejections import Rejections
from lsp_server.completion.scope import Scope, ScopeRules, scope_at
from lsp_server.completion.statistics import Statistics
from lsp_server.completion.types import (
    SUPERSEDED,
    Anchor,
    CompletionRequest,
    EditorWorkspace,
    EngineState,
    Outcome,
    Receipt,
    Suggestion,
)
from lsp_server.context.cross_file import CrossFile
from lsp_server.context.files import Rules
from lsp_server.context.languages.table import language_of
from lsp_server.inference.client import EngineError
from lsp_server.prompt.line_ends import with_plain_newlines
from lsp_server.settings import Settings

RECEIPTS_KEPT = 100
PREPARE_SECONDS = 0.02
"""The answer goes out first."""
PAIRS = ("()", "[]", "{}", '""', "''", "``")
"""An edit that ends so may have been its first half: the editor closed it, the cursor is inside."""
_OURS = (asyncio.CancelledError, Abandoned, Diverged)
"""What ends a generation that is not wanted any more."""

log = logging.getLogger(__name__)


class CompletionService:
    """Answers completion requests with one model, one generation at a time. All methods belong to
    one event loop.

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
        self._backend = Backend(self._changed_state)
        self._on_state = on_state
        self._statistics = Statistics(enabled=settings.statistics.enabled)
        self._rejections = Rejections()
        self._feedback = Feedback(self._statistics, self._rejections)
        self._generations = Generations(
            settings, self._backend, self.context, self._statistics, self._may_read
        )
        self._head_start = HeadStart(self._foresee)
        self._asked: Anchor | None = None
        self._waiting = 0
        self._preparing: asyncio.TimerHandle | None = None
        self.receipts: deque[Receipt] = deque(maxlen=RECEIPTS_KEPT)

    @property
    def state(self) -> EngineState:
        """What the engine is doing."""
        return self._backend.state

    async def start(self) -> None:
        """Begin to bring the model up and to index the workspace, in the background."""
        self._backend.start(self._settings)
        await self.context.start()

    async def configure(self, settings: Settings) -> None:
        """Take over new settings; engine and context are changed only when they concern them.

        A new `context` knows of no document: it has to be told of those that are open.
        """
        old, self._settings = self._settings, settings
        self._statistics.enabled = settings.statistics.enabled
        self._rejections.clear()
        self._head_start.end()
        old_context = self.context
        if (old.context, old.privacy) != (settings.context, settings.privacy):
            self.context = self._make_context(old_context.roots)
        self._generations.configure(settings, self.context)
        if (old.model, old.engine) != (settings.model, settings.engine):
            await self._backend.restart(settings)
        for receipt in self.receipts:  # of another model, perhaps, or of what is private by now
            receipt.prompt = None
        if self.context is not old_context:
            await old_context.close()
            await self.context.start()

    async def close(self) -> None:
        """Let go of the engine, and end indexing."""
        self._head_start.end()
        self._generations.forget()
        self._feedback.close()
        await self._backend.close()  # first: from here on nothing can begin
        if self._generations.running is not None:
            await self._generations.running.ended()
        await self.context.close()
        await asyncio.to_thread(self._statistics.close)

    def opened(self, document: CompletionRequest) -> None:
        """Tell of a document that came to the front; the idle model reads it around its `offset`,
        or, where nothing was edited yet, its beginning."""
        self._feedback.changed(document.name, with_plain_newlines(document.text))
        self._generations.opened(document)

    def edited(self, document: CompletionRequest) -> None:
        """Tell of an open document's new text and, as its `offset`, where it was edited."""
        text = with_plain_newlines(document.text)
        self._feedback.changed(document.name, text)
        self._generations.edited(document, text)
        self._stop_preparing()
        if self._asked is not None and self._asked.document == document.name:
            self._head_start.edited(document, self._generations.pause(document))

    def closed(self, document: str) -> None:
        """Tell that a document is open no more."""
        self._feedback.closed(document)
        if self._asked is not None and self._asked.document == document:
            self._head_start.end()
        self._generations.closed(document)

    def accepted(self, id: str) -> None:
        """Tell that the suggestion of the receipt with this id was accepted as a whole."""
        self._feedback.accepted(id)

    def prompt_text(self, receipt: Receipt) -> str | None:
        """The exact prompt of a request, control tokens included; None where it had none, or the
        model is another one by now."""
        builder = self._backend.builder
        if builder is None or receipt.prompt is None:
            return None
        return builder.tokenizer.decode(receipt.prompt.ids)

    async def complete(self, request: CompletionRequest) -> Suggestion:
        """The suggestion for a request; its text is empty when there is none, and its receipt says
        why. Raises nothing but CancelledError; what the model is writing goes on all the same, for
        as long as the document agrees with it."""
        receipt = Receipt(request.path, request.offset, request.document, request.language)
        receipt.line = request.text.count("\n", 0, request.offset) + 1
        began = time.monotonic()
        text = ""
        self._waiting += 1
        self._head_start.end()
        if not request.invoked:
            self._head_start.asked()
        try:
            text = await self._answer(request, receipt)
        except asyncio.CancelledError as error:
            superseded = SUPERSEDED in error.args
            receipt.outcome = Outcome.SUPERSEDED if superseded else Outcome.CANCELLED
            raise
        except asyncio.TimeoutError:
            receipt.outcome = Outcome.TIMED_OUT
        except EngineError as error:
            receipt.outcome, receipt.detail = Outcome.ENGINE_FAILED, str(error)
        except Exception as error:
            # not what it says: some errors quote the text that they are about
            receipt.outcome, receipt.detail = Outcome.FAILED, type(error).__name__
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("a completion failed: %s\n%s", type(error).__name__, where)
        finally:
            self._waiting -= 1
            receipt.stages_ms["total"] = 1000 * (time.monotonic() - began)
            receipt.suggested = len(text)
            self._keep(receipt)
            self._statistics.request(
                receipt.outcome.name.lower(), receipt.stages_ms["total"], request.language
            )
        return Suggestion(text, receipt)

    def _keep(self, receipt: Receipt) -> None:
        self.receipts.append(receipt)
        if len(self.receipts) > PROMPTS_KEPT:
            self.receipts[-PROMPTS_KEPT - 1].prompt = None

    async def _answer(self, request: CompletionRequest, receipt: Receipt) -> str:
        now = self._asked = request.anchor()
        self._feedback.moved(now.document, len(now.prefix))
        if why := await self._refusal(request, receipt):
            receipt.detail = why
            return ""
        if now == self._asked:  # else a newer request came while this one was looked at
            self._generations.make_way(now)
        aim = cache(lambda: self._aim(now, request))  # it parses: not where an answer is at hand
        outcome, waited = Outcome.CACHED, False
        while (known := self._generations.recall(now, aim)) is None:
            running = self._generations.running
            if running is None or running.done or not running.serves(now):
                if not waited:
                    waited = True
                    await self._wait(now, request)
                    continue
                if not self._may_begin(aim(), receipt):
                    return ""
                running = self._generations.begin(aim(), request)
                outcome = Outcome.SUGGESTED
            elif outcome is Outcome.CACHED:
                outcome = Outcome.ATTACHED
            await running.settled(now)
            receipt.take(running.work)
            if running.serves(now) and not self._may_go_on(running, receipt):
                return ""
        if known.work.is_foreseen:  # begun before this request, but for it
            known.work.is_foreseen, outcome = False, Outcome.SUGGESTED
            receipt.take(known.work)
        return self._offer(known, outcome, now, request, receipt)

    async def _foresee(self, document: CompletionRequest) -> None:
        """Begin what a request is expected for, unless there is one already."""
        now = document.anchor()
        if not self._is_next(now) or not self._generations.may_foresee(now):
            return
        if await self._refusal(document, Receipt(document.path, document.offset)):
            return
        await self._look_ahead(now, document)
        if not self._waiting:
            self._generations.foresee(now, partial(self._aim, now, document), document)

    def _is_next(self, now: Anchor) -> bool:
        """Whether an edit that ended here is typing on from where the editor asked last, and no
        formatting, renaming or import."""
        asked = self._asked
        if asked is None or asked.document != now.document or now.prefix.endswith(PAIRS):
            return False
        return abs(now.prefix.count("\n") - asked.prefix.count("\n")) <= 1

    async def _wait(self, now: Anchor, request: CompletionRequest) -> None:
        """Wait until the model is worth asking, and get ready for that."""
        if (pause := self._generations.pause(request)) > 0:
            await asyncio.sleep(pause)
        if now == self._asked:
            await self._look_ahead(now, request)

    async def _look_ahead(self, now: Anchor, request: CompletionRequest) -> None:
        """Parse around the cursor, a little at a time: other requests and keys come in between."""
        language = language_of(request.path, request.language).name
        for _ in look_ahead(now.prefix, now.suffix, language):
            await asyncio.sleep(0)

    def _may_go_on(self, generation: Generation, receipt: Receipt) -> bool:
        """Whether a generation ended well, or there is to be another one in its place; if not, the
        receipt says why. Raises what went wrong with the engine."""
        error = generation.error
        if error is None or (isinstance(error, Abandoned) and generation.aim.base is not None):
            return True
        if isinstance(error, _OURS):
            receipt.outcome = Outcome.SUPERSEDED
            return False
        raise error

    async def _refusal(self, request: CompletionRequest, receipt: Receipt) -> str:
        """Why there is to be no answer, in words; the receipt's outcome is set to that."""
        wanted = self._settings.completion
        receipt.outcome = Outcome.DISABLED
        if request.language in wanted.disabled_languages:
            return f"completion.disabled_languages has {request.language}"
        if wanted.eagerness == "on-demand" and not request.invoked:
            return "completion.eagerness is on-demand"
        receipt.outcome = Outcome.PRIVATE
        return await self._why_private(request)

    async def why_off(self, document: CompletionRequest) -> str:
        """Why nothing is suggested anywhere in a document, even when asked for; else ""."""
        receipt = Receipt(document.path, document.offset)
        receipt.detail = await self._refusal(replace(document, invoked=True), receipt)
        return summary(receipt) if receipt.detail else ""

    async def _why_private(self, document: CompletionRequest) -> str:
        file = document.file or Path(document.path)
        # in a thread: it looks for links on the disk, and for keys in all of the text
        return await asyncio.to_thread(self.context.why_private, file, document.text)

    def _may_begin(self, aim: Aim, receipt: Receipt) -> bool:
        """Whether the model may be asked; if not, the receipt says why."""
        if aim.anchor != self._asked:  # while this one waited, the cursor went elsewhere
            receipt.outcome = Outcome.SUPERSEDED
        elif aim.scope.kind == "nothing":
            receipt.outcome, receipt.detail = Outcome.DISABLED, aim.scope.why
        elif self._backend.client is not None:
            return True
        else:
            failed = self.state.status == "failed"
            receipt.outcome = Outcome.NO_MODEL if failed else Outcome.LOADING
            receipt.detail = _in_words(self.state)
            self._backend.try_again()
        return False

    def _aim(self, anchor: Anchor, request: CompletionRequest, base: str | None = None) -> Aim:
        wanted = self._settings.completion
        rules = ScopeRules(
            max_lines=wanted.max_lines,
            before_text=wanted.before_text,
            in_comments=wanted.in_comments,
            in_strings=wanted.in_strings,
        )
        language = language_of(request.path, request.language).name
        place = place_at(anchor.prefix, anchor.suffix, language)
        scope = scope_at(place, rules, invoked=request.invoked)
        if request.output == "raw":
            scope = Scope("everything", is_fitted=False)
        elif request.output == "cut":
            scope = replace(scope, is_fitted=False)
        return Aim(anchor, place, scope, rules, base)

    def _offer(
        self,
        known: Recalled,
        outcome: Outcome,
        now: Anchor,
        request: CompletionRequest,
        receipt: Receipt,
    ) -> str:
        text = known.shown or ""
        receipt.outcome = outcome if text else known.nothing or Outcome.EMPTY
        if outcome is Outcome.CACHED:  # nothing was spent on this request
            receipt.order, receipt.prompt = known.work.order, known.work.prompt
            receipt.context = dict(known.work.context)
        if receipt.outcome is Outcome.UNSURE:
            bound = self._settings.completion.min_confidence
            receipt.detail = f"{known.work.confidence or 0:.2f}, wanted {bound:.2f}"
        if text and not request.invoked and self._is_rejected(now, text):
            receipt.outcome, text = Outcome.REJECTED, ""
        if text:
            self._feedback.shown(
                now.document,
                now.prefix,
                now.suffix,
                text,
                receipt.id,
                self._count(text),
                request.language,
            )
        if text or receipt.outcome is Outcome.EMPTY:  # else the model would write the same again
            loop = asyncio.get_running_loop()
            self._stop_preparing()
            self._preparing = loop.call_later(PREPARE_SECONDS, self._prepare, now, text, request)
        return text

    def _stop_preparing(self) -> None:
        if self._preparing is not None:
            self._preparing.cancel()

    def _is_rejected(self, now: Anchor, text: str) -> bool:
        return self._rejections.holds(now.document, now.prefix, now.suffix, text)

    def _count(self, text: str) -> int:
        return self._backend.builder.count(text) if self._backend.builder else 0

    def _prepare(self, now: Anchor, text: str, request: CompletionRequest) -> None:
        """Have the idle model write what would follow if the suggestion were accepted."""
        if now != self._asked:
            return
        expected = Anchor(now.document, now.prefix + text, now.suffix)
        aim = partial(self._aim, expected, request, base=now.prefix)
        self._generations.prepare(expected, aim, request)

    async def _may_read(self, document: CompletionRequest) -> bool:
        return not await self.why_off(document)

    def _changed_state(self, state: EngineState) -> None:
        self._on_state(state)
        if state.status == "ready":
            self._generations.model_is_ready()

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
            installed=self._workspace.installed,
        )


def _in_words(state: EngineState) -> str:
    return state.message + (f", {state.percent:.0f} %" if state.percent is not None else "")
