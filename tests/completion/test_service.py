from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import attrs
import pytest

from lsp_server.completion import backend as module
from lsp_server.completion.generations import PROMPTS_KEPT
from lsp_server.completion.service import RECEIPTS_KEPT, CompletionService
from lsp_server.completion.types import (
    SUPERSEDED,
    CompletionRequest,
    EngineState,
    Outcome,
    Suggestion,
)
from lsp_server.inference.client import Chunk, EngineError, EngineUnavailableError
from lsp_server.prompt.layout import PromptBuilder
from lsp_server.prompt.templates import TEMPLATES, NoTemplateError
from lsp_server.settings import CompletionSettings, EngineSettings, Settings
from tests.completion.scripted import AT, TEXT
from tests.prompt.tiny_tokenizers import byte_level

READY = EngineState("ready")
NEVER = object()
"""In a script: the stream waits from here on."""

Script = Sequence[str | Chunk | Exception | object]


class FakeClient:
    """Streams a script: texts, chunks, and exceptions to raise. Keeps what it was asked, how many
    parts were drawn, and whether the stream was closed."""

    is_ours = False

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[dict[str, Any]] = []
        self.drawn = 0
        self.closed = False
        self.waiting = asyncio.Event()

    async def stream(self, prompt: Sequence[int], **options: Any) -> AsyncGenerator[Chunk, None]:
        self.asked.append({"prompt": tuple(prompt), **options})
        try:
            for part in self.script:
                self.drawn += 1
                if part is NEVER:
                    self.waiting.set()
                    await asyncio.Event().wait()
                if isinstance(part, Exception):
                    raise part
                yield part if isinstance(part, Chunk) else Chunk(str(part))
        finally:
            await asyncio.sleep(0)  # as a real connection takes a moment to close
            self.closed = True


class FakeEngine:
    """Goes through the states that a test gives it."""

    def __init__(self, settings: EngineSettings, model: str, on_state: Any) -> None:
        self.settings = settings
        self.model = model
        self.state = EngineState("starting")
        self.client: FakeClient | None = None
        self.times_lost = 0
        self.closed = False
        self._on_state = on_state

    def start(self) -> None:
        pass

    def lost(self) -> None:
        self.times_lost += 1

    async def close(self) -> None:
        self.closed = True

    def become(self, state: EngineState, client: FakeClient | None = None) -> None:
        self.state, self.client = state, client
        self._on_state(state)


class Bench:
    """A service with its engines, and the states it told."""

    def __init__(self) -> None:
        self.engines: list[FakeEngine] = []
        self.states: list[EngineState] = []
        self.tokenizer = byte_level(list(TEMPLATES["qwen2.5-coder"].control_tokens))
        self.load_builder: Callable[[str], PromptBuilder] = lambda _: PromptBuilder(
            self.tokenizer, TEMPLATES["qwen2.5-coder"], window=2048
        )
        self.service = CompletionService(Settings(model="a"), self.states.append)

    def make_engine(self, settings: EngineSettings, model: str, _: str, on_state: Any) -> Any:
        self.engines.append(FakeEngine(settings, model, on_state))
        return self.engines[-1]

    @property
    def engine(self) -> FakeEngine:
        return self.engines[-1]

    async def start(self, settings: Settings | None = None) -> None:
        """Up to an engine that is starting."""
        self.service = CompletionService(settings or Settings(model="a"), self.states.append)
        await self.service.start()
        await self.until(lambda: self.engines)

    async def ready(self, *script: Any, settings: Settings | None = None) -> FakeClient:
        """Up to a service whose model answers with this."""
        await self.start(settings)
        client = FakeClient(script)
        self.engine.become(READY, client)
        await self.until(lambda: self.service.state.status == "ready")
        return client

    async def until(self, condition: Callable[[], object]) -> None:
        async def poll() -> None:
            while not condition():
                await asyncio.sleep(0.001)

        await asyncio.wait_for(poll(), 20)

    async def complete(self, text: str = TEXT, offset: int = AT) -> Suggestion:
        return await self.service.complete(CompletionRequest("a.py", "python", text, offset))


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    bench = Bench()
    monkeypatch.setattr(module, "make_engine", bench.make_engine)
    monkeypatch.setattr(module, "load_builder", lambda name: bench.load_builder(name))
    yield bench
    await bench.service.close()


def outcome_of(suggestion: Suggestion) -> Outcome:
    return suggestion.receipt.outcome


async def test_a_suggestion_and_its_receipt(bench: Bench) -> None:
    last = Chunk(
        "",
        "stop",
        usage={"prompt_tokens_details": {"cached_tokens": 7}},
        timings_ms={"queue": 1.5},
    )
    client = await bench.ready(" a", " + b", last)
    suggestion = await bench.complete()
    assert suggestion.text == "a + b"
    receipt = suggestion.receipt
    assert (receipt.outcome, receipt.path, receipt.offset) == (Outcome.SUGGESTED, "a.py", AT)
    assert receipt.order == "psm"
    assert receipt.tokens["generated"] == 2
    assert receipt.tokens["cached"] == 7
    assert receipt.tokens["prefix"] > 0
    assert receipt.stages_ms["engine_queue"] == 1.5
    assert {"prompt", "first_token", "generate", "total"} <= receipt.stages_ms.keys()
    assert list(bench.service.receipts) == [receipt]
    assert client.asked[0]["max_tokens"] == CompletionSettings().max_tokens
    stop_ids = client.asked[0]["stop_token_ids"]
    assert bench.tokenizer.control_id("<|fim_middle|>") in stop_ids


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ([Chunk("", "stop")], Outcome.EMPTY),
        ([" ", "\n"], Outcome.EMPTY),
        ([" <|fim_pad|>x", "\n"], Outcome.TRIMMED),
    ],
)
async def test_nothing_to_suggest(bench: Bench, script: Script, outcome: Outcome) -> None:
    await bench.ready(*script)
    suggestion = await bench.complete()
    assert suggestion.text == ""
    assert outcome_of(suggestion) is outcome


async def test_at_the_end_of_the_line_it_hangs_up(bench: Bench) -> None:
    client = await bench.ready(" a", "\n", "print", NEVER)
    suggestion = await bench.complete()
    assert suggestion.text == "a"
    assert client.drawn == 2
    assert client.closed


async def test_the_blank_at_the_cursor_is_left_to_the_model(bench: Bench) -> None:
    client = await bench.ready(" a", "\n")
    await bench.complete()
    prompt = bench.tokenizer.decode(client.asked[0]["prompt"])
    assert "    return<|fim_suffix|>" in prompt
    assert "<|fim_suffix|>\n\nprint" in prompt


async def test_our_own_server_is_told_of_the_word_at_the_cursor(bench: Bench) -> None:
    client = await bench.ready(" re", "turn a", "\n")
    client.is_ours = True
    typed, rest = "def f(a):\n    re", "\n\nprint(f(1))\n"
    suggestion = await bench.complete(typed + rest, len(typed))
    assert suggestion.text == "turn a"
    assert client.asked[0]["begins_with"] == " re"
    assert "    re" not in bench.tokenizer.decode(client.asked[0]["prompt"])


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
async def test_line_ends_are_newlines_to_the_model(bench: Bench, line_end: str) -> None:
    client = await bench.ready(" a", "\n")
    suggestion = await bench.complete(
        TEXT.replace("\n", line_end), len(TEXT[:AT].replace("\n", line_end))
    )
    assert suggestion.text == "a"
    prompt = bench.tokenizer.decode(client.asked[0]["prompt"])
    assert "def f(a, b):\n    return<|fim_suffix|>\n\nprint" in prompt
    assert "\r" not in prompt


@pytest.mark.parametrize(
    ("path", "text"), [("a/.env", TEXT), ("Untitled-1", f"-----BEGIN PRIVATE KEY-----\n{TEXT}")]
)
async def test_what_is_private_is_so_on_no_disk_too(bench: Bench, path: str, text: str) -> None:
    await bench.ready(" a")
    suggestion = await bench.service.complete(CompletionRequest(path, "python", text, AT))
    assert outcome_of(suggestion) is Outcome.PRIVATE


async def test_why_a_document_gets_nothing_at_all(bench: Bench) -> None:
    python = CompletionRequest("a.py", "python", TEXT, AT)
    assert await bench.service.why_off(python) == ""
    assert "private" in await bench.service.why_off(replace(python, path="a/.env"))
    await bench.service.configure(
        Settings(completion=CompletionSettings(eagerness="on-demand", disabled_languages=["go"]))
    )
    assert await bench.service.why_off(python) == ""  # who asks gets something
    go = await bench.service.why_off(replace(python, language="go"))
    assert go == "suggestions are not wanted here (completion.disabled_languages has go)"


async def test_before_the_model_is_ready_there_is_nothing(bench: Bench) -> None:
    assert outcome_of(await bench.complete()) is Outcome.LOADING
    await bench.start()
    bench.engine.become(EngineState("downloading", "30 of 90 MB", 33.0))
    suggestion = await bench.complete()
    assert outcome_of(suggestion) is Outcome.LOADING
    assert suggestion.receipt.detail == "30 of 90 MB, 33 %"
    assert bench.engine.times_lost == 0


async def test_ready_is_told_when_prompts_can_be_made(bench: Bench) -> None:
    seen: list[str] = []
    build = bench.load_builder

    def load(name: str) -> PromptBuilder:
        seen.extend(state.status for state in bench.states)
        return build(name)

    bench.load_builder = load
    await bench.ready()
    assert "ready" not in seen
    assert bench.states[-1] == READY


async def test_a_failed_engine_is_tried_again(bench: Bench) -> None:
    await bench.start()
    bench.engine.become(EngineState("failed", "no such device"))
    suggestion = await bench.complete()
    assert outcome_of(suggestion) is Outcome.NO_MODEL
    assert suggestion.receipt.detail == "no such device"
    assert bench.engine.times_lost == 1
    bench.engine.become(READY, FakeClient([" a", "\n"]))
    await bench.until(lambda: bench.service.state == READY)
    assert outcome_of(await bench.complete()) is Outcome.SUGGESTED


@pytest.mark.parametrize("error", [NoTemplateError("no FIM tokens"), KeyError("no FIM tokens")])
async def test_without_prompts_the_reason_stays(bench: Bench, error: Exception) -> None:
    def load(name: str) -> PromptBuilder:
        raise error

    bench.load_builder = load
    await bench.start()
    bench.engine.become(READY, FakeClient([" a", "\n"]))
    await bench.until(lambda: bench.service.state.status == "failed")
    for _ in range(2):
        suggestion = await bench.complete()
        assert outcome_of(suggestion) is Outcome.NO_MODEL
        assert "no FIM tokens" in suggestion.receipt.detail
    assert bench.engine.times_lost == 0, "a new engine would be no help"


async def test_an_engine_that_is_gone_is_told_so(bench: Bench) -> None:
    client = await bench.ready(" a", EngineUnavailableError("broke off"))
    suggestion = await bench.complete()
    assert (suggestion.text, outcome_of(suggestion)) == ("", Outcome.ENGINE_FAILED)
    assert suggestion.receipt.detail == "broke off"
    assert bench.engine.times_lost == 1
    assert client.closed


async def test_an_engine_that_refuses_is_not_gone(bench: Bench) -> None:
    await bench.ready(EngineError("HTTP 400: too long", 400))
    assert outcome_of(await bench.complete()) is Outcome.ENGINE_FAILED
    assert bench.engine.times_lost == 0


async def test_a_request_that_the_engine_dropped_suggests_nothing(bench: Bench) -> None:
    """Half a name is worse than none."""
    await bench.ready(" coun", Chunk("", "abort"))
    suggestion = await bench.complete()
    assert (suggestion.text, outcome_of(suggestion)) == ("", Outcome.SUPERSEDED)


async def test_an_engine_that_hangs_is_left(bench: Bench) -> None:
    settings = Settings(model="a", engine=EngineSettings(timeout_seconds=0.05))
    client = await bench.ready(" a", NEVER, settings=settings)
    suggestion = await bench.complete()
    assert (suggestion.text, outcome_of(suggestion)) == ("", Outcome.TIMED_OUT)
    assert client.closed


@pytest.mark.parametrize(
    ("message", "outcome"), [(None, Outcome.CANCELLED), (SUPERSEDED, Outcome.SUPERSEDED)]
)
async def test_a_withdrawn_request_is_answered_by_nobody(
    bench: Bench, message: str | None, outcome: Outcome
) -> None:
    client = await bench.ready(" a", NEVER)
    task = asyncio.ensure_future(bench.complete())
    await client.waiting.wait()
    task.cancel(message)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.service.receipts[-1].outcome is outcome
    assert not client.closed, "what is typed next may agree with it"


async def test_an_error_of_ours_is_an_outcome(bench: Bench) -> None:
    client = await bench.ready(UnicodeEncodeError("utf-8", "canary", 0, 1, "quoted"))
    suggestion = await bench.complete()
    assert (suggestion.text, outcome_of(suggestion)) == ("", Outcome.FAILED)
    assert suggestion.receipt.detail == "UnicodeEncodeError", "and not the text that it quotes"
    client.script = [" a", "\n"]
    assert outcome_of(await bench.complete()) is Outcome.SUGGESTED


async def test_only_the_latest_receipts_are_kept(bench: Bench) -> None:
    for offset in range(RECEIPTS_KEPT + 5):
        await bench.complete("x" * 200, offset)
    assert [receipt.offset for receipt in bench.service.receipts] == list(
        range(5, RECEIPTS_KEPT + 5)
    )


async def test_settings_of_prompts_leave_the_engine(bench: Bench) -> None:
    client = await bench.ready(" a", "\n")
    before = Settings(model="a")
    await bench.service.configure(
        attrs.evolve(before, completion=attrs.evolve(before.completion, max_tokens=5))
    )
    assert len(bench.engines) == 1
    await bench.complete()
    assert client.asked[-1]["max_tokens"] == 5


@pytest.mark.parametrize(
    "settings", [Settings(model="b"), Settings(model="a", engine=EngineSettings(device="cpu"))]
)
async def test_settings_of_the_engine_change_it(bench: Bench, settings: Settings) -> None:
    await bench.ready(" a", "\n")
    await bench.service.configure(settings)
    await bench.until(lambda: len(bench.engines) == 2)
    old, new = bench.engines
    assert old.closed
    assert (new.model, new.settings) == (settings.model, settings.engine)
    assert outcome_of(await bench.complete()) is Outcome.LOADING
    new.become(READY, FakeClient([" b", "\n"]))
    await bench.until(lambda: bench.service.state == READY)
    assert (await bench.complete()).text == "b"


async def test_closing_lets_go_of_the_engine(bench: Bench) -> None:
    await bench.start()
    await bench.service.close()
    assert bench.engine.closed
    assert outcome_of(await bench.complete()) is Outcome.LOADING


async def test_the_exact_prompts_of_the_latest_requests_are_kept(bench: Bench) -> None:
    await bench.ready(" a")
    for count in range(PROMPTS_KEPT + 2):
        await bench.complete(TEXT.replace("def", "\n" * count + "def"), AT + count)
    receipts = list(bench.service.receipts)
    texts = [bench.service.prompt_text(each) for each in receipts]
    assert [text is None for text in texts] == [True] * 2 + [False] * PROMPTS_KEPT
    sent = receipts[-1].prompt
    assert sent is not None and texts[-1] == bench.tokenizer.decode(sent.ids)
    assert "<|fim_prefix|>" in (texts[-1] or "")
    assert "prompt=" not in repr(receipts[-1]), "it might be logged"


async def test_a_private_file_has_no_prompt_and_its_rule_is_named(bench: Bench) -> None:
    await bench.ready(" a")
    suggestion = await bench.service.complete(CompletionRequest("a/.env", "", TEXT, AT))
    assert suggestion.receipt.detail == ".env"
    assert bench.service.prompt_text(suggestion.receipt) is None


async def test_a_cached_answer_has_the_prompt_that_it_was_generated_from(bench: Bench) -> None:
    await bench.ready(" a")
    first, second = await bench.complete(), await bench.complete()
    assert outcome_of(second) is Outcome.CACHED
    assert second.receipt.prompt is first.receipt.prompt is not None
    assert "generate" in first.receipt.stages_ms
    assert list(second.receipt.stages_ms) == ["total"]
