"""The body of POST /v1/completions, checked, as in the OpenAI API reference, "Completions".

`begins_with` is our own: text that the completion has to begin with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_STOPS = 16
MAX_LOGPROBS = 20
MAX_BEGINNING = 1000
MAX_TOKEN_ID = (1 << 31) - 1


class RequestError(Exception):
    """A request that cannot be served; `status` is the HTTP status, `param` the field at fault."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param

    def body(self) -> dict[str, Any]:
        """The error in the shape that OpenAI's API has."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {
            "error": {"message": str(self), "type": kind, "param": self.param, "code": self.status}
        }


@dataclass(frozen=True, slots=True)
class CompletionParams:
    """What a request asks for; `prompt` is text or token ids, `user` names the client; one in the
    `background` yields to all others; what is generated begins with `begins_with`."""

    prompt: str | tuple[int, ...]
    max_tokens: int
    temperature: float
    seed: int | None
    stop: tuple[str, ...]
    stop_token_ids: frozenset[int]
    logprobs: int | None
    stream: bool
    user: str | None
    background: bool
    begins_with: str


def parse(body: Any) -> CompletionParams:
    """Checks a request's JSON. Raises RequestError that names the field at fault."""
    if not isinstance(body, Mapping):
        raise RequestError("the body must be a JSON object")
    for name, only in (("n", 1), ("best_of", 1), ("echo", False), ("top_p", 1)):
        if body.get(name) not in (None, only):
            raise RequestError(f"{name} other than {only} is not supported", param=name)
    stop = body.get("stop") or []
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(s, str) and s for s in stops):
        raise RequestError("stop must be a string or a list of strings", param="stop")
    if len(stops) > MAX_STOPS:
        raise RequestError(f"stop may hold at most {MAX_STOPS} strings", param="stop")
    return CompletionParams(
        prompt=_prompt(body.get("prompt")),
        max_tokens=_integer(body, "max_tokens", 16, 1, 1 << 20),
        temperature=_temperature(body.get("temperature")),
        seed=None if body.get("seed") is None else _integer(body, "seed", 0, -(1 << 63), 1 << 63),
        stop=tuple(stops),
        stop_token_ids=frozenset(_ids(body.get("stop_token_ids") or [], "stop_token_ids")),
        logprobs=None
        if body.get("logprobs") is None
        else _integer(body, "logprobs", 0, 0, MAX_LOGPROBS),
        stream=bool(body.get("stream")),
        user=None if body.get("user") is None else str(body["user"]),
        background=bool(body.get("background")),
        begins_with=_begins_with(body.get("begins_with")),
    )


def _prompt(prompt: Any) -> str | tuple[int, ...]:
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], (str, list)):
        prompt = prompt[0]
    if isinstance(prompt, str):
        return prompt
    if isinstance(prompt, list):
        return _ids(prompt, "prompt")
    raise RequestError("prompt must be one text or one list of token ids", param="prompt")


def _ids(value: Any, name: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(
        type(each) is int and 0 <= each <= MAX_TOKEN_ID for each in value
    ):
        raise RequestError(f"{name} must be a list of token ids", param=name)
    return tuple(value)


def _integer(body: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = body.get(name)
    if value is None:
        return default
    if type(value) is not int or not low <= value <= high:
        raise RequestError(f"{name} must be an integer from {low} to {high}", param=name)
    return value


def _begins_with(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_BEGINNING:
        raise RequestError(
            f"begins_with must be a string of at most {MAX_BEGINNING} characters",
            param="begins_with",
        )
    return value


def _temperature(value: Any) -> float:
    """Greedy when not given: completion wants the likeliest text, not a varied one."""
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 2:
        raise RequestError("temperature must be a number from 0 to 2", param="temperature")
    return float(value)
