"""The decode loop: prefill in chunks, then a token, or a draft of several, at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lsp_server.inference.engine.constraint import Beginning
from lsp_server.inference.engine.kv_cache import Slot, Slots
from lsp_server.inference.engine.model import CausalModel, Stopped
from lsp_server.inference.engine.speculation import Drafter

PREFILL_CHUNK = 128
"""Most prompt tokens computed at once. A withdrawn request is noticed between a chunk's layers, and
keeps what whole chunks came to."""

KV_BYTES = 1 << 31
"""Most memory for KV caches, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen: greedily at temperature 0, the first ones as `beginning` allows;
    `top_logprobs` alternatives are kept. `speculate`: greedy choices come faster, and the same."""

    max_tokens: int
    temperature: float = 0.0
    seed: int | None = None
    stop_ids: frozenset[int] = frozenset()
    logprobs: bool = False
    top_logprobs: int = 0
    beginning: Beginning | None = None
    speculate: bool = True


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token; log-probabilities are natural logarithms, None where not asked for, and
    for a token of the given beginning, which says nothing about how sure the model is. That of a
    token which goes on from there is among the tokens that could."""

    id: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


@dataclass(slots=True)
class Usage:
    """Tokens of a request: of its prompt, reused from a KV cache, and generated; and how often the
    model was run for it."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    passes: int = 0


class PromptError(ValueError):
    """A prompt that the model cannot take; the message says why."""


class Generator:
    """A model with its KV slots. One request at a time, from one thread."""

    def __init__(self, model: CausalModel, kv_slots: int, kv_bytes: int = KV_BYTES) -> None:
        self.model = model
        self._slots = Slots(kv_slots, kv_bytes, model.new_cache)
        self._drafter = Drafter()

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
        ends = sampling.stop_ids | set(self.model.eos_ids)
        pick = _Picker(sampling)
        self._drafter.begin(ids, len(slot.ids))
        pending = list(ids[len(slot.ids) :])
        while usage.completion < sampling.max_tokens:
            draft = self._draft(len(pending), sampling, usage)
            logits = self._advance(slot, pending, draft, stopped, usage)
            tokens = _agreed(logits, draft, pick)
            slot.truncate(len(slot.ids) - len(draft) + len(tokens) - 1)
            for token in tokens:
                if token.id in ends:
                    return
                if stopped():
                    raise Stopped
                usage.completion += 1
                self._drafter.extend([token.id])
                yield token
            pending = [tokens[-1].id]

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

    def _draft(self, pending: int, sampling: Sampling, usage: Usage) -> list[int]:
        """What may come next, as far as it can be verified together with the pending tokens."""
        if not sampling.speculate or sampling.temperature > 0:
            return []
        room = min(self.model.exact_rows - pending, sampling.max_tokens - usage.completion - 1)
        return self._drafter.draft(room)

    def _advance(
        self,
        slot: Slot,
        pending: list[int],
        draft: list[int],
        stopped: Callable[[], bool],
        usage: Usage,
    ) -> Tensor:
        """Prefill, decode or verify: runs `pending` and `draft` through the model.

        Logits `[1 + len(draft), vocabulary]`, after the last pending and each drafted token.
        """
        ids = pending + draft
        for begin in range(0, len(ids), PREFILL_CHUNK):
            if stopped():
                raise Stopped
            chunk = ids[begin : begin + PREFILL_CHUNK]
            usage.passes += 1
            try:
                logits = self.model.forward(
                    chunk, slot.cache, len(slot.ids), stopped, 1 + len(draft)
                )
            except Stopped:
                raise
            except Exception:  # out of memory, say: some layers may have got their keys, some not
                self._slots.discard(slot)
                raise
            slot.ids.extend(chunk)
        return logits


def _agreed(logits: Tensor, draft: list[int], pick: _Picker) -> list[Token]:
    """The model's own choices, as far as the draft agrees with them, and the one after."""
    tokens: list[Token] = []
    for row, guess in zip(logits, [*draft, None], strict=True):
        tokens.append(pick(row))
        if tokens[-1].id != guess:
            break
    return tokens


class _Picker:
    """Chooses the next token from logits, one after the other."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._beginning = sampling.beginning
        self._random = torch.Generator()
        if sampling.seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(sampling.seed)

    def __call__(self, logits: Tensor) -> Token:
        beginning, self._beginning = self._beginning, None
        if beginning is not None and beginning.left:
            allowed = beginning.allowed()
            if len(allowed):  # else the vocabulary cannot spell it
                return self._agreeing(logits, allowed, beginning)
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

    def _agreeing(self, logits: Tensor, allowed: Tensor, beginning: Beginning) -> Token:
        scores = logits[allowed]
        at = self._choose(scores)
        chosen = int(allowed[at])
        self._beginning = beginning.after(chosen)
        if not self._sampling.logprobs or not beginning.exceeded_by(chosen):
            return Token(chosen)
        return Token(chosen, float(scores.log_softmax(dim=0)[at]))

    def _choose(self, logits: Tensor) -> int:
        temperature = self._sampling.temperature
        if temperature <= 0:
            return int(logits.argmax())
        chances = (logits / temperature).softmax(dim=0).cpu()
        return int(torch.multinomial(chances, 1, generator=self._random))
