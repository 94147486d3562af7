from __future__ import annotations

import json
from pathlib import Path

import pytest

from lsp_server.cli import main
from lsp_server.commands.complete import timing
from lsp_server.completion.types import Receipt, Suggestion
from lsp_server.context import location
from tests.commands.fake_engine import install

CODE = "def f(a, b):\n    return \n\nprint(f(1, 2))\n"
USUAL = ("--model", "qwen2.5-coder-0.5b")
"""So that no hardware is asked for one."""


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODER_LSP_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("CODER_LSP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "code.py"
    path.write_bytes(CODE.encode())
    return path


def test_the_suggestion_goes_to_stdout_and_the_rest_to_stderr(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = install(monkeypatch, " a", " + b", "\n")
    assert main(["complete", str(file), "--at", "2:12", *USUAL]) == 0
    printed = capsys.readouterr()
    assert printed.out == "a + b\n"
    assert "first token after" in printed.err
    assert engine.models == ["qwen2.5-coder-0.5b"]
    assert "    return<|fim_suffix|>\n\nprint" in engine.prompts[0]


def test_a_marker_stands_for_the_cursor_and_is_not_shown_to_the_model(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(CODE.replace("return ", "return <HERE>"))
    engine = install(monkeypatch, " a", "\n")
    assert main(["complete", str(file), "--marker", "<HERE>", *USUAL]) == 0
    assert capsys.readouterr().out == "a\n"
    assert "    return<|fim_suffix|>\n\nprint" in engine.prompts[0]


def test_json_for_scripts(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, ' "é"', "\n")
    assert main(["complete", str(file), "--at", "2:12", "--json", *USUAL]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["text"] == '"é"'
    receipt = answer["receipt"]
    assert (receipt["outcome"], receipt["path"], receipt["offset"]) == ("suggested", "code.py", 24)
    assert receipt["tokens"]["generated"] == 2
    assert receipt["stages_ms"]["total"] > 0


def test_without_a_suggestion_it_says_why(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch)
    assert main(["complete", str(file), "--at", "2:12", *USUAL]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "no suggestion: the model had nothing to add" in printed.err
    assert main(["complete", str(file), "--at", "2:12", "--json", *USUAL]) == 1
    assert json.loads(capsys.readouterr().out)["receipt"]["outcome"] == "empty"


def test_an_engine_that_fails_is_an_error(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, failure="no such device")
    assert main(["complete", str(file), "--at", "2:12", *USUAL]) == 1
    assert "no such device" in capsys.readouterr().err


SHAPES = """\
class Circle:
    def circumference_in_units(self, unit: str) -> float:
        return 6.28
"""
USE = "from shapes import Circle\n\n\ndef edge(circle: Circle) -> float:\n    return circle."


@pytest.fixture
def use(tmp_path: Path) -> Path:
    """A file in a repository, to be completed at 5:19."""
    folder = tmp_path / "project" / "src"
    folder.mkdir(parents=True)
    (folder.parent / ".git").mkdir()
    (folder / "shapes.py").write_text(SHAPES)
    (folder / "use.py").write_text(USE)
    return folder / "use.py"


def test_other_files_of_the_repository_are_shown_to_the_model(
    use: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine = install(monkeypatch, "circumference_in_units", "\n")
    monkeypatch.chdir(use.parent)
    for file in (use, Path("..", "src", "use.py")):  # when it is to be indexed, and when it is
        assert main(["complete", str(file), "--at", "5:19", "--json", *USUAL]) == 0
        printed = capsys.readouterr()
        receipt = json.loads(printed.out)["receipt"]
        assert receipt["path"] == "src/use.py"
        assert receipt["context"] == {"src/shapes.py": "receiver"}
        assert "def circumference_in_units" in engine.prompts.pop()
        assert printed.err == ""
    assert location.current(location.index_folder(tmp_path / "project")) is not None


def test_without_context_nothing_is_indexed(
    use: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = install(monkeypatch, "x", "\n")
    assert main(["complete", str(use), "--at", "5:19", "--no-context", *USUAL]) == 0
    assert "circumference_in_units" not in engine.prompts[0]
    assert not (tmp_path / "cache").exists()


def test_a_repository_that_takes_long_is_not_waited_for(
    use: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, "x", "\n")
    monkeypatch.setattr("lsp_server.commands.complete.INDEX_SECONDS", 0.0)
    assert main(["complete", str(use), "--at", "5:19", *USUAL]) == 0
    printed = capsys.readouterr()
    assert printed.out == "x\n"
    assert "not all of the repository is indexed yet" in printed.err


@pytest.mark.parametrize(
    ("content", "at", "before_cursor"),
    [
        ("ab\ncd", "1:1", ""),
        ("ab\ncd", "1:3", "ab"),
        ("ab\ncd", "2:3", "ab\ncd"),
        ("ab\n", "2:1", "ab\n"),
        ("", "1:1", ""),
        ("ab\r\ncd", "1:3", "ab"),
        ("ab\r\ncd", "2:2", "ab\nc"),
        ("😀é\ncd", "1:3", "😀é"),
    ],
)
def test_lines_and_columns(
    file: Path, monkeypatch: pytest.MonkeyPatch, content: str, at: str, before_cursor: str
) -> None:
    file.write_bytes(content.encode())
    engine = install(monkeypatch, "x")
    assert main(["complete", str(file), "--at", at, *USUAL]) == 0
    whole = content.replace("\r\n", "\n")
    after = whole[len(before_cursor) :]
    [prompt] = engine.prompts
    if prompt.startswith("<|fim_prefix|><|fim_suffix|>"):
        assert prompt == f"<|fim_prefix|><|fim_suffix|>{after}<|fim_middle|>{before_cursor}"
    else:
        assert prompt == f"<|fim_prefix|>{before_cursor}<|fim_suffix|>{after}<|fim_middle|>"


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("12", "--at wants LINE:COL, such as 12:5, not '12'"),
        ("a:b", "--at wants LINE:COL"),
        ("1:-1", "--at wants LINE:COL"),
        ("1:2:3", "--at wants LINE:COL"),
        ("0:1", "there is no line 0: the file has 5"),
        ("6:1", "there is no line 6"),
        ("1:0", "line 1 has columns 1 to 13, not 0"),
        ("1:14", "line 1 has columns 1 to 13, not 14"),
    ],
)
def test_places_that_are_none(
    file: Path, at: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["complete", str(file), f"--at={at}", *USUAL]) == 1
    assert f"coder-lsp complete: {says}" in capsys.readouterr().err


@pytest.mark.parametrize("marker", ["<NOWHERE>", "f(", ""])
def test_the_marker_must_stand_there_once(
    file: Path, marker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["complete", str(file), "--marker", marker, *USUAL]) == 1
    assert f"must hold the marker {marker!r} exactly once" in capsys.readouterr().err


def test_files_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["complete", str(tmp_path / "none.py"), "--at", "1:1"]) == 1
    assert "none.py cannot be read: " in capsys.readouterr().err
    assert main(["complete", str(tmp_path), "--at", "1:1"]) == 1
    assert "cannot be read: " in capsys.readouterr().err
    (tmp_path / "latin.py").write_bytes(b"# \xe9\n")
    assert main(["complete", str(tmp_path / "latin.py"), "--at", "1:1"]) == 1
    assert "latin.py is not UTF-8 text" in capsys.readouterr().err


def test_wrong_settings_are_named(
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "config.toml").write_text("modle = 'x'\n")
    install(monkeypatch, " a", "\n")
    assert main(["complete", str(file), "--at", "2:12", *USUAL]) == 0
    assert "there is no setting 'modle'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stages", "tokens", "words"),
    [
        ({}, {}, "no token came"),
        ({"first_token": 20.0}, {}, "first token after 20 ms"),
        ({"first_token": 20.0}, {"generated": 4}, "first token after 20 ms"),
        ({"first_token": 20.0, "generate": 20.0}, {"generated": 1}, "first token after 20 ms"),
        (
            {"first_token": 20.0, "generate": 50.0},
            {"generated": 4},
            "first token after 20 ms, 10 ms for each of 3 more",
        ),
    ],
)
def test_timing_in_words(stages: dict[str, float], tokens: dict[str, int], words: str) -> None:
    receipt = Receipt("a.py", 0, stages_ms=stages, tokens=tokens)
    assert timing(Suggestion("", receipt)) == words
