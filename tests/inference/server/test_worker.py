from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from tokenizers import Tokenizer

from lsp_server.inference.engine.constraint import Vocabulary
from lsp_server.inference.engine.generate import PromptError, Token
from lsp_server.inference.server.params import RequestError, parse
from lsp_server.inference.server.worker import End, Event, Job, Loaded, Worker
from lsp_server.inference.types import EngineState
from tests.inference.tiny_models import write_tokenizer

PATIENCE = 20.0


class Panic(BaseException):
    """As a panic in a library written in Rust comes to Python."""


class FakeGenerator:
    """Generates two tokens once it is let go, or raises what it is told to, once."""

    def __init__(self) -> None:
        self.model = type("Model", (), {"device": "cpu"})
        self.error: BaseException | None = None
        self.hold = threading.Event()
        self.hold.set()
        self.seen: list[list[int]] = []

    def generate(self, ids: Any, sampling: Any, usage: Any, stopped: Any) -> Iterator[Token]:
        self.seen.append(list(ids))
        assert self.hold.wait(PATIENCE)
        error, self.error = self.error, None
        if error is not None:
            raise error
        for id_ in (65, 66):
            usage.completion += 1
            yield Token(id_)


@pytest.fixture
def generator() -> FakeGenerator:
    return FakeGenerator()


@pytest.fixture
async def worker(generator: Any, tmp_path: Path) -> Worker:
    write_tokenizer(tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    worker = Worker(lambda _: Loaded(generator, tokenizer, Vocabulary({})))
    worker.start()
    await until(lambda: worker.state.status == "ready")
    return worker


async def until(condition: Callable[[], bool]) -> None:
    async def poll() -> None:
        while not condition():
            await asyncio.sleep(0.001)

    await asyncio.wait_for(poll(), PATIENCE)


def submit(worker: Worker, **body: Any) -> Job:
    job = Job(parse({"prompt": [1, 2, 3]} | body), asyncio.get_running_loop())
    worker.submit(job)
    return job


async def end_of(job: Job) -> Event:
    while True:
        event = await asyncio.wait_for(job.events.get(), PATIENCE)
        if isinstance(event, (End, RequestError)):
            return event


async def test_ready_says_where(worker: Worker) -> None:
    assert worker.state == EngineState("ready", "on cpu")


@pytest.mark.parametrize("error", [RuntimeError("broken"), Panic("broken")])
async def test_every_job_is_answered_and_the_next_one_too(
    worker: Worker, generator: FakeGenerator, error: BaseException
) -> None:
    generator.error = error
    event = await end_of(submit(worker))
    assert isinstance(event, RequestError)
    assert (event.status, "broken" in str(event)) == (500, True)
    after = await end_of(submit(worker))
    assert isinstance(after, End)
    assert after.usage.completion == 2
    await until(lambda: not worker.busy)


async def test_a_prompt_that_cannot_be_used_is_the_client_s_fault(
    worker: Worker, generator: FakeGenerator, caplog: pytest.LogCaptureFixture
) -> None:
    generator.error = PromptError("too long")
    with caplog.at_level(logging.INFO):
        event = await end_of(submit(worker))
    assert isinstance(event, RequestError)
    assert (event.status, event.param) == (400, "prompt")
    assert caplog.records == []


@pytest.mark.parametrize("error", [ValueError("damaged"), Panic("damaged")])
async def test_a_model_that_cannot_be_loaded(error: BaseException) -> None:
    def load(_: object) -> NoReturn:
        raise error

    worker = Worker(load)
    worker.start()
    await until(lambda: worker.state.status == "failed")
    assert worker.state.message == "damaged"
    with pytest.raises(RequestError) as refused:
        submit(worker)
    assert refused.value.status == 503


async def test_a_job_that_waits_is_dropped_for_a_newer_one(worker: Worker) -> None:
    older, newer, other = (submit(worker, user=user) for user in ("me", "me", "you"))
    ends = [await end_of(job) for job in (older, newer, other)]
    reasons = [end.reason for end in ends if isinstance(end, End)]
    assert reasons[1:] == ["stop", "stop"]
    assert older.stop.is_set()
    assert not newer.stop.is_set()


async def test_in_the_background_a_job_yields_to_everybody(
    worker: Worker, generator: FakeGenerator
) -> None:
    generator.hold.clear()
    running = submit(worker, user="me")
    await until(lambda: worker.busy)
    waiting = submit(worker, user="me", background=True)
    other = submit(worker, user="you", background=True)
    assert not running.stop.is_set(), "it does not push aside what was asked for"
    real = submit(worker, user="you")
    assert not running.stop.is_set()
    assert waiting.stop.is_set()
    assert other.stop.is_set()
    generator.hold.set()
    ends = [await end_of(job) for job in (running, real, waiting, other)]
    assert [end.reason for end in ends if isinstance(end, End)] == [
        "stop",
        "stop",
        "abort",
        "abort",
    ]
    assert worker.generated == 4


async def test_what_is_asked_for_goes_before_what_waits_in_the_background(
    worker: Worker, generator: FakeGenerator
) -> None:
    generator.hold.clear()
    submit(worker, prompt=[1])
    await until(lambda: worker.busy)
    job = Job(parse({"prompt": [2], "background": True}), asyncio.get_running_loop())
    worker.submit(job)
    later = submit(worker, prompt=[3])
    job.stop.clear()  # as if it had come at the same moment
    generator.hold.set()
    for each in (job, later):
        await end_of(each)
    assert generator.seen == [[1], [3], [2]]
