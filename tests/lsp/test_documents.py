"""Open documents, kept in step by notifications."""

from __future__ import annotations

from typing import Any

from lsp_server.lsp.documents import Documents, Snapshot

URI = "file:///a.py"


def opened(text: str) -> Documents:
    documents = Documents("utf-16")
    documents.did_open(
        {"textDocument": {"uri": URI, "languageId": "python", "version": 1, "text": text}}
    )
    return documents


def change(documents: Documents, version: int, *changes: dict[str, Any]) -> None:
    identifier = {"uri": URI, "version": version}
    documents.did_change({"textDocument": identifier, "contentChanges": list(changes)})


def current(documents: Documents) -> Snapshot:
    snapshot = documents.snapshot(URI)
    assert snapshot is not None
    return snapshot


def span(start: tuple[int, int], end: tuple[int, int]) -> dict[str, dict[str, int]]:
    keys = ("line", "character")
    return {"start": dict(zip(keys, start)), "end": dict(zip(keys, end))}  # noqa: B905


def test_changes_apply_in_order_and_leave_snapshots_alone() -> None:
    documents = opened("one\r\ntwo")
    before = current(documents)
    first = {"range": span((0, 0), (0, 3)), "rangeLength": 3, "text": "1\r\n1"}
    change(documents, 5, first, {"range": span((2, 3), (2, 3)), "text": "!"})
    after = current(documents)
    assert (before.version, before.buffer.text) == (1, "one\r\ntwo")
    assert (after.version, after.language, after.buffer.text) == (5, "python", "1\r\n1\r\ntwo!")


def test_full_changes() -> None:
    documents = opened("one")
    change(documents, 2, {"text": "two"}, {"range": None, "text": "three"})
    assert current(documents).buffer.text == "three"


def test_documents_that_are_not_open() -> None:
    documents = opened("one")
    documents.did_close({"textDocument": {"uri": URI}})
    documents.did_close({"textDocument": {"uri": URI}})
    change(documents, 2, {"text": "two"})
    assert documents.snapshot(URI) is None


def test_a_document_opened_again_has_its_new_text() -> None:
    documents = opened("one")
    documents.did_open({"textDocument": {"uri": URI, "text": "two"}})
    snapshot = current(documents)
    assert (snapshot.language, snapshot.version, snapshot.buffer.text) == ("", None, "two")
