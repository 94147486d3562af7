"""Suggestions in the real Kate's completion list, told by what it saves."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from . import install
from .conftest import FAKE_SERVER
from .kate import Kate

pytestmark = [pytest.mark.editor, pytest.mark.kate]

Open = Callable[..., Kate]


@pytest.fixture
def open_file(repository: Path) -> Iterator[Open]:
    """Opens a file in Kate, with a server whose every suggestion is `suggestion`."""
    started: list[Kate] = []

    def run(content: str, suggestion: str = "return value") -> Kate:
        file = repository / "sample.py"
        file.write_bytes(content.encode())
        home = repository.parent / "home"
        try:
            started.append(Kate(file, home, FAKE_SERVER, suggestion))
        except install.NotAvailable as reason:
            pytest.skip(f"no Kate: {reason}")
        return started[0]

    yield run
    for editor in started:
        editor.close()


def test_a_suggestion_is_shown_and_accepted(open_file: Open) -> None:
    editor = open_file("名前 = '😋'\nx = '😋', y")
    editor.type("=")
    editor.press("Return")
    editor.wait_until_saved("名前 = '😋'\nx = '😋', y=return value\n".encode())


def test_dismissing_and_typing_on(open_file: Open) -> None:
    editor = open_file("x=1\ny")
    editor.type("=")
    editor.dismiss()
    editor.press("1")
    editor.wait_until_saved(b"x=1\ny=1\n")


def test_several_lines_in_a_crlf_file(open_file: Open) -> None:
    editor = open_file("def f():\r\n    x", "1\n    return x")
    editor.type("=")
    editor.press("Return")
    editor.wait_until_saved(b"def f():\r\n    x=1\r\n    return x\r\n")


def test_the_server_is_killed_and_comes_back(open_file: Open) -> None:
    editor = open_file("x=1\ny")
    os.kill(editor.server_pid(), signal.SIGKILL)
    editor.wait_for_server(2)
    editor.type("=")
    editor.press("Return")
    editor.wait_until_saved(b"x=1\ny=return value\n")
