"""What a model began and did not end."""

from __future__ import annotations

from lsp_server.completion.lexical import opens_block
from lsp_server.completion.place import Place
from lsp_server.completion.postprocess.brackets import wanted_closers
from lsp_server.completion.scope import Scope


def without_last_line(text: str) -> str:
    """Drop a last line that has no end, if it is not the only one."""
    start = text.rfind("\n")
    return text[:start] if text[: max(0, start)].strip() else text


def without_empty_body(text: str, place: Place, scope: Scope) -> str:
    """Drop a last line that opens a body or brackets, and what stands in them was not to come
    any more; if it is not the only one."""
    last = text.rstrip().rsplit("\n", 1)[-1]
    if not opens_block(last, place.language):
        return text
    if last.rstrip().endswith(("{", "(", "[")) and not wanted_closers(text, place, scope):
        return text
    return without_last_line(text.rstrip())
