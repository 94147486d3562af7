"""The open documents, kept in step by didOpen, didChange and didClose.

Takes notifications as the JSON they came in, and is lenient with what is missing: a dropped
notification would leave a document out of step for good.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lsp_server.lsp.text import Change, Encoding, Position, TextBuffer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A document as it was at one moment; `version` is None where the client names none, `edited`
    the offset behind its latest edit."""

    uri: str
    language: str
    version: int | None
    buffer: TextBuffer
    edited: int = 0


class Documents:
    """The open documents by URI."""

    def __init__(self, encoding: Encoding = "utf-16") -> None:
        self.encoding = encoding
        self._open: dict[str, Snapshot] = {}

    def snapshot(self, uri: str) -> Snapshot | None:
        """The document as it is now, safe from later changes; None when it is not open."""
        current = self._open.get(uri)
        if current is None:
            return None
        return replace(current, buffer=current.buffer.copy())

    def uris(self) -> list[str]:
        """Of all open documents."""
        return list(self._open)

    def did_open(self, params: Mapping[str, Any]) -> None:
        document = params["textDocument"]
        self._open[document["uri"]] = Snapshot(
            document["uri"],
            document.get("languageId") or "",
            document.get("version"),
            TextBuffer(document.get("text") or "", self.encoding),
        )

    def did_change(self, params: Mapping[str, Any]) -> None:
        """Apply the changes in order; a document that is not open is left alone, and logged."""
        uri, version = params["textDocument"]["uri"], params["textDocument"].get("version")
        current = self._open.get(uri)
        if current is None:
            logger.warning("didChange of a document that is not open")
            return
        edited = current.edited
        for change in map(_change, params.get("contentChanges") or ()):
            edited = _end_of(change, current.buffer)
            current.buffer.apply(change)
        self._open[uri] = replace(current, version=version, edited=edited)

    def did_close(self, params: Mapping[str, Any]) -> None:
        self._open.pop(params["textDocument"]["uri"], None)


def _end_of(change: Change, buffer: TextBuffer) -> int:
    """The offset behind a change that is about to be applied."""
    if change.start is None or change.end is None:
        return len(change.text)
    return buffer.offset_at(min(change.start, change.end)) + len(change.text)


def _change(change: Mapping[str, Any]) -> Change:
    span = change.get("range")
    if span is None:
        return Change(change["text"])
    return Change(change["text"], position(span["start"]), position(span["end"]))


def position(json: Mapping[str, Any]) -> Position:
    """A `Position` object of the protocol."""
    return Position(json["line"], json["character"])
