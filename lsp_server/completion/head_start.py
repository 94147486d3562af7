"""Begins what the editor is about to ask for.

Editors tell of a key at once, and ask 50 to 250 ms later. A generation does not need its request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from lsp_server.completion.types import CompletionRequest

MOST_UNASKED = 20
"""After so many edits without a request the editor is not about to ask."""

log = logging.getLogger(__name__)


class HeadStart:
    """Calls `begin` with the latest edit's document, where a request is likely to follow. All
    methods belong to one event loop."""

    def __init__(self, begin: Callable[[CompletionRequest], Awaitable[None]]) -> None:
        self._begin = begin
        self._unasked = MOST_UNASKED
        self._task: asyncio.Task[None] | None = None

    def asked(self) -> None:
        """The editor asked, unbidden: it will after the next edits."""
        self._unasked = 0

    def edited(self, document: CompletionRequest, pause: float) -> None:
        """A document was edited at its `offset`; begin after `pause` seconds without an edit."""
        self.end()
        self._unasked += 1
        if self._unasked <= MOST_UNASKED:
            self._task = asyncio.get_running_loop().create_task(self._after(pause, document))

    def end(self) -> None:
        """Leave it."""
        if self._task is not None:
            self._task.cancel()

    async def _after(self, pause: float, document: CompletionRequest) -> None:
        await asyncio.sleep(pause)
        try:
            await self._begin(document)
        except Exception as error:
            # not what it says: some errors quote the text that they are about
            log.error("a request was not foreseen: %s", type(error).__name__)
