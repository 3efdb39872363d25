"""All operators, by name. One module for each family; each ends with its `OPS`."""

from __future__ import annotations

from nncomp.ir.constant import Constant, Dims
from nncomp.ir.op import Op
from nncomp.ops import (
    activation,
    comparison,
    control,
    conv,
    conv_grad,
    conversion,
    deform_conv,
    einsum,
    elementwise,
    elementwise_math,
    filling,
    fused,
    grad,
    grid_sample,
    indexing,
    indexing_nd,
    linear,
    loss,
    matrices,
    normalization,
    pooling,
    random,
    recurrent,
    reduction,
    regions,
    resize,
    sequences,
    shape,
    shape_joining,
    shape_slicing,
    trigonometry,
)

_FAMILIES = (
    elementwise,
    elementwise_math,
    trigonometry,
    activation,
    comparison,
    conversion,
    reduction,
    linear,
    einsum,
    shape,
    shape_joining,
    shape_slicing,
    indexing,
    indexing_nd,
    filling,
    conv,
    conv_grad,
    fused,
    pooling,
    normalization,
    resize,
    random,
    deform_conv,
    grid_sample,
    matrices,
    regions,
    sequences,
    recurrent,
    loss,
    grad,
    control,
)

REGISTRY: dict[str, type[Op]] = {
    op.__name__: op for ops in ((Constant, Dims), *(f.OPS for f in _FAMILIES)) for op in ops
}
