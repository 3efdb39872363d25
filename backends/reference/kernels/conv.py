"""Convolution, alone and with what follows it, and its gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.backends.reference.kernels.correlate import Index, correlate
from nncomp.backends.reference.kernels.in_place import IN_PLACE
from nncomp.backends.reference.kernels.precision import widened
from nncomp.backends.reference.kernels.transposed import spread, weight_gradient
from nncomp.backends.reference.kernels.windows import ints
from nncomp.ops.conv import Conv, ConvTranspose
from nncomp.ops.conv_grad import ConvInputGrad, ConvWeightGrad
from nncomp.ops.convolution import Convolution
from nncomp.ops.fused import FusedConv
from nncomp.types import Array


def _column(bias: Array | None, x: Array) -> Array | None:
    """The bias as [M, 1…], to be added to [N, M, spatial…]."""
    return None if bias is None else bias.reshape(-1, *(1,) * (x.ndim - 2))


@widened
def conv(op: Convolution, x: Array, w: Array, bias: Array | None = None) -> Array:
    column = _column(bias, x)

    def finish(part: Array, place: Index) -> None:
        if column is not None:
            part += column[place[1]]

    return correlate(x, w, op.windows(x.shape, w.shape), op.group, finish)


@widened
def conv_transpose(op: ConvTranspose, x: Array, w: Array, bias: Array | None = None) -> Array:
    y = spread(x, w, op.transposed(x.shape, w.shape), op.group)
    column = _column(bias, x)
    return y if column is None else np.add(y, column, out=y)


@widened
def conv_input_grad(op: ConvInputGrad, dy: Array, w: Array, shape: Array) -> Array:
    return spread(dy, w, op.windows(ints(shape), w.shape), op.group)


@widened
def conv_weight_grad(op: ConvWeightGrad, x: Array, dy: Array, shape: Array) -> Array:
    return weight_gradient(x, dy, op.windows(x.shape, ints(shape)), op.group)


@widened
def fused_conv(
    op: FusedConv, x: Array, w: Array, bias: Array | None = None, z: Array | None = None
) -> Array:
    column = _column(bias, x)
    activate = IN_PLACE[op.activation] if op.activation else None

    def finish(part: Array, place: Index) -> None:
        if column is not None:
            part += column[place[1]]
        if z is not None:
            part += z[place]
        if activate is not None:
            activate(part, *op.activation_params)

    return correlate(x, w, op.windows(x.shape, w.shape), op.group, finish)


KERNELS: dict[type[Any], Callable[..., Any]] = {
    Conv: conv,
    ConvTranspose: conv_transpose,
    ConvInputGrad: conv_input_grad,
    ConvWeightGrad: conv_weight_grad,
    FusedConv: fused_conv,
}
