"""NumPy kernels, one module for each family of operators; `KERNELS` has them all.

A kernel takes the operator and its operands as arrays (None for one left out) and gives the result,
or a tuple of them. It computes in the operands' dtype and leaves its operands as they are; a
result may be a view of an operand. What it raises for bad data (IndexError, ValueError) the
interpreter reports.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nncomp.backends.reference.kernels import (
    activation,
    conv,
    conversion,
    elementwise,
    filling,
    indexing,
    linear,
    loss,
    normalization,
    pooling,
    random,
    reduction,
    resize,
    shape,
)
from nncomp.ir.op import Op

Kernel = Callable[..., Any]

KERNELS: dict[type[Op], Kernel] = {
    **elementwise.KERNELS,
    **conversion.KERNELS,
    **activation.KERNELS,
    **reduction.KERNELS,
    **linear.KERNELS,
    **shape.KERNELS,
    **filling.KERNELS,
    **indexing.KERNELS,
    **conv.KERNELS,
    **pooling.KERNELS,
    **normalization.KERNELS,
    **resize.KERNELS,
    **random.KERNELS,
    **loss.KERNELS,
}
