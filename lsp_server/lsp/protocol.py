"""pygls' protocol with its measured faults worked around.

- Its own document store is left out: it corrupts text, and shows the user a message when a document
  that is not open changes. Notifications that must not be lost for some small thing that is missing
  reach our handlers as the JSON they came in.
- A client whose capabilities hold a value that lsprotocol does not know could not be answered at
  all, so only what pygls needs of them is kept.
- Requests that cannot be served are answered with the error that LSP names, instead of silence;
  no error carries a traceback, and none is shown as a message.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import JsonRPCNotification, LanguageServerProtocol, lsp_method

logger = logging.getLogger(__name__)

_DOCUMENT_SYNC = (
    types.TEXT_DOCUMENT_DID_OPEN,
    types.TEXT_DOCUMENT_DID_CHANGE,
    types.TEXT_DOCUMENT_DID_CLOSE,
)
_AS_JSON = (*_DOCUMENT_SYNC, types.INITIALIZED, types.WORKSPACE_DID_CHANGE_CONFIGURATION)
_REPLACED = (
    *_DOCUMENT_SYNC,
    types.INITIALIZED,
    types.NOTEBOOK_DOCUMENT_DID_OPEN,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE,
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS,
)


class Protocol(LanguageServerProtocol):
    """Takes whole messages (`handle_body`); `exit_code` is set once the client said `exit`."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        for method in _REPLACED:
            self.fm.builtin_features.pop(method)
        self.initialize_params: Mapping[str, Any] = {}
        self.exit_code: int | None = None
        self._initialized = False

    def handle_body(self, body: bytes) -> None:
        """Handle one message; whatever is wrong with it is logged or answered, never raised."""
        message: Any = None
        try:
            message = _parse(body)
            if not isinstance(message, dict) or message.get("jsonrpc") != self.VERSION:
                raise JsonRpcInvalidRequest("expected one JSON-RPC 2.0 message")
            if self._admit(message):
                self.handle_message(self.structure_message(message))
        except JsonRpcException as error:
            self._refuse(message, error)
        except Exception:  # such as an answer to a request of ours that was given up
            logger.exception("a message could not be handled")

    def _admit(self, message: Mapping[str, Any]) -> bool:
        """Whether a message may be handled in this phase; raises for a request that may not."""
        method = message.get("method")
        if method is None or method == types.EXIT:
            return True
        if method == types.INITIALIZE:
            if self._initialized:
                raise JsonRpcInvalidRequest("initialize was sent before")
        elif not self._initialized or self._shutdown:
            if "id" not in message:
                return False
            if self._shutdown:
                raise JsonRpcInvalidRequest("the server is shutting down")
            raise JsonRpcServerNotInitialized("initialize was not sent")
        return True

    def _refuse(self, message: Any, error: JsonRpcException) -> None:
        """Answer a request, or what may have been one, with an error; log anything else."""
        request = message if isinstance(message, dict) else {"id": None, "method": None}
        logger.warning("refused %s: %s", request.get("method"), error.message)
        if "id" in request and "method" in request:
            answer = {"code": error.code, "message": error.message}
            self._send_data({"jsonrpc": self.VERSION, "id": request["id"], "error": answer})

    def structure_message(self, data: dict[str, Any]) -> Any:
        """A message as lsprotocol's types; raises JsonRpcInvalidParams when it does not fit."""
        method = data.get("method")
        if method in _AS_JSON:
            return JsonRPCNotification(method, self.VERSION, data.get("params") or {})
        try:
            if method == types.INITIALIZE:
                self.initialize_params = data["params"]
                message = super().structure_message({**data, "params": _essential(data["params"])})
                self._initialized = True
                return message
            return super().structure_message(data)
        except Exception as error:
            raise JsonRpcInvalidParams("the params are not as LSP has them") from error

    def warm_up(self, results: Iterable[Any]) -> None:
        """Let cattrs compile, ahead of the first request, what it needs to read a completion
        request and to write these results; it would cost that request 20 to 30 ms."""
        place = {"textDocument": {"uri": ""}, "position": {"line": 0, "character": 0}}
        params = {**place, "context": {"triggerKind": 1}}
        for method in (types.TEXT_DOCUMENT_INLINE_COMPLETION, types.TEXT_DOCUMENT_COMPLETION):
            request = {"jsonrpc": self.VERSION, "id": 0, "method": method, "params": params}
            self.structure_message(request)
        for result in results:
            self._converter.unstructure(result)

    @lsp_method(types.EXIT)
    def lsp_exit(self, *args: Any) -> Any:
        self.exit_code = 0 if self._shutdown else 1

    def _send_response(
        self, msg_id: int | str, result: Any = None, error: types.ResponseError | None = None
    ) -> None:
        if error is not None:
            error.data = None
        super()._send_response(msg_id, result, error)


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise JsonRpcParseError("the message is not JSON") from error


def _essential(params: Mapping[str, Any]) -> dict[str, Any]:
    """`initialize` params as pygls needs them: what else they hold is read as JSON."""
    general = (params.get("capabilities") or {}).get("general") or {}
    kept = {key: params.get(key) for key in ("processId", "rootUri", "workspaceFolders")}
    encodings = {"positionEncodings": general.get("positionEncodings")}
    return {**kept, "capabilities": {"general": encodings}}
