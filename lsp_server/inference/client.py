"""The one client of every inference engine: OpenAI's completions API, streamed.

Leaving the stream closes the connection, and that is what ends the generation on the other side.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp.http import HttpProcessingError

CONNECT_SECONDS = 2.0


class EngineError(Exception):
    """The engine answered that it cannot do what was asked; the message is its own, `status` the
    HTTP status it came with."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class EngineUnavailableError(EngineError):
    """Nobody answers at the engine's address, or the connection broke off."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of the answer. `usage` and `timings_ms` are filled in the last one, where the engine
    tells them; `token_logprobs` only when asked for."""

    text: str
    finish_reason: str | None = None
    token_logprobs: tuple[float | None, ...] = ()
    usage: dict[str, Any] = field(default_factory=dict)
    timings_ms: dict[str, float] = field(default_factory=dict)


class CompletionsClient:
    """A connection pool to one engine.

    `base_url` may end in `/v1` or not. `user` names this client: where the engine knows the rule, a
    newer request of a user takes over from an older one. `is_ours`: it is our own model
    server, which knows more than the API. Use from one event loop; `close` it.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        model: str | None = None,
        user: str = "",
        is_ours: bool = False,
    ) -> None:
        self.is_ours = is_ours
        self._base = base_url.rstrip("/").removesuffix("/v1")
        self._model = model
        self._user = user
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session = aiohttp.ClientSession(
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        )

    async def close(self) -> None:
        """Close all connections; what runs on them ends."""
        await self._session.close()

    async def health(self) -> dict[str, Any]:
        """GET /health of our own model server. Raises EngineUnavailableError, EngineError."""
        return await self._json("GET", "/health")

    async def shut_down(self) -> None:
        """Ask our own model server to end. Raises EngineUnavailableError, EngineError."""
        await self._json("POST", "/shutdown")

    async def models(self) -> list[str]:
        """Names of the models it serves. Raises EngineUnavailableError, EngineError."""
        listed = await self._json("GET", "/v1/models")
        try:
            return [str(entry["id"]) for entry in listed["data"] or []]
        except (KeyError, TypeError) as error:
            raise EngineError("/v1/models answers with something that is no list") from error

    async def stream(
        self,
        prompt: Sequence[int],
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        stop_token_ids: Sequence[int] = (),
        logprobs: bool = False,
        background: bool = False,
        begins_with: str = "",
    ) -> AsyncGenerator[Chunk, None]:
        """Greedy completion of token ids, in chunks as they come.

        Our own server's text begins with `begins_with`; others are not told of it, nor of
        `background`.

        One in the `background` waits until nobody else wants anything, and is broken off (finish
        reason `abort`) when somebody does. Close the iterator (`aclosing`) to end the generation.
        Raises EngineUnavailableError when the connection cannot be made or breaks off, EngineError
        when the engine refuses.
        """
        body: dict[str, Any] = {
            "prompt": list(prompt),
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            "stop_token_ids": list(stop_token_ids),
        }
        if stop:
            body["stop"] = list(stop)
        if logprobs:
            body["logprobs"] = 1  # with 0 llama-server gives none
        if self._model:
            body["model"] = self._model
        if self._user:
            body["user"] = self._user
        if background and self.is_ours:
            body["background"] = True
        if begins_with and self.is_ours:
            body["begins_with"] = begins_with
        try:
            async with self._session.post(
                f"{self._base}/v1/completions", json=body, allow_redirects=False
            ) as response:
                await _raise_for_status(response)
                async with aclosing(_chunks(response)) as chunks:
                    async for chunk in chunks:
                        yield chunk
        except (aiohttp.ClientError, OSError) as error:
            raise EngineUnavailableError(_describe(error)) from error

    async def _json(self, method: str, path: str) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=5)
        try:
            async with self._session.request(
                method, self._base + path, timeout=timeout, allow_redirects=False
            ) as response:
                await _raise_for_status(response)
                body = await response.json(content_type=None)
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
            raise EngineUnavailableError(_describe(error)) from error
        except ValueError as error:
            raise EngineError(f"{path} answers with something that is not JSON") from error
        if not isinstance(body, dict):
            raise EngineError(f"{path} answers with something that is no JSON object")
        return body


async def _raise_for_status(response: aiohttp.ClientResponse) -> None:
    """Redirects are refused too: code goes to the address that was set, and to no other."""
    if response.status < 300:
        return
    text = await response.text(errors="replace")
    try:
        message = _error_message(json.loads(text))
    except ValueError:
        message = _shortened(text)
    raise EngineError(f"HTTP {response.status}: {message or response.reason}", response.status)


async def _chunks(response: aiohttp.ClientResponse) -> AsyncGenerator[Chunk, None]:
    """The parts of a streamed answer, up to `[DONE]` or to its end after a finish reason.

    Raises EngineUnavailableError when it breaks off before, EngineError for an error among them and
    for what cannot be read.
    """
    finished = False
    try:
        async for line in response.content:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            chunk = _chunk(json.loads(data))
            finished = finished or chunk.finish_reason is not None
            yield chunk
    except (ValueError, TypeError, LookupError, AttributeError, HttpProcessingError) as error:
        raise EngineError("the answer is not a stream of completions") from error
    if not finished:
        raise EngineUnavailableError("the answer broke off")


def _chunk(event: dict[str, Any]) -> Chunk:
    if "error" in event:
        raise EngineError(_error_message(event))
    choice = (event.get("choices") or [{}])[0]
    return Chunk(
        text=choice.get("text") or "",
        finish_reason=choice.get("finish_reason"),
        token_logprobs=_token_logprobs(choice.get("logprobs") or {}),
        usage=event.get("usage") or {},
        timings_ms=event.get("timings_ms") or {},
    )


def _token_logprobs(logprobs: dict[str, Any]) -> tuple[float | None, ...]:
    """In the form of the completions API, or as llama-server has it, in that of the chat API."""
    if "content" in logprobs:
        return tuple(token["logprob"] for token in logprobs["content"])
    return tuple(logprobs.get("token_logprobs") or ())


def _error_message(body: Any) -> str:
    """What an error's JSON says, in any of the shapes that are about."""
    error = body.get("error", body) if isinstance(body, dict) else body
    return _shortened(str(error.get("message", error) if isinstance(error, dict) else error))


def _shortened(text: str) -> str:
    return " ".join(text.split())[:300]


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
