"""What became of the latest requests, for editors' commands and for the shell.

The shell asks through a port on loopback: a line of JSON for each question, and one for its answer.
Whoever cannot read the token in the endpoint's file, which only the user can, is told nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lsp_server import endpoints
from lsp_server.completion.explain import as_data, explain, explain_many, show
from lsp_server.completion.types import Receipt
from lsp_server.endpoints import Endpoint
from lsp_server.lsp.service import Service

logger = logging.getLogger(__name__)

FILES = "language-server-*.json"
NOTHING_YET = "No suggestion was asked for yet."
LINE_BYTES = 4096
"""Longest question."""
IDLE_SECONDS = 10.0
"""How long one who connects may take for a question, and for reading its answer."""
CONNECTIONS = 16
"""More at once are hung up on."""


class Inspection:
    """The answers of one language server. All methods belong to its event loop.

    `service` gives the completion service, once there is one.
    """

    def __init__(self, service: Callable[[], Service | None]) -> None:
        self._service = service
        self._token = secrets.token_urlsafe(32)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[Any]] = set()

    async def why(self, document: str | None = None, count: int = 1) -> str:
        """What became of the last request, or of the last `count`, a line each and newest first;
        with a document's URI, of those for it."""
        receipts = self._latest(document, count)
        if not receipts:
            return NOTHING_YET
        return explain(receipts[0]) if count == 1 else explain_many(receipts)

    async def receipt(self, document: str | None = None, count: int = 1) -> list[dict[str, Any]]:
        """The receipts of the last requests, newest first, as plain data: `prompt` is the exact
        prompt, where it is kept (else None), `prompt_ids` the same as tokens, `text` all of it to
        read. With a document's URI, of those for it."""
        service, receipts = self._service(), self._latest(document, count)
        if service is None:
            return []
        # in a thread: of long prompts, the tokens are many
        return await asyncio.to_thread(lambda: [_with_prompt(each, service) for each in receipts])

    async def open(self) -> None:
        """Begin to listen. Where that cannot be, the shell finds nobody; that is logged."""
        try:
            self._server = await asyncio.start_server(
                self._connected, "127.0.0.1", 0, limit=LINE_BYTES
            )
            port = self._server.sockets[0].getsockname()[1]
            await asyncio.to_thread(_publish, Endpoint(os.getpid(), port, self._token))
        except OSError as error:
            logger.warning("`coder-lsp why` will not find this server: %s", error)

    def close(self) -> None:
        """Listen no more, and hang up on everybody."""
        if self._server is None:
            return
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        with contextlib.suppress(OSError):
            endpoints.withdraw(_file(os.getpid()), os.getpid())

    def _latest(self, document: str | None, count: int) -> list[Receipt]:
        service = self._service()
        receipts = list(service.receipts)[::-1] if service else []
        of_document = [each for each in receipts if document in (None, each.document)]
        return of_document[: max(0, count)]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            if len(self._connections) <= CONNECTIONS:
                await self._converse(reader, writer)
        except (OSError, asyncio.TimeoutError):
            pass  # it hung up, or waits for nothing
        finally:
            self._connections.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer questions until there are no more, or one is refused."""
        refused = False
        while not refused:
            try:
                line = await asyncio.wait_for(reader.readline(), IDLE_SECONDS)
                if not line:
                    return
                answer = await self._answer(line)
            except (ValueError, RecursionError) as error:
                answer, refused = {"error": str(error)}, True
            written = await asyncio.to_thread(json.dumps, answer)
            writer.write(written.encode() + b"\n")
            await asyncio.wait_for(writer.drain(), IDLE_SECONDS)

    async def _answer(self, line: bytes) -> dict[str, Any]:
        """Raises ValueError or RecursionError for a question that cannot be answered."""
        question = json.loads(line)
        if not isinstance(question, dict) or not self._knows(question.get("token")):
            raise ValueError("refused")
        document, count = question.get("document"), question.get("count", 1)
        if not isinstance(document, str | None) or type(count) is not int or count < 1:
            raise ValueError("document is a URI or null, count a number above 0")
        answer: str | list[dict[str, Any]]
        if question.get("question") == "why":
            answer = await self.why(document, count)
        elif question.get("question") == "receipt":
            answer = await self.receipt(document, count)
        else:
            raise ValueError("the questions are why and receipt")
        latest = self._latest(document, 1)
        return {"answer": answer, "at": latest[0].at if latest else 0.0}

    def _knows(self, token: Any) -> bool:
        given = token if isinstance(token, str) else ""
        return secrets.compare_digest(given.encode("utf-8", "replace"), self._token.encode())


async def ask(endpoint: Endpoint, question: str, count: int = 1) -> dict[str, Any] | None:
    """What a language server answers: `answer`, and `at`, when its last request was (in seconds
    since 1970). None when it is there but does not answer in time, or with something else.

    Raises ConnectionRefusedError when it is not there any more.
    """
    asked = {"token": endpoint.token, "question": question, "count": count}
    try:
        line = await asyncio.wait_for(_ask(endpoint.port, json.dumps(asked)), IDLE_SECONDS)
        answer = json.loads(line)
    except ConnectionRefusedError:
        raise
    except (OSError, asyncio.TimeoutError, ValueError):
        return None
    return answer if isinstance(answer, dict) and "answer" in answer else None


async def _ask(port: int, line: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(line.encode() + b"\n")
        writer.write_eof()
        return await reader.read()
    finally:
        writer.close()


def _with_prompt(receipt: Receipt, service: Service) -> dict[str, Any]:
    prompt = service.prompt_text(receipt)
    ids = list(receipt.prompt.ids) if prompt is not None and receipt.prompt else []
    shown = {"prompt": prompt, "prompt_ids": ids, "text": show(receipt, prompt)}
    return {**as_data(receipt), **shown}


def _file(pid: int) -> Path:
    return endpoints.state_dir() / f"language-server-{pid}.json"


def _publish(endpoint: Endpoint) -> None:
    endpoints.running(FILES)  # clears away what servers left that were killed
    endpoints.publish(_file(endpoint.pid), endpoint)
