"""Ghost text in the real Neovim: seen in the editor's own state, accepted by the user's own key."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from . import install
from .neovim import Neovim

GOODBYE = '"closed\\n"'
"""What the fake server writes to stderr as it ends; Neovim logs that as an error."""
pytestmark = pytest.mark.editor

FAKE_SERVER = Path(__file__).parents[1] / "lsp" / "fake_server.py"
ECHO_SERVER = Path(__file__).with_name("echo_server.py")
MULTI_LINE = "for item in items:\n        total += item\n    return total"
Open = Callable[..., Neovim]


@pytest.fixture(scope="module")
def executable() -> Path:
    try:
        return install.neovim()
    except install.NotAvailable as reason:
        pytest.skip(f"no Neovim: {reason}")


@pytest.fixture
def start(
    executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Path, list[str]], Neovim]]:
    """Starts Neovim on a file; after the test, ends it and looks for errors that it logged."""
    # XDG_DATA_HOME stays: models are kept there, and `--clean` keeps Neovim from it.
    for name in ("CONFIG", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    started: list[Neovim] = []

    def run(file: Path, command: list[str]) -> Neovim:
        editor = Neovim(executable, file, tmp_path / "init.lua", command)
        started.append(editor)
        editor.wait_for_server()
        return editor

    yield run
    errors = [error for editor in started for error in editor.errors() if GOODBYE not in error]
    for editor in started:
        editor.close()
    assert not errors


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    return tmp_path / "repository"


@pytest.fixture
def open_file(
    start: Callable[[Path, list[str]], Neovim], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> Open:
    """Opens a file in Neovim, with a language server whose every suggestion is `suggestion`."""

    def run(
        content: str = "", suggestion: str = "return value", server: Path = FAKE_SERVER
    ) -> Neovim:
        monkeypatch.setenv("FAKE_TEXT", suggestion)
        file = repository / "sample.py"
        file.write_bytes(content.encode())
        return start(file, [sys.executable, str(server)])

    return run


def test_ghost_text_is_shown_and_accepted(open_file: Open) -> None:
    editor = open_file("x = 1\n")
    editor.type("odef f(value): ")
    assert editor.wait_for_ghost() == "return value"
    assert editor.lines() == ["x = 1", "def f(value): "]
    editor.type("<Tab>")
    editor.wait(lambda: editor.line() == "def f(value): return value", "accepted")
    assert editor.column() == len(editor.line())
    assert editor.ghost() == ""


def test_tab_stays_tab_where_there_is_no_ghost_text(open_file: Open) -> None:
    editor = open_file(suggestion="")
    editor.type("ix")
    editor.wait(editor.ended, "an answer")
    editor.type("<Tab>y")
    editor.wait(lambda: editor.line() == "x   y", "a tab")


def test_accepting_after_typing_some_of_the_ghost_text(open_file: Open) -> None:
    editor = open_file()
    editor.type("o")
    editor.wait_for_ghost()
    editor.type("ret<Tab>")
    editor.wait(lambda: editor.line() == "return value", "accepted once")
    assert editor.column() == len("return value")


def test_accepting_after_typing_something_else_inserts_nothing(open_file: Open) -> None:
    editor = open_file()
    editor.type("o")
    editor.wait_for_ghost()
    editor.type("raise<Tab>")
    editor.wait(lambda: not editor.ghost(), "the ghost text is gone")
    assert editor.line() == "raise"


def test_several_lines(open_file: Open) -> None:
    editor = open_file("def total(items):\n    total = 0\n", suggestion=MULTI_LINE)
    editor.type("Go")  # Neovim indents the new line
    assert editor.wait_for_ghost() == MULTI_LINE
    editor.type("<Tab>")
    expected = f"def total(items):\n    total = 0\n    {MULTI_LINE}".split("\n")
    editor.wait(lambda: editor.lines() == expected, "accepted")
    assert editor.column() == len(expected[-1])


def test_emoji_and_cjk_before_the_cursor(open_file: Open) -> None:
    editor = open_file("# 注释 😋\n", suggestion="値段😋")
    editor.type("o名前 = '😋é' + ")
    assert editor.wait_for_ghost() == "値段😋"
    editor.type("<Tab>")
    editor.wait(lambda: editor.lines() == ["# 注释 😋", "名前 = '😋é' + 値段😋"], "accepted")
    editor.type(" + ")
    assert editor.wait_for_ghost() == "値段😋"


def test_crlf_file(open_file: Open, repository: Path) -> None:
    editor = open_file("def total(items):\r\n    total = 0\r\n    \r\n", suggestion=MULTI_LINE)
    assert editor.lua("return vim.bo.fileformat") == "dos"
    editor.type("GA")
    assert editor.wait_for_ghost() == MULTI_LINE
    editor.type("<Tab>")
    editor.wait(lambda: editor.line() == "    return total", "accepted")
    editor.type("<Esc>:write<CR>")
    expected = f"def total(items):\n    total = 0\n    {MULTI_LINE}\n".replace(
        "\n", "\r\n"
    ).encode()
    editor.wait(lambda: (repository / "sample.py").read_bytes() == expected, "written")


def test_leaving_insert_mode_leaves_the_text_as_it_was(open_file: Open) -> None:
    editor = open_file("x = 1\n", suggestion=MULTI_LINE)
    editor.type("A")
    editor.wait_for_ghost()
    editor.type("<Esc>")
    editor.wait(lambda: not editor.ghost(), "the ghost text is gone")
    assert editor.lines() == ["x = 1"]
    assert editor.lua("return vim.bo.modified") is False


def test_typing_on_never_shows_what_was_meant_for_an_older_text(open_file: Open) -> None:
    editor = open_file(server=ECHO_SERVER)
    shown: set[str] = set()

    def watch(until: Callable[[], bool]) -> bool:
        shown.add(editor.ghost())
        return until()

    editor.type("i")
    for number, key in enumerate("abcd", start=1):
        editor.type(key)
        editor.wait(lambda: watch(lambda: editor.asked() >= number), "asked")  # noqa: B023
    editor.wait(lambda: watch(lambda: "completes abcd" in shown), "the answer")
    assert shown == {"", "completes abcd"}


def test_neovim_survives_the_death_of_the_server(open_file: Open) -> None:
    editor = open_file()
    editor.type("i")
    editor.wait_for_ghost()
    os.kill(editor.server_pid(), signal.SIGKILL)
    editor.wait(lambda: editor.lua("return #vim.lsp.get_clients() == 0"), "the client is gone")
    assert editor.ghost() == ""
    editor.type("x = <Esc>")
    editor.wait(lambda: editor.lines() == ["x = "], "typing goes on")
    editor.lua("vim.lsp.enable('coder_lsp')")
    editor.wait_for_server()
    editor.type("A")
    assert editor.wait_for_ghost() == "return value"
    editor.type("<Tab>")
    editor.wait(lambda: editor.line() == "x = return value", "accepted")


def test_why_is_shown_until_the_cursor_moves(open_file: Open) -> None:
    editor = open_file("x = 1\n")
    editor.type("A")
    editor.wait_for_ghost()
    editor.type("<Esc>:CoderWhy<CR>")
    words = editor.wait(lambda: editor.floating(), "why")
    assert "sample.py at character 5: suggested" in words[0]
    editor.type("h")
    editor.wait(lambda: not editor.floating(), "it is closed")
    editor.type("A")
    editor.wait(lambda: editor.ended() == 2, "an answer")
    editor.type("<Esc>:CoderWhy 9<CR>")
    words = editor.wait(lambda: editor.floating(), "why")
    assert ["suggested" in line for line in words] == [True, True]


def test_why_before_the_first_request(open_file: Open) -> None:
    editor = open_file("x = 1\n")
    for command in ("CoderWhy", "CoderReceipt"):
        editor.type(f":{command}<CR>")
        editor.wait(lambda: editor.floating() == ["No suggestion was asked for yet."], "why")
        editor.type("l")
        editor.wait(lambda: not editor.floating(), "it is closed")


def test_the_receipt_opens_in_a_buffer_of_its_own(open_file: Open) -> None:
    editor = open_file("x = 1\n")
    editor.type("A")
    editor.wait_for_ghost()
    editor.type("<Esc>:CoderReceipt<CR>")
    editor.wait(lambda: editor.lines() != ["x = 1"], "the receipt")
    lines = editor.lines()
    assert "sample.py at character 5: suggested" in lines[0]
    assert lines[-1] == "<|fim_prefix|>sample.py<|fim_middle|>"
    assert editor.lua("return vim.bo.buftype") == "nofile"
    assert editor.lua("return #vim.lsp.get_clients({ bufnr = 0 })") == 0
    editor.type(":CoderWhy<CR>")  # from here: of whatever file was last
    assert "sample.py" in editor.wait(lambda: editor.floating(), "why")[0]
    editor.type("j:quit<CR>")
    editor.wait(lambda: editor.lines() == ["x = 1"], "back in the file")


def test_without_a_server_nothing_can_be_said(open_file: Open) -> None:
    editor = open_file("x = 1\n")
    editor.lua("vim.lsp.enable('coder_lsp', false)")
    editor.wait(lambda: editor.lua("return #vim.lsp.get_clients() == 0"), "the client is gone")
    for command in ("CoderWhy", "CoderReceipt"):
        editor.type(f":{command}<CR>")
    editor.wait(lambda: editor.messages().count("coder-lsp is not running") == 2, "messages")


@pytest.fixture
def coder_lsp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Puts `coder-lsp` on the PATH, and ends the model server that it starts for this test.

    To be named before `start`, so that the editor is gone when the model server ends: a language
    server would start it again.
    """
    scripts = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CODER_LSP_STATE", str(tmp_path / "model-server"))
    yield
    subprocess.run([scripts / "coder-lsp", "model-server", "--stop"], check=True)


@pytest.mark.model
def test_the_default_model_completes_code(
    coder_lsp: None, start: Callable[[Path, list[str]], Neovim], repository: Path
) -> None:
    file = repository / "fibonacci.py"
    file.write_text(
        "def fibonacci(n: int) -> int:\n"
        '    """The n-th Fibonacci number."""\n'
        "    if n < 2:\n"
        "        return n\n"
        "\n\n"
        "print(fibonacci(10))\n"
    )
    editor = start(file, [])
    editor.type("4Goreturn fibonacci(n - 1) + ")  # Neovim indents the new line
    ghost = editor.wait(lambda: ask_again(editor), "ghost text of the model", seconds=120)
    assert ghost == "fibonacci(n - 2)"
    editor.type("<Tab>")
    accepted = "    return fibonacci(n - 1) + fibonacci(n - 2)"
    editor.wait(lambda: accepted in editor.lines(), "accepted")


def ask_again(editor: Neovim) -> str:
    """The ghost text after the next answer: while the model is loading, that is ''."""
    before = editor.ended()
    editor.type("<Esc>A")
    editor.wait(lambda: editor.ghost() or editor.ended() > before, "an answer")
    return editor.ghost()
