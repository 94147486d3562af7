"""A real VS Code: code-server with the packaged extension, shown in a headless Chromium."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from .install_vscode import Installation
from .waiting import wait

if TYPE_CHECKING:
    from playwright.sync_api import Playwright

T = TypeVar("T")

# Quiet, and nothing beside inline suggestions that would show something of its own accord.
SETTINGS = {
    "chat.disableAIFeatures": True,
    "editor.accessibilitySupport": "off",
    "editor.minimap.enabled": False,
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "editor.suggestOnTriggerCharacters": False,
    "extensions.autoCheckUpdates": False,
    "extensions.autoUpdate": "off",
    "git.enabled": False,
    "telemetry.telemetryLevel": "off",
    "typescript.disableAutomaticTypeAcquisition": True,
    "update.mode": "none",
    "window.restoreWindows": "none",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
}
OPTIONS = (
    *("--bind-addr", "127.0.0.1:0", "--auth", "none", "--ignore-last-opened"),
    *("--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"),
    "--disable-getting-started-override",
)
EDITOR = ".editor-group-container.active .monaco-editor"
BESIDE = ".editor-group-container:not(.active) .monaco-editor"
IDENTIFIER = "coder-lsp.coder-lsp"
STATUS = f'[id="{IDENTIFIER}.status"]'
LOGS = "logs/*/exthost*/{}"
ICONS = {
    "codicon-loading": "loading",
    "codicon-sparkle": "ready",
    "codicon-circle-slash": "off",
    "codicon-error": "failed",
}
SHOWN = Path(__file__).with_name("vscode") / "shown.js"


class VSCode:
    """One running VS Code with the packaged extension; `folder` holds all that is its own.

    `environment` replaces the environment's variables for it, and for the language servers.
    """

    def __init__(
        self,
        playwright: Playwright,
        installation: Installation,
        extension: Path,
        folder: Path,
        environment: Mapping[str, str],
    ) -> None:
        self.data = folder / "data"
        self._command = [str(installation.node), str(installation.code_server)]
        self._command += ["--user-data-dir", str(self.data)]
        self._command += ["--extensions-dir", str(folder / "extensions")]
        self._state = folder / "state"
        own = {"HOME": str(folder), "XDG_STATE_HOME": str(self._state)}
        self._environment = {**os.environ, **own, **environment}
        self._browser = playwright.chromium.launch(
            executable_path=installation.chromium,
            env={**os.environ, "LD_LIBRARY_PATH": str(installation.libraries)},
            args=["--disable-gpu"],
        )
        self._run("--install-extension", str(extension))
        self._log = (folder / "code-server.log").open("w+")
        self._process = subprocess.Popen(
            [*self._command, *OPTIONS],
            env=self._environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        address = r"HTTP server listening on (http://127\.0\.0\.1:\d+)"
        [self.url] = self.wait(lambda: re.findall(address, self._output()), "code-server runs")
        self.page = self._browser.new_page(viewport={"width": 1000, "height": 600})
        self.page.add_init_script(path=SHOWN)
        self._settings: Mapping[str, Any] | None = None
        self._logged: dict[Path, int] = {}

    def open(self, file: Path, settings: Mapping[str, Any]) -> None:
        """Opens a file, the cursor at its end: in a fresh window on its folder where the machine's
        `settings` are not those of the window that there is. (To the browser, code-server is a
        remote machine; who computes is that machine's setting.)"""
        self.forget_log()
        if settings == self._settings:
            self._open_here(file)
        else:
            self._settings = settings
            self._open_anew(file, settings)
        self.page.click(f"{EDITOR} .view-lines")
        self.press("Control+End")

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Changes the machine's settings while the window is open."""
        self._settings = settings
        self._write_settings("Machine", settings)

    def _open_here(self, file: Path) -> None:
        self._pick("Control+p", str(file), f"[aria-label*='{file.name}']")
        self.page.wait_for_selector(f"{EDITOR}[data-uri$='/{file.name}'] .view-line")

    def _open_anew(self, file: Path, settings: Mapping[str, Any]) -> None:
        self._logged = dict.fromkeys(self._logged, sys.maxsize)  # the old window may log its end
        self._write_settings("User", SETTINGS)
        self._write_settings("Machine", settings)
        host = self.url.removeprefix("http://")
        payload = [["openFile", f"vscode-remote://{host}{file}"]]
        query = urlencode({"folder": str(file.parent), "payload": json.dumps(payload)})
        self.page.goto(f"{self.url}/?{query}")
        editor = f"{EDITOR}[data-uri$='/{file.name}'] .view-line"
        self.page.wait_for_selector(editor, timeout=60_000)

    def _write_settings(self, whose: str, settings: Mapping[str, Any]) -> None:
        file = self.data / whose / "settings.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings))

    def wait(self, poll: Callable[[], T], what: str, seconds: float = 30) -> T:
        """The first value of `poll` that is true; fails, naming `what`, after `seconds`."""
        pause = partial(time.sleep, 0.02)
        return wait(poll, what, seconds, pause=pause, report=self.report)

    def wait_until_ready(self) -> None:
        self.wait(lambda: self.status()[0] == "ready", "the model is ready")

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    def press(self, *keys: str) -> None:
        """Presses keys, in Playwright's notation (`Tab`, `Control+End`), one after another."""
        for key in keys:
            self.page.keyboard.press(key)

    def ghost(self) -> str:
        """The ghost text now shown, or ''. Its first line begins where it is shown."""
        return str(self._shown()["ghost"])

    def wait_for_ghost(self, text: str) -> None:
        """Waits until just this is shown as ghost text; of several lines, one may come first."""
        self.wait(lambda: self.ghost() == text, f"ghost text {text!r}")

    def lines(self) -> list[str]:
        """The lines of the text that are in sight, without ghost text."""
        return list(self._shown()["lines"])

    def status(self) -> tuple[str, str]:
        """What the status bar shows of the extension: the kind of state, and its words."""
        item = self.page.query_selector(f"{STATUS} a")
        if item is None:
            return "", ""
        return _kind(item.inner_html()), (item.get_attribute("aria-label") or "").strip()

    def status_text(self) -> str:
        """The words in the status bar."""
        return self.page.inner_text(STATUS)

    def notifications(self) -> list[str]:
        """The texts of the messages that are shown."""
        return self.page.locator(".notification-list-item-message").all_inner_texts()

    def show_tab(self, file: Path) -> None:
        """Clicks on the tab of an open file."""
        self.page.click(f".tab[data-resource-name='{file.name}']")
        self.page.wait_for_selector(f"{EDITOR}[data-uri$='/{file.name}'] .view-line")

    def run(self, command: str) -> None:
        """Runs a command of the palette."""
        self._pick("F1", f">{command}", f"[aria-label^='{command}']")

    def _pick(self, key: str, text: str, row: str) -> None:
        """Types a text where `key` asks for one, and clicks on a row of the list: Enter takes the
        first one, which may be another, or of the list as it was before the text."""
        self.press(key)
        self.page.fill(".quick-input-box input", text)
        self.page.click(f".quick-input-list .monaco-list-row{row}")

    def page_beside(self) -> str:
        """The text in the other group of editors, where there is one; its lines may be wrapped, so
        any white space is one space."""
        if not self.page.locator(BESIDE).count():
            return ""
        return " ".join(" ".join(self._shown(BESIDE)["lines"]).split())

    @contextmanager
    def watched(self) -> Iterator[Callable[[], list[list[str]]]]:
        """Notes, whenever the editor is drawn anew, its last line and its ghost text. Gives a
        function that returns what was noted."""
        self.page.evaluate("(editor) => watch(editor, lastLine)", EDITOR)
        yield lambda: list(self.page.evaluate("seen"))
        self.page.evaluate("watcher.disconnect()")

    @contextmanager
    def status_watched(self) -> Iterator[Callable[[], list[str]]]:
        """Notes the kind of state in the status bar whenever that is drawn anew; as `watched`."""
        self.page.evaluate("(item) => watch(item, markup)", STATUS)
        yield lambda: [_kind(shown) for shown in self.page.evaluate("seen")]
        self.page.evaluate("watcher.disconnect()")

    def children(self, program: str) -> list[int]:
        """The ids of the processes that this VS Code started with this name in their command."""
        started, waiting = [], [self._process.pid]
        while waiting:
            tasks = Path(f"/proc/{waiting.pop()}/task")
            for listed in tasks.glob("*/children"):
                started += (pids := [int(each) for each in listed.read_text().split()])
                waiting += pids
        return [pid for pid in started if program in _command_of(pid)]

    def log(self) -> str:
        """What the extension has logged since the file was opened, or the log forgotten."""
        return self._logged_since(f"{IDENTIFIER}/*.log")

    def errors(self) -> list[str]:
        """The errors that the extension has logged since then, and where errors come from that it
        did not catch, as the extension host has logged; and all errors of the real server."""
        own = [line for line in self.log().splitlines() if "[error]" in line]
        host = self._logged_since("remoteexthost.log").splitlines()
        uncaught = [line for line in host if f"{IDENTIFIER}-" in line]
        servers = [log.read_text().splitlines() for log in self._state.rglob("server.log")]
        return own + uncaught + [line for log in servers for line in log if " ERROR " in line]

    def forget_log(self) -> None:
        """Has only what is logged from now on looked at."""
        self._logged = {log: log.stat().st_size for log in self.data.glob(LOGS.format("**/*.log"))}

    def report(self) -> str:
        self.page.screenshot(path=self.data / "failure.png")
        return (
            f"Shown: {self._shown()}\nStatus: {self.status()}\nMessages: {self.notifications()}\n"
            f"Log: {self.log()}\nScreen: {self.data / 'failure.png'}"
        )

    def close(self) -> None:
        """Ends the browser and the server, and with them the language servers."""
        self._browser.close()
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait()
        self._log.close()

    def _shown(self, editor: str = EDITOR) -> dict[str, Any]:
        return dict(self.page.evaluate("(editor) => shown(editor)", editor))

    def _logged_since(self, pattern: str) -> str:
        logs = self.data.glob(LOGS.format(pattern))
        new = (log.read_bytes()[self._logged.get(log, 0) :] for log in logs)
        return b"".join(new).decode()

    def _output(self) -> str:
        return (self.data.parent / "code-server.log").read_text()

    def _run(self, *arguments: str) -> None:
        subprocess.run(
            [*self._command, *arguments], env=self._environment, check=True, capture_output=True
        )


def _kind(shown: str) -> str:
    """The kind of state by its icon."""
    return next((kind for icon, kind in ICONS.items() if icon in shown), "")


def _command_of(pid: int) -> str:
    """A process's command line; '' when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
