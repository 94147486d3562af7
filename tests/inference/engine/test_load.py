"""How a model is loaded, by what the machine is good at."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

from lsp_server.inference.engine.load import cpu_threads, load_generator, pick_device
from lsp_server.inference.engine.precision import compute_dtype
from tests.inference.tiny_models import write_model


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_one_of_the_cores_that_we_may_use_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 4, 5})
    assert cpu_threads(None) == 2
    assert cpu_threads(7) == 7
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert cpu_threads(None) == 1


@pytest.mark.parametrize(("native", "dtype"), [(True, torch.bfloat16), (False, torch.float16)])
def test_a_gpu_that_only_emulates_bf16_is_not_asked_to(
    monkeypatch: pytest.MonkeyPatch, native: bool, dtype: torch.dtype
) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return native or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert compute_dtype(torch.device("cuda")) is dtype


def test_cuda_is_used_only_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == pick_device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="no CUDA device"):
        pick_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto") == pick_device("cuda") == torch.device("cuda")
    assert pick_device("cpu") == torch.device("cpu")


def test_loading_reports_and_keeps_cudnn_out_of_attention(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path, "Llama")
    fractions: list[float] = []
    try:
        load_generator(tmp_path, device="cpu", threads=1, kv_slots=1, report=fractions.append)
        assert fractions == pytest.approx([1 / 3, 2 / 3, 1])
        assert not torch.backends.cuda.cudnn_sdp_enabled()  # type: ignore[no-untyped-call]
    finally:
        torch.backends.cuda.enable_cudnn_sdp(True)
