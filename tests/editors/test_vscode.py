"""Ghost text in the real VS Code: seen on its page, accepted by the user's own keys."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from lsp_server import __version__

from . import install, install_vscode
from .vscode import STATUS, VSCode

pytestmark = pytest.mark.editor

ROOT = Path(__file__).resolve().parents[2]
FAKE_SERVER = ROOT / "tests" / "lsp" / "fake_server.py"
ECHO_SERVER = Path(__file__).with_name("echo_server.py")
HARMLESS = re.compile(r'\[error\] (closed|Cancel notification for unknown message id "\d+")$')
"""What the tests' servers write to stderr as they end, and where a request was withdrawn as it was
answered; the client logs that as errors."""
SUGGESTION = "return value"
MULTI_LINE = "for item in items:\n        total += item\n    return total"
Open = Callable[..., VSCode]


def server(script: Path, **environment: str) -> dict[str, Any]:
    """The settings for a language server of the tests."""
    variables = [f"{name}={value}" for name, value in environment.items()]
    return {"coder-lsp.command": ["/usr/bin/env", *variables, sys.executable, str(script)]}


FAKE = server(FAKE_SERVER, FAKE_TEXT=SUGGESTION)
NO_MARKDOWN = {**FAKE, "coder-lsp.completion.disabled_languages": ["markdown"]}


@pytest.fixture(scope="module")
def extension() -> Path:
    """The packaged extension."""
    try:
        return install_vscode.extension()
    except install.NotAvailable as reason:
        pytest.skip(f"the extension cannot be made: {reason}")


@pytest.fixture(scope="module")
def vscode(extension: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VSCode]:
    """One VS Code for all tests. What it starts finds models, and nothing else of the user's."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    try:
        installation = install_vscode.vscode()
    except install.NotAvailable as reason:
        pytest.skip(f"no VS Code: {reason}")
    folder = tmp_path_factory.mktemp("vscode")
    scripts = str(Path(sys.executable).parent)
    folders = [each for each in os.environ["PATH"].split(os.pathsep) if each != scripts]
    models = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    environment = {"PATH": os.pathsep.join(folders), "XDG_DATA_HOME": models}
    with playwright.sync_playwright() as running:
        editor = VSCode(running, installation, extension, folder, environment)
        yield editor
        editor.close()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    (folder / ".git").mkdir()
    return folder


@pytest.fixture
def open_file(vscode: VSCode, repository: Path, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens a file of the test's own; after the test, looks for errors that were logged."""

    def run(
        content: str = "",
        settings: Mapping[str, Any] = FAKE,
        ready: bool = True,
        suffix: str = ".py",
    ) -> VSCode:
        file = repository / f"{request.node.name}{suffix}"
        file.write_bytes(content.encode())
        vscode.open(file, settings)
        if ready:
            vscode.wait_until_ready()
        return vscode

    yield run
    assert [line for line in vscode.errors() if not HARMLESS.search(line)] == []


def test_the_package_is_small_and_carries_the_server_of_its_version(extension: Path) -> None:
    assert extension.stat().st_size < 1_000_000
    with ZipFile(extension) as package:
        version = json.loads(package.read("extension/package.json"))["version"]
        assert version == __version__
        [server] = [name for name in package.namelist() if name.endswith(".whl")]
        assert f"coder_lsp-{version}-" in server
        assert not [name for name in package.namelist() if "node_modules" in name]


def test_ghost_text_is_shown_and_accepted(open_file: Open) -> None:
    editor = open_file("x = 1\n")
    editor.type("def f(value): ")
    editor.wait_for_ghost(SUGGESTION)
    editor.wait(lambda: editor.lines() == ["x = 1", "def f(value): "], "typed")
    editor.wait_for_ghost(SUGGESTION)
    editor.press("Tab")
    accepted = ["x = 1", f"def f(value): {SUGGESTION}"]
    editor.wait(lambda: editor.lines() == accepted, "accepted")


def test_accepting_a_word(open_file: Open) -> None:
    editor = open_file()
    editor.type("x")
    editor.wait_for_ghost(SUGGESTION)
    editor.press("Control+ArrowRight")
    editor.wait(lambda: editor.lines() == ["xreturn"], "a word")


def test_escape_leaves_the_text_as_it_was(open_file: Open) -> None:
    editor = open_file()
    editor.type("x")
    editor.wait_for_ghost(SUGGESTION)
    editor.press("Escape")
    editor.wait(lambda: not editor.ghost(), "the ghost text is gone")
    editor.press("Tab")
    editor.wait(lambda: editor.lines() == ["x   "], "a tab")


def test_the_server_comes_back(open_file: Open) -> None:
    editor = open_file()
    (killed,) = editor.children(FAKE_SERVER.name)
    os.kill(killed, signal.SIGKILL)
    editor.wait(lambda: editor.children(FAKE_SERVER.name) not in ([killed], []), "another server")

    def ask_again() -> str:
        editor.press("x", "Backspace")
        try:  # not at once: each key takes away what the one before has asked for
            return editor.wait(editor.ghost, "ghost text", seconds=3)
        except AssertionError:
            return ""

    assert editor.wait(ask_again, "ghost text") == SUGGESTION
    assert "SIGKILL" in editor.log()
    editor.forget_log()
    editor.wait_until_ready()


def test_what_became_of_a_request_is_shown(open_file: Open) -> None:
    editor = open_file("x = 1\n")
    editor.type("y")
    editor.wait_for_ghost(SUGGESTION)
    editor.run("Coder LSP: Why This Suggestion, or None?")
    editor.wait(lambda: "at character 7: suggested" in editor.page_beside(), "why")
    editor.run("Coder LSP: Show Prompt Receipt")
    editor.wait(lambda: "<|fim_prefix" in editor.page_beside(), "the prompt")
    editor.wait(lambda: not editor.ghost(), "the palette has hidden the ghost text")
    editor.type("z")
    editor.wait_for_ghost(SUGGESTION)
    editor.run("Coder LSP: Show Prompt Receipt")
    editor.wait(lambda: "yz" in editor.page_beside(), "the prompt of this text")


def test_a_language_is_switched_off_and_on(open_file: Open) -> None:
    editor = open_file(suffix=".md")
    editor.run("Coder LSP: Toggle Suggestions for This Language")
    editor.wait(lambda: editor.status()[0] == "off", "off")
    assert editor.status()[1] == "Coder LSP: off, markdown is disabled"
    editor.run("Coder LSP: Toggle Suggestions for This Language")
    editor.wait_until_ready()


def test_off_is_only_shown_while_such_a_file_is_in_front(open_file: Open, repository: Path) -> None:
    editor = open_file(settings=NO_MARKDOWN, ready=False, suffix=".md")
    editor.wait(lambda: editor.status()[0] == "off", "off")
    editor.run("Preferences: Open Keyboard Shortcuts")
    editor.wait_until_ready()
    editor.page.wait_for_selector(".keybindings-editor .monaco-list-row")
    editor.page.wait_for_selector(".keybindings-editor :focus")
    editor.press("Escape")  # it lies over the file
    editor.wait(lambda: editor.status()[0] == "off", "off again")


def test_the_status_does_not_flicker_between_tabs(open_file: Open, repository: Path) -> None:
    files = [repository / name for name in ("one.md", "other.md", "one.py")]
    editor = open_file(settings=NO_MARKDOWN, suffix=".txt")
    for file in files:
        file.touch()
        editor.open(file, NO_MARKDOWN)
    for file in files[:2]:
        editor.show_tab(file)
    editor.wait(lambda: editor.status()[0] == "off", "off")
    with editor.status_watched() as seen:
        for file in (files[0], files[1], files[0], files[2]):
            editor.show_tab(file)
        editor.wait_until_ready()
        kinds = seen()
    assert "off" not in kinds[kinds.index("ready") :]


def test_typing_along_and_accepting_the_rest(open_file: Open) -> None:
    editor = open_file(settings=server(ECHO_SERVER, ECHO_SECONDS="0", ECHO_TEXT=SUGGESTION))
    editor.type("r")
    editor.wait_for_ghost("eturn value")
    for typed in ("re", "ret", "retu"):
        editor.type(typed[-1])
        editor.wait(lambda: editor.ghost() == SUGGESTION.removeprefix(typed), "the rest")  # noqa: B023
    editor.press("Tab")
    editor.wait(lambda: editor.lines() == [SUGGESTION], "accepted once")


def test_typing_on_never_shows_what_was_meant_for_an_older_text(open_file: Open) -> None:
    editor = open_file(settings=server(ECHO_SERVER))
    with editor.watched() as seen:
        for typed in "abcd":
            editor.type(typed)
            editor.page.wait_for_timeout(200)  # asked, not answered
        editor.wait_for_ghost("completes abcd")
    assert ["abcd", "completes abcd"] in seen()
    assert [ghost for line, ghost in seen() if ghost not in ("", f"completes {line}")] == []


def test_emoji_and_cjk_before_the_cursor(open_file: Open) -> None:
    editor = open_file("# 注释 😋\n", server(FAKE_SERVER, FAKE_TEXT="値段😋"))
    editor.type("名前 = '😋é' + ")
    editor.wait_for_ghost("値段😋")
    editor.press("Tab")
    accepted = ["# 注释 😋", "名前 = '😋é' + 値段😋"]
    editor.wait(lambda: editor.lines() == accepted, "accepted")


def test_crlf_file(open_file: Open, repository: Path) -> None:
    before = "def total(items):\n    total = 0\n    "
    editor = open_file(before.replace("\n", "\r\n"), server(FAKE_SERVER, FAKE_TEXT=MULTI_LINE))
    editor.press("x", "Backspace")
    editor.wait_for_ghost(MULTI_LINE)
    editor.press("Tab")
    editor.wait(lambda: editor.lines()[-1] == "    return total", "accepted")
    editor.press("Control+s")
    expected = f"{before}{MULTI_LINE}".replace("\n", "\r\n").encode()
    file = repository / "test_crlf_file.py"
    editor.wait(lambda: file.read_bytes() == expected, "written")


def test_accepting_a_line(open_file: Open) -> None:
    editor = open_file(settings=server(FAKE_SERVER, FAKE_TEXT=MULTI_LINE))
    editor.type("x")
    editor.wait_for_ghost(MULTI_LINE)
    editor.press("Control+Alt+ArrowRight")
    editor.wait(lambda: editor.lines()[0] == "xfor item in items:", "a line")
    assert "total" not in "".join(editor.lines())


def test_the_status_follows_the_model(open_file: Open) -> None:
    states = [["downloading", "m: 1 of 3 MB", 33.3]]
    downloading = server(FAKE_SERVER, FAKE_STATES=json.dumps(states))
    editor = open_file(settings=downloading, ready=False)
    editor.wait(lambda: editor.status()[0] == "loading" and "33 %" in editor.status_text(), "33 %")
    assert editor.status()[1] == "Coder LSP: loading, m: 1 of 3 MB"
    editor.type("!failed")
    editor.wait(lambda: editor.status()[0] == "failed", "failed")
    editor.page.click(f"{STATUS} a")
    reason = "Coder LSP: failed, no space on the disk"
    editor.wait(lambda: reason in editor.notifications(), "the reason")


def test_without_a_server_it_offers_to_install_one_and_takes_none_of_the_workspace(
    open_file: Open, repository: Path
) -> None:
    (repository / ".vscode").mkdir()
    (repository / ".vscode" / "settings.json").write_text(json.dumps(FAKE))
    editor = open_file(settings={}, ready=False)
    editor.wait(lambda: editor.status()[0] == "failed", "failed")
    assert editor.status()[1] == "Coder LSP: failed, the server is not installed"

    def is_offered() -> bool:
        return "the server is not installed" in "".join(editor.notifications())

    editor.wait(is_offered, "an offer")
    editor.run("Notifications: Clear All Notifications")
    editor.wait(lambda: not editor.notifications(), "no messages")
    editor.run("Coder LSP: Show Statistics")
    editor.wait(is_offered, "another offer")


def test_a_program_that_never_answers_gives_way_to_a_corrected_setting(open_file: Open) -> None:
    editor = open_file(settings={"coder-lsp.command": ["sleep", "1234"]}, ready=False)
    editor.wait(lambda: editor.children("sleep\x001234"), "it runs")
    starting = ("loading", "Coder LSP: loading, the server is starting")
    editor.wait(lambda: editor.status() == starting, "starting")
    editor.configure(FAKE)
    editor.wait_until_ready()
    editor.wait(lambda: "SIGTERM" in editor.log(), "it has ended")
    editor.forget_log()
    assert editor.notifications() == []
    assert len(editor.children(FAKE_SERVER.name)) == 1
    editor.type("x")
    editor.wait_for_ghost(SUGGESTION)


@pytest.fixture
def coder_lsp(vscode: VSCode, tmp_path: Path) -> Iterator[list[str]]:
    """The real server's command line; the model server that it starts ends with the test.

    To be named before `open_file`, so that errors are looked for before the window is closed.
    """
    state = f"CODER_LSP_STATE={tmp_path / 'model-server'}"
    command = ["/usr/bin/env", state, str(Path(sys.executable).with_name("coder-lsp"))]
    yield command
    vscode.page.goto("about:blank")  # a language server would start it again
    subprocess.run([*command, "model-server", "--stop"], check=True)


@pytest.mark.model
def test_the_default_model_completes_code(coder_lsp: list[str], open_file: Open) -> None:
    editor = open_file(
        "def fibonacci(n: int) -> int:\n"
        '    """The n-th Fibonacci number."""\n'
        "    if n < 2:\n"
        "        return n\n"
        "    return ",
        {"coder-lsp.command": coder_lsp},
        ready=False,
    )
    editor.wait(lambda: editor.status()[0] == "ready", "the model is ready", seconds=120)
    editor.type("fibonacci(n - 1) + ")
    editor.wait_for_ghost("fibonacci(n - 2)")
    editor.press("Tab")
    accepted = "    return fibonacci(n - 1) + fibonacci(n - 2)"
    editor.wait(lambda: editor.lines()[-1] == accepted, "accepted")
