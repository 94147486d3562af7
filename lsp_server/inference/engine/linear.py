"""Matrix products, with the weights in the form that a processor reads and multiplies fastest.

Each class is one form of a weight `[out, in]`, which may be given in any floating type, and called
with rows `[rows, in]` in `dtype`, which is the result's too. Few rows are bound by reading the
weights from memory, many by arithmetic; eight bits in place of 16 or 32 help both.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

FEW_ROWS = 16
"""Most rows for which weight-only int8 beat the floating-point product where it was measured."""
ROTATED = 32
"""Most inputs that are rotated together, a power of two."""
SLICE = 1 << 18
"""Weights that are quantised at once: so many stay in a processor's cache from step to step."""
CUDA_LEAST_ROWS = 32
"""Fewer rows than this are filled up: cuBLAS has no product of 16 rows or less in int8."""
INT4_GROUP = 32
"""Inputs that share a scale and a zero point in int4."""


class AnyLinear(Protocol):
    """`x @ weight.T + bias`.

    `exact_rows`: with at most so many rows, each row's result is bit for bit what it is alone.
    """

    exact_rows: int

    def __call__(self, x: Tensor) -> Tensor: ...


LinearForm = Callable[[Tensor, Tensor | None, torch.dtype], AnyLinear]


class Linear:
    """A weight as it is."""

    exact_rows = 1

    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> None:
        self.weight = weight.to(dtype)
        self.bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


class WeightOnlyInt8Linear(Linear):
    """A weight kept twice: in its own type for many rows, in int8 for few."""

    exact_rows = FEW_ROWS

    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> None:
        super().__init__(weight, bias, dtype)
        values, scales = quantise_rows(weight)
        self._values, self._scales = values, scales.to(torch.bfloat16)

    def __call__(self, x: Tensor) -> Tensor:
        if x.shape[0] > FEW_ROWS:
            return super().__call__(x)
        # only in bf16 does the kernel have a fast form
        y = torch._weight_int8pack_mm(x.to(torch.bfloat16), self._values, self._scales).to(x.dtype)
        return y if self.bias is None else y + self.bias


class Int8Linear:
    """int8 weights times int8 activations, on a CPU: one scale an output, and one a row.

    Some inputs are much larger than the others of their row and would take its whole range. So
    inputs, and weights with them, are turned by a Hadamard matrix, which spreads a large value over
    its block and leaves the product as it is (QuaRot, arXiv 2404.00456).
    """

    exact_rows = FEW_ROWS

    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> None:
        assert dtype == torch.float32
        self.bias = bias
        self._rotation = hadamard(rotation_size(weight.shape[1]))
        values, scales = quantise_rows(weight, self._rotation)
        self._largest = largest_activation()
        self._middle = torch.tensor(self._largest + 1.5)  # halves are rounded up when truncated
        self._scales = scales / self._largest
        self._zeros = torch.zeros(len(values), dtype=torch.int32)
        self._packed: Tensor = torch.ops.onednn.qlinear_prepack(values, None)

    def __call__(self, x: Tensor) -> Tensor:
        x = rotate_inputs(x, self._rotation)
        reach = largest_of_rows(x)
        steps = torch.addcmul(self._middle, x, self._largest / reach, out=x).to(torch.uint8)
        y = int8_product(steps, self._largest + 1, self._packed, self._scales, self._zeros)
        y.mul_(reach)
        return y if self.bias is None else y.add_(self.bias)


class CudaInt8Linear:
    """The same on a GPU, whose product wants signed steps, and rows and columns in full tiles.

    Not weight-only: torch's kernel for that is many times slower than memory on CUDA.
    """

    exact_rows = 1

    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> None:
        self.bias = bias
        self._rotation = hadamard(rotation_size(weight.shape[1])).to(weight.device)
        values, scales = quantise_rows(weight, self._rotation)
        self._values, self._scales = values, scales / 127

    def __call__(self, x: Tensor) -> Tensor:
        rows = x.shape[0]
        padded = F.pad(x.float(), (0, 0, 0, max(0, CUDA_LEAST_ROWS - rows)))
        padded = rotate_inputs(padded, self._rotation)
        reach = largest_of_rows(padded)
        steps = (padded * (127 / reach)).round_().to(torch.int8)
        y = torch._int_mm(steps, self._values.t())[:rows] * reach[:rows] * self._scales
        return (y if self.bias is None else y + self.bias).to(x.dtype)


class CudaInt4Linear:
    """int4 weights on a GPU of compute capability 8 or more: a scale and a zero for 32 inputs."""

    exact_rows = 1

    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> None:
        self.bias = bias
        steps, scales_and_zeros = quantise_groups(weight)
        pairs = (steps[:, ::2] << 4) | steps[:, 1::2]
        self._packed = torch._convert_weight_to_int4pack(pairs, 2)
        self._scales_and_zeros = scales_and_zeros

    def __call__(self, x: Tensor) -> Tensor:
        y = torch._weight_int4pack_mm(x, self._packed, INT4_GROUP, self._scales_and_zeros)
        return y if self.bias is None else y + self.bias


def quantise_rows(weight: Tensor, rotation: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """int8 values `[out, in]` and fp32 scales `[out]`: `values * scale` is the rotated weight."""
    values = torch.empty(weight.shape, dtype=torch.int8, device=weight.device)
    scales = torch.empty(len(weight), device=weight.device)
    step = max(1, SLICE // weight.shape[1])
    for begin in range(0, len(weight), step):
        part = slice(begin, begin + step)
        rows = weight[part].float()
        if rotation is not None:
            rows = rotate_inputs(rows, rotation)
        reach = largest_of_rows(rows)
        scales[part] = reach[:, 0] / 127
        values[part] = (rows * (127 / reach)).round_()
    return values, scales


def quantise_groups(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Steps 0 to 15 (uint8, `[out, in]`), and bf16 scales and zeros `[in / 32, out, 2]` such that
    `(steps - 8) * scale + zero` is the weight."""
    groups = weight.float().view(len(weight), -1, INT4_GROUP)
    low, high = groups.amin(dim=2, keepdim=True), groups.amax(dim=2, keepdim=True)
    scale = ((high - low) / 15).clamp_min(1e-8).to(torch.bfloat16).float()
    steps = ((groups - low) / scale).round_().clamp_(0, 15).to(torch.uint8).flatten(1)
    pairs = torch.cat([scale, low + 8 * scale], dim=2).to(torch.bfloat16)
    return steps, pairs.transpose(0, 1).contiguous()


def largest_of_rows(x: Tensor) -> Tensor:
    """The largest absolute value of each row, `[rows, 1]`, and never 0."""
    # not vector_norm, which is many times slower
    return x.abs().amax(dim=1, keepdim=True).clamp_min_(1e-12)


def rotation_size(inputs: int) -> int:
    """The largest power of two that divides the number of inputs, `ROTATED` at most."""
    return min(ROTATED, inputs & -inputs)


def hadamard(size: int) -> Tensor:
    """Sylvester's Hadamard matrix, `size` a power of two, scaled to be its own inverse."""
    matrix = torch.ones(1, 1)
    while len(matrix) < size:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    return torch.div(matrix, size**0.5)


def rotate_inputs(x: Tensor, rotation: Tensor) -> Tensor:
    """`[rows, in]`, each block of inputs turned."""
    # a product for each row: one for several of them may round otherwise
    blocks = x.reshape(len(x), -1, len(rotation))
    return torch.bmm(blocks, rotation.expand(len(x), -1, -1)).view(x.shape)


def int8_product(steps: Tensor, zero: int, packed: Tensor, scales: Tensor, zeros: Tensor) -> Tensor:
    """`(steps - zero) @ values.T * scales` in fp32, by oneDNN; `steps` are unsigned."""
    y: Tensor = torch.ops.onednn.qlinear_pointwise(
        steps, 1.0, zero, packed, scales, zeros, None, 1.0, 0, torch.float32, "none", [], ""
    )
    return y


@cache
def largest_activation() -> int:
    """127, or 63 where the processor's product of bytes overflows with more.

    x86 without VNNI adds two products in 16 bits, and cuts off what is more.
    """
    steps = torch.full((1, 64), 255, dtype=torch.uint8)
    weight = torch.full((16, 64), 127, dtype=torch.int8)
    packed = torch.ops.onednn.qlinear_prepack(weight, None)
    ones, zeros = torch.ones(16), torch.zeros(16, dtype=torch.int32)
    exact = 64 * 255 * 127
    return 127 if float(int8_product(steps, 0, packed, ones, zeros)[0, 0]) == exact else 63
