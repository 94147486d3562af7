"""Rows, completed by the service that serves the editor."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from lsp_server.completion.service import CompletionService
from lsp_server.completion.types import (
    CompletionRequest,
    EditorWorkspace,
    EngineState,
    Outcome,
    Progress,
    Suggestion,
)
from lsp_server.evaluation.rows import Row
from lsp_server.evaluation.setup import Setup

FAILURES = (
    Outcome.LOADING,
    Outcome.NO_MODEL,
    Outcome.ENGINE_FAILED,
    Outcome.CANCELLED,
    Outcome.SUPERSEDED,
)
"""With these nothing was measured, nor would it be for the next row."""
_FAILURES_OF_A_ROW = (Outcome.TIMED_OUT, Outcome.FAILED)


class EvaluationError(Exception):
    """Rows cannot be completed; the message is for the user."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was suggested for a row, and what it took, as in a receipt. `failure` says why nothing
    could be: that is no answer."""

    text: str
    outcome: str
    order: str = ""
    milliseconds: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    failure: str = ""

    def as_data(self) -> dict[str, Any]:
        """As plain data, from which `Answer(**data)` makes it again."""
        return asdict(self)


class Pipeline:
    """The completion service under one setup, for the length of an `async with` block. No row knows
    of another one."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._states: asyncio.Queue[EngineState] = asyncio.Queue()
        self._steps: asyncio.Queue[Progress] = asyncio.Queue()
        # what is installed differs from machine to machine
        workspace = EditorWorkspace(on_progress=self._steps.put_nowait, installed=False)
        self._service = CompletionService(setup.settings, self._states.put_nowait, workspace)

    async def __aenter__(self) -> Pipeline:
        """Bring the model up. Raises EvaluationError."""
        await self._service.start()
        try:
            while (state := await self._states.get()).status != "ready":
                if state.status == "failed":
                    raise EvaluationError(state.message)
        except BaseException:
            await self._service.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._service.close()

    async def answer(self, row: Row) -> Answer:
        """What the editor would be offered at a row's cursor, asked for by hand. Raises
        EvaluationError where none of the rows could be measured."""
        root = row.workspace if self._setup.cross_file == "workspace" else None
        await self._open_workspace(root)
        text = row.prefix + row.suffix
        request = CompletionRequest(
            path=row.path,
            language=row.language,
            text=text,
            offset=len(row.prefix),
            cross_file=self._setup.shown(row),
            repository=row.repository,
            file=root / row.path if root else None,
            document=row.id,
            invoked=True,
            output=self._setup.output,
        )
        suggestion = await self._complete(request)
        receipt = suggestion.receipt
        ended = f"{row.id}: {receipt.outcome.value} {receipt.detail}".strip()
        if receipt.outcome in FAILURES:
            raise EvaluationError(ended)
        return Answer(
            suggestion.text,
            receipt.outcome.name.lower(),
            receipt.order,
            dict(receipt.stages_ms),
            {"prompt": len(receipt.prompt.ids) if receipt.prompt else 0, **receipt.tokens},
            ended if receipt.outcome in _FAILURES_OF_A_ROW else "",
        )

    async def _complete(self, request: CompletionRequest) -> Suggestion:
        """Complete in a document that is open, as the file on the disk holds the answer."""
        context = self._service.context
        if request.file is None:
            return await self._service.complete(request)
        context.opened(request.file, request.language, request.text)
        try:
            await context.take_up_edits()
            return await self._service.complete(request)
        finally:
            context.closed(request.file)
            context.forget_visits()

    async def _open_workspace(self, root: Path | None) -> None:
        """Have a folder indexed, all of it."""
        context = self._service.context
        roots = (root,) if root else ()
        if context.roots != roots:
            await context.change_roots(roots)
        while not context.progress.ready:
            await self._steps.get()
