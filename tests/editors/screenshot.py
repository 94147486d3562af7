"""Draws Neovim's screen with ghost text of the real model, for the README.

    python -m tests.editors.screenshot      # writes editors/neovim/images/ghost-text.svg

What is drawn is what a terminal showed: the project's sample file, without its last loop.
"""

from __future__ import annotations

import html
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from lsp_server.commands import demo

from . import install
from .neovim import PLUGIN, README
from .terminal import ESCAPE, Terminal

IMAGE = PLUGIN / "images" / "ghost-text.svg"
COLUMNS, LINES = 84, 18
CELL = (8, 17)
"""Width and height of a character, in pixels."""
END = "        print(host_line(host, count))\n"
"""What the sample is shown up to: all but its last loop."""
ERROR_LINE = 'f"{path:40} {count:6} errors"'
BACKGROUND, FOREGROUND = "14161b", "e0e2ea"
"""Of Neovim's default colours."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        terminal = show_ghost_text(Path(folder))
        try:
            IMAGE.parent.mkdir(exist_ok=True)
            IMAGE.write_text(svg(terminal.screen), encoding="utf-8")
        finally:
            terminal.close()


def show_ghost_text(folder: Path) -> Terminal:
    """A terminal with Neovim, set up as its README says, that shows ghost text."""
    (folder / ".git").mkdir()
    sample = demo.SAMPLE.read_text(encoding="utf-8")
    kept = sample[: sample.index(END) + len(END)].replace(demo.MARKER, ERROR_LINE)
    (folder / "access_log.py").write_text(f"{kept}    ")
    (folder / "init.lua").write_text(README)
    command: list[str | Path] = [
        install.neovim(),
        "--clean",
        "-n",
        "-u",
        folder / "init.lua",
        "access_log.py",
    ]
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLORTERM": "truecolor",
        "XDG_STATE_HOME": str(folder / "state"),
    }
    terminal = Terminal(command, folder, environment, COLUMNS, LINES)
    terminal.wait_for(" coder ", seconds=120)  # in the statusline: the model is ready
    terminal.type("Gzb3\x05A")  # room for the lines that are not there
    terminal.wait_for("INSERT")
    while not terminal.behind_cursor().strip():
        terminal.type(f"{ESCAPE}A")
        with suppress(AssertionError):
            terminal.wait(terminal.behind_cursor().strip, "ghost text", seconds=10)
    return terminal


def svg(screen: Any) -> str:
    """The screen as a picture."""
    width, height = CELL[0] * screen.columns, CELL[1] * screen.lines
    rows = [
        svg_of_run(screen, y, x, run) for y in range(screen.lines) for x, run in runs(screen, y)
    ]
    drawn = "\n".join(filter(None, rows))
    x, y = CELL[0] * screen.cursor.x, CELL[1] * screen.cursor.y
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve"
 viewBox="0 0 {width} {height}" width="{width}">
<style>text {{ font: 13px ui-monospace, Menlo, Consolas, monospace; white-space: pre }}</style>
<rect width="{width}" height="{height}" fill="#{BACKGROUND}"/>
{drawn}
<rect x="{x}" y="{y}" width="2" height="{CELL[1]}" fill="#{FOREGROUND}"/>
</svg>
"""


def runs(screen: Any, y: int) -> Iterator[tuple[int, list[Any]]]:
    """The characters of a line that look alike, and the column where they begin."""
    row = [screen.buffer[y][x] for x in range(screen.columns)]
    for _, group in itertools.groupby(enumerate(row), lambda each: each[1]._replace(data="")):
        cells = list(group)
        yield cells[0][0], [cell for _, cell in cells]


def svg_of_run(screen: Any, y: int, x: int, run: list[Any]) -> str:
    """Characters that look alike, and what is behind them."""
    foreground, background = run[0].fg, run[0].bg
    if run[0].reverse:
        foreground, background = background, foreground
    text = "".join(cell.data for cell in run).rstrip()
    left, top, width = CELL[0] * x, CELL[1] * y, CELL[0] * len(run)
    drawn = ""
    if background not in ("default", BACKGROUND):
        fill = f'height="{CELL[1]}" fill="#{background}"'
        drawn = f'<rect x="{left}" y="{top}" width="{width}" {fill}/>'
    if text:
        fill = FOREGROUND if foreground == "default" else foreground
        length = f'textLength="{CELL[0] * len(text)}"'
        shown = html.escape(text)
        drawn += f'<text x="{left}" y="{top + 13}" {length} fill="#{fill}">{shown}</text>'
    return drawn


if __name__ == "__main__":
    main()
