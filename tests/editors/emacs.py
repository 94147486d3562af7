"""A real Emacs in a terminal, set up as `editors/emacs/README.md` says."""

from __future__ import annotations

from pathlib import Path

from . import install
from .terminal import TAB, Terminal

FOLDER = Path(__file__).resolve().parents[2] / "editors" / "emacs"

# What the README says, and: nothing is compiled behind the tests' back, left beside the file, or
# shown in a margin; a server is started again at once, as Eglot does where it has run for a while.
INIT = f"""
(setq native-comp-jit-compilation nil
      make-backup-files nil
      auto-save-default nil
      eglot-stay-out-of '(flymake)
      eglot-autoreconnect t)
(load "{FOLDER}/coder-lsp")
(add-hook 'prog-mode-hook #'eglot-ensure)
"""


class Emacs(Terminal):
    """One running Emacs with one file open; `home` is where it keeps what is its own."""

    def __init__(self, file: Path, home: Path) -> None:
        home.mkdir()
        init = home / "init.el"
        init.write_text(INIT)
        command: list[str | Path] = [install.emacs(), "-Q", "-nw", "-l", init, file]
        super().__init__(command, file.parent, {"HOME": str(home), "LANG": "C.UTF-8"})

    def wait_for_server(self) -> None:
        """Waits until the server, or one more after a restart, is there."""
        self.wait_for("onnected!")

    def append(self) -> None:
        """Begins to type at the end of the file."""
        self.type("\x1b>")
        self.wait(self._at_end, "the cursor is at the end")

    def _at_end(self) -> bool:
        """Whether nothing but the mode line and the echo area follows the cursor: until Emacs has
        taken the keys in, the line behind it is not a suggestion but text."""
        below = self.lines()[self.screen.cursor.y + 1 : -2]
        return not self.behind_cursor().strip() and not any(below)

    def line(self) -> str:
        """The line up to the cursor."""
        return self.before_cursor()

    def suggestion(self) -> str:
        """The ghost text, or ''."""
        return self.behind_cursor().rstrip()

    def accept(self) -> None:
        self.type(TAB)

    def dismiss(self) -> None:
        self.type("\x07")  # C-g

    def save(self) -> None:
        self.type("\x18\x13")  # C-x C-s

    def restart_server(self) -> None:
        pass  # Eglot does it
