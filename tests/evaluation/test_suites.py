from __future__ import annotations

import contextlib
import io
import sys

import pytest

from lsp_server.commands import evaluate_options
from lsp_server.evaluation import suites
from lsp_server.evaluation.rows import Row
from lsp_server.evaluation.sandbox import Verdict
from lsp_server.evaluation.suites import SUITES, Scores, first_line
from tests.evaluation.rows import row


class Sandbox:
    """Runs what tests write, in this process, and keeps it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.programs: list[str] = []
        self.monkeypatch = monkeypatch

    async def run(self, program: str) -> Verdict:
        self.programs.append(program)
        try:
            exec(compile(program, "program", "exec"), {"__name__": "__main__"})
        except (AssertionError, NameError):
            return Verdict("failed")
        return Verdict("passed")

    async def run_script(self, program: str, given: str) -> Verdict:
        written = io.StringIO()
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        with contextlib.redirect_stdout(written), contextlib.suppress(SystemExit):
            await self.run(program)
        return Verdict("passed", output=written.getvalue())


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    sandbox = Sandbox(monkeypatch)
    monkeypatch.setattr(suites, "run_tests", sandbox.run)
    monkeypatch.setattr(suites, "run_script", sandbox.run_script)
    return sandbox


async def score(name: str, there: Row, prediction: str) -> Scores:
    return await SUITES[name].score(there, prediction)


def function(**parts: str) -> Row:
    test = "def check(candidate):\n    assert candidate(2) == 3\n"
    return row(
        benchmark="heinfill-single-line",
        meta={"test": test, "entry_point": "f"},
        **{
            "prefix": "def f(x):\n",
            "groundtruth": "    y = x + 1",
            "suffix": "\n    return y",
            **parts,
        },
    )


async def test_a_function_passes_by_its_tests_however_it_is_written(sandbox: Sandbox) -> None:
    right = await score("humaneval-infilling", function(), "    y = x + 1")
    assert right == {"pass@1": 1, "exact match": 1, "edit similarity": 1, "first line": 1}
    other = await score("humaneval-infilling", function(), "    y = 1 + x")
    assert (other["pass@1"], other["exact match"], other["first line"]) == (1, 0, 0)
    assert 0 < other["edit similarity"] < 1
    wrong = await score("humaneval-infilling", function(), "    y = x + 2")
    assert (wrong["pass@1"], wrong["exact match"]) == (0, 0)
    nothing = await score("humaneval-infilling", function(), "")
    assert set(nothing.values()) == {0.0}


async def test_the_program_is_the_published_one(sandbox: Sandbox) -> None:
    there = function()
    await score("humaneval-infilling", there, there.groundtruth)
    completed = there.prefix + there.groundtruth + there.suffix
    assert sandbox.programs == [f"{completed}\n{there.meta['test']}\ncheck(f)\n"]


async def test_crosscodeeval_judges_the_first_statement() -> None:
    there = row(benchmark="cceval-python", prefix="import a\nb = ", groundtruth="a.call(1)")
    scores = await score("crosscodeeval", there, "a.call(1)  # yes\nc = 2\n")
    assert scores == {
        "exact match": 1,
        "edit similarity": 1,
        "identifier match": 1,
        "identifier F1": 1,
        "first line": 0,
    }
    other = await score("crosscodeeval", there, "a.other(1)")
    assert other["exact match"] == other["identifier match"] == 0
    assert other["identifier F1"] == 0.5


async def test_safim_compares_calls() -> None:
    there = row(benchmark="safim-api", language="cpp", groundtruth="init(a, 1)")
    assert (await score("safim", there, "init( a,1 ); and more"))["pass@1"] == 1
    assert (await score("safim", there, "init(a, 2)"))["pass@1"] == 0


async def test_safim_runs_python_for_control_flow(sandbox: Sandbox) -> None:
    there = row(
        benchmark="safim-control",
        prefix="import sys\nfor i in ",
        groundtruth="range(int(input())):",
        suffix="\n    print(i)\nsys.exit(0)\n",
        meta={"unit_tests": [{"input": "2", "output": ["0\n1"]}, {"input": "1", "output": ["0"]}]},
    )
    assert (await score("safim", there, "range(int(input())):"))["pass@1"] == 1
    assert not sandbox.programs
    assert (await score("safim", there, "range(0, int(input())):\n    more"))["pass@1"] == 1
    assert len(sandbox.programs) == 2
    assert (await score("safim", there, "range(1, int(input())):"))["pass@1"] == 0
    assert len(sandbox.programs) == 3


async def test_where_safim_has_no_tests_nothing_passes_them(sandbox: Sandbox) -> None:
    there = row(benchmark="safim-control", groundtruth="i < 3", meta={"unit_tests": []})
    assert (await score("safim", there, "i < 4"))["pass@1"] == 0


async def test_safim_compares_control_flow_in_other_languages(sandbox: Sandbox) -> None:
    there = row(
        benchmark="safim-control", language="java", groundtruth="i < 3", meta={"unit_tests": []}
    )
    assert (await score("safim", there, "i<3) { more"))["pass@1"] == 1
    assert (await score("safim", there, "3 > i"))["pass@1"] == 0
    assert not sandbox.programs


async def test_of_a_repository_only_the_line_is_judged() -> None:
    there = row(benchmark="repository-random", groundtruth="    if a == b:")
    right = await score("repository", there, "    if a == b:\n        return 1")
    assert set(right.values()) == {1.0}
    wrong = await score("repository", there, "    if a == c:")
    assert wrong["exact match"] == 0 and wrong["identifier F1"] == 0.5


async def test_the_first_line_is_where_the_answer_s_is() -> None:
    within = row(benchmark="cceval-python", prefix="a = 1\nb = ", groundtruth="c")
    assert (await score("crosscodeeval", within, "c\nd"))["first line"] == 1
    assert (await score("crosscodeeval", within, "\nc"))["first line"] == 0
    below = row(benchmark="cceval-python", prefix="if a:", groundtruth="\n    b()")
    assert (await score("crosscodeeval", below, "\n    b()"))["first line"] == 1
    assert (await score("crosscodeeval", below, "b()"))["first line"] == 0
    at_start = row(benchmark="cceval-python", prefix="a = 1\n", groundtruth="b = 2")
    assert (await score("crosscodeeval", at_start, "\nb = 2"))["first line"] == 1


def test_the_first_line_is_the_first_that_is_not_blank() -> None:
    assert first_line("\n  \n  a = 1 \nb\n") == "a = 1"
    assert first_line("") == ""


def test_the_command_offers_every_suite() -> None:
    assert tuple(SUITES) == evaluate_options.SUITES


def test_rows_are_told_by_their_benchmark() -> None:
    held = [suite.name for suite in SUITES.values() if suite.holds(row(benchmark="cceval-java"))]
    assert held == ["crosscodeeval"]
