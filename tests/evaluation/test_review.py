"""Ways in which figures went wrong, or would have."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lsp_server.commands import evaluate as command
from lsp_server.completion import syntax
from lsp_server.context.languages.table import language_of
from lsp_server.evaluation import results
from lsp_server.evaluation.cursors import cases
from lsp_server.evaluation.pipeline import Pipeline
from lsp_server.evaluation.published import PublishedContext
from lsp_server.evaluation.report import Judged, Run, differences
from lsp_server.evaluation.rows import Row
from lsp_server.evaluation.setup import (
    PAPER_CROSS_FILE,
    PAPER_NEW,
    PAPER_TOKENS,
    Setup,
    as_in_the_paper,
    unhurried,
)
from lsp_server.evaluation.suites import SUITES
from lsp_server.prompt.types import Snippet
from lsp_server.settings import Settings
from tests.benchmarks.tiny import FILES
from tests.commands.fake_engine import install
from tests.evaluation.rows import row

SETTINGS = unhurried(Settings(model="a"))


@pytest.fixture(autouse=True)
def own_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODER_LSP_CACHE", str(tmp_path / "cache"))


async def prompt_of(monkeypatch: pytest.MonkeyPatch, setup: Setup, there: Row) -> tuple[str, int]:
    """A row's prompt, and how many tokens of its prefix it has."""
    engine = install(monkeypatch, "x")
    async with Pipeline(setup) as pipeline:
        answer = await pipeline.answer(there)
    return engine.prompts[0], answer.tokens["prefix"]


def test_verdicts_are_kept_under_what_runs_the_programs() -> None:
    root = Path(results.__file__).parents[1]
    files = {file for part in results._SCORING for file in results._sources(root / part)}
    assert root / "evaluation" / "confined.py" in files


def test_the_command_needs_nothing_that_only_developers_have() -> None:
    hidden = "import sys; sys.modules.update(rank_bm25=None, matplotlib=None)"
    loads = f"{hidden}\nimport lsp_server.commands.evaluate"
    subprocess.run([sys.executable, "-c", loads], check=True)


def test_the_published_retriever_shows_what_follows_the_chunk_that_was_found() -> None:
    """`use_next_chunk_as_cfc` of CrossCodeEval's augment_with_cfc.py; a file's last chunk has none
    after it and is shown itself."""
    lines = [f"line_{number} = {number}" for number in range(20)]
    lines[3] = "needle = haystack.find(thread)"
    retriever = PublishedContext({"other.py": "\n".join(lines), "more.py": "nothing = 0"})
    [first, *_] = retriever.best("main.py", "needle = haystack.find(")
    assert first.text.startswith("line_10 = 10")


def test_no_answer_stands_in_a_copy_of_the_file() -> None:
    """Of the pinned packages, fastapi's examples, httpcore's sync half and pyramid's tutorials are
    copies of other files, so that the answer could be copied for one row in seven."""
    copied = {**FILES, "tiny/copy_of_reader.py": FILES["tiny/reader.py"]}
    assert cases("tiny", FILES, "member", 9, 0)
    assert cases("tiny", copied, "member", 9, 0) == []


def test_a_list_that_a_row_does_not_have_is_not_taken_for_an_empty_one() -> None:
    """Rows as the benchmark publishes them have no list rg1_bm25, which benchmarks.answers asks
    for: there, what it calls the published retriever was no context at all."""
    setup = Setup(SETTINGS, "rg1_bm25")
    assert setup.shown(row(meta={"rg1_bm25": []})) == ()
    with pytest.raises(Exception, match="rg1_bm25"):
        setup.shown(row(cross_file=(Snippet("a.py", "a = 1\n"),)))


def test_rows_without_their_repository_are_not_counted_as_completed_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [row(id="one", workspace=tmp_path), row(id="two")]
    monkeypatch.setattr(command, "rows_of", lambda *_, **__: found)
    args = argparse.Namespace(rows=[], seed=0, language=None, limit=None)
    rows = command.chosen_rows(SUITES["repository"], args, Setup(SETTINGS, "workspace"))
    assert [each.id for each in rows] == ["one"]


async def test_a_line_that_is_ended_is_not_the_rest_of_it() -> None:
    there = row(prefix="a = 1\nself.", groundtruth="save()")
    scores = await SUITES["repository"].score(there, "\n    save()")
    assert scores["exact match"] == 0


async def test_what_is_installed_on_the_machine_plays_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package itself may be, answers included."""
    packages = tmp_path / "active" / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    (tmp_path / "active" / "pyvenv.cfg").write_text("")
    (packages / "gadgets.py").write_text('class Gadget:\n    """Turns a crank."""\n')
    root = tmp_path / "repository"
    root.mkdir()
    there = row(prefix="import gadgets\n\nx = gadgets.Gadget().", workspace=root)
    setup = Setup(SETTINGS, "workspace")
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    without, _ = await prompt_of(monkeypatch, setup, there)
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "active"))
    installed, _ = await prompt_of(monkeypatch, setup, there)
    assert installed == without


def test_a_busy_machine_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser that ran out of time on the clock, not on the processor, goes on."""
    unit = language_of("", "python").symbols
    assert unit is not None
    parser = syntax._parser(unit)
    monkeypatch.setattr(syntax, "_parser", lambda _: Interrupted(parser))
    assert syntax.errors("interrupted = (", "python") == 1


class Interrupted:
    def __init__(self, parser: Any) -> None:
        self._parser = parser
        self._is_interrupted = False

    def parse(self, source: bytes) -> Any:
        if self._is_interrupted:
            return self._parser.parse(source)
        self._is_interrupted = True
        raise ValueError("Parsing failed")

    def reset(self) -> None:
        self._is_interrupted = False


async def test_the_paper_s_prefix_has_the_room_that_other_files_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CrossCodeEval's eval.py: what is left of 2048 tokens after the new ones and the chunks."""
    there = row(prefix="x = 1\n" * 1000, cross_file=(Snippet("other.py", "y = 2\n" * 6),))
    _, prefix = await prompt_of(monkeypatch, as_in_the_paper(Setup(SETTINGS, "given")), there)
    assert prefix > PAPER_TOKENS - PAPER_CROSS_FILE - PAPER_NEW


def test_runs_are_compared_where_the_same_was_wanted() -> None:
    """Another seed may put a cursor elsewhere on the same line."""

    def run(truth: str, score: float) -> Run:
        judged = Judged("p==1/member/a.py:7", "g", "", truth, "suggested", {"em": score}, {}, {})
        return Run("run", [judged])

    assert len(differences(run("save()", 1.0), run("save()", 0.0))) == 1
    assert differences(run("save()", 1.0), run("other.save()", 0.0)) == []
