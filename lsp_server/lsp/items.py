"""Suggestions as the protocol's items, formatted for each client. Pure: no state, no clock."""

from __future__ import annotations

import re

from lsprotocol import types

from lsp_server.lsp.documents import Snapshot
from lsp_server.lsp.profiles import Profile
from lsp_server.lsp.text import Position, TextBuffer, code_points, units

LABEL_LENGTH = 60
ACCEPTED_COMMAND = "coder-lsp.accepted"
"""Run by the client once an item was inserted; its argument is the receipt's id."""

_SNIPPET_SPECIAL = re.compile(r"[\\$}]")


def inline_list(
    text: str,
    buffer: TextBuffer,
    cursor: Position,
    selected: types.SelectedCompletionInfo | None = None,
    id: str = "",
) -> types.InlineCompletionList:
    """Ghost text that inserts `text` at `cursor` (a position within bounds), or an empty list.

    The range is always there, and empty unless the client's pop-up has an entry selected: then the
    item replaces that entry's range, and there is none unless it begins with the entry's text. `id`
    is told when it is accepted.
    """
    item = _inline_item(text, cursor) if selected is None else _over(text, buffer, cursor, selected)
    if item is not None:
        item.command = _accepted(id)
    return types.InlineCompletionList(items=[item] if text and item else [])


def _inline_item(text: str, cursor: Position) -> types.InlineCompletionItem:
    return types.InlineCompletionItem(insert_text=text, range=_range(cursor, cursor))


def _over(
    text: str, buffer: TextBuffer, cursor: Position, selected: types.SelectedCompletionInfo
) -> types.InlineCompletionItem | None:
    """The item over the range of the pop-up's entry, which may end before or after the cursor."""
    start, end = _position(selected.range.start), _position(selected.range.end)
    if not (start.line == end.line == cursor.line and start <= cursor):
        return None
    end = max(end, cursor)
    line = buffer.line(cursor.line)
    first, at, last = (
        code_points(line, each.character, buffer.encoding) for each in (start, cursor, end)
    )
    whole = line[first:at] + text + line[at:last]
    if not whole.startswith(selected.text):
        return None
    return types.InlineCompletionItem(insert_text=whole, range=_range(start, end))


def completion_list(
    text: str, document: Snapshot, cursor: Position, profile: Profile, id: str = ""
) -> types.CompletionList:
    """The same for the completion menu: at most one item, which replaces the word before `cursor`
    by that word and `text`. Always incomplete, so that the client asks again as the user types."""
    line = document.buffer.line(cursor.line)
    before = line[: code_points(line, cursor.character, document.buffer.encoding)]
    if profile.multiline == "first-line":
        text = text.partition("\n")[0]
    elif profile.multiline == "snippet" and "\n" in text:
        text = _relative(text, _indent(before))
    if not text.strip():
        return types.CompletionList(is_incomplete=True, items=[])
    item = _item(text, before, document, cursor, profile)
    item.command = _accepted(id)
    return types.CompletionList(is_incomplete=True, items=[item])


def _item(
    text: str, before: str, document: Snapshot, cursor: Position, profile: Profile
) -> types.CompletionItem:
    word = before[_word_start(before) :]
    start = Position(cursor.line, cursor.character - units(word, document.buffer.encoding))
    snippet = profile.multiline == "snippet" and "\n" in text
    new = escape_snippet(word + text) if snippet else word + text
    if profile.raw_newlines and "\r\n" in document.buffer.text:
        new = new.replace("\n", "\r\n")
    label = _label(text, word)
    lines = text.count("\n") + 1
    details = types.CompletionItemLabelDetails(
        description="coder-lsp" if lines == 1 else f"coder-lsp, {lines} lines"
    )
    return types.CompletionItem(
        label=label,
        label_details=details if profile.label_details else None,
        kind=types.CompletionItemKind.Text,
        sort_text="0",
        filter_text=(word + text).partition("\n")[0] or label,
        insert_text=new if profile.repeat_insert_text else None,
        insert_text_format=types.InsertTextFormat.Snippet if snippet else None,
        insert_text_mode=types.InsertTextMode.AsIs if profile.as_is else None,
        text_edit=types.TextEdit(range=_range(start, cursor), new_text=new),
        documentation=_documentation(word + text, document.language, profile),
    )


def _accepted(id: str) -> types.Command:
    return types.Command(title="accepted", command=ACCEPTED_COMMAND, arguments=[id])


def escape_snippet(text: str) -> str:
    """Text as a snippet that expands to just that text."""
    return _SNIPPET_SPECIAL.sub(r"\\\g<0>", text)


def _relative(text: str, indent: str) -> str:
    """The lines from the second on without the indentation that the client adds to each of them;
    cut before a line that is indented less, which such a client cannot insert."""
    first, *rest = text.split("\n")
    lines = [first]
    for line in rest:
        if line.strip() and not line.startswith(indent):
            break
        lines.append(line.removeprefix(indent) if line.strip() else "")
    return "\n".join(lines).rstrip("\n")


def _label(text: str, word: str) -> str:
    """The first line with something on it, at most LABEL_LENGTH characters."""
    shown = text if text.startswith("\n") else word + text
    line = shown.strip().partition("\n")[0].rstrip()
    return line if len(line) <= LABEL_LENGTH else line[: LABEL_LENGTH - 1] + "…"


def _documentation(text: str, language: str, profile: Profile) -> str | types.MarkupContent:
    if not profile.markdown:
        return text
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return types.MarkupContent(
        kind=types.MarkupKind.Markdown, value=f"{fence}{language}\n{text}\n{fence}"
    )


def _word_start(before: str) -> int:
    start = len(before)
    while start and (before[start - 1].isalnum() or before[start - 1] == "_"):
        start -= 1
    return start


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _position(position: types.Position) -> Position:
    return Position(position.line, position.character)


def _range(start: Position, end: Position) -> types.Range:
    return types.Range(start=types.Position(*start), end=types.Position(*end))


def samples(profile: Profile) -> tuple[types.InlineCompletionList, types.CompletionList]:
    """One result of each kind, such as this client gets."""
    document = Snapshot("", "", None, TextBuffer("", "utf-16"))
    start = Position(0, 0)
    return (
        inline_list("a", document.buffer, start),
        completion_list("a\nb", document, start, profile),
    )
