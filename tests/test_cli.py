from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lsp_server import cli


def asked(monkeypatch: pytest.MonkeyPatch, *argv: str) -> str:
    """Which command a command line runs."""
    called: list[str] = []

    def stand_in(name: str) -> Callable[[object], int]:
        def run(_: object) -> int:
            called.append(name)
            return 0

        return run

    for name in cli._COMMANDS:
        monkeypatch.setitem(cli._COMMANDS, name, stand_in(name))
    assert cli.main(argv) == 0
    [command] = called
    return command


@pytest.mark.parametrize("argv", [[], ["--stdio"], ["serve"], ["serve", "--stdio"]])
def test_to_serve_is_the_default(monkeypatch: pytest.MonkeyPatch, argv: list[str]) -> None:
    assert asked(monkeypatch, *argv) == "serve"


def test_each_command_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, "complete", "a.py", "--at", "1:1") == "complete"
    assert asked(monkeypatch, "models", "list") == "models"
    for name in ("demo", "stats", "why", "doctor", "model-server"):
        assert asked(monkeypatch, name) == name


def test_options_of_complete() -> None:
    args = cli.make_parser().parse_args(["complete", "a.py", "--at", "3:4", "--json"])
    assert (args.file, args.at, args.marker, args.json) == (Path("a.py"), "3:4", None, True)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["complete", "a.py"], "one of the arguments --at --marker is required"),
        (["complete", "a.py", "--at", "1:1", "--marker", "X"], "not allowed with"),
        (["complete"], "FILE"),
        (["nonsense"], "nonsense"),
        (["model-server", "--device", "tpu"], "tpu"),
    ],
)
def test_what_is_wrong_is_named(
    argv: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(argv)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_an_interrupt_has_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setitem(cli._COMMANDS, "demo", interrupted)
    assert cli.main(["demo"]) == 130


def test_what_is_printed_is_utf8_wherever_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As to a pipe on Windows, which takes only the characters of one code page by itself."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252"))

    def demo(_: object) -> int:
        print("⟦", flush=True)
        return 0

    monkeypatch.setitem(cli._COMMANDS, "demo", demo)
    assert cli.main(["demo"]) == 0
    assert written.getvalue().decode("utf-8").strip() == "⟦"
