"""What each client can take, and how it wants it: one formatting profile per client.

Read from the `initialize` params as JSON: from what the client declares, and from its name where
clients that declare the same behave differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Multiline = Literal["plain", "snippet", "first-line"]
"""How a completion item of several lines is sent: as it is, as a snippet whose lines from the
second on are relative to the current line's indentation, or only its first line."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How to talk to one client."""

    client: str
    inline: bool
    """It asks for inline completion (ghost text)."""
    multiline: Multiline
    repeat_insert_text: bool
    """It reads `insertText` where others read `textEdit.newText`."""
    as_is: bool
    """It re-indents inserted lines unless told to insert text as it is."""
    markdown: bool
    """Documentation may be Markdown: also where the client does not say, since those read plain
    strings as Markdown too (Helix, Eglot), but for Kate."""
    label_details: bool
    progress: bool
    """It shows progress that the server begins."""
    tells_of_files: bool
    """It can be asked to tell of changes on disk."""
    status: bool = False
    """It shows our `coder-lsp/status`, and says so by `experimental.coderLspStatus`."""
    shows_errors: bool = False
    """It shows the user every error, also that a request was superseded (Eglot's mode line)."""
    raw_newlines: bool = False
    """It inserts newlines as they were sent, also where the file has others."""

    def offers_list(self, setting: Literal["auto", "always", "never"]) -> bool:
        """Whether textDocument/completion is to be offered; auto: where there is no ghost text."""
        return setting == "always" or (setting == "auto" and not self.inline)


def profile_of(params: Mapping[str, Any]) -> Profile:
    """The profile of the client that sent these `initialize` params; never raises."""
    name = str(_get(params, "clientInfo", "name") or "")
    text_document = _get(params, "capabilities", "textDocument")
    item = _get(text_document, "completion", "completionItem")
    formats = _get(item, "documentationFormat")
    workspace = _get(params, "capabilities", "workspace")
    return Profile(
        client=name,
        inline=_get(text_document, "inlineCompletion") is not None,
        multiline=_multiline(name, bool(_get(item, "snippetSupport"))),
        repeat_insert_text=_is_kate(name),
        as_is=1 in (_get(item, "insertTextModeSupport", "valueSet") or ()),
        markdown="markdown" in formats if formats is not None else not _is_kate(name),
        label_details=bool(_get(item, "labelDetailsSupport")),
        progress=bool(_get(params, "capabilities", "window", "workDoneProgress")),
        tells_of_files=bool(_get(workspace, "didChangeWatchedFiles", "dynamicRegistration")),
        status=bool(_get(params, "capabilities", "experimental", "coderLspStatus")),
        shows_errors=name == "Eglot",
        raw_newlines=_get(workspace, "workspaceEdit", "normalizesLineEndings") is False,
    )


def _is_kate(name: str) -> bool:
    """Kate does not say its name (yet)."""
    return name.lower() in ("kate", "")


def _multiline(name: str, snippets: bool) -> Multiline:
    """Neovim inserts only the first line of plain text, and indents the lines of a snippet."""
    if name != "Neovim":
        return "plain"
    return "snippet" if snippets else "first-line"


def _get(tree: Any, *keys: str) -> Any:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree
