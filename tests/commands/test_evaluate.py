from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lsp_server.cli import main
from lsp_server.evaluation import metrics
from lsp_server.evaluation.pipeline import Pipeline
from tests.commands.fake_engine import FakeEngine, install

ROWS = [
    {
        "id": f"cceval/{language}/{number}",
        "benchmark": f"cceval-{language}",
        "language": language,
        "path": f"main.{language}",
        "prefix": f"first({number});\nx = ",
        "suffix": "\nlast()\n",
        "groundtruth": "call(1)",
        "cross_file": [{"path": "other.py", "text": "given = 1\n"}],
    }
    for language in ("python", "java")
    for number in range(3)
]


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.toml"
    config.write_text('model = "some/model"\n[engine]\nurl = "http://127.0.0.1:9"\n')
    monkeypatch.setenv("CODER_LSP_CONFIG", str(config))
    monkeypatch.setenv("CODER_LSP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(metrics, "RESAMPLES", 100)  # what chance is, is not tested here


@pytest.fixture
def rows(tmp_path: Path) -> str:
    folder = tmp_path / "rows"
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return str(folder)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    return install(monkeypatch, "call(1)", "\n")


def test_scores_by_language(
    rows: str, engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", "crosscodeeval", rows]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("crosscodeeval, model, cross-file given (")
    assert "cceval-python, 3 rows\n  exact match        100.0 [100.0, 100.0] %" in printed
    assert "cceval-java, 3 rows" in printed
    assert len(engine.prompts) == 6
    assert all("given = 1" in prompt for prompt in engine.prompts)


def test_what_was_done_is_not_done_again(
    rows: str, engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["eval", "crosscodeeval", rows])
    first = capsys.readouterr().out
    main(["eval", "crosscodeeval", rows])
    assert capsys.readouterr().out == first
    assert len(engine.prompts) == 6
    assert len(engine.models) == 1, "no model is brought up where all answers are at hand"
    main(["eval", "crosscodeeval", rows, "--set", "prompt.suffix_tokens=0"])
    assert len(engine.prompts) == 12


def test_it_goes_on_where_it_was_interrupted(
    rows: str,
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = Pipeline.answer

    async def interrupted(self: Pipeline, row: Any) -> Any:
        if len(engine.prompts) == 4:
            raise KeyboardInterrupt
        return await answer(self, row)

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "answer", interrupted)
        assert main(["eval", "crosscodeeval", rows]) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert main(["eval", "crosscodeeval", rows]) == 0
    assert len(engine.prompts) == 6


def test_fewer_rows(rows: str, engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "crosscodeeval", rows, "--language", "java", "--limit", "2"]) == 0
    assert "cceval-java, 2 rows" in capsys.readouterr().out
    assert len(engine.prompts) == 2


def test_settings_of_the_command_line(
    rows: str, engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--set", "prompt.order=spm", "--set", "prompt.suffix_tokens=0", "--limit", "1"]
    assert main(["eval", "crosscodeeval", rows, *options]) == 0
    assert "<|fim_suffix|><|fim_middle|>first" in engine.prompts[0]
    assert "given, prompt.suffix_tokens=0, prompt.order=spm (" in capsys.readouterr().out


def test_the_paper_s_setting(rows: str, engine: FakeEngine) -> None:
    main(["eval", "crosscodeeval", rows, "--paper", "--cross-file", "none", "--limit", "1"])
    assert engine.prompts[0].endswith("x =")
    assert "fim" not in engine.prompts[0]


def test_a_run_is_named_by_what_took_effect(
    rows: str, engine: FakeEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "config.toml").open("a") as config:
        config.write("[completion]\nmax_lines = 4\nreuse = true\n[prompt]\nsuffix_tokens = 9\n")
    command = ["eval", "crosscodeeval", rows, "--cross-file", "none", "--limit", "1"]
    assert main(command) == 0
    assert "none, prompt.suffix_tokens=9, completion.max_lines=4 (" in capsys.readouterr().out
    assert main([*command, "--paper"]) == 0
    assert "none, completion.max_lines=4, as in the paper (" in capsys.readouterr().out


def test_what_is_wrong_in_the_user_s_settings_is_told_once(
    rows: str, engine: FakeEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "config.toml").open("a") as config:
        config.write("colour = 1\n")
    assert main(["eval", "crosscodeeval", rows, "--limit", "1"]) == 0
    assert capsys.readouterr().err.count("engine.colour") == 1


def test_a_cache_that_cannot_be_written_is_told(
    rows: str, engine: FakeEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cache").write_text("")
    assert main(["eval", "crosscodeeval", rows]) == 1
    assert capsys.readouterr().err.startswith("coder-lsp eval: ")


def test_runs_are_compared_and_drawn(
    rows: str,
    engine: FakeEngine,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("matplotlib")
    run, picture = str(tmp_path / "run.json"), tmp_path / "plot.svg"
    assert main(["eval", "crosscodeeval", rows, "--json", run, "--cross-file", "none"]) == 0
    capsys.readouterr()
    again = ["eval", "crosscodeeval", rows, "--markdown", "--compare", run, "--plot", str(picture)]
    assert main(again) == 0
    printed = capsys.readouterr().out
    assert "| rows of | rows | exact match, % |" in printed
    assert "| metric | against crosscodeeval, model, cross-file none | p |" in printed
    assert "| +0.0 [+0.0, +0.0] | 1.0000 |" in printed
    assert picture.stat().st_size > 1000
    kept = json.loads((tmp_path / "run.json").read_text())
    assert kept["groups"][0]["scores"]["exact match"]["mean"] == 1
    assert {row["prediction"] for row in kept["rows"]} == {"call(1)"}


def test_wrong_ones_are_shown(
    rows: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, "call(2)", "\n")
    assert main(["eval", "crosscodeeval", rows, "--show", "1"]) == 0
    assert "-call(1)\n+call(2)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "prompt.order"], "--set wants NAME=VALUE, not 'prompt.order'"),
        (["--set", "prompt.ordr=spm"], "--set: there is no setting 'prompt.ordr'"),
        (["--set", "prompt.order=mps"], "--set: prompt.order is 'mps', expected"),
        (["--cross-file", "bm25"], "row cceval/python/0 has no list bm25 of other files"),
        (["--cross-file", "workspace"], "no row brings what --cross-file workspace wants"),
        (["--compare", "none.json"], "none.json"),
        (["--language", "cobol"], "no rows are left by --language and --limit"),
        (["--paper", "--output", "cut"], "leaves only --cross-file to choose"),
        (["--paper", "--set", "prompt.order=spm"], "leaves only --cross-file to choose"),
    ],
)
def test_mistakes_are_told_before_anything_runs(
    rows: str,
    engine: FakeEngine,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    assert main(["eval", "crosscodeeval", rows, *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith("coder-lsp eval: ") and message in error
    assert not engine.models


def test_rows_that_are_there_twice_would_count_twice(
    rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows" / "more.jsonl").write_text(json.dumps(ROWS[0]))
    assert main(["eval", "crosscodeeval", rows]) == 1
    assert "row cceval/python/0 is in there 2 times" in capsys.readouterr().err


def test_rows_of_another_suite(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "safim", rows]) == 1
    assert "no rows of safim in there" in capsys.readouterr().err


def test_a_model_that_cannot_be_loaded(
    rows: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, failure="out of memory")
    assert main(["eval", "crosscodeeval", rows]) == 1
    assert capsys.readouterr().err == "coder-lsp eval: out of memory\n"


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_a_limit_is_a_number_above_0(
    rows: str, number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["eval", "crosscodeeval", rows, "--limit", number])
    assert f"a number above 0 is wanted, not '{number}'" in capsys.readouterr().err
