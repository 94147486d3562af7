"""The decode loop: prefill in chunks, then one token at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lsp_server.inference.engine.kv_cache import Slot, Slots
from lsp_server.inference.engine.model import CausalModel, Stopped

PREFILL_CHUNK = 128
"""Most prompt tokens computed at once. A withdrawn request is noticed between a chunk's layers, and
keeps what whole chunks came to."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen: greedily at temperature 0; `top_logprobs` alternatives are kept."""

    max_tokens: int
    temperature: float = 0.0
    seed: int | None = None
    stop_ids: frozenset[int] = frozenset()
    logprobs: bool = False
    top_logprobs: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token; log-probabilities are natural logarithms, None where not asked for."""

    id: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


@dataclass(slots=True)
class Usage:
    """Tokens of a request: of its prompt, reused from a KV cache, and generated."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0


class PromptError(ValueError):
    """A prompt that the model cannot take; the message says why."""


class Generator:
    """A model with its KV slots. One request at a time, from one thread."""

    def __init__(self, model: CausalModel, kv_slots: int) -> None:
        self.model = model
        self._slots = Slots(kv_slots, model.new_cache)

    @torch.inference_mode()
    def generate(
        self,
        ids: Sequence[int],
        sampling: Sampling,
        usage: Usage,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Iterator[Token]:
        """Tokens up to, and without, one that ends the text. `usage` is filled as they come.

        Raises `Stopped` soon after `stopped()` turns true, `PromptError` when the prompt is empty,
        holds an id that the model does not have, or exceeds the window with `max_tokens`.
        """
        self._check(ids, sampling.max_tokens)
        slot = self._slots.acquire(ids)
        usage.prompt, usage.cached = len(ids), len(slot.ids)
        pending = list(ids[len(slot.ids) :])
        ends = sampling.stop_ids | set(self.model.eos_ids)
        pick = _Picker(sampling)
        for _ in range(sampling.max_tokens):
            logits = self._advance(slot, pending, stopped)
            token = pick(logits)
            if token.id in ends:
                return
            usage.completion += 1
            yield token
            pending = [token.id]

    def _check(self, ids: Sequence[int], max_tokens: int) -> None:
        # an id too high would be an error for one request on a CPU, but for all later ones on CUDA
        if not ids or not 0 <= min(ids) <= max(ids) < self.model.vocabulary:
            raise PromptError(
                f"the prompt must hold token ids from 0 to {self.model.vocabulary - 1}"
            )
        if len(ids) + max_tokens > self.model.window:
            raise PromptError(
                f"the prompt's {len(ids)} tokens and {max_tokens} new ones exceed the model's "
                f"window of {self.model.window}"
            )

    def _advance(self, slot: Slot, pending: list[int], stopped: Callable[[], bool]) -> Tensor:
        """Prefill or decode: runs `pending` through the model; logits after its last token."""
        for begin in range(0, len(pending), PREFILL_CHUNK):
            if stopped():
                raise Stopped
            chunk = pending[begin : begin + PREFILL_CHUNK]
            try:
                logits = self.model.forward(chunk, slot.cache, len(slot.ids), stopped)
            except Stopped:
                raise
            except Exception:  # out of memory, say: some layers may have got their keys, some not
                self._slots.discard(slot)
                raise
            slot.ids.extend(chunk)
        return logits


class _Picker:
    """Chooses the next token from logits."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._random = torch.Generator()
        if sampling.seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(sampling.seed)

    def __call__(self, logits: Tensor) -> Token:
        chosen = self._choose(logits)
        if not self._sampling.logprobs:
            return Token(chosen)
        logprobs = logits.log_softmax(dim=0)
        top: tuple[tuple[int, float], ...] = ()
        if self._sampling.top_logprobs:
            values, indices = logprobs.topk(self._sampling.top_logprobs)
            top = tuple(zip(indices.tolist(), values.tolist(), strict=True))
        logprob = float(logprobs[chosen])
        return Token(chosen, logprob if math.isfinite(logprob) else None, top)

    def _choose(self, logits: Tensor) -> int:
        temperature = self._sampling.temperature
        if temperature <= 0:
            return int(logits.argmax())
        chances = (logits / temperature).softmax(dim=0).cpu()
        return int(torch.multinomial(chances, 1, generator=self._random))
