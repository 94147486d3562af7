"""The engines that are compared, each with the same few methods, each to run in its own process."""

from __future__ import annotations

import contextlib
import http.client
import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

WINDOW = 8192 + 512
KEY = "benchmark"
TYPES = {2: "bf16", 4: "fp32"}
FORMS = {
    "WeightOnlyInt8Linear": (1.0, "bf16"),
    "Int8Linear": (1.0, "int8"),
    "CudaInt8Linear": (1.0, "int8"),
    "CudaInt4Linear": (0.5 + 4 / 32, "bf16"),
}
"""Bytes of a weight and the type of products in each form of weights that is not plain."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Milliseconds from the request to the first token and to the last one of `tokens`."""

    first_ms: float
    total_ms: float
    tokens: int

    @property
    def per_token_ms(self) -> float:
        """Milliseconds for each token after the first."""
        return (self.total_ms - self.first_ms) / (self.tokens - 1)


@dataclass(frozen=True, slots=True)
class Figures:
    """Bytes that a weight takes where tokens are decoded one by one, the type in which prompts are
    multiplied, bytes of a number of the KV cache; peak memory, of the process and of the GPU, in
    bytes."""

    weight_bytes: float
    product: str
    cache_bytes: float
    memory: int
    gpu_memory: int = 0


class Engine(Protocol):
    """One model, loaded."""

    def answer(self, ids: Sequence[int], tokens: int, one_by_one: bool = False) -> Answer:
        """Generate exactly so many tokens, greedily, `one_by_one` without speculation; the end of a
        text does not end it."""

    def cancel(self, ids: Sequence[int], tokens: int, after: float) -> float | None:
        """Milliseconds until it rests, once it is told to stop `after` seconds after the request;
        None where it was done by then."""

    def figures(self) -> Figures:
        """What it takes."""


class CoderLsp:
    """This project's engine, without its HTTP server."""

    def __init__(self, directory: Path, device: str) -> None:
        from lsp_server.inference.engine.load import load_generator

        self._generator = load_generator(directory, device=device, threads=None, kv_slots=2)
        self._generator.model.eos_ids = ()

    def answer(self, ids: Sequence[int], tokens: int, one_by_one: bool = False) -> Answer:
        """See `Engine`."""
        from lsp_server.inference.engine.generate import Sampling, Usage

        clock = _Clock()
        sampling = Sampling(max_tokens=tokens, speculate=not one_by_one)
        for _ in self._generator.generate(ids, sampling, Usage()):
            clock.token()
        return clock.answer()

    def cancel(self, ids: Sequence[int], tokens: int, after: float) -> float | None:
        """See `Engine`."""
        from lsp_server.inference.engine.generate import Sampling, Usage
        from lsp_server.inference.engine.model import Stopped

        wish = _Wish(after)
        with contextlib.suppress(Stopped):
            sampling = Sampling(max_tokens=tokens)
            for _ in self._generator.generate(ids, sampling, Usage(), wish.made):
                pass
        return wish.ms_since()

    def figures(self) -> Figures:
        """See `Engine`."""
        from lsp_server.inference.engine.llama import Llama

        model = self._generator.model
        assert isinstance(model, Llama)
        plain = model._norm.element_size()
        form = type(model._layers[0].gate_up).__name__
        stored, product = FORMS.get(form, (plain, TYPES[plain]))
        return Figures(stored, product, model.new_cache().keys.element_size(), *_memory())


class Transformers:
    """`generate` of transformers with its static cache. It keeps nothing from one call to the next,
    and a wish to stop is heard between two tokens."""

    def __init__(self, directory: Path, device: str) -> None:
        import torch
        from transformers import AutoModelForCausalLM, StaticCache
        from transformers.utils import logging

        from lsp_server.inference.engine.load import cpu_threads, pick_device

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        torch.set_num_threads(cpu_threads(None))
        self._device = pick_device(device)
        half = self._device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
        self._dtype = torch.bfloat16 if half else torch.float32
        model = AutoModelForCausalLM.from_pretrained(directory, dtype=self._dtype)
        self._model: Any = model.to(self._device).eval()
        self._model.generation_config.eos_token_id = None
        self._caches: dict[int, Any] = {}
        self._new_cache = StaticCache

    def answer(self, ids: Sequence[int], tokens: int, one_by_one: bool = False) -> Answer:
        """See `Engine`."""
        clock = _Clock()
        self._generate(ids, tokens, streamer=_Streamer(clock))
        return clock.answer()

    def cancel(self, ids: Sequence[int], tokens: int, after: float) -> float | None:
        """See `Engine`."""
        wish = _Wish(after)

        def stop(input_ids: Any, scores: Any, **_: Any) -> Any:
            return input_ids.new_full((1,), wish.made()).bool()

        self._generate(ids, tokens, stopping_criteria=[stop])
        return wish.ms_since()

    def _generate(self, ids: Sequence[int], tokens: int, **options: Any) -> None:
        import torch

        prompt = torch.tensor([list(ids)], device=self._device)
        self._model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=tokens,
            do_sample=False,
            pad_token_id=0,
            past_key_values=self._cache(-(-(len(ids) + tokens) // 256) * 256),
            **options,
        )

    def _cache(self, length: int) -> Any:
        """One of that capacity, empty; the same one each time, since it may be compiled in."""
        if length not in self._caches:
            self._caches[length] = self._new_cache(self._model.config, max_cache_len=length)
        self._caches[length].reset()
        return self._caches[length]

    def figures(self) -> Figures:
        """See `Engine`."""
        return Figures(
            self._dtype.itemsize, TYPES[self._dtype.itemsize], self._dtype.itemsize, *_memory()
        )


class LlamaCpp:
    """llama.cpp's own server with a GGUF file; its times are those that it tells itself."""

    def __init__(self, package: Path, weights: Path, parameters: int) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # it logs every request
        sys.path.insert(0, str(package))
        xllamacpp: Any = importlib.import_module("xllamacpp")

        from lsp_server.inference.engine.load import cpu_threads

        wanted = xllamacpp.CommonParams()
        wanted.model.path = str(weights)
        wanted.n_ctx, wanted.n_parallel = WINDOW, 1
        wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = cpu_threads(None)
        wanted.port, wanted.endpoint_slots, wanted.api_keys = 0, True, [KEY]
        self._server: Any = xllamacpp.Server(wanted)
        self._address = urlsplit(self._server.listening_address).netloc
        self._weight_bytes = weights.stat().st_size / parameters

    def answer(self, ids: Sequence[int], tokens: int, one_by_one: bool = False) -> Answer:
        """See `Engine`."""
        connection, response = self._request("POST", "/completion", self._body(ids, tokens))
        timings = json.load(response)["timings"]
        connection.close()
        total = timings["prompt_ms"] + timings["predicted_ms"]
        return Answer(timings["prompt_ms"], total, timings["predicted_n"])

    def cancel(self, ids: Sequence[int], tokens: int, after: float) -> float | None:
        """See `Engine`. From closing the connection; polled every millisecond."""
        body = self._body(ids, tokens, stream=True)
        connection = http.client.HTTPConnection(self._address)
        connection.request("POST", "/completion", json.dumps(body), self._headers())
        time.sleep(after)
        busy = self._is_busy()
        began = time.perf_counter()
        assert connection.sock is not None
        connection.sock.close()
        connection.close()
        while self._is_busy():
            time.sleep(0.001)
        return 1000 * (time.perf_counter() - began) if busy else None

    def figures(self) -> Figures:
        """See `Engine`. Weights are multiplied by rows in int8; the KV cache is in fp16."""
        return Figures(self._weight_bytes, "int8", 2, *_memory())

    def _is_busy(self) -> bool:
        connection, response = self._request("GET", "/slots")
        busy = any(slot["is_processing"] for slot in json.load(response))
        connection.close()
        return busy

    def _request(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self._address)
        connection.request(method, path, json.dumps(body) if body else None, self._headers())
        return connection, connection.getresponse()

    @staticmethod
    def _headers() -> dict[str, str]:
        return {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}

    @staticmethod
    def _body(ids: Sequence[int], tokens: int, stream: bool = False) -> dict[str, Any]:
        return {
            "prompt": list(ids),
            "n_predict": tokens,
            "temperature": 0,
            "ignore_eos": True,
            "stream": stream,
        }


@dataclass(slots=True)
class _Clock:
    """Notes when tokens come."""

    began: float = field(default_factory=time.perf_counter)
    times: list[float] = field(default_factory=list)

    def token(self) -> None:
        self.times.append(1000 * (time.perf_counter() - self.began))

    def answer(self) -> Answer:
        return Answer(self.times[0], self.times[-1], len(self.times))


class _Streamer:
    """What `generate` shows its prompt and its tokens to."""

    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self._is_prompt = True

    def put(self, value: Any) -> None:
        if not self._is_prompt:
            self._clock.token()
        self._is_prompt = False

    def end(self) -> None:
        pass


class _Wish:
    """A wish to stop that another thread makes after some seconds."""

    def __init__(self, after: float) -> None:
        self._when: float | None = None
        self._timer = threading.Timer(after, self._make)
        self._timer.start()

    def _make(self) -> None:
        self._when = time.perf_counter()

    def made(self) -> bool:
        return self._when is not None

    def ms_since(self) -> float | None:
        ended = time.perf_counter()
        self._timer.cancel()
        return None if self._when is None else 1000 * (ended - self._when)


def _memory() -> tuple[int, int]:
    """Peak bytes of this process, and on the GPU where torch uses one."""
    gpu = 0
    if (torch := sys.modules.get("torch")) and torch.cuda.is_available():
        gpu = torch.cuda.max_memory_allocated()
    if os.name == "nt":
        return 0, gpu
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, gpu
