"""What the machine can do at most, measured, and what a model asks of it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.inference.engines import Figures
from lsp_server.inference.engine.config import llama_config, read_raw
from lsp_server.inference.engine.load import cpu_threads

REPEATS = 7
READ_BYTES = {"cpu": 1 << 28, "cuda": 1 << 32}
"""Far more than any cache holds."""
MATRIX_SIDE = {"cpu": 1536, "cuda": 8192}


@dataclass(frozen=True, slots=True)
class Machine:
    """Memory read, in bytes a second, and multiplication of large matrices, in operations a second
    (an addition and a multiplication are two) by the type of their numbers."""

    bandwidth: float
    matmul: dict[str, float]


def measure_machine(device: torch.device) -> Machine:
    """The best of several runs each, in the engine's number of threads."""
    torch.set_num_threads(cpu_threads(None))
    kind = device.type
    block = torch.ones(READ_BYTES[kind] // 4, device=device)
    reads = (lambda: block.max(), lambda: block.sum(), lambda: block @ block)
    read = block.nbytes / min(best_seconds(device, each) for each in reads)
    side = MATRIX_SIDE[kind]
    rates = {}
    for name, product in products(torch.rand(side, side, device=device)).items():
        with contextlib.suppress(RuntimeError, AttributeError):  # not on this machine
            rates[name] = 2 * side**3 / best_seconds(device, product)
    return Machine(read, rates)


def products(a: Tensor) -> dict[str, Callable[[], Tensor]]:
    """The product of a matrix with itself in every type."""
    half, bytes_ = a.to(torch.bfloat16), (100 * a).to(torch.int8)
    return {
        "fp32": lambda: a @ a,
        "bf16": lambda: half @ half,
        "int8": lambda: torch._int_mm(bytes_, bytes_) if a.is_cuda else onednn_product(bytes_),
    }


def onednn_product(a: Tensor) -> Tensor:
    """What oneDNN makes of bytes on a CPU."""
    ones, zeros = torch.ones(len(a)), torch.zeros(len(a), dtype=torch.int32)
    packed = torch.ops.onednn.qlinear_prepack(a, None)
    y: Tensor = torch.ops.onednn.qlinear_pointwise(
        a.view(torch.uint8),
        1.0,
        0,
        packed,
        ones,
        zeros,
        None,
        1.0,
        0,
        torch.float32,
        "none",
        [],
        "",
    )
    return y


def best_seconds(device: torch.device, work: Callable[[], object]) -> float:
    """The shortest of several runs, after one that does not count."""
    times = []
    for _ in range(REPEATS + 1):
        _wait_for(device)
        began = time.perf_counter()
        work()
        _wait_for(device)
        times.append(time.perf_counter() - began)
    return min(times[1:])


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


@dataclass(frozen=True, slots=True)
class Shape:
    """What counts in a Llama-shaped model: numbers in all layers' matrices and in the head's, and,
    for each position, numbers in the KV cache and operations of attention over one position."""

    layer_weights: int
    head_weights: int
    cached: int
    attention: int

    def limit_ms(self, machine: Machine, figures: Figures, known: int, new: int) -> float:
        """Least milliseconds for an engine's pass over `new` tokens after `known` ones in the KV
        cache: all is read once, or all is computed at the full rate, whichever takes longer."""
        weights = self.layer_weights + self.head_weights
        read = weights * figures.weight_bytes + known * self.cached * figures.cache_bytes
        attended = new * known + new * (new + 1) / 2
        work = 2 * (self.layer_weights * new + self.head_weights) + self.attention * attended
        return 1000 * max(read / machine.bandwidth, work / machine.matmul[figures.product])


def shape_of(directory: Path) -> Shape:
    """The shape of a model on disk. Raises ValueError when it is not Llama-shaped."""
    config = llama_config(read_raw(directory))
    if config is None:
        raise ValueError(f"the model in {directory} is not Llama-shaped")
    raw = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    queries, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim
    layer = config.hidden * (2 * queries + 2 * keys + 3 * raw["intermediate_size"])
    return Shape(
        layer_weights=config.layers * layer,
        head_weights=config.hidden * raw["vocab_size"],
        cached=config.layers * 2 * keys,
        attention=config.layers * 4 * queries,
    )
