"""Suggestions as items, for each client."""

from __future__ import annotations

import pytest
from lsprotocol import types

from lsp_server.lsp.documents import Snapshot
from lsp_server.lsp.items import LABEL_LENGTH, completion_list, escape_snippet, inline_list
from lsp_server.lsp.profiles import profile_of
from lsp_server.lsp.text import Encoding, Position, TextBuffer
from tests.lsp.client import EDITORS, initialize_params


def snapshot(text: str, encoding: Encoding = "utf-16") -> Snapshot:
    return Snapshot("file:///a.py", "python", 1, TextBuffer(text, encoding))


def item(
    text: str, before: str, editor: str, encoding: Encoding = "utf-16"
) -> types.CompletionItem:
    """The item for `text` at the end of a document that is `before`."""
    document = snapshot(before, encoding)
    cursor = document.buffer.position_at(len(before))
    result = completion_list(text, document, cursor, profile_of(initialize_params(editor)))
    assert result.is_incomplete
    (only,) = result.items
    return only


def edit(only: types.CompletionItem) -> types.TextEdit:
    assert isinstance(only.text_edit, types.TextEdit)
    return only.text_edit


def columns(only: types.TextEdit | types.InlineCompletionItem) -> tuple[int, int]:
    assert only.range is not None
    return only.range.start.character, only.range.end.character


def entry(start: int, end: int, text: str, line: int = 0) -> types.SelectedCompletionInfo:
    span = types.Range(types.Position(line, start), types.Position(line, end))
    return types.SelectedCompletionInfo(range=span, text=text)


def test_inline_text_is_inserted_at_the_cursor() -> None:
    (only,) = inline_list("a(\n  b)", TextBuffer("x = ", "utf-8"), Position(0, 4)).items
    assert only.insert_text == "a(\n  b)"
    assert columns(only) == (4, 4)


def test_no_text_is_no_item() -> None:
    buffer = TextBuffer("x = ", "utf-8")
    assert inline_list("", buffer, Position(0, 4)).items == []
    assert inline_list("", buffer, Position(0, 4), entry(4, 4, "")).items == []


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        (entry(3, 6, "probe"), ("probe_alpha", 3, 6)),
        (entry(3, 5, "probe"), ("probe_alpha", 3, 6)),  # it ends before the cursor
        (entry(3, 8, "probe"), ("probe_alphaXY", 3, 8)),  # after it: what is there is kept
        (entry(6, 6, "be"), ("be_alpha", 6, 6)),
        (entry(3, 6, "print"), None),
        (entry(7, 7, "be"), None),
        (entry(3, 6, "probe", line=1), None),
    ],
)
def test_an_item_begins_with_the_popups_entry(
    selected: types.SelectedCompletionInfo, expected: tuple[str, int, int] | None
) -> None:
    buffer = TextBuffer("os.proXY\nos.pro", "utf-16")
    items = inline_list("be_alpha", buffer, Position(0, 6), selected).items
    assert [(each.insert_text, *columns(each)) for each in items] == (
        [expected] if expected else []
    )


def test_the_popups_entry_after_characters_of_two_units() -> None:
    (only,) = inline_list(
        "int()", TextBuffer("'😀' pr", "utf-16"), Position(0, 7), entry(5, 7, "print")
    ).items
    assert (only.insert_text, *columns(only)) == ("print()", 5, 7)


@pytest.mark.parametrize(("encoding", "start"), [("utf-8", 9), ("utf-16", 7), ("utf-32", 6)])
def test_the_list_replaces_the_word_before_the_cursor(encoding: Encoding, start: int) -> None:
    only = item("t('é')", "x = 😀+prin", "helix", encoding)
    assert edit(only).new_text == "print('é')"
    assert columns(edit(only)) == (start, start + 4)
    assert only.filter_text == only.label == "print('é')"


def test_after_no_word_text_is_only_inserted() -> None:
    only = item("path", "os.", "emacs")
    assert (edit(only).new_text, columns(edit(only))) == ("path", (3, 3))
    assert only.filter_text == "path"


@pytest.mark.parametrize("editor", EDITORS)
def test_what_every_client_gets(editor: str) -> None:
    only = item("nt(1)\n    pass", "    pri", editor)
    assert only.label == "print(1)"
    assert only.filter_text == "print(1)"
    assert only.kind == types.CompletionItemKind.Text
    assert not only.preselect
    assert columns(edit(only)) == (4, 7)
    shown = only.documentation
    if editor == "kate":  # which shows Markdown as it is
        assert shown == "print(1)\n    pass"
    else:
        assert isinstance(shown, types.MarkupContent)
        assert shown.value.startswith("```python\nprint(1)\n")


def test_plain_text_of_several_lines() -> None:
    for editor in ("helix", "emacs", "kate", "vscode"):
        only = item("nt(${1})\n    pass", "    pri", editor)
        assert edit(only).new_text == "print(${1})\n    pass"
        assert only.insert_text_format is None


def test_helix_gets_the_newlines_of_the_file() -> None:
    before = "a = 1\r\npri"
    assert edit(item("nt(1)\nb", before, "helix")).new_text == "print(1)\r\nb"
    assert edit(item("nt(1)\nb", before, "emacs")).new_text == "print(1)\nb"


def test_neovim_gets_several_lines_as_a_snippet_relative_to_the_indentation() -> None:
    only = item("f ${x}:\n        a\\b\n\n    c", "    i", "neovim")
    assert only.insert_text_format is types.InsertTextFormat.Snippet
    assert edit(only).new_text == "if \\${x\\}:\n    a\\\\b\n\nc"


def test_neovim_gets_no_line_that_is_indented_less() -> None:
    only = item("x\n        y\n    z", "\n        ", "neovim")
    assert edit(only).new_text == "x\ny"


def test_neovim_gets_one_line_as_it_is() -> None:
    only = item("nt('${}')", "pri", "neovim")
    assert only.insert_text_format is None
    assert edit(only).new_text == "print('${}')"


def test_kate_gets_the_text_twice() -> None:
    only = item("nt(1)", "pri", "kate")
    assert only.insert_text == edit(only).new_text == "print(1)"
    assert item("nt(1)", "pri", "helix").insert_text is None


def test_vscode_is_told_not_to_indent() -> None:
    assert item("a\n  b", "", "vscode").insert_text_mode is types.InsertTextMode.AsIs
    assert item("a\n  b", "", "helix").insert_text_mode is None


def test_labels() -> None:
    long = item("x" * 200, "", "helix").label
    assert len(long) == LABEL_LENGTH
    assert long.endswith("x…")
    assert item("\n\n    return x\n", "def f():", "helix").label == "return x"
    details = item("a\nb", "", "vscode").label_details
    assert details is not None
    assert details.description == "coder-lsp, 2 lines"
    assert item("a\nb", "", "kate").label_details is None


def test_a_list_of_nothing() -> None:
    profile = profile_of(initialize_params("helix"))
    for text in ("", " \n "):
        result = completion_list(text, snapshot("x"), Position(0, 1), profile)
        assert (result.is_incomplete, result.items) == (True, [])


def test_documentation_of_text_with_fences() -> None:
    only = item("x = '````'", "", "helix")
    assert isinstance(only.documentation, types.MarkupContent)
    assert only.documentation.value == "`````python\nx = '````'\n`````"


def test_escaped_snippets() -> None:
    assert escape_snippet(r"a$b{c}\d") == r"a\$b{c\}\\d"
