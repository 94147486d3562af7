"""Cross-file context as a language server asks for it: real indexers, real files."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lsp_server.context.cross_file import CrossFile, Question
from lsp_server.context.files import Rules
from lsp_server.context.steadiness import Chosen
from lsp_server.context.types import Cursor, Progress, Window
from lsp_server.context.workspace import Workspace

SHAPES = '''\
"""Shapes."""


class Circle:
    def __init__(self, radius: float) -> None:
        self.radius = radius

    def circumference_in_units(self, unit: str) -> float:
        """How long its edge is."""
        return 6.28 * self.radius
'''
USE = "from shapes import Circle\n\n\ndef edge(circle: Circle) -> float:\n    return circle."
WAIT_SECONDS = 60


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODER_LSP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "shapes.py").write_text(SHAPES)
    (folder / "use.py").write_text(USE)
    return folder


@asynccontextmanager
async def cross_file(
    *roots: Path, rules: Rules | None = None, watches: bool = False, enabled: bool = True
) -> AsyncIterator[CrossFile]:
    seen: list[Progress] = []
    context = CrossFile(roots, rules or Rules(), seen.append, watches=watches, enabled=enabled)
    await context.start()
    try:
        if enabled and roots:
            await until(lambda: seen and seen[-1].ready)
        yield context
    finally:
        await context.close()


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.02)


def question(file: Path, prefix: str = USE, budget: int = 300) -> Question:
    return Question(file, "python", prefix, "\n", budget, lambda text: len(text) // 3 + 1)


async def ask(context: CrossFile, file: Path, prefix: str = USE) -> Chosen:
    return await context.choose(question(file, prefix), seconds=20)


def shown(chosen: Chosen) -> str:
    return "\n".join(snippet.text for snippet in chosen.snippets)


async def until_shown(context: CrossFile, file: Path, text: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while text not in shown(await ask(context, file)):
        assert time.monotonic() < deadline, f"{text!r} never came"
        context.closed(file)  # else what was chosen before is kept
        await asyncio.sleep(0.05)


async def test_the_receivers_class_is_shown(root: Path) -> None:
    async with cross_file(root) as context:
        chosen = await ask(context, root / "use.py")
        assert "def circumference_in_units(self, unit: str) -> float" in shown(chosen)
        assert chosen.evidence == {"shapes.py": "receiver"}


async def test_an_open_document_wins_over_the_disk(root: Path) -> None:
    async with cross_file(root) as context:
        text = SHAPES.replace("circumference_in_units", "edge_length")
        context.opened(root / "shapes.py", "python", SHAPES)
        context.edited(root / "shapes.py", text)
        assert "def edge_length" in shown(await ask(context, root / "use.py"))
        context.closed(root / "shapes.py")
        await until_shown(context, root / "use.py", "def circumference_in_units")


async def test_a_change_on_disk_is_seen_when_told(root: Path) -> None:
    async with cross_file(root) as context:
        (root / "shapes.py").write_text(SHAPES.replace("circumference_in_units", "told_of"))
        context.changed([root / "shapes.py"])
        await until_shown(context, root / "use.py", "def told_of")


async def test_a_change_on_disk_is_seen_by_watching(root: Path) -> None:
    async with cross_file(root, watches=True) as context:
        (root / "shapes.py").write_text(SHAPES.replace("circumference_in_units", "watched_for"))
        await until_shown(context, root / "use.py", "def watched_for")


async def test_watching_may_begin_late(root: Path) -> None:
    async with cross_file(root) as context:
        (root / "shapes.py").write_text(SHAPES.replace("circumference_in_units", "found_late"))
        context.watch()
        await until_shown(context, root / "use.py", "def found_late")
        (root / "shapes.py").write_text(SHAPES.replace("circumference_in_units", "watched_for"))
        await until_shown(context, root / "use.py", "def watched_for")


async def test_folders_come_and_go(root: Path, tmp_path: Path) -> None:
    async with cross_file() as context:
        assert shown(await ask(context, root / "use.py")) == ""
        await context.change_roots([root])
        await until_shown(context, root / "use.py", "def circumference_in_units")
        await context.change_roots([])
        assert shown(await ask(context, root / "use.py")) == ""


async def test_past_its_deadline_the_last_choice_is_given(root: Path) -> None:
    gate = threading.Event()

    def late(text: str) -> int:
        gate.wait(WAIT_SECONDS)
        return len(text)

    async with cross_file(root) as context:
        file = root / "use.py"
        slow = Question(file, "python", USE, "\n", 300, late)
        assert (await context.choose(slow, seconds=0.05)).snippets == ()
        gate.set()
        first = await ask(context, file)
        assert first.snippets
        gate.clear()
        slow = Question(file, "python", USE + "x", "\n", 300, lambda text: late(text))
        assert (await context.choose(slow, seconds=0.05)).snippets == first.snippets
        gate.set()


async def test_a_search_for_similar_text_is_not_waited_for(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    similar = Workspace.similar

    def slow(workspace: Workspace, cursor: Cursor) -> list[Window]:
        gate.wait(WAIT_SECONDS)
        return similar(workspace, cursor)

    monkeypatch.setattr(Workspace, "similar", slow)
    (root / "other.py").write_text("def edge(circle):\n    return circle.edge()\n")
    async with cross_file(root) as context:
        without = await context.choose(question(root / "use.py"), seconds=1)
        assert (without.evidence, without.whole) == ({"shapes.py": "receiver"}, False)
        gate.set()
        whole = await ask(context, root / "use.py")
        assert set(whole.evidence) == {"shapes.py", "other.py"}
        assert whole.whole


async def test_similar_text_is_looked_for_while_definitions_are_chosen(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def similar(workspace: Workspace, cursor: Cursor) -> list[Window]:
        begun.set()
        return []

    def count(text: str) -> int:
        assert begun.wait(WAIT_SECONDS)
        return len(text) // 3 + 1

    monkeypatch.setattr(Workspace, "similar", similar)
    async with cross_file(root) as context:
        chosen = await context.choose(replace(question(root / "use.py"), count=count), seconds=90)
        assert chosen.evidence == {"shapes.py": "receiver"}


async def test_what_comes_too_late_is_there_for_the_next_request(root: Path) -> None:
    async with cross_file(root) as context:
        file, asked, go = root / "use.py", threading.Event(), threading.Event()

        def slow(text: str) -> int:
            asked.set()
            go.wait(WAIT_SECONDS)
            return len(text) // 3 + 1

        late = await context.choose(replace(question(file), count=slow), seconds=0.05)
        assert late.snippets == ()
        go.set()
        await until(asked.is_set)
        await until(lambda: context._choices)
        assert "def circumference" in shown(await context.choose(question(file), seconds=0))


async def test_requests_that_nobody_waits_for_are_not_worked_on(root: Path) -> None:
    async with cross_file(root) as context:
        go, asked = threading.Event(), []

        def counting(name: str) -> Callable[[str], int]:
            def count(text: str) -> int:
                asked.append(name)
                go.wait(WAIT_SECONDS)
                return len(text) // 3 + 1

            return count

        for name in ("first", "second", "third"):
            await context.choose(replace(question(root / "use.py"), count=counting(name)), 0.1)
        go.set()
        await ask(context, root / "use.py")
        assert set(asked) == {"first"}


async def test_an_error_does_not_bring_text_into_the_log(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    canary = "a_name".upper()  # as this line stands in the log

    def fail(text: str) -> int:
        raise UnicodeEncodeError("utf-8", canary, 0, 1, text)

    async with cross_file(root) as context:
        chosen = await context.choose(replace(question(root / "use.py"), count=fail), seconds=20)
        assert chosen.snippets == ()
    assert "UnicodeEncodeError" in caplog.text
    assert canary not in caplog.text


async def test_similar_text_is_shown_no_longer_than_it_is_there(root: Path) -> None:
    (root / "other.py").write_text("box.fill(water)\nbox.shut(lid)\nbox.send(old_address)\n")
    async with cross_file(root) as context:
        prefix = "box.fill(water)\nbox.shut(lid)\n"
        assert "old_address" in shown(await ask(context, root / "use.py", prefix))
        (root / "other.py").write_text("box.fill(water)\nbox.shut(lid)\nbox.send(elsewhere)\n")
        assert "old_address" not in shown(await ask(context, root / "use.py", prefix))
        text = "box.fill(water)\nbox.shut(lid)\nbox.send(typed)\n"
        context.opened(root / "other.py", "python", text.replace("\n", "\r\n"))
        assert "\nbox.send(typed)\n" in shown(await ask(context, root / "use.py", prefix))
        context.edited(root / "other.py", text + "# -----BEGIN PRIVATE KEY-----\n")
        assert "typed" not in shown(await ask(context, root / "use.py", prefix))


async def test_a_long_line_holds_nothing_up(root: Path) -> None:
    async with cross_file(root) as context:
        prefix = USE.replace("\n\n\n", "\nDATA = '" + 40_000 * "with x " + "'\n\n")
        chosen = await context.choose(question(root / "use.py", prefix), seconds=10)
        assert chosen.evidence == {"shapes.py": "receiver"}


async def test_before_it_is_told_of_a_document_it_may_be_told_of_edits(root: Path) -> None:
    async with cross_file(root) as context:
        text = SHAPES.replace("circumference_in_units", "typed_early")
        context.edited(root / "shapes.py", text)
        assert "def typed_early" in shown(await ask(context, root / "use.py"))


async def test_an_open_document_too_large_for_an_index_counts_as_empty(root: Path) -> None:
    async with cross_file(root, rules=Rules(max_file_bytes=1000)) as context:
        context.opened(root / "shapes.py", "python", SHAPES + 1000 * "#")
        assert "shapes.py" not in (await ask(context, root / "use.py")).evidence


async def test_a_folder_within_another_keeps_its_own_rules(root: Path) -> None:
    inner = root / "in [n] er"
    (inner / "private").mkdir(parents=True)
    (inner / "private" / "hidden.py").write_text("def canary(): ...\n")
    async with cross_file(root, rules=Rules(never=("/private/",))) as context:
        await context.change_roots([root, inner])
        await until(lambda: context.progress.ready)
        prefix = "from private.hidden import canary\n\ncanary"
        assert shown(await ask(context, root / "use.py", prefix)) == ""
        await context.change_roots([root])
        await until(lambda: context.progress.ready)
        await until_shown(context, root / "use.py", "def circumference_in_units")


@pytest.mark.parametrize("wide", ["home", "home/..", "/"])
async def test_the_home_folder_is_not_indexed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wide: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setattr(Path, "home", lambda: home)
    seen: list[Progress] = []
    context = CrossFile([tmp_path / wide], Rules(), seen.append, watches=True)
    await context.start()
    try:
        assert context._folders == {}
        assert shown(await ask(context, home / "a.py")) == ""
    finally:
        await context.close()
    assert not (tmp_path / "cache").exists()


async def test_closed_it_chooses_nothing_and_takes_up_no_folder(root: Path) -> None:
    seen: list[Progress] = []
    context = CrossFile([root], Rules(), seen.append, watches=False)
    await asyncio.gather(context.start(), context.close())
    assert seen[-1].ready, "else its progress would be shown for ever"
    assert (await ask(context, root / "use.py")).snippets == ()
    await context.change_roots([root, root.parent])
    assert context._folders == {}


async def test_typing_on_keeps_the_choice(root: Path) -> None:
    async with cross_file(root) as context:
        file = root / "use.py"
        first = await ask(context, file)
        for typed in ("c", "ci", "cir", "circ"):
            assert (await ask(context, file, USE + typed)).snippets == first.snippets


async def test_disabled_or_without_a_budget_nothing_is_shown(root: Path) -> None:
    async with cross_file(root, enabled=False) as context:
        assert shown(await ask(context, root / "use.py")) == ""
    async with cross_file(root) as context:
        nothing = await context.choose(question(root / "use.py", budget=0), seconds=20)
        assert nothing.snippets == ()


async def test_private_files_are_neither_shown_nor_completed(root: Path) -> None:
    canary = "canary_in_a_secret_place"
    for name in (".env", "server.key", "hidden/notes.py"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(SHAPES.replace("circumference_in_units", canary))
    async with cross_file(root, rules=Rules(never=("hidden/",))) as context:
        assert context.level(root / ".env") == "never"
        assert context.level(root / "hidden" / "notes.py") == "never"
        assert context.level(root / "use.py") == "fine"
        assert context.level(root / "use.py", "-----BEGIN RSA PRIVATE KEY-----") == "never"
        prefix = USE.replace("shapes", "hidden.notes") + canary[:6]
        assert canary not in shown(await ask(context, root / "use.py", prefix))
        context.opened(root / "hidden" / "notes.py", "python", f"def {canary}(): ...\n")
        assert canary not in shown(await ask(context, root / "use.py", prefix))
    for folder, _, files in os.walk(root.parent / "cache"):
        for file in files:
            assert canary.encode() not in (Path(folder) / file).read_bytes(), file
