"""Forms of weights against the plain product."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from lsp_server.inference.engine.linear import (
    CudaInt8Linear,
    Int8Linear,
    Linear,
    LinearForm,
    WeightOnlyInt8Linear,
    hadamard,
    quantise_groups,
    rotation_size,
)

FORMS = [Linear, WeightOnlyInt8Linear, Int8Linear, CudaInt8Linear]


def draw(rows: int, columns: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def error(got: Tensor, expected: Tensor) -> float:
    return float((got - expected).norm() / expected.norm())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rows", [1, 7, 16, 17, 40])
@torch.inference_mode()
def test_is_the_product_with_the_bias(form: LinearForm, rows: int) -> None:
    weight, bias, x = draw(96, 64), draw(1, 96, 1)[0], draw(rows, 64, 2)
    got = form(weight, bias, torch.float32)(x)
    assert got.dtype == torch.float32
    assert error(got, x @ weight.T + bias) < 0.015


@pytest.mark.parametrize("form", [Int8Linear, CudaInt8Linear])
@torch.inference_mode()
def test_one_large_input_does_not_drown_the_others(form: LinearForm) -> None:
    weight, x = draw(96, 256), draw(3, 256, 1)
    x[:, 40] = 100.0
    weight[:, 40] = 0.0
    assert error(form(weight, None, torch.float32)(x), x @ weight.T) < 0.2
    steps = (x * 127 / 100).round() / 127 * 100  # without turning: most inputs are rounded off
    assert error(steps @ weight.T, x @ weight.T) > 0.2


@pytest.mark.parametrize("form", FORMS)
@torch.inference_mode()
def test_zeros_give_the_bias(form: LinearForm) -> None:
    bias = draw(1, 96)[0]
    got = form(torch.zeros(96, 64), bias, torch.float32)(torch.zeros(2, 64))
    torch.testing.assert_close(got, bias.expand(2, -1))


@torch.inference_mode()
def test_groups_hold_the_weight_to_four_bits() -> None:
    weight = draw(96, 64)
    steps, pairs = quantise_groups(weight)
    assert steps.max() <= 15
    assert pairs.shape == (2, 96, 2)
    scale, zero = pairs.float().transpose(0, 1).repeat_interleave(32, dim=1).unbind(2)
    assert error((steps.float() - 8) * scale + zero, weight) < 0.1


@pytest.mark.parametrize(("inputs", "size"), [(896, 32), (4864, 32), (48, 16), (7, 1)])
def test_blocks_of_inputs_are_turned(inputs: int, size: int) -> None:
    assert rotation_size(inputs) == size
    matrix = hadamard(size)
    torch.testing.assert_close(matrix @ matrix, torch.eye(size))


CHECK = """
import torch
from lsp_server.inference.engine.linear import Int8Linear, largest_activation
weight, x = torch.full((32, 64), 1.0), torch.full((2, 64), 1.0)
x[:, 1::2] = -1.0
x[:, ::2] = 1.0
weight[:, 1::2] = -1.0
got = Int8Linear(weight, None, torch.float32)(x)
assert (got - 64).abs().max() < 1, got
print(largest_activation())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the variable is for x86")
@pytest.mark.parametrize("instructions", ["AVX2", "ALL"])
def test_nothing_overflows_on_older_processors(instructions: str) -> None:
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": instructions}
    done = subprocess.run(
        [sys.executable, "-c", CHECK], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in {"63", "127"}
