"""A real Neovim, headless, set up as `editors/neovim/README.md` says, and driven by its own API."""

from __future__ import annotations

import json
import re
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pynvim

from .conftest import endpoint_of
from .waiting import wait

PLUGIN = Path(__file__).resolve().parents[2] / "editors" / "neovim"

# For tests: requests that begin and end, the ghost text, and all that was shown.
INSTRUMENTS = """
vim.g.asked, vim.g.ended = 0, 0
vim.api.nvim_create_autocmd('LspRequest', {
  callback = function(event)
    local request = event.data.request
    if request.method == 'textDocument/inlineCompletion' then
      if request.type == 'pending' then vim.g.asked = vim.g.asked + 1 end
      if request.type == 'complete' then vim.g.ended = vim.g.ended + 1 end
    end
  end,
})

function _G.ghost()
  local namespace = vim.api.nvim_create_namespace('nvim.lsp.inline_completion')
  local shown = {}
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })) do
    for _, line in ipairs({ mark[4].virt_text or {}, unpack(mark[4].virt_lines or {}) }) do
      table.insert(shown, vim.iter(line):map(function(chunk) return chunk[1] end):join(''))
    end
  end
  return table.concat(shown, '\\n')
end

function _G.watch()
  _G.drawn = {}
  vim.api.nvim_set_decoration_provider(vim.api.nvim_create_namespace('watch'), {
    -- Scheduled: Neovim may draw twice, before autocommands and after, and then show it.
    on_start = vim.schedule_wrap(function()
      table.insert(_G.drawn, { ghost(), vim.api.nvim_get_current_line() })
    end),
  })
end
"""

T = TypeVar("T")


class Neovim:
    """One running Neovim with one file open.

    `command` replaces the server's command line; without it the one of the plugin is used. Without
    `plugin`, Neovim runs that command by its own means alone. What Neovim keeps (its log, too) goes
    into the folders named by the XDG variables of the environment.
    """

    def __init__(
        self,
        executable: Path,
        file: Path,
        init: Path,
        command: Sequence[str] = (),
        plugin: bool = True,
    ):
        init.write_text((README if plugin else BARE) + INSTRUMENTS + command_line(command))
        options = ["--embed", "--headless", "--clean", "-n", "-u", str(init), str(file)]
        self.api: Any = pynvim.attach("child", argv=[str(executable), *options])

    def wait_for_server(self) -> None:
        """Waits until the server answers requests of the editor."""
        ready = "local c = vim.lsp.get_clients()[1]; return c ~= nil and c.initialized == true"
        self.wait(lambda: self.lua(ready), "the server is there")
        self.wait(lambda: endpoint_of(self.server_pid()), "the server is ready")

    def lua(self, code: str) -> Any:
        return self.api.exec_lua(code)

    def wait(self, poll: Callable[[], T], what: str, seconds: float = 30) -> T:
        """The first value of `poll` that is true; fails, naming `what`, after `seconds`."""
        pause = partial(time.sleep, 0.01)
        return wait(poll, what, seconds, pause=pause, report=self.report)

    def type(self, keys: str) -> None:
        """Types `keys`, in Neovim's notation (`<Esc>`, `<Tab>`, `<CR>`)."""
        self.api.input(keys)

    def ghost(self) -> str:
        """The ghost text now shown, or ''. Its first line begins where it is shown."""
        return str(self.lua("return ghost()"))

    @contextmanager
    def watched(self) -> Iterator[set[tuple[str, str]]]:
        """A set that holds, afterwards, all that was shown meanwhile: the ghost text, and the
        cursor's line."""
        seen: set[tuple[str, str]] = set()
        self.api.ui_attach(80, 24)
        self.lua("watch()")
        yield seen
        self.api.command("redraw!")  # what is there now, at the latest
        seen.update((ghost, line) for ghost, line in self.lua("return drawn"))
        self.api.ui_detach()

    def wait_for_ghost(self, seconds: float = 30) -> str:
        return self.wait(self.ghost, "ghost text", seconds)

    def status(self) -> str:
        """The statusline of the current window, as the README sets it up."""
        return str(self.lua("return vim.api.nvim_eval_statusline(vim.o.statusline, {}).str"))

    def floating(self) -> list[str]:
        """The lines of the floating window; none where there is none."""
        return list(
            self.lua(
                "for _, window in ipairs(vim.api.nvim_list_wins()) do "
                "if vim.api.nvim_win_get_config(window).relative ~= '' then "
                "local buffer = vim.api.nvim_win_get_buf(window) "
                "return vim.api.nvim_buf_get_lines(buffer, 0, -1, true) end end return {}"
            )
        )

    def asked(self) -> int:
        """How many inline completions have been asked for so far."""
        return int(self.api.vars["asked"])

    def ended(self) -> int:
        """How many of them have ended, be it by an answer or because they were cancelled."""
        return int(self.api.vars["ended"])

    def lines(self) -> list[str]:
        return list(self.api.current.buffer[:])

    def line(self) -> str:
        return str(self.api.current.line)

    def column(self) -> int:
        """The cursor's column in bytes, from 0."""
        return int(self.api.current.window.cursor[1])

    def server_pid(self) -> int:
        """The process id of the language server."""
        (pid,) = self.api.api.get_proc_children(self.lua("return vim.fn.getpid()"))
        return int(pid)

    def messages(self) -> str:
        return str(self.api.command_output("messages"))

    def log(self) -> str:
        """What Neovim's LSP client has logged; the server's stderr is logged as errors, too."""
        path = Path(self.lua("return vim.lsp.log.get_filename()"))
        return path.read_text() if path.exists() else ""

    def errors(self) -> list[str]:
        """The lines of the log and of the messages that tell of errors."""
        lines = self.log().splitlines() + self.messages().splitlines()
        return [line for line in lines if re.search(r"\[ERROR\]|^E\d+:|\bError\b", line)]

    def report(self) -> str:
        return f"Buffer: {self.lines()}\nMessages: {self.messages()}\nLog: {self.log()}"

    def close(self) -> None:
        """Ends Neovim, and with it the language server."""
        try:
            self.api.command("qall!")
        except (EOFError, OSError):
            pass  # it hangs up instead of answering
        finally:
            self.api.close()


def command_line(command: Sequence[str]) -> str:
    words = ", ".join(json.dumps(word) for word in command)
    return f"vim.lsp.config('coder_lsp', {{ cmd = {{ {words} }} }})\n" if command else ""


def from_readme() -> str:
    """The init.lua that the plugin's README gives, with this plugin's path."""
    readme = (PLUGIN / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^( *)```lua\n(.*?)\n\1```", readme, re.DOTALL | re.MULTILINE)
    given = "\n".join(textwrap.dedent(code) for _, code in blocks)
    placeholder = "'/path/to/coder-lsp/editors/neovim'"
    assert placeholder in given
    return given.replace(placeholder, json.dumps(str(PLUGIN)))


README = from_readme()
BARE = """
vim.lsp.config('coder_lsp', { root_markers = { '.git' } })
vim.lsp.enable('coder_lsp')
vim.lsp.inline_completion.enable()
"""
