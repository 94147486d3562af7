"""From a model's directory to something that generates."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from lsp_server.inference.engine.config import llama_config, read_raw
from lsp_server.inference.engine.generate import KV_BYTES, Generator
from lsp_server.inference.engine.model import CausalModel
from lsp_server.inference.engine.precision import compute_dtype, precision_for
from lsp_server.inference.engine.transformers_model import TransformersModel
from lsp_server.inference.engine.weights import Checkpoint, load_llama


def cpu_threads(wanted: int | None) -> int:
    """Threads for matrix products: one core is left to the editor, unless told otherwise."""
    # not cpu_count: in a container or under taskset a process may have few of many cores
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return wanted or max(1, cores - 1)


def pick_device(wanted: str) -> torch.device:
    """`auto`, `cpu` or `cuda`. Raises ValueError when CUDA is asked for and there is none."""
    has_cuda = torch.cuda.is_available()
    if wanted == "cuda" and not has_cuda:
        raise ValueError("engine.device is cuda, but torch sees no CUDA device")
    return torch.device("cuda" if has_cuda and wanted != "cpu" else "cpu")


def keep_freed_memory() -> None:
    """Have glibc keep large blocks that are freed: a prefill asks for the same again in each layer,
    and from the system every page of them comes zeroed and late."""
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
    libc = ctypes.CDLL(None)
    libc.mallopt(trim_threshold, 1 << 29)
    libc.mallopt(mmap_threshold, 1 << 25)  # the most that it takes


def load_generator(
    directory: Path,
    *,
    device: str,
    threads: int | None,
    kv_slots: int,
    kv_bytes: int = KV_BYTES,
    report: Callable[[float], None] = lambda fraction: None,
) -> Generator:
    """The model of `directory`, warmed up; `report` gets the fraction loaded (0 to 1).

    Raises ValueError or OSError with a message for the user when it cannot be loaded.
    """
    torch.set_num_threads(cpu_threads(threads))
    keep_freed_memory()
    # on recent data centre GPUs torch prefers cuDNN's attention, which plans for some 30 ms at
    # every new length of the cache, that is at every token
    torch.backends.cuda.enable_cudnn_sdp(False)
    target = pick_device(device)
    raw = read_raw(directory)
    config = llama_config(raw)
    model: CausalModel
    if config is not None:
        precision = precision_for(target, Checkpoint(directory).weights)
        model = load_llama(directory, config, target, precision.dtype, precision.form, report)
    else:
        model = TransformersModel(directory, raw, target, compute_dtype(target))
    _warm_up(model)
    return Generator(model, kv_slots, kv_bytes)


@torch.inference_mode()
def _warm_up(model: CausalModel) -> None:
    """One prefill and steps of every size, so that no request pays for what libraries set up."""
    cache = model.new_cache()
    model.forward([0] * 32, cache, 0, lambda: False)
    for rows in range(1, model.exact_rows + 1):
        model.forward([0] * rows, cache, 32, lambda: False)
