"""What the protocol's edge needs of the completion service."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from lsp_server.completion.types import (
    CompletionRequest,
    EditorWorkspace,
    EngineState,
    Receipt,
    Suggestion,
)
from lsp_server.settings import Settings


class Context(Protocol):
    """Wants to know what the editor has open, and what changes on disk; with `watch` it looks for
    the latter itself."""

    def opened(self, file: Path, language_id: str, text: str) -> None: ...
    def edited(self, file: Path, text: str) -> None: ...
    def closed(self, file: Path) -> None: ...
    def changed(self, files: Iterable[Path]) -> None: ...
    def watch(self) -> None: ...
    async def change_roots(self, roots: Iterable[Path]) -> None: ...


class Service(Protocol):
    """Turns requests into suggestions. Made in a thread; all calls come from the event loop's.

    `receipts` holds the latest requests' receipts, oldest first. `opened` and `edited` are told of
    documents, with the place of the edit as the offset, `accepted` of the id of a receipt whose
    suggestion was inserted. `why_off` says why nothing is suggested anywhere in a document, or
    nothing. `prompt_text` is what the model was asked with. `complete` raises
    nothing but CancelledError; the message of a cancellation is `completion.types.SUPERSEDED` when
    it was not the client that withdrew the request.
    """

    receipts: deque[Receipt]

    @property
    def context(self) -> Context | None:
        """Whom to tell of documents; another one after `configure`, which knows of none yet."""

    def opened(self, document: CompletionRequest) -> None: ...
    def edited(self, document: CompletionRequest) -> None: ...
    def closed(self, document: str) -> None: ...
    def accepted(self, id: str) -> None: ...
    def prompt_text(self, receipt: Receipt) -> str | None: ...
    async def why_off(self, document: CompletionRequest) -> str: ...
    async def start(self) -> None: ...
    async def configure(self, settings: Settings) -> None: ...
    async def complete(self, request: CompletionRequest) -> Suggestion: ...
    async def close(self) -> None: ...


MakeService = Callable[[Settings, Callable[[EngineState], None], EditorWorkspace], Service]
