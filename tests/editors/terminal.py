"""A program in a terminal: typed to as by a hand, and looked at as by an eye."""

from __future__ import annotations

import os
import re
import select
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import ptyprocess
import pyte

from .waiting import wait

T = TypeVar("T")

ENTER = "\r"
ESCAPE = "\x1b"
TAB = "\t"
BACKSPACE = "\x7f"
CTRL_C = "\x03"

DEVICE_CONTROL = re.compile(rb"\x1bP.*?\x1b\\", re.DOTALL)
"""Questions to the terminal, which pyte would show as text."""
FRAMES_ASKED, FRAMES_KNOWN = b"\x1b[?2026$p", "\x1b[?2026;2$y"
"""Whether the terminal would be told where a picture begins and ends; that it would."""
WITHIN_FRAME = 2026 << 5  # as pyte keeps modes
QUIET_SECONDS = 0.02
"""A program that has written nothing for so long, and is not within a picture, has drawn it all."""


class _Screen(pyte.Screen):
    """Answers what a program asks of its terminal by `reply`, but for private questions after the
    device's status, over which pyte stumbles."""

    def __init__(self, columns: int, lines: int, reply: Callable[[str], None]) -> None:
        super().__init__(columns, lines)
        self._reply = reply

    def write_process_input(self, data: str) -> None:
        self._reply(data)

    def report_device_status(self, mode: int, **private: bool) -> None:
        if not private:
            super().report_device_status(mode)


class Terminal:
    """One running program, in a terminal of `columns` by `lines`.

    What it shows is only taken in while somebody waits; the other methods tell what was shown then.
    Programs for which that means something say what `line` the cursor is in, up to there, and which
    `suggestion` is shown.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str],
        columns: int = 100,
        lines: int = 30,
    ) -> None:
        self.screen = _Screen(columns, lines, self.type)
        self._stream = pyte.ByteStream(self.screen)
        self._seen: set[tuple[str, str]] | None = None
        self._process = ptyprocess.PtyProcess.spawn(
            [str(word) for word in command],
            cwd=str(folder),
            env={**os.environ, "TERM": "xterm-256color", **environment},
            dimensions=(lines, columns),
        )

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    def type(self, keys: str) -> None:
        """Types `keys`: text, and what a terminal sends for other keys."""
        self._process.write(keys.encode())

    def lines(self) -> list[str]:
        """What the screen shows, line by line, without blanks at their ends."""
        return [line.rstrip() for line in self.screen.display]

    def before_cursor(self) -> str:
        """The screen's line up to the cursor."""
        return self._cells(0, self.screen.cursor.x)

    def behind_cursor(self) -> str:
        """The screen's line from the cursor on."""
        return self._cells(self.screen.cursor.x, self.screen.columns)

    def line(self) -> str:
        raise NotImplementedError

    def suggestion(self) -> str:
        raise NotImplementedError

    @contextmanager
    def watched(self) -> Iterator[set[tuple[str, str]]]:
        """A set to which, while it lasts, each suggestion that is shown is added, with the line;
        '' where there is none."""
        seen: set[tuple[str, str]] = set()
        self._seen = seen
        yield seen
        self._seen = None

    def shows(self, text: str) -> bool:
        """Whether `text` stands somewhere on the screen, in one line."""
        return any(text in line for line in self.lines())

    def wait(self, poll: Callable[[], T], what: str, seconds: float = 30) -> T:
        """The first value of `poll` that is true; fails, naming `what`, after `seconds`."""
        self._take_in(0)
        pause = partial(self._take_in, 0.02)
        return wait(poll, what, seconds, pause=pause, report=self._report)

    def _report(self) -> str:
        shown = "\n".join(self.lines()).rstrip()
        return f"On the screen:\n{shown}"

    def wait_for(self, text: str, seconds: float = 30) -> None:
        """Waits until `text` stands on the screen."""
        self.wait(lambda: self.shows(text), repr(text), seconds)

    def wait_without(self, text: str, seconds: float = 30) -> None:
        """Waits until `text` does not stand on the screen any more."""
        self.wait(lambda: not self.shows(text), f"no {text!r}", seconds)

    def close(self) -> None:
        """Ends the program."""
        self._process.close(force=True)

    def _writes(self, seconds: float) -> bool:
        """Whether the program writes something within so many seconds, or has a picture to end."""
        if WITHIN_FRAME in self.screen.mode:
            return True
        return bool(select.select([self._process], [], [], seconds)[0])

    def _cells(self, start: int, end: int) -> str:
        row = self.screen.buffer[self.screen.cursor.y]
        return "".join(row[column].data for column in range(start, end))

    def _take_in(self, seconds: float) -> None:
        """Draws what the program has written, waiting for it at most `seconds`."""
        written = False
        while self._writes(QUIET_SECONDS if written else seconds):
            try:
                data = self._process.read(2**16)
            except EOFError:
                return
            if FRAMES_ASKED in data:
                self.type(FRAMES_KNOWN)
            self._stream.feed(DEVICE_CONTROL.sub(b"", data))
            written = True
        if written and self._seen is not None:
            self._seen.add((self.suggestion(), self.line()))
