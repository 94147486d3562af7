"""The one client of every inference engine: OpenAI's completions API, streamed.

Leaving the stream closes the connection, and that is what ends the generation on the other side.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

CONNECT_SECONDS = 2.0


class EngineError(Exception):
    """The engine answered that it cannot do what was asked; the message is its own."""


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
    newer request of a user takes over from an older one. Use from one event loop; `close` it.
    """

    def __init__(
        self, base_url: str, *, token: str | None = None, model: str | None = None, user: str = ""
    ) -> None:
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
        return [str(entry["id"]) for entry in listed.get("data", [])]

    async def stream(
        self,
        prompt: Sequence[int],
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        stop_token_ids: Sequence[int] = (),
        logprobs: bool = False,
    ) -> AsyncGenerator[Chunk, None]:
        """Greedy completion of token ids, in chunks as they come.

        Close the iterator (`aclosing`) to end the generation. Raises EngineUnavailableError when
        the connection cannot be made or breaks off, EngineError when the engine refuses.
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
            body["logprobs"] = 0
        if self._model:
            body["model"] = self._model
        if self._user:
            body["user"] = self._user
        try:
            async with self._session.post(f"{self._base}/v1/completions", json=body) as response:
                await _raise_for_status(response)
                async for data in _server_sent_events(response):
                    yield _chunk(data)
        except (aiohttp.ClientError, OSError) as error:
            raise EngineUnavailableError(_describe(error)) from error

    async def _json(self, method: str, path: str) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=5)
        try:
            async with self._session.request(
                method, self._base + path, timeout=timeout
            ) as response:
                await _raise_for_status(response)
                body: dict[str, Any] = await response.json(content_type=None)
                return body
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise EngineUnavailableError(_describe(error)) from error


async def _raise_for_status(response: aiohttp.ClientResponse) -> None:
    if response.status < 400:
        return
    text = await response.text()
    try:
        message = json.loads(text)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = text[:200]
    raise EngineError(f"HTTP {response.status}: {message}")


async def _server_sent_events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """The JSON of each event up to `[DONE]`. Raises EngineUnavailableError when it never comes."""
    async for line in response.content:
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == b"[DONE]":
            return
        event: dict[str, Any] = json.loads(data)
        if "error" in event:
            raise EngineError(str(event["error"].get("message", event["error"])))
        yield event
    raise EngineUnavailableError("the answer broke off")


def _chunk(data: dict[str, Any]) -> Chunk:
    choice = (data.get("choices") or [{}])[0]
    logprobs = (choice.get("logprobs") or {}).get("token_logprobs") or ()
    return Chunk(
        text=choice.get("text") or "",
        finish_reason=choice.get("finish_reason"),
        token_logprobs=tuple(logprobs),
        usage=data.get("usage") or {},
        timings_ms=data.get("timings_ms") or {},
    )


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
