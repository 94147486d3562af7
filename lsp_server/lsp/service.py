"""What the protocol's edge needs of the completion service."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from lsp_server.completion.types import CompletionRequest, EngineState, Receipt, Suggestion
from lsp_server.settings import Settings


class Service(Protocol):
    """Turns requests into suggestions. Made in a thread; all calls come from the event loop's.

    `receipts` holds the latest requests' receipts, oldest first. `complete` raises nothing but
    CancelledError; cancelling the task that awaits it ends the generation, and the message of the
    cancellation is `completion.types.SUPERSEDED` when it was not the client that withdrew the
    request.
    """

    receipts: deque[Receipt]

    async def start(self) -> None: ...
    async def configure(self, settings: Settings) -> None: ...
    async def complete(self, request: CompletionRequest) -> Suggestion: ...
    async def close(self) -> None: ...


MakeService = Callable[[Settings, Callable[[EngineState], None]], Service]
