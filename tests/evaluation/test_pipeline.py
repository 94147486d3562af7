from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from lsp_server.completion.types import Output
from lsp_server.context import cross_file
from lsp_server.context.assembly import choose
from lsp_server.context.cross_file import CrossFile, Question
from lsp_server.context.steadiness import Chosen
from lsp_server.evaluation.pipeline import Answer, EvaluationError, Pipeline
from lsp_server.evaluation.rows import Row
from lsp_server.evaluation.setup import Setup, as_in_the_paper, unhurried
from lsp_server.inference.client import EngineError
from lsp_server.prompt.types import Snippet
from lsp_server.settings import Settings
from tests.commands.fake_engine import install
from tests.evaluation.rows import row

SETTINGS = unhurried(Settings(model="a"))

SERVICES = '''\
class PlainService:
    """Does nothing."""

    def ping(self) -> bool:
        return True


class HiddenService:
    """Only the answer names it."""

    def summon(self, name: str) -> bool:
        return bool(name)
'''
PREFIX = '''\
import services


class Client:
    """Talks to a service."""

    def __init__(self) -> None:
        self.service = '''
SUFFIX = '''

    def call(self) -> bool:
        """Ask the service."""
        return self.service.call()
'''
ANSWER = "services.HiddenService()"


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODER_LSP_CACHE", str(tmp_path / "cache"))


def repository(root: Path, client: str) -> Path:
    root.mkdir()
    (root / "services.py").write_text(SERVICES)
    (root / "client.py").write_text(client)
    return root


def at_the_service(root: Path) -> Row:
    return row(path="client.py", prefix=PREFIX, suffix=SUFFIX, groundtruth=ANSWER, workspace=root)


async def answers(setup: Setup, *rows: Row) -> list[Answer]:
    async with Pipeline(setup) as pipeline:
        return [await pipeline.answer(each) for each in rows]


async def test_the_answer_is_what_the_service_suggests(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = install(monkeypatch, "a", " + 1", "\nc = 3\n")
    [answer] = await answers(Setup(SETTINGS), row())
    assert (answer.text, answer.outcome) == ("a + 1", "suggested")
    assert "c = 3" in engine.prompts[0]
    assert answer.tokens["prompt"] > answer.tokens["prefix"] > 0
    assert answer.milliseconds["total"] > 0


@pytest.mark.parametrize(
    ("output", "expected"),
    [("fitted", "a + 1"), ("cut", "a + 1)"), ("raw", "a + 1)\nc = 3\nd = 4\n")],
)
async def test_parts_of_what_is_done_with_the_text_can_be_left_out(
    monkeypatch: pytest.MonkeyPatch, output: Output, expected: str
) -> None:
    install(monkeypatch, "a + 1)", "\nc = 3", "\nd = 4\n")
    [answer] = await answers(Setup(SETTINGS, output=output), row())
    assert answer.text == expected


async def test_what_a_row_brings_is_shown_where_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = install(monkeypatch, "a")
    there = row(
        cross_file=(Snippet("other.py", "given = 1\n"),),
        meta={"bm25": [{"path": "third.py", "text": "named = 1\n"}]},
    )
    for wanted in ("none", "given", "bm25"):
        await answers(Setup(SETTINGS, wanted), there)
    none, given, named = engine.prompts
    assert "other.py" not in none and "third.py" not in none
    assert "given = 1" in given and "named = 1" not in given
    assert "named = 1" in named and "given = 1" not in named


async def test_the_workspace_is_shown_without_what_the_file_on_disk_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = install(monkeypatch, "x")
    solved = repository(tmp_path / "solved", PREFIX + ANSWER + SUFFIX)
    unsolved = repository(tmp_path / "unsolved", PREFIX + SUFFIX)
    setup = Setup(SETTINGS, "workspace")
    await answers(setup, at_the_service(solved), at_the_service(unsolved))
    assert "class PlainService" in engine.prompts[0]
    assert engine.prompts[0] == engine.prompts[1]
    assert ANSWER not in engine.prompts[0]


async def test_the_index_knows_the_file_without_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, "x")
    known: list[str] = []

    def noted(cursor: Any, index: Any, *args: Any, **options: Any) -> Chosen:
        known.append(repr(index.file("client.py")))
        return choose(cursor, index, *args, **options)

    monkeypatch.setattr(cross_file, "choose", noted)
    root = repository(tmp_path / "here", PREFIX + ANSWER + SUFFIX)
    await answers(Setup(SETTINGS, "workspace"), at_the_service(root))
    assert "call" in known[0] and "HiddenService" not in known[0]


async def test_no_row_knows_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = install(monkeypatch, "x")
    asked: list[tuple[object, ...]] = []

    def noted(*args: Any, **options: Any) -> Chosen:
        asked.append((options["previous"], options["recent"]))
        return choose(*args, **options)

    monkeypatch.setattr(cross_file, "choose", noted)
    root = repository(tmp_path / "here", PREFIX + ANSWER + SUFFIX)
    setup = Setup(SETTINGS, "workspace")
    first = at_the_service(root)
    other = row(path="services.py", prefix=SERVICES, suffix="", workspace=root)
    await answers(setup, first, other, first)
    assert engine.prompts[0] == engine.prompts[2]
    assert asked[0] == asked[2] == (Chosen(), ("client.py",))


async def test_what_is_installed_plays_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = install(monkeypatch, "x")
    environment = tmp_path / "environment"
    packages = environment / "lib" / "python3.12" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "elsewhere.py").write_text("def borrow(name: str) -> int: ...\n")
    (environment / "pyvenv.cfg").write_text("")
    monkeypatch.setenv("VIRTUAL_ENV", str(environment))
    prefix = "import elsewhere\n" + PREFIX + "elsewhere.borrow("
    root = repository(tmp_path / "here", prefix + SUFFIX)
    there = row(path="client.py", prefix=prefix, suffix=SUFFIX, workspace=root)
    await answers(Setup(SETTINGS, "workspace"), there)
    assert "class PlainService" in engine.prompts[0]
    assert "def borrow" not in engine.prompts[0]


async def test_time_plays_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Context that takes long is waited for."""
    engine = install(monkeypatch, "x")
    choose = CrossFile.choose

    async def slow(self: CrossFile, question: Question, seconds: float) -> object:
        assert seconds > 1000
        await asyncio.sleep(0.1)
        return await choose(self, question, seconds)

    monkeypatch.setattr(CrossFile, "choose", slow)
    root = repository(tmp_path / "here", PREFIX + ANSWER + SUFFIX)
    await answers(Setup(SETTINGS, "workspace"), at_the_service(root))
    assert "class PlainService" in engine.prompts[0]


async def test_the_paper_s_prompt_ends_at_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = install(monkeypatch, "a + 1", "\n", "and more")
    there = row(cross_file=(Snippet("other.py", "given = 1\n"),))
    [answer] = await answers(as_in_the_paper(Setup(SETTINGS, "given")), there)
    assert engine.prompts[0].endswith("other.py\ngiven = 1\n<|file_sep|>main.py\na = 1\nb =")
    assert answer.text == "a + 1\nand more"


async def test_a_model_that_cannot_be_used_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, failure="out of memory")
    with pytest.raises(EvaluationError, match="out of memory"):
        await answers(Setup(SETTINGS), row())


async def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> Answer:
    engine = install(monkeypatch, "a")

    async def broken(*_: object, **__: object) -> object:
        raise error
        yield

    monkeypatch.setattr(engine, "stream", broken)
    [answer] = await answers(Setup(SETTINGS), row())
    return answer


async def test_nothing_is_taken_for_an_answer_when_the_engine_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(EvaluationError, match="one: the inference engine failed out of memory"):
        await failing(monkeypatch, EngineError("out of memory"))


async def test_what_fails_for_a_row_alone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await failing(monkeypatch, asyncio.TimeoutError())
    assert answer.failure == "one: the inference engine took too long"
    answer = await failing(monkeypatch, RecursionError())
    assert answer.failure == "one: an error inside coder-lsp RecursionError"
