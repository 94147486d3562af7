"""Suggestions in the real Kate's completion list: as a screen reader sees them, and as saved."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from . import install
from .conftest import ECHO_SERVER, FAKE_SERVER
from .kate import Kate

pytestmark = [pytest.mark.editor, pytest.mark.kate]

Open = Callable[..., Kate]
Start = Callable[..., Kate]


@pytest.fixture
def start(repository: Path) -> Iterator[Start]:
    """Starts Kate on a file, with a server and its variables; after the test, ends it."""
    started: list[Kate] = []

    def run(file: Path, command: list[str], **variables: str) -> Kate:
        home = repository.parent / "home"
        try:
            started.append(Kate(file, home, command, variables))
        except install.NotAvailable as reason:
            pytest.skip(f"no Kate: {reason}")
        return started[0]

    yield run
    for editor in started:
        editor.close()


@pytest.fixture
def open_file(start: Start, repository: Path) -> Open:
    """Opens a file in Kate, with a server whose every suggestion is `suggestion`."""

    def run(
        content: str, suggestion: str = "return value", server: Path = FAKE_SERVER, **variables: str
    ) -> Kate:
        file = repository / "sample.py"
        file.write_bytes(content.encode())
        return start(file, [sys.executable, str(server)], FAKE_TEXT=suggestion, **variables)

    return run


def offered(editor: Kate, text: str) -> None:
    editor.wait(lambda: editor.suggestion() == text, f"{text!r} is offered")


def saved(editor: Kate, repository: Path, expected: str) -> None:
    editor.save()
    file = repository / "sample.py"
    editor.wait(lambda: file.read_bytes() == expected.encode(), f"saved: {expected!r}")


def test_a_suggestion_is_shown_and_accepted(open_file: Open, repository: Path) -> None:
    editor = open_file("名前 = '😋'\nx = '😋', y")
    editor.type("=")
    offered(editor, "return value")
    editor.accept()
    editor.wait(lambda: editor.line() == "x = '😋', y=return value", "accepted")
    saved(editor, repository, "名前 = '😋'\nx = '😋', y=return value\n")


def test_dismissing_and_typing_on(open_file: Open, repository: Path) -> None:
    editor = open_file("x=1\ny")
    editor.type("=")
    offered(editor, "return value")
    editor.press("Escape")
    offered(editor, "")
    editor.type("1")
    editor.wait(lambda: editor.line() == "y=1", "typed")
    saved(editor, repository, "x=1\ny=1\n")


def test_typing_along(open_file: Open, repository: Path) -> None:
    editor = open_file("x=1\n", server=ECHO_SERVER, ECHO_TEXT="return_value", ECHO_SECONDS="0")
    editor.type("ret")
    offered(editor, "urn_value")
    for typed in ("retu", "retur", "return", "return_"):
        editor.type(typed[-1])
        editor.wait(lambda: editor.line() == typed, "typed")  # noqa: B023
        offered(editor, "return_value".removeprefix(typed))
    editor.accept()
    editor.wait(lambda: editor.line() == "return_value", "accepted once")
    saved(editor, repository, "x=1\nreturn_value\n")


def test_quick_typing_with_a_slow_model_shows_nothing_stale(open_file: Open) -> None:
    editor = open_file("x=1\n", server=ECHO_SERVER)
    shown = set()
    editor.type("zyx")
    for typed in ("zyxw", "zyxwv", "zyxwvu", "zyxwvut", "zyxwvuts"):
        shown.add((editor.suggestion(), editor.line()))
        editor.type(typed[-1])
        editor.wait(lambda: editor.line() == typed, "typed")  # noqa: B023
    editor.press("ctrl+space")  # what it broke off, Kate does not ask for again by itself
    offered(editor, "completes zyxwvuts")
    # where the machine is slow, a hand pauses: then there may be an answer for a line on the way
    assert {rest for rest, line in shown if rest not in ("", f"completes {line}")} == set()


def test_several_lines_in_a_crlf_file(open_file: Open, repository: Path) -> None:
    editor = open_file("def f():\r\n    x", "1\n    return x")
    editor.type("=")
    editor.wait(editor.suggestion, "a suggestion")
    editor.accept()
    editor.wait(lambda: editor.line() == "    return x", "accepted")
    saved(editor, repository, "def f():\r\n    x=1\r\n    return x\r\n")


def test_the_server_is_killed_and_comes_back(open_file: Open, repository: Path) -> None:
    editor = open_file("x=1\ny")
    os.kill(editor.server_pid(), signal.SIGKILL)
    editor.wait_for_server(2)
    editor.type("=")
    offered(editor, "return value")
    editor.accept()
    editor.wait(lambda: editor.line() == "y=return value", "accepted")
    saved(editor, repository, "x=1\ny=return value\n")
