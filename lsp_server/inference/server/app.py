"""The HTTP side: OpenAI's completions API on loopback, behind a bearer token."""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from lsp_server import __version__
from lsp_server.inference.server.params import RequestError, parse
from lsp_server.inference.server.worker import End, Job, Piece, Worker

if TYPE_CHECKING:
    from lsp_server.inference.engine.generate import Usage

MAX_BODY_BYTES = 16 << 20


class ModelServerApp:
    """Routes over a worker. `last_request` (seconds, monotonic) is when one was last at work."""

    def __init__(
        self, worker: Worker, model: str, token: str, shut_down: Callable[[], None]
    ) -> None:
        self._worker = worker
        self._model = model
        self._token = token
        self._shut_down = shut_down
        self.last_request = time.monotonic()

    def application(self) -> web.Application:
        """The aiohttp application; run it with `handler_cancellation`, so hang-ups are felt."""
        app = web.Application(
            client_max_size=MAX_BODY_BYTES, middlewares=[self._authenticate, _openai_errors]
        )
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/completions", self._completions)
        app.router.add_post("/shutdown", self._shutdown)
        return app

    @web.middleware
    async def _authenticate(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        wanted = f"Bearer {self._token}".encode()
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted):
            error = RequestError("a valid bearer token is needed", status=401)
            return web.json_response(error.body(), status=401)
        return await handler(request)

    async def _health(self, request: web.Request) -> web.Response:
        state = self._worker.state
        return web.json_response(
            {
                "status": state.status,
                "message": state.message,
                "percent": state.percent,
                "version": __version__,
                "model": self._model,
                "pid": os.getpid(),
                "busy": self._worker.busy,
                "idle_since": self._worker.idle_since,
                "generated": self._worker.generated,
            }
        )

    async def _models(self, request: web.Request) -> web.Response:
        entry = {"id": self._model, "object": "model", "owned_by": "coder-lsp"}
        return web.json_response({"object": "list", "data": [entry]})

    async def _shutdown(self, request: web.Request) -> web.Response:
        asyncio.get_running_loop().call_soon(self._shut_down)
        return web.json_response({"status": "stopped"})

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.json()
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise RequestError(f"the body is not JSON: {error}") from error
        params = parse(body)
        self.last_request = time.monotonic()
        job = Job(params, asyncio.get_running_loop())
        self._worker.submit(job)
        answer = _Answer(self._model, params.logprobs)
        try:
            if params.stream:
                return await _stream(request, job, answer)
            return web.json_response(await _whole(job, answer))
        finally:
            # also when the client hung up: aiohttp then cancels this handler
            job.stop.set()
            self.last_request = time.monotonic()


@web.middleware
async def _openai_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except RequestError as error:
        return web.json_response(error.body(), status=error.status)
    except web.HTTPException as error:
        wrapped = RequestError(error.reason, status=error.status)
        return web.json_response(wrapped.body(), status=error.status)


class _Answer:
    """Builds the bodies of one completion."""

    def __init__(self, model: str, logprobs: int | None) -> None:
        self._head = {
            "id": f"cmpl-{uuid.uuid4().hex}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
        }
        self._logprobs = logprobs

    def piece(self, piece: Piece) -> dict[str, Any]:
        body = self._body(piece.text, None, self._logprobs_of([piece]))
        return body if piece.usage is None else body | {"usage": _usage(piece.usage)}

    def end(self, end: End) -> dict[str, Any]:
        return self._body("", end.reason, None) | _figures(end)

    def whole(self, pieces: list[Piece], end: End) -> dict[str, Any]:
        text = "".join(piece.text for piece in pieces)
        return self._body(text, end.reason, self._logprobs_of(pieces)) | _figures(end)

    def _body(
        self, text: str, reason: str | None, logprobs: dict[str, Any] | None
    ) -> dict[str, Any]:
        choice = {"index": 0, "text": text, "finish_reason": reason, "logprobs": logprobs}
        return self._head | {"choices": [choice]}

    def _logprobs_of(self, pieces: list[Piece]) -> dict[str, Any] | None:
        """Per token; `tokens` and the keys of `top_logprobs` are ids, as `token_id:N`."""
        if self._logprobs is None:
            return None
        tokens = [piece.token for piece in pieces if piece.token is not None]
        return {
            "tokens": [f"token_id:{token.id}" for token in tokens],
            "token_logprobs": [token.logprob for token in tokens],
            "top_logprobs": [{f"token_id:{i}": value for i, value in t.top} for t in tokens],
        }


def _figures(end: End) -> dict[str, Any]:
    return {"usage": _usage(end.usage), "timings_ms": end.timings_ms}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    }


async def _events(job: Job) -> AsyncIterator[Piece | End]:
    """A job's events up to its end. Raises RequestError when it ends with one."""
    while True:
        event = await job.events.get()
        if isinstance(event, RequestError):
            raise event
        yield event
        if isinstance(event, End):
            return


async def _whole(job: Job, answer: _Answer) -> dict[str, Any]:
    pieces: list[Piece] = []
    async for event in _events(job):
        if isinstance(event, Piece):
            pieces.append(event)
        else:
            return answer.whole(pieces, event)
    raise AssertionError("a job always ends")


async def _stream(request: web.Request, job: Job, answer: _Answer) -> web.StreamResponse:
    """Server-sent events, one a token; the first tells of the prompt, too. Headers go out with it,
    so that a request that fails at once still has its proper status."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
    )
    try:
        async for event in _events(job):
            if not response.prepared:
                await response.prepare(request)
            body = answer.piece(event) if isinstance(event, Piece) else answer.end(event)
            await _send(response, json.dumps(body))
    except RequestError as error:
        if not response.prepared:
            raise
        await _send(response, json.dumps(error.body()))
    await _send(response, "[DONE]")
    return response


async def _send(response: web.StreamResponse, data: str) -> None:
    await response.write(f"data: {data}\n\n".encode())
