"""In what form a model's weights are held and multiplied, by what the machine is good at.

On a CPU the forms are timed once on a small product and the fastest is remembered: what a processor
says of itself does not tell whether torch's build has a fast kernel for it. On a GPU it is the most
exact form that fits its memory.
"""

from __future__ import annotations

import json
import logging
import math
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lsp_server.inference.engine.linear import (
    AnyLinear,
    CudaInt4Linear,
    CudaInt8Linear,
    Int8Linear,
    Linear,
    LinearForm,
    WeightOnlyInt8Linear,
)
from lsp_server.inference.state import state_dir

MANY_ROWS = 128
"""Rows of the product that stands for reading a prompt."""
DECODED = 16
"""Single rows that weigh as much as the many in choosing: a line's tokens."""
MOST_ERROR = 0.05
"""Of a product, relative to it: all forms stay well below."""
CACHE_AND_SLACK = 2_000_000_000
"""Bytes of a GPU's memory that are not for weights."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Precision:
    """The type of activations, and the form of the weights."""

    dtype: torch.dtype
    form: LinearForm


CPU: Mapping[str, Precision] = {
    "int8": Precision(torch.float32, Int8Linear),
    "bf16": Precision(torch.bfloat16, WeightOnlyInt8Linear),
    "fp32": Precision(torch.float32, WeightOnlyInt8Linear),
    "plain": Precision(torch.float32, Linear),
}
"""Forms for a CPU; "plain" works everywhere."""


def precision_for(device: torch.device, weights: int) -> Precision:
    """How to hold so many weights on a device."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return cuda_precision(weights, free - CACHE_AND_SLACK, compute_dtype(device))
    name = _remembered() or _fastest()
    log.info("weights as %s", name)
    return CPU[name]


def compute_dtype(device: torch.device) -> torch.dtype:
    """bf16 where the hardware multiplies it fast, else fp16 on a GPU and fp32 on a CPU."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32


def cuda_precision(weights: int, free: int, dtype: torch.dtype) -> Precision:
    """Two bytes a weight where so many bytes suffice for it, else one, else half of one."""
    if 2 * weights <= free:
        return Precision(dtype, Linear)
    # GPUs without bf16 have no kernel for int4 either
    fits = weights <= free or dtype != torch.bfloat16
    return Precision(dtype, CudaInt8Linear if fits else CudaInt4Linear)


def _fastest() -> str:
    """Time every form of a weight that works here, and write down which is fastest."""
    weight = torch.rand(8192, 1024) - 0.5
    seconds = {name: _seconds(precision, weight) for name, precision in CPU.items()}
    name = min(seconds, key=seconds.__getitem__)
    log.info("seconds of each form: %s", seconds)
    note = {"machine": _machine(), "form": name, "seconds": seconds}
    _note().write_text(json.dumps(note), encoding="utf-8")
    return name


@torch.inference_mode()
def _seconds(precision: Precision, weight: Tensor) -> float:
    """Of a product with many rows and of some with one; infinite where this build has no such
    product, or a wrong one."""
    few = torch.rand(1, weight.shape[1])
    expected = few @ weight.T
    few = few.to(precision.dtype)
    try:
        linear = precision.form(weight, None, precision.dtype)
        off = (linear(few) - expected).norm() / expected.norm()
        if not off < MOST_ERROR:
            return math.inf
        many = few.expand(MANY_ROWS, -1).contiguous()
        return _best_of_some(linear, many) + DECODED * _best_of_some(linear, few)
    except (AttributeError, NotImplementedError, RuntimeError) as error:
        log.info("not available: %r", error)
        return math.inf


def _best_of_some(linear: AnyLinear, x: Tensor) -> float:
    times = []
    for _ in range(4):
        started = time.perf_counter()
        linear(x)
        times.append(time.perf_counter() - started)
        if times[-1] > 0.1:  # no fast kernel: once is enough to know
            break
    return min(times)


def _remembered() -> str | None:
    try:
        note = json.loads(_note().read_text(encoding="utf-8"))
        return note["form"] if note["machine"] == _machine() and note["form"] in CPU else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _machine() -> list[str]:
    """What the choice depends on: the state folder may be shared by machines."""
    capabilities = sorted(name for name, has in torch.cpu.get_capabilities().items() if has is True)
    return [torch.__version__, platform.machine(), *capabilities]


def _note() -> Path:
    return state_dir() / "precision.json"
