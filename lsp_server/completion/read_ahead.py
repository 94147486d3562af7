"""Has the idle model read the prompt that the next request is expected to have."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

from lsp_server.completion.prompting import CHARACTERS_PER_TOKEN, Prompter
from lsp_server.completion.types import CompletionRequest, Work
from lsp_server.inference.client import CompletionsClient, EngineError

IDLE_SECONDS = 0.5
"""Without an edit for so long, the model reads what was edited."""

log = logging.getLogger(__name__)

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
        self._unread: CompletionRequest | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = False
        self._task: asyncio.Task[None] | None = None

    def opened(self, document: CompletionRequest, prefix_tokens: int) -> None:
        """Read a document that came to the front around its `offset`; at 0, where nothing was
        edited yet, its beginning instead."""
        self._unread = document
        if not document.offset:
            length = CHARACTERS_PER_TOKEN * prefix_tokens
            end = document.text.rfind("\n", 0, length) if length < len(document.text) else None
            self._unread = replace(document, offset=len(document.text[:end]))
        self._begin()

    def edited(self, document: CompletionRequest) -> None:
        """Read a document where it was edited, once nothing is edited for a while."""
        self._unread, self._is_due = document, False
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._begin)

    def has_reader(self) -> None:
        """Tell that the model has nothing better to do by now."""
        if self._is_due:
            self._begin()

    def _begin(self) -> None:
        self._is_due = True
        reader = self._reader() if self._unread is not None else None
        if reader is not None and self._unread is not None:
            document, self._unread = self._unread, None
            if self._task is not None:
                self._task.cancel()
            self._task = asyncio.get_running_loop().create_task(self._read(reader, document))

    def end(self) -> None:
        """Leave it."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    async def _read(self, reader: Reader, document: CompletionRequest) -> None:
        try:
            if await self._may_read(document):
                await _read(*reader, document)
        except EngineError:
            pass  # the next request runs into it, and tells
        except Exception as error:
            # not what it says: some errors quote the text that they are about
            log.error("a file was not read ahead: %s", type(error).__name__)


async def _read(client: CompletionsClient, prompter: Prompter, document: CompletionRequest) -> None:
    at = document.anchor()
    # the order of the requests to come: at a line's start the one in the other order was made
    order = prompter.order_within_line
    asked = await prompter.ask(document, at, Work(), order, idle=True)
    stream = client.stream(asked.prompt.ids, max_tokens=1, background=True)
    async with aclosing(stream) as chunks:
        reasons = [chunk.finish_reason async for chunk in chunks]
    if prompter.held is not None and "abort" not in reasons:
        prompter.held.hold(at, asked.context)
