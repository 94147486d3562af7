"""Has the idle model read the prompt that the next request is expected to have."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

from lsp_server.completion.prompting import Prompter
from lsp_server.completion.types import CompletionRequest, Work
from lsp_server.inference.client import CompletionsClient, EngineError
from lsp_server.prompt.types import Order

IDLE_SECONDS = 0.5
"""Without an edit for so long, the model reads what was edited."""
CHARACTERS_PER_TOKEN = 3
"""A token of code has about so many: a newly opened file is read up to the prefix's budget."""

Reader = tuple[CompletionsClient, Prompter]


class ReadAhead:
    """Reads one document at a time, the one that was opened or edited last.

    `reader` gives whom to ask, or None while the model has better to do; `may_read` says whether a
    document may be read at all. All methods belong to one event loop.
    """

    def __init__(
        self,
        reader: Callable[[], Reader | None],
        may_read: Callable[[CompletionRequest], Awaitable[bool]],
    ) -> None:
        self._reader = reader
        self._may_read = may_read
        self._unread: tuple[CompletionRequest, Order | None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def opened(self, document: CompletionRequest, prefix_tokens: int) -> None:
        """Read a document that came to the front around its `offset`; at 0, where nothing was
        edited yet, its beginning instead."""
        self._unread = document, None
        if not document.offset:
            length = CHARACTERS_PER_TOKEN * prefix_tokens
            end = document.text.rfind("\n", 0, length) if length < len(document.text) else None
            # in this order the text before any cursor in what was read is a prefix of it
            self._unread = replace(document, offset=len(document.text[:end])), "psm"
        self.begin()

    def edited(self, document: CompletionRequest) -> None:
        """Read a document where it was edited, once nothing is edited for a while."""
        self._unread = document, None
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.begin)

    def begin(self) -> None:
        """Read what is still to be read, if there is a reader."""
        reader = self._reader() if self._unread is not None else None
        if reader is not None and self._unread is not None:
            document, order = self._unread
            self._unread = None
            self._task = asyncio.get_running_loop().create_task(self._read(reader, document, order))

    def end(self) -> None:
        """Leave it."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    async def _read(self, reader: Reader, document: CompletionRequest, order: Order | None) -> None:
        if not await self._may_read(document):
            return
        client, prompter = reader
        with contextlib.suppress(EngineError):  # the next request runs into it, and tells
            asked = await prompter.ask(document, document.anchor(), Work(), order)
            stream = client.stream(asked.prompt.ids, max_tokens=1, background=True)
            async with aclosing(stream) as chunks:
                async for _ in chunks:
                    pass
