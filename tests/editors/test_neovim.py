"""Ghost text in the real Neovim: seen in the editor's own state, accepted by the user's own key."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lsp_server import __version__
from lsp_server.lsp.logs import log_file

from . import install, neovim
from .conftest import ECHO_SERVER, FAKE_SERVER
from .neovim import PLUGIN, Neovim

pytestmark = pytest.mark.editor

GOODBYE = '"closed\\n"'
"""What the fake server writes to stderr as it ends; Neovim logs that as an error."""
MULTI_LINE = "for item in items:\n        total += item\n    return total"
Open = Callable[..., Neovim]
Start = Callable[..., Neovim]


@pytest.fixture(scope="module")
def executable() -> Path:
    try:
        return install.neovim()
    except install.NotAvailable as reason:
        pytest.skip(f"no Neovim: {reason}")


@pytest.fixture
def start(executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts Neovim on a file; after the test, ends it and looks for errors that it logged."""
    # XDG_DATA_HOME stays: models are kept there, and `--clean` keeps Neovim from it.
    for name in ("CONFIG", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    started: list[Neovim] = []

    def run(file: Path, command: list[str], plugin: bool = True) -> Neovim:
        editor = Neovim(executable, file, tmp_path / "init.lua", command, plugin)
        started.append(editor)
        editor.wait_for_server()
        return editor

    yield run
    errors = [error for editor in started for error in editor.errors() if GOODBYE not in error]
    for editor in started:
        editor.close()
    assert not errors


@pytest.fixture
def open_file(start: Start, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a file in Neovim, with a language server whose every suggestion is `suggestion`."""

    def run(
        content: str = "",
        suggestion: str = "return value",
        server: Path = FAKE_SERVER,
        plugin: bool = True,
    ) -> Neovim:
        monkeypatch.setenv("FAKE_TEXT", suggestion)
        file = repository / "sample.py"
        file.write_bytes(content.encode())
        return start(file, [sys.executable, str(server)], plugin)

    return run


@pytest.fixture
def continuing(open_file: Open, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a file, with a server that suggests what is left of a text, behind what stands of it
    before the cursor."""

    def run(content: str, text: str) -> Neovim:
        monkeypatch.setenv("ECHO_TEXT", text)
        monkeypatch.setenv("ECHO_SECONDS", "0")
        return open_file(content, server=ECHO_SERVER)

    return run


def test_ghost_text_is_shown_and_accepted(continuing: Open) -> None:
    accepted = "def f(value): return value"
    editor = continuing("x = 1\n", accepted)
    editor.type("odef f(value): ")
    assert editor.wait_for_ghost() == "return value"
    assert editor.lines() == ["x = 1", "def f(value): "]
    with editor.watched() as shown:
        editor.type("<Tab>")
        editor.wait(lambda: editor.line() == accepted, "accepted")
        assert editor.column() == len(accepted)
    assert {ghost for ghost, line in shown if line == accepted} == {""}


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


def test_tab_stays_tab_after_typing_something_else(open_file: Open) -> None:
    editor = open_file()
    editor.type("o")
    editor.wait_for_ghost()
    editor.type("raise<Tab>")
    editor.wait(lambda: editor.line() == "raise   ", "a tab")


def test_accepting_word_by_word_keeps_the_rest(continuing: Open) -> None:
    editor = continuing("", "value.name == 'x y'\n    return 1")
    editor.type("o")
    editor.wait_for_ghost()
    with editor.watched() as shown:
        for accepted in ("value", "value.", "value.name", "value.name =="):
            editor.type("<M-Right>")
            editor.wait(lambda: editor.line() == accepted, accepted)  # noqa: B023
    first_line = "value.name == 'x y'"
    assert {line + ghost.partition("\n")[0] for ghost, line in shown} == {first_line}
    editor.type("<Tab>")
    editor.wait(lambda: editor.lines()[1:] == ["value.name == 'x y'", "    return 1"], "the rest")


def test_accepting_line_by_line_keeps_the_rest(continuing: Open) -> None:
    editor = continuing("", "one()\ntwo()\n\nthree()")
    editor.type("o")
    editor.wait_for_ghost()
    for accepted, rest in (
        (["one()"], "\ntwo()\n\nthree()"),
        (["one()", "two()"], "\n\nthree()"),
    ):
        editor.type("<M-Down>")
        editor.wait(lambda: editor.lines()[1:] == accepted, "a line")  # noqa: B023
        assert editor.ghost() == rest
    editor.type("<M-Down>")
    editor.wait(lambda: editor.lines()[1:] == ["one()", "two()", "", "three()"], "all")
    assert editor.column() == len("three()")


def test_typing_along_leaves_the_rest_standing(continuing: Open) -> None:
    editor = continuing("", "return value")
    editor.type("o")
    editor.wait_for_ghost()
    with editor.watched() as shown:
        for key in "return ":
            editor.type(key)
        editor.wait(lambda: editor.ghost() == "value", "the rest")
    assert {line + ghost for ghost, line in shown} == {"return value"}


def test_a_line_that_is_typed_along_is_not_shown_again_below(continuing: Open) -> None:
    editor = continuing("", "one()\n    two()")
    editor.type("o    ")
    editor.wait(lambda: editor.ghost() == "one()\n    two()", "ghost text")
    editor.type("one()<CR>")  # Neovim indents the new line
    editor.wait(lambda: editor.lines()[1:] == ["    one()", "    "], "a new line")
    assert editor.ghost() == "two()"


def test_what_is_typed_over_disappears_at_once(open_file: Open) -> None:
    editor = open_file(server=ECHO_SERVER)
    editor.type("o")
    assert editor.wait_for_ghost() == "completes "
    asked = editor.asked()
    with editor.watched() as shown:
        editor.type("x")
        editor.wait(lambda: editor.line() == "x", "typed")
        editor.wait(lambda: editor.asked() > asked, "asked")
        editor.type("y")
        editor.wait(lambda: editor.ghost() == "completes xy", "the answer")
    assert not stale(shown)


def test_hidden_ghost_text_comes_back_with_the_next_key(open_file: Open) -> None:
    editor = open_file()
    editor.type("o")
    editor.wait_for_ghost()
    editor.type("<C-]>")
    editor.wait(lambda: not editor.ghost(), "the ghost text is gone")
    assert editor.lines() == ["", ""]
    editor.type("x")
    assert editor.wait_for_ghost() == "return value"


def test_a_suggestion_on_demand(open_file: Open) -> None:
    editor = open_file()
    editor.type("o")
    editor.wait_for_ghost()
    editor.type("<C-]>")
    editor.wait(lambda: not editor.ghost(), "the ghost text is gone")
    editor.type("<M-Bslash>")
    assert editor.wait_for_ghost() == "return value"
    assert editor.lines() == ["", ""]


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


@pytest.mark.parametrize("plugin", [True, False], ids=["plugin", "bare"])
def test_typing_on_never_shows_what_was_meant_for_an_older_text(
    open_file: Open, plugin: bool
) -> None:
    editor = open_file(server=ECHO_SERVER, plugin=plugin)
    editor.type("i")
    with editor.watched() as shown:
        for number, key in enumerate("abcd", start=1):
            editor.type(key)
            editor.wait(lambda: editor.asked() >= number, "asked")  # noqa: B023
        editor.wait(lambda: editor.ghost() == "completes abcd", "the answer")
    assert ("completes abcd", "abcd") in shown
    assert not stale(shown)


def stale(shown: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """What was shown of the echoing server's for another line. (Where the machine is slow, a hand
    pauses: then there may be an answer for a line on the way.)"""
    return {(ghost, line) for ghost, line in shown if ghost not in ("", f"completes {line}")}


def test_neovim_survives_the_death_of_the_server(open_file: Open) -> None:
    editor = open_file()
    editor.type("i")
    editor.wait_for_ghost()
    os.kill(editor.server_pid(), signal.SIGKILL)
    editor.wait(lambda: editor.lua("return #vim.lsp.get_clients() == 0"), "the client is gone")
    editor.wait(lambda: not editor.ghost(), "the ghost text is gone")
    editor.type("x = <Esc>")
    editor.wait(lambda: editor.lines() == ["x = "], "typing goes on")
    editor.type(":lsp enable coder_lsp<CR>")
    editor.wait_for_server()
    editor.type("A")
    assert editor.wait_for_ghost() == "return value"
    editor.type("<Tab>")
    editor.wait(lambda: editor.line() == "x = return value", "accepted")


def test_ghost_text_that_was_switched_off_beforehand_stays_off(
    open_file: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    off = "vim.lsp.inline_completion.enable(false)\n"
    monkeypatch.setattr(neovim, "README", neovim.README + off)
    editor = open_file()
    editor.type("ix")
    editor.wait(lambda: editor.line() == "x", "typed")
    enabled = "return vim.lsp.inline_completion.is_enabled()"
    assert not editor.lua(enabled)
    editor.lua("vim.lsp.inline_completion.enable()")
    editor.type("y")
    assert editor.wait_for_ghost() == "return value"


def test_loading_ends_with_the_server(open_file: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_STATES", json.dumps([["loading", "reading weights", 42]]))
    editor = open_file()
    progress = "return vim.ui.progress_status()"
    editor.wait(lambda: "42" in editor.lua(progress), "the default statusline's part")
    os.kill(editor.server_pid(), signal.SIGKILL)
    editor.wait(lambda: not editor.lua(progress), "nothing is loading")


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


def test_the_statusline_follows_the_model(
    open_file: Open, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_STATES", json.dumps([["loading", "reading weights", 42]]))
    (repository / "notes.txt").write_text("!ready\n")
    editor = open_file()
    editor.wait(lambda: "coder 42%" in editor.status(), "loading")
    progress = "return vim.ui.progress_status()"
    editor.wait(lambda: "42" in editor.lua(progress), "the default statusline's part")
    editor.type(":cd %:h<CR>:edit notes.txt<CR>")
    editor.wait(lambda: editor.line() == "!ready", "the other file")
    editor.type("A")
    editor.wait(lambda: "coder  " in editor.status(), "ready")
    assert editor.lua(progress) == ""
    editor.lua(
        "vim.lsp.get_clients()[1]:notify('workspace/didChangeConfiguration', "
        "{ settings = { completion = { disabled_languages = { 'text' } } } })"
    )
    editor.wait(lambda: "coder off" in editor.status(), "off for text")
    editor.type("<Esc>:split sample.py<CR>")
    editor.wait(lambda: "coder  " in editor.status(), "on for Python")
    editor.type(":new<CR>")
    editor.wait(lambda: "coder" not in editor.status(), "nothing where it does not run")


def test_health(
    open_file: Open, coder_lsp: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = open_file()
    editor.lua("vim.lsp.config('coder_lsp', { cmd = { 'coder-lsp' } })")
    editor.type(":checkhealth coder_lsp<CR>")
    editor.wait(lambda: any("sample.py: ready" in line for line in editor.lines()), "the report")
    assert f"version coder-lsp {__version__}" in "\n".join(editor.lines())
    assert f"- the server's log: {log_file()}" in editor.lines()
    assert not [line for line in editor.lines() if line.startswith(("- ❌", "- ⚠️"))]
    editor.lua("vim.lsp.config('coder_lsp', { cmd = { 'coder-lsp-missing' } })")
    editor.type(":checkhealth coder_lsp<CR>")
    missing = "- ❌ ERROR coder-lsp-missing is not on the PATH"
    editor.wait(lambda: missing in editor.lines(), "what is missing")


def test_help_has_every_function_and_command(open_file: Open) -> None:
    editor = open_file()
    functions = editor.lua("return vim.tbl_keys(require('coder_lsp'))")
    topics = [f"coder_lsp.{name}()" for name in functions if name not in ("why", "receipt")]
    for topic in [*topics, ":CoderWhy", ":CoderReceipt", "coder_lsp"]:
        editor.api.command(f"help {topic}")
        assert f"*{topic}*" in editor.line()


def test_the_help_tags_are_those_of_the_help_file(open_file: Open, tmp_path: Path) -> None:
    editor = open_file()
    shutil.copytree(PLUGIN / "doc", tmp_path / "doc")
    editor.api.command(f"helptags {tmp_path / 'doc'}")
    assert (tmp_path / "doc/tags").read_text() == (PLUGIN / "doc/tags").read_text()


@pytest.mark.model
def test_the_default_model_completes_code(coder_lsp: None, start: Start, repository: Path) -> None:
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
