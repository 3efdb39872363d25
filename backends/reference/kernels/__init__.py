"""NumPy kernels, one module for each family of operators; `KERNELS` has them all.

A kernel takes the operator and its operands as arrays (None for one left out) and gives the result,
or a tuple of them. It computes in the operands' dtype and leaves its operands as they are; a
result may be a view of an operand. What it raises for bad data (IndexError, ValueError) the
interpreter reports.

A kernel with a parameter `out` may compute its first result there: an array of that result's shape
and dtype which nobody needs any more, and which may be any one of the operands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nncomp.backends.reference.kernels import (
    activation,
    attention,
    classical,
    containers,
    conv,
    conversion,
    elementwise,
    filling,
    images,
    indexing,
    linear,
    loss,
    matrices,
    normalization,
    pooling,
    random,
    random_standard,
    reduction,
    regions,
    resize,
    selection,
    sequences,
    shape,
    signal,
    strings,
)
from nncomp.ir.op import Op

Kernel = Callable[..., Any]

# kernels of the first result alone, for when nobody reads the others
FIRST_RESULT: dict[type[Op], Kernel] = {**pooling.FIRST_RESULT, **attention.FIRST_RESULT}

KERNELS: dict[type[Op], Kernel] = {
    **elementwise.KERNELS,
    **conversion.KERNELS,
    **activation.KERNELS,
    **attention.KERNELS,
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
    **selection.KERNELS,
    **random_standard.KERNELS,
    **signal.KERNELS,
    **sequences.KERNELS,
    **regions.KERNELS,
    **matrices.KERNELS,
    **strings.KERNELS,
    **images.KERNELS,
    **classical.KERNELS,
    **containers.KERNELS,
}
