"""A real Helix in a terminal, set up as `editors/helix/README.md` says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from . import install
from .terminal import CTRL_C, ENTER, ESCAPE, TAB, Terminal

CONFIGURATION = Path(__file__).resolve().parents[2] / "editors" / "helix" / "languages.toml"

# An entry of the menu, which for ours is of the kind "text".
ENTRY = re.compile(r"\s(\S.*?)\s+text\s*$")

GUTTER = len("    1  ")


class Helix(Terminal):
    """One running Helix with one file open; `home` is where it keeps what is its own."""

    def __init__(self, file: Path, home: Path) -> None:
        configuration = home / "helix"
        configuration.mkdir(parents=True)
        shutil.copy(CONFIGURATION, configuration)
        self._log = home / "helix.log"
        self._starts = 0
        folders = {"XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
        command: list[str | Path] = [install.helix(), "-v", "--log", self._log, file]
        super().__init__(command, file.parent, folders)

    def wait_for_server(self) -> None:
        """Waits until the server, or one more after a restart, is told of the file."""
        self._starts += 1
        self.wait(lambda: self._told() == self._starts, "the server is told of the file")

    def _told(self) -> int:
        log = self._log.read_text() if self._log.exists() else ""
        return log.count('"method":"textDocument/didOpen"')

    def append(self) -> None:
        """Begins to type at the end of the file."""
        self.type("geA")

    def line(self) -> str:
        """The line up to the cursor."""
        return self.before_cursor()[GUTTER:]

    def suggestion(self) -> str:
        """The first line of what the menu would insert, or ''."""
        word = self.line().rpartition(" ")[2]
        entries = filter(None, map(ENTRY.search, self.lines()))
        return next((each[1].removeprefix(word) for each in entries), "")

    def accept(self) -> None:
        before = self.line()
        self.type(TAB)
        self.wait(lambda: self.line() != before, "it is selected, and shown in the text")
        self.type(ENTER)

    def dismiss(self) -> None:
        self.type(CTRL_C)

    def save(self) -> None:
        self._command("write")

    def restart_server(self) -> None:
        self._command("lsp-restart")

    def _command(self, command: str) -> None:
        self.type(ESCAPE)
        self.wait_for(" NOR ")  # with the next key at once, a terminal's Escape is Alt
        self.type(f":{command}{ENTER}")
