"""The engine's own thread: loads the model, then works off requests one at a time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tokenizers import Tokenizer

from lsp_server.inference.server.params import CompletionParams, RequestError
from lsp_server.inference.server.text_stream import TextStream
from lsp_server.inference.state import ServerSpec
from lsp_server.inference.types import EngineState

if TYPE_CHECKING:
    from lsp_server.inference.engine.constraint import Beginning, Vocabulary
    from lsp_server.inference.engine.generate import Generator, Token, Usage

log = logging.getLogger(__name__)

FinishReason = Literal["stop", "length", "abort"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One generated token and the text that became certain with it (may be empty); `usage` comes
    with the first one."""

    text: str
    token: Token | None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class End:
    """The end of a job: why, its tokens, and how long each stage took."""

    reason: FinishReason
    usage: Usage
    timings_ms: dict[str, float]


Event = Piece | End | RequestError


@dataclass(slots=True, eq=False)
class Job:
    """One request in the engine's hands. `events` are read on the event loop it came from; the last
    one is an End or a RequestError."""

    params: CompletionParams
    loop: asyncio.AbstractEventLoop
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    stop: threading.Event = field(default_factory=threading.Event)
    submitted: float = field(default_factory=time.monotonic)

    def emit(self, event: Event) -> None:
        """Hand an event to the event loop, from the engine's thread."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.events.put_nowait, event)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is ready to answer; what its tokens spell."""

    generator: Generator
    tokenizer: Tokenizer
    vocabulary: Vocabulary


class Worker:
    """Loads a model and answers jobs in the order they come, on one thread; background jobs only
    while there are no others.

    `state` tells how far loading is; `busy` and `idle_since` (seconds of the monotonic clock)
    whether it computes; `generated` how many tokens it has made.
    """

    def __init__(self, load: Callable[[Callable[[EngineState], None]], Loaded]) -> None:
        self._load = load
        self._queue: queue.PriorityQueue[tuple[bool, int, Job]] = queue.PriorityQueue()
        self._order = itertools.count()
        self._jobs: list[Job] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.state = EngineState("starting")
        self.busy = False
        self.idle_since = time.monotonic()
        self.generated = 0

    def start(self) -> None:
        """Begin loading."""
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job. What runs or waits of the same user is ended at once, and everything in the
        background, unless the job is there as well."""
        if self.state.status != "ready":
            raise RequestError(f"the model is not ready: {self.state.message}", status=503)
        with self._lock:
            for older in self._jobs:
                if _yields(older, job):
                    older.stop.set()
            self._jobs.append(job)
        self._queue.put((job.params.background, next(self._order), job))

    def _run(self) -> None:
        try:
            loaded = self._load(self._set_state)
        except BaseException as error:  # a panic of tokenizers is no Exception
            log.exception("the model cannot be loaded")
            self._set_state(EngineState("failed", str(error) or repr(error)))
            return
        self._set_state(EngineState("ready", f"on {loaded.generator.model.device}"))
        while True:
            *_, job = self._queue.get()
            self.busy = True
            try:
                self.generated += _work_off(job, loaded)
            except RequestError as error:
                job.emit(error)
            except BaseException as error:
                log.exception("a request failed")
                job.emit(RequestError(f"the engine failed: {error!r}", status=500))
            with self._lock:
                self._jobs.remove(job)
            self.busy, self.idle_since = False, time.monotonic()

    def _set_state(self, state: EngineState) -> None:
        if state.status != self.state.status:
            log.info("%s %s", state.status, state.message)
        self.state = state


def _yields(older: Job, newer: Job) -> bool:
    """Whether a job is to be ended for another one."""
    same_user = older.params.user == newer.params.user is not None
    if older.params.background:
        return same_user or not newer.params.background
    return same_user and not newer.params.background


def _work_off(job: Job, loaded: Loaded) -> int:
    """Generate for one job, emitting pieces and, last, its end; how many tokens were made."""
    from lsp_server.inference.engine.generate import Usage
    from lsp_server.inference.engine.model import Stopped

    started = time.monotonic()
    usage = Usage()
    stages = {"queue": 1000 * (started - job.submitted)}
    reason: FinishReason = "abort"
    with contextlib.suppress(Stopped):
        if not job.stop.is_set():
            reason = _generate(job, loaded, usage, stages, started)
    stages["total"] = 1000 * (time.monotonic() - started)
    job.emit(End(reason, usage, stages))
    return usage.completion


def _generate(
    job: Job, loaded: Loaded, usage: Usage, stages: dict[str, float], started: float
) -> FinishReason:
    from lsp_server.inference.engine.generate import PromptError, Sampling

    params = job.params
    ids = _prompt_ids(params, loaded.tokenizer)
    sampling = Sampling(
        max_tokens=params.max_tokens,
        temperature=params.temperature,
        seed=params.seed,
        stop_ids=params.stop_token_ids,
        logprobs=params.logprobs is not None,
        top_logprobs=params.logprobs or 0,
        beginning=_beginning(params, loaded),
    )
    stream = TextStream(loaded.tokenizer, ids, params.stop)
    try:
        for token in loaded.generator.generate(ids, sampling, usage, job.stop.is_set):
            is_first = "first_token" not in stages
            stages.setdefault("first_token", 1000 * (time.monotonic() - started))
            job.emit(Piece(stream.push(token.id), token, replace(usage) if is_first else None))
            if stream.stopped:
                return "stop"
    except PromptError as error:
        raise RequestError(str(error), param="prompt") from error
    if rest := stream.flush():
        job.emit(Piece(rest, None))
    return "length" if usage.completion == params.max_tokens else "stop"


def _beginning(params: CompletionParams, loaded: Loaded) -> Beginning | None:
    from lsp_server.inference.engine.constraint import Beginning

    if not params.begins_with:
        return None
    return Beginning(loaded.vocabulary, params.begins_with.encode("utf-8", "replace"))


def _prompt_ids(params: CompletionParams, tokenizer: Tokenizer) -> list[int]:
    if isinstance(params.prompt, str):
        return list(tokenizer.encode(params.prompt).ids)
    return list(params.prompt)


def load_model(spec: ServerSpec) -> Callable[[Callable[[EngineState], None]], Loaded]:
    """What a worker runs to have a model: fetch it if it is missing, then load it."""
    name = spec.model

    def load(report: Callable[[EngineState], None]) -> Loaded:
        directory = _directory(name, report)
        report(EngineState("loading", f"loading {name}", 0.0))
        # imported here, after the state is told: torch takes a second to import
        from lsp_server.inference.engine.constraint import Vocabulary, token_bytes
        from lsp_server.inference.engine.load import load_generator

        generator = load_generator(
            directory,
            device=spec.device,
            threads=spec.threads,
            kv_slots=spec.kv_slots,
            kv_bytes=spec.kv_megabytes << 20,
            report=lambda fraction: report(
                EngineState("loading", f"loading {name}", 100 * fraction)
            ),
        )
        tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        model = generator.model
        vocabulary = Vocabulary(token_bytes(tokenizer, model.vocabulary), model.device)
        return Loaded(generator, tokenizer, vocabulary)

    return load


def _directory(name: str, report: Callable[[EngineState], None]) -> Path:
    from lsp_server.inference.models.store import ModelStore, Progress

    def tell(progress: Progress) -> None:
        percent = 100 * progress.done / progress.total if progress.total else None
        report(EngineState("downloading", f"{progress.status} {name}", percent))

    return ModelStore().pull(name, tell).directory
