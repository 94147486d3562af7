"""What the model is doing, shown to the user: progress while it comes up, a message when it fails
or is asked too early."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from lsp_server.completion.types import EngineState
from lsp_server.lsp.logs import log_file

_BUSY = ("starting", "downloading", "loading")


class ModelProgress:
    """Follows the states of one engine. Belongs to the event loop's thread.

    Not by pygls' own progress, which keeps every token for ever.
    """

    def __init__(self, server: LanguageServer) -> None:
        self.supported = False
        self.state = EngineState("starting")
        self._server = server
        self._bar: _Bar | None = None
        self._told_loading = False
        self._told_failure: str | None = None

    def update(self, state: EngineState) -> None:
        """The engine's state has changed."""
        before, self.state = self.state.status, state
        if state.status == "failed" and state.message != self._told_failure:
            self._told_failure, self._told_loading = state.message, True
            self._show(
                types.MessageType.Error,
                f"no suggestions: {state.message.rstrip('.')}. `coder-lsp doctor` says more; "
                f"the log is {log_file()}",
            )
        elif state.status == "ready":
            self._told_failure = None
        if self._bar is not None and state.status == before:
            self._bar.report(state)
            return
        if self._bar is not None:
            self._bar.end(state)
            self._bar = None
        if self.supported and state.status in _BUSY:
            self._bar = _Bar(self._server, state)

    def asked_too_early(self) -> None:
        """A request came while the model is not ready: tell the user, the first time."""
        if not self._told_loading and self.state.status in _BUSY:
            self._told_loading = True
            # short: in Neovim a message wider than the window asks for a key
            message = self.state.message.rstrip(".") or f"the model is {self.state.status}"
            self._show(types.MessageType.Info, f"{message} …")

    def _show(self, kind: types.MessageType, message: str) -> None:
        params = types.ShowMessageParams(type=kind, message=f"coder-lsp: {message}")
        self._server.window_show_message(params)


class _Bar:
    """One progress of the client's, for as long as the engine's status stays the same."""

    def __init__(self, server: LanguageServer, state: EngineState) -> None:
        self._server = server
        self._token = str(uuid.uuid4())
        self._state = state
        self._shown: tuple[str, int | None] | None = None
        self._over = False
        # kept, since the event loop itself keeps no task alive
        self._creation = asyncio.get_running_loop().create_task(self._create())

    async def _create(self) -> None:
        params = types.WorkDoneProgressCreateParams(token=self._token)
        method = types.WINDOW_WORK_DONE_PROGRESS_CREATE
        with contextlib.suppress(JsonRpcException):  # the client does not want it: show nothing
            await self._server.protocol.send_request_async(method, params)
            if self._over:
                return
            message, percentage = self._shown = _content(self._state)
            self._send(
                types.WorkDoneProgressBegin(
                    title=f"coder-lsp: {self._state.status}",
                    message=message,
                    percentage=percentage,
                    cancellable=False,
                )
            )

    def report(self, state: EngineState) -> None:
        self._state = state
        if self._shown is not None and self._shown != _content(state):
            message, percentage = self._shown = _content(state)
            self._send(types.WorkDoneProgressReport(message=message, percentage=percentage))

    def end(self, state: EngineState) -> None:
        if self._shown is not None:
            self._send(types.WorkDoneProgressEnd(message=state.message or state.status))
        self._over = True

    def _send(self, value: Any) -> None:
        params = types.ProgressParams(token=self._token, value=value)
        self._server.protocol.notify(types.PROGRESS, params)


def _content(state: EngineState) -> tuple[str, int | None]:
    percent = state.percent
    return state.message, None if percent is None else min(100, max(0, round(percent)))
