"""Suggestions in real editors in a terminal: Helix' menu, and Emacs' ghost text."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lsp_server.completion.types import Outcome

from . import install
from .conftest import ECHO_SERVER, FAKE_SERVER, SCRIPTS, AsCoderLsp, endpoint_of, why
from .emacs import Emacs
from .helix import Helix
from .terminal import BACKSPACE, ENTER

pytestmark = pytest.mark.editor

Editor = Helix | Emacs
Open = Callable[..., Editor]
MULTI_LINE = "for item in items:\n        total += item\n    return total"


@pytest.fixture(params=[Helix, Emacs], ids=["Helix", "Emacs"])
def start(
    request: pytest.FixtureRequest, tmp_path: Path, pids: Path
) -> Iterator[Callable[[Path], Editor]]:
    """Starts the editor on a file; after the test, ends it."""
    started: list[Editor] = []

    def run(file: Path) -> Editor:
        try:
            editor: Editor = request.param(file, tmp_path / "home")
        except install.NotAvailable as reason:
            pytest.skip(f"no {request.param.__name__}: {reason}")
        started.append(editor)
        wait_for_server(editor, pids)
        editor.append()
        return editor

    yield run
    for editor in started:
        editor.close()


@pytest.fixture
def open_file(
    start: Callable[[Path], Editor],
    as_coder_lsp: AsCoderLsp,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Open:
    """Opens a file, with a language server whose every suggestion is `suggestion`, and with the
    cursor at its end."""

    def run(
        content: str = "x = 1",
        suggestion: str = "return value",
        server: Path = FAKE_SERVER,
        name: str = "sample.py",
    ) -> Editor:
        monkeypatch.setenv("FAKE_TEXT", suggestion)
        as_coder_lsp([sys.executable, str(server)])
        file = repository / name
        file.write_bytes(content.encode())
        return start(file)

    return run


def wait_for_server(editor: Editor, pids: Path) -> None:
    """Waits until the server, or one more after a restart, answers requests of the editor."""
    editor.wait_for_server()
    editor.wait(lambda: endpoint_of(latest(pids)), "the server is ready", seconds=90)


def latest(pids: Path) -> int:
    """The process id of the server that was started last."""
    return int(pids.read_text().split()[-1])


def saved(editor: Editor, repository: Path, expected: str) -> None:
    editor.save()
    file = repository / "sample.py"
    editor.wait(lambda: file.read_bytes() == expected.encode(), f"saved: {expected!r}")


def offered(editor: Editor, text: str) -> None:
    editor.wait(lambda: editor.suggestion() == text, f"{text!r} is offered")


def test_a_suggestion_is_shown_and_accepted(open_file: Open, repository: Path) -> None:
    editor = open_file()
    editor.type(f"{ENTER}def f(value): ")
    offered(editor, "return value")
    editor.accept()
    editor.wait(lambda: editor.line() == "def f(value): return value", "accepted")
    saved(editor, repository, "x = 1\ndef f(value): return value\n")


def test_typing_along(open_file: Open, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECHO_TEXT", "return value")
    monkeypatch.setenv("ECHO_SECONDS", "0")
    editor = open_file(server=ECHO_SERVER)
    editor.type(f"{ENTER}ret")
    offered(editor, "urn value")
    with editor.watched() as shown:
        for key in "urn v":
            editor.type(key)
        offered(editor, "alue")
    assert {line + rest for rest, line in shown if rest} == {"return value"}
    editor.accept()
    editor.wait(lambda: editor.line() == "return value", "accepted")
    saved(editor, repository, "x = 1\nreturn value\n")


def test_dismissing_leaves_the_text_as_it_was(open_file: Open, repository: Path) -> None:
    editor = open_file()
    editor.type(f"{ENTER}y = ")
    offered(editor, "return value")
    editor.dismiss()
    offered(editor, "")
    assert editor.line() == "y = "
    editor.type("1")
    saved(editor, repository, "x = 1\ny = 1\n")


def test_quick_typing_with_a_slow_model_shows_nothing_stale(open_file: Open) -> None:
    editor = open_file(server=ECHO_SERVER)
    editor.type(ENTER)
    with editor.watched() as shown:
        for end in range(1, 9):
            editor.type("zyxwvuts"[end - 1])
            editor.wait(lambda: editor.line() == "zyxwvuts"[:end], "typed")  # noqa: B023
        offered(editor, "completes zyxwvuts")
    assert ("completes zyxwvuts", "zyxwvuts") in shown
    # where the machine is slow, a hand pauses: then there may be an answer for a line on the way
    assert {rest for rest, line in shown if rest not in ("", f"completes {line}")} == set()


@pytest.mark.parametrize("start", [Emacs], ids=["Emacs"], indirect=True)
def test_keys_that_break_off_a_preview_do_not_confuse_the_server(
    open_file: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECHO_SECONDS", "0.05")
    editor = open_file(server=ECHO_SERVER)
    editor.type(f"\x1b:(setq-local completion-preview-idle-delay nil){ENTER}")
    keys = random.Random(0)

    def is_known() -> bool:  # what the screen has: Emacs loses a key now and then, as it breaks off
        return editor.suggestion() == f"completes {editor.line()}"

    for _ in range(5):
        editor.type(ENTER)
        for key in keys.choices("stuvwxyz.", k=24):
            editor.type(key)
            time.sleep(keys.choice((0.002, 0.01, 0.03, 0.06)))  # a hand's rhythm, sped up
        editor.wait(is_known, "the line is known to the server")
        editor.type("q")
        editor.wait(lambda: editor.line().endswith("q") and is_known(), "so is all of it")


@pytest.mark.parametrize("start", [Emacs], ids=["Emacs"], indirect=True)
def test_why_in_a_file_whose_name_has_blanks(open_file: Open) -> None:
    editor = open_file(name="名 前.py")
    editor.type(f"{ENTER}y = ")
    offered(editor, "return value")
    editor.type(f"\x1bxcoder-lsp-why{ENTER}")
    editor.wait_for("at character 10: suggested")


@pytest.mark.parametrize("start", [Emacs], ids=["Emacs"], indirect=True)
def test_a_buffer_of_another_server_is_left_alone(open_file: Open) -> None:
    editor = open_file()
    other = '(setf (eglot--server-info (eglot-current-server)) \'(:name "other"))'
    mode = "(bound-and-true-p completion-preview-mode)"
    ask = f"(progn {other} (completion-preview-mode -1) (coder-lsp-ghost-text) {mode})"
    editor.type(f'\x1b:(message "preview: %s" {ask}){ENTER}')
    editor.wait_for("preview: nil")


def test_emoji_and_cjk_before_the_cursor(open_file: Open, repository: Path) -> None:
    editor = open_file("注释 = '😋'", suggestion="値段😋")
    editor.type(f"{ENTER}名前 = '😋é' + ")
    offered(editor, "値段😋")
    editor.accept()
    editor.wait(lambda: editor.line() == "名前 = '😋é' + 値段😋", "accepted")
    saved(editor, repository, "注释 = '😋'\n名前 = '😋é' + 値段😋\n")


def test_several_lines_in_a_crlf_file(open_file: Open, repository: Path) -> None:
    before = "def total(items):\r\n    total = 0\r\n   "
    editor = open_file(before, suggestion=MULTI_LINE)
    editor.type(" ")
    offered(editor, "for item in items:")
    editor.accept()
    editor.wait_for("return total")
    expected = f"{before} {MULTI_LINE}\n".replace("\r\n", "\n").replace("\n", "\r\n")
    saved(editor, repository, expected)


def test_the_server_is_killed_and_comes_back(open_file: Open, repository: Path, pids: Path) -> None:
    editor = open_file()
    editor.type(f"{ENTER}y = ")
    offered(editor, "return value")
    editor.dismiss()
    offered(editor, "")
    os.kill(latest(pids), signal.SIGKILL)
    editor.restart_server()
    wait_for_server(editor, pids)
    editor.append()
    editor.type(f"1{ENTER}z = ")
    offered(editor, "return value")
    editor.accept()
    saved(editor, repository, "x = 1\ny = 1\nz = return value\n")


@pytest.mark.model
def test_the_default_model_completes_code(
    coder_lsp: None,
    as_coder_lsp: AsCoderLsp,
    start: Callable[[Path], Editor],
    repository: Path,
    pids: Path,
) -> None:
    as_coder_lsp([str(SCRIPTS / "coder-lsp")])
    file = repository / "fibonacci.py"
    file.write_text(
        "def fibonacci(n: int) -> int:\n"
        '    """The n-th Fibonacci number."""\n'
        "    if n < 2:\n"
        "        return n"
    )
    editor = start(file)
    editor.type(f"{ENTER}return fibonacci(n - 1) + ")
    editor.wait(lambda: editor.line().endswith("(n - 1) + "), "typed")
    offer = editor.wait(lambda: ask_again(editor, pids), "a suggestion of the model", seconds=120)
    assert offer == "fibonacci(n - 2)"
    editor.accept()
    editor.wait(lambda: editor.line().endswith("+ fibonacci(n - 2)"), "accepted")


def ask_again(editor: Editor, pids: Path) -> str:
    """What is suggested after a blank typed anew: while the model is loading, that is ''."""
    before = why(latest(pids))
    editor.type(BACKSPACE)
    editor.wait(lambda: not editor.line().endswith(" "), "the blank is gone")
    editor.type(" ")
    editor.wait(lambda: editor.line().endswith(" "), "the blank is back")

    def is_too_early() -> bool:
        now = why(latest(pids))
        return now != before and Outcome.LOADING.value in now[1]

    editor.wait(lambda: editor.suggestion() or is_too_early(), "an answer", seconds=60)
    return editor.suggestion()
