"""One generation at a time: begun, ended when nobody wants it any more, kept when it is done."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import cache, partial

from lsp_server.completion import postprocess
from lsp_server.completion.backend import Backend
from lsp_server.completion.cache import Entry, Recalled, SuggestionCache
from lsp_server.completion.generation import Aim, Generation, Limits
from lsp_server.completion.held_context import HeldContext
from lsp_server.completion.pacing import Pacing
from lsp_server.completion.prompting import Prompter
from lsp_server.completion.read_ahead import ReadAhead
from lsp_server.completion.scope import end_of
from lsp_server.completion.statistics import Statistics
from lsp_server.completion.types import Anchor, CompletionRequest, Outcome, Work
from lsp_server.context.cross_file import CrossFile
from lsp_server.inference.client import CompletionsClient, EngineError
from lsp_server.settings import Settings

PROMPTS_KEPT = 8
"""Of so many of the latest generations and receipts; they hold the text of files."""

log = logging.getLogger(__name__)


class Generations:
    """What one model writes for one editor, now and before. All methods belong to one event loop.

    `running` is the latest generation, done or not. `may_read` says whether the idle model may read
    a document ahead. What is generated is in the cache of the settings that it was begun with.
    """

    def __init__(
        self,
        settings: Settings,
        backend: Backend,
        context: CrossFile,
        statistics: Statistics,
        may_read: Callable[[CompletionRequest], Awaitable[bool]],
    ) -> None:
        self.running: Generation | None = None
        self._settings = settings
        self._backend = backend
        self._context = context
        self._statistics = statistics
        self._cache = SuggestionCache()
        self._held = HeldContext()
        self._pacing = Pacing()
        self._prepared: Anchor | None = None
        self._read_ahead = ReadAhead(self._reader, may_read)
        self._works: deque[Work] = deque()

    def configure(self, settings: Settings, context: CrossFile) -> None:
        """Go on with new settings, and forget what was generated with the old ones."""
        self.forget()
        self._settings, self._context = settings, context
        self._held = HeldContext()

    def forget(self) -> None:
        """End what runs, and forget what was generated."""
        self._cache = SuggestionCache()
        self._prepared = None
        self._read_ahead.end()
        if self.running is not None:
            self.running.end()

    def model_is_ready(self) -> None:
        """Tell that the model can be asked from now on."""
        self._read_ahead.has_reader()

    def opened(self, document: CompletionRequest) -> None:
        """Tell of a document that came to the front."""
        self._read_ahead.opened(document, self._settings.prompt.prefix_tokens)

    def edited(self, document: CompletionRequest, text: str) -> None:
        """Tell of a document that reads `text` now, with plain newlines: ends what disagrees."""
        self._pacing.typed(time.monotonic())
        if self.running is not None:
            outlives = self.running.outlives(document.name, text)
            if outlives and not self._settings.completion.reuse:
                self.running.end()
        self._read_ahead.edited(document)

    def closed(self, document: str) -> None:
        """Tell that a document is open no more."""
        if self.running is not None and self.running.aim.anchor.document == document:
            self.running.end()

    def make_way(self, now: Anchor) -> None:
        """End what runs for another place than the one that is asked for now."""
        if not self._settings.completion.reuse:
            self.forget()
        if self.running is not None and not self.running.is_wanted(now):
            self.running.end()

    def recall(self, now: Anchor, aim: Callable[[], Aim]) -> Recalled | None:
        """What is known for a place and fits it; a text that is shown there for the first time is
        kept as it was shown. `aim` is only called where it is needed."""
        for known in self._cache.recall(now):
            if known.shown is not None:
                return known
            place, scope = aim().place, aim().scope
            complete = known.whole or end_of(known.ahead, place, scope) is not None
            if complete and scope.kind != "nothing":
                shown = postprocess.fit(known.ahead, place, scope)
                nothing = _why_nothing(known.ahead)
                self._cache.add(Entry(now, known.ahead, shown, known.whole, nothing, known.work))
                return Recalled(shown, known.ahead, known.whole, nothing, known.work)
        return None

    def pause(self, request: CompletionRequest) -> float:
        """Seconds until the model is worth asking."""
        if request.invoked or self._settings.completion.eagerness == "eager":
            return 0.0
        return self._pacing.pause(time.monotonic())

    def begin(self, aim: Aim, request: CompletionRequest) -> Generation:
        """Start a generation in place of the one before; there has to be a model."""
        client, prompter = self._backend.client, self._prompter()
        assert client is not None and prompter is not None
        before = self.running
        if before is not None:
            before.end()
        limits = Limits(
            self._settings.completion.max_tokens,
            self._settings.engine.timeout_seconds,
            self._settings.completion.min_confidence,
        )
        self.running = Generation(aim, limits)
        self.running.start(
            client,
            lambda work: prompter.ask(request, aim.anchor, work),
            partial(self._ended, self._cache, request.language),
            before,
        )
        return self.running

    def prepare(self, expected: Anchor, aim: Callable[[], Aim], request: CompletionRequest) -> None:
        """Have the model, if it is idle, write what follows where the cursor is expected next."""
        if expected == self._prepared or not self._may_work_ahead():
            return
        self._prepared = expected
        if any(_goes_on(known) for known in self._cache.recall(expected)):
            return
        wanted = aim()
        if wanted.scope.kind != "nothing":
            self.begin(wanted, request)

    def may_foresee(self, now: Anchor) -> bool:
        """Whether the model is idle, and nothing that is known answers a request for `now`."""
        return self._may_work_ahead() and all(
            known.shown is None for known in self._cache.recall(now)
        )

    def foresee(self, now: Anchor, aim: Callable[[], Aim], request: CompletionRequest) -> None:
        """Have the model, if it is idle, write what a request for `now` would ask for."""
        aim = cache(aim)
        if (
            self._may_work_ahead()
            and self.recall(now, aim) is None
            and aim().scope.kind != "nothing"
        ):
            self.begin(aim(), request).work.is_foreseen = True

    def _is_busy(self) -> bool:
        return self.running is not None and not self.running.done

    def _works_ahead(self) -> bool:
        """Whether the model may be given work that nobody waits for."""
        wanted, client = self._settings.completion, self._backend.client
        return wanted.prefetch and wanted.reuse and client is not None and client.is_ours

    def _may_work_ahead(self) -> bool:
        return not self._is_busy() and self._works_ahead()

    def _reader(self) -> tuple[CompletionsClient, Prompter] | None:
        client, prompter = self._backend.client, self._prompter()
        if client is None or prompter is None or not self._may_work_ahead():
            return None
        return client, prompter

    def _prompter(self) -> Prompter | None:
        builder, client = self._backend.builder, self._backend.client
        if builder is None or client is None:
            return None
        held = self._held if self._works_ahead() else None
        return Prompter(self._settings, self._context, builder, held, client.is_ours)

    def _ended(self, cache: SuggestionCache, language: str, generation: Generation) -> None:
        """Keep what a generation came to, in the cache of the settings it was begun with."""
        aim, error, work = generation.aim, generation.error, generation.work
        self._works.append(work)
        if len(self._works) > PROMPTS_KEPT:
            self._works.popleft().prompt = None
        self._statistics.generated(work.tokens.get("generated", 0), language)
        if isinstance(error, EngineError):
            # not what it says: another's engine may quote the prompt
            log.warning("the engine failed: %s %s", type(error).__name__, error.status or "")
            self._backend.failed(error)
        shown = nothing = None
        if error is None and aim.base is None:
            stages = work.stages_ms  # what the engine tells of itself is part of them
            parts = ("context", "prompt", "generate")
            self._pacing.answered(sum(stages.get(part, 0.0) for part in parts) / 1000)
            shown, nothing = _worth_showing(generation)
        if generation.text or error is None:
            cache.add(Entry(aim.anchor, generation.text, shown, generation.whole, nothing, work))
        self._learn_pace(work)
        self._read_ahead.has_reader()

    def _learn_pace(self, work: Work) -> None:
        """See how fast the model reads prompts."""
        milliseconds = work.stages_ms.get("first_token")
        if work.prompt is not None and milliseconds is not None and "cached" in work.tokens:
            tokens = len(work.prompt.ids) - work.tokens["cached"]
            self._held.was_read(tokens, milliseconds / 1000)


def _worth_showing(generation: Generation) -> tuple[str, Outcome]:
    """What to show of a generation, and why nothing, if it is nothing."""
    if generation.unsure:
        return "", Outcome.UNSURE
    text, place, scope = generation.text, generation.aim.place, generation.aim.scope
    return postprocess.fit(text, place, scope, finished=generation.whole), _why_nothing(text)


def _why_nothing(text: str) -> Outcome:
    """Why nothing is left of a text, if nothing is."""
    return Outcome.TRIMMED if text.strip() else Outcome.EMPTY


def _goes_on(known: Recalled) -> bool:
    """Whether at least a line of what follows is known, or that nothing does."""
    return known.whole or "\n" in known.ahead.lstrip()
