"""Matrix products by what the processor is good at.

On a CPU one weight is kept twice: in a floating type for long chunks, where matrix products are
bound by arithmetic, and in int8 for few rows, where they are bound by reading the weights from
memory. Weight-only int8, one scale a row (an output feature), symmetric.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SMALL_ROWS = 16
"""Most rows for which the int8 kernel beat the floating-point product where it was measured."""


def has_int8_kernel() -> bool:
    """Whether this torch build has the private weight-only int8 product."""
    return hasattr(torch, "_weight_int8pack_mm")


class Linear:
    """`x @ weight.T + bias` for a weight `[out, in]`; with `int8`, few rows take int8 weights."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None, *, int8: bool = False) -> None:
        self.weight = weight
        self.bias = bias
        self.quantised: tuple[Tensor, Tensor] | None = None
        if int8 and weight.dtype == torch.bfloat16 and has_int8_kernel():
            self.quantised = quantise_rows(weight)

    def __call__(self, x: Tensor) -> Tensor:
        """`x` is `[rows, in]`; the result `[rows, out]` in the weight's type."""
        if self.quantised is None or x.shape[0] > SMALL_ROWS:
            return F.linear(x, self.weight, self.bias)
        y = torch._weight_int8pack_mm(x, *self.quantised)
        return y if self.bias is None else y + self.bias


def quantise_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """int8 values `[out, in]` and bf16 scales `[out]` such that `values * scale` is the weight."""
    scale = (weight.abs().amax(dim=1).float() / 127).clamp_min(1e-8).to(torch.bfloat16)
    values = weight.float().div_(scale.float()[:, None]).round_().clamp_(-127, 127)
    return values.to(torch.int8), scale
