"""The form of the weights is measured once, and remembered."""

from __future__ import annotations

import pytest
import torch

from lsp_server.inference.engine import precision
from lsp_server.inference.engine.linear import CudaInt4Linear, CudaInt8Linear, Linear
from lsp_server.inference.state import state_dir

CPU = torch.device("cpu")


def test_the_fastest_form_is_chosen_and_not_measured_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []

    def seconds(form: precision.Precision, weight: torch.Tensor) -> float:
        asked.append(form)
        return 1.0 if form is precision.CPU["bf16"] else 2.0

    monkeypatch.setattr(precision, "_seconds", seconds)
    assert precision.precision_for(CPU, 1) is precision.CPU["bf16"]
    assert len(asked) == len(precision.CPU)
    assert precision.precision_for(CPU, 1) is precision.CPU["bf16"]
    assert len(asked) == len(precision.CPU)
    monkeypatch.setattr(precision, "_machine", lambda: ["another"])
    precision.precision_for(CPU, 1)
    assert len(asked) == 2 * len(precision.CPU)


def test_a_damaged_note_is_written_anew() -> None:
    (state_dir() / "precision.json").write_text("[")
    chosen = precision.precision_for(CPU, 1)
    assert chosen in precision.CPU.values()
    assert precision.precision_for(CPU, 1) is chosen


def test_a_form_that_the_build_lacks_is_never_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> Linear:
        raise AttributeError("no such operator")

    lacking = precision.Precision(torch.float32, missing)
    plain = precision.CPU["plain"]
    monkeypatch.setattr(precision, "CPU", {"int8": lacking, "plain": plain})
    assert precision.precision_for(CPU, 1) is plain


def test_a_form_that_multiplies_wrongly_is_never_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(weight: torch.Tensor, bias: torch.Tensor | None, dtype: torch.dtype) -> Linear:
        return Linear(weight * 1.1, bias, dtype)

    plain = precision.CPU["plain"]
    forms = {"wrong": precision.Precision(torch.float32, wrong), "plain": plain}
    monkeypatch.setattr(precision, "CPU", forms)
    assert precision.precision_for(CPU, 1) is plain


@pytest.mark.parametrize(
    ("gigabytes", "form"), [(16, Linear), (8, CudaInt8Linear), (5, CudaInt4Linear)]
)
def test_on_a_gpu_the_most_exact_form_that_fits(gigabytes: int, form: type) -> None:
    chosen = precision.cuda_precision(6_700_000_000, gigabytes * 10**9, torch.bfloat16)
    assert chosen == precision.Precision(torch.bfloat16, form)


def test_a_gpu_without_bf16_has_no_int4() -> None:
    chosen = precision.cuda_precision(6_700_000_000, 5 * 10**9, torch.float16)
    assert chosen.form is CudaInt8Linear
