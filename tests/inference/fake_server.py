"""A server of the completions API that answers with the very bytes a test gives it."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


def event(text: str, finish_reason: str | None = None, **more: Any) -> bytes:
    """One server-sent event of a streamed completion."""
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish_reason}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


class FakeServer:
    """Answers `models` and `completion` as they are set, and keeps what it was asked.

    `completion` is a response, or the pieces of a stream; after the pieces the connection is cut
    off where `breaks_off`. Use as an async context manager; it listens on a free port unless told.
    """

    def __init__(self, port: int | None = None) -> None:
        self.models: Any = {"object": "list", "data": [{"id": "served"}, {"id": "other"}]}
        self.models_response: web.Response | None = None
        self.completion: web.Response | list[bytes] = [event("x", "stop"), DONE]
        self.breaks_off = False
        self.key: str | None = None
        self.asked: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        app = web.Application(middlewares=[self._authorize])
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/completions", self._completions)
        self._server = TestServer(app, port=port)

    async def __aenter__(self) -> FakeServer:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        """Its base URL, without a slash at the end."""
        return str(self._server.make_url("/")).rstrip("/")

    @web.middleware
    async def _authorize(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.authorizations.append(request.headers.get("Authorization"))
        if self.key and self.authorizations[-1] != f"Bearer {self.key}":
            return web.json_response({"error": {"message": "Invalid API Key"}}, status=401)
        response: web.StreamResponse = await handler(request)
        return response

    async def _models(self, request: web.Request) -> web.StreamResponse:
        return self.models_response or web.json_response(self.models)

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        if isinstance(self.completion, web.Response):
            return self.completion
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in self.completion:
            await response.write(piece)
        if self.breaks_off:
            assert request.transport is not None
            request.transport.abort()
        else:
            await response.write_eof()
        return response
