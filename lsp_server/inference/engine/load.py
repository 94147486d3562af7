"""From a model's directory to something that generates."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from lsp_server.inference.engine.config import llama_config, read_raw
from lsp_server.inference.engine.generate import Generator
from lsp_server.inference.engine.model import CausalModel
from lsp_server.inference.engine.transformers_model import TransformersModel
from lsp_server.inference.engine.weights import compute_dtype, load_llama


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


def load_generator(
    directory: Path,
    *,
    device: str,
    threads: int | None,
    kv_slots: int,
    report: Callable[[float], None] = lambda fraction: None,
) -> Generator:
    """The model of `directory`, warmed up; `report` gets the fraction loaded (0 to 1).

    Raises ValueError or OSError with a message for the user when it cannot be loaded.
    """
    torch.set_num_threads(cpu_threads(threads))
    # on recent data centre GPUs torch prefers cuDNN's attention, which plans for some 30 ms at
    # every new length of the cache, that is at every token
    torch.backends.cuda.enable_cudnn_sdp(False)
    target = pick_device(device)
    dtype = compute_dtype(target)
    raw = read_raw(directory)
    config = llama_config(raw)
    model: CausalModel
    if config is not None:
        model = load_llama(directory, config, target, dtype, report)
    else:
        model = TransformersModel(directory, raw, target, dtype)
    _warm_up(model)
    return Generator(model, kv_slots)


@torch.inference_mode()
def _warm_up(model: CausalModel) -> None:
    """One prefill and one decode step, so that the first request does not pay for set-up."""
    cache = model.new_cache()
    model.forward([0] * 32, cache, 0, lambda: False)
    model.forward([0], cache, 32, lambda: False)
