"""What goes on in the background, shown to the user: progress while the model comes up and while
the workspace is indexed, a message when the model fails or is asked too early, and for clients that
have a place for it, a lasting status."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from lsp_server.completion.types import EngineState, Progress
from lsp_server.lsp.logs import log_file

STATUS = "coder-lsp/status"
"""The notification that `Status` sends; no part of LSP."""
_BUSY = ("starting", "downloading", "loading")
_WORTH_SHOWING = 200
"""Files to index from which on it takes long enough to be shown."""


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
            self._bar.report(state.message, state.percent)
            return
        if self._bar is not None:
            self._bar.end(state.message or state.status)
            self._bar = None
        if self.supported and state.status in _BUSY:
            title = f"coder-lsp: {state.status}"
            self._bar = _Bar(self._server, title, state.message, state.percent)

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


class Status:
    """How things stand, told to a client that shows it all the time. Belongs to the event loop's
    thread.

    `{"kind": "loading" | "ready" | "off" | "failed", "message": …}` is sent at every change, with
    `percent` (0 to 100) while a model is fetched or loaded, and with the `uri` of the document in
    front where that gets no suggestions (`off`). The message may be empty where it is ready.
    """

    def __init__(self, server: LanguageServer) -> None:
        self.supported = False
        self._server = server
        self._state = EngineState("starting")
        self._document, self._why_off = "", ""
        self._told: dict[str, Any] | None = None

    def update(self, state: EngineState) -> None:
        """The engine's state has changed."""
        self._state = state
        self._tell()

    @property
    def is_off(self) -> bool:
        """Whether nothing is suggested in the document in front."""
        return bool(self._why_off)

    def look_at(self, document: str, why_off: str) -> None:
        """This document is in front now; nothing is suggested in it if there is a reason why."""
        self._document, self._why_off = document, why_off
        self._tell()

    def _tell(self) -> None:
        now = self._now()
        if self.supported and now != self._told:
            self._told = now
            self._server.protocol.notify(STATUS, now)

    def _now(self) -> dict[str, Any]:
        state = self._state
        if state.status == "failed":
            return {"kind": "failed", "message": state.message}
        if self._why_off:
            return {"kind": "off", "message": self._why_off, "uri": self._document}
        if state.status == "ready":
            return {"kind": "ready", "message": state.message}
        loading = {"kind": "loading", "message": state.message or f"the model is {state.status}"}
        percent = _whole(state.percent)
        return loading if percent is None else {**loading, "percent": percent}


class IndexProgress:
    """Follows the indexing of the workspace. Belongs to the event loop's thread."""

    def __init__(self, server: LanguageServer) -> None:
        self.supported = False
        self._server = server
        self._bar: _Bar | None = None

    def update(self, progress: Progress) -> None:
        """Some files more are indexed."""
        message = f"{progress.done} of {progress.total} files"
        percent = 100 * progress.done / progress.total if progress.total else None
        if progress.ready:
            if self._bar is not None:
                self._bar.end(message)
                self._bar = None
        elif self._bar is not None:
            self._bar.report(message, percent)
        elif self.supported and progress.total >= _WORTH_SHOWING:
            self._bar = _Bar(self._server, "coder-lsp: indexing", message, percent)


class _Bar:
    """One progress of the client's; percentages from 0 to 100."""

    def __init__(
        self, server: LanguageServer, title: str, message: str, percent: float | None
    ) -> None:
        self._server = server
        self._token = str(uuid.uuid4())
        self._title = title
        self._content = message, _whole(percent)
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
            message, percentage = self._shown = self._content
            self._send(
                types.WorkDoneProgressBegin(
                    title=self._title, message=message, percentage=percentage, cancellable=False
                )
            )

    def report(self, message: str, percent: float | None) -> None:
        self._content = message, _whole(percent)
        if self._shown is not None and self._shown != self._content:
            message, percentage = self._shown = self._content
            self._send(types.WorkDoneProgressReport(message=message, percentage=percentage))

    def end(self, message: str) -> None:
        if self._shown is not None:
            self._send(types.WorkDoneProgressEnd(message=message))
        self._over = True

    def _send(self, value: Any) -> None:
        params = types.ProgressParams(token=self._token, value=value)
        self._server.protocol.notify(types.PROGRESS, params)


def _whole(percent: float | None) -> int | None:
    return None if percent is None else min(100, max(0, round(percent)))
