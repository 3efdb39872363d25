"""What is known of the contents of small integer tensors: shape arithmetic while compiling."""

from __future__ import annotations

from collections.abc import Callable

from nncomp.dims import Dim, DimLike, bounds, floordiv
from nncomp.ir.constant import MAX_ELEMENTS
from nncomp.types import DType, Shape, TensorType

Elements = tuple[DimLike, ...]

_INDEX_RANGE = {DType.I32: 2**31, DType.I64: 2**63}  # other integers may wrap: not followed


def typed(dtype: DType, shape: Shape, elements: Elements | None = None) -> TensorType:
    """`dtype[shape]`, with its contents if they are few and the tensor has rank 0 or 1."""
    keep = (
        elements is not None
        and len(shape) <= 1
        and len(elements) <= MAX_ELEMENTS
        and (shape == () or shape == (len(elements),))
    )
    return TensorType(dtype, shape, elements if keep else None)


def zipped(
    function: Callable[[DimLike, DimLike], DimLike | None],
    left: TensorType,
    right: TensorType,
    shape: Shape,
) -> TensorType:
    """The type of an elementwise result, with `function` applied to the contents if both are known.

    function: gives None where the answer is not known
    """
    a, b = left.elements, right.elements
    if left.dtype not in _INDEX_RANGE or a is None or b is None or len(shape) > 1:
        return TensorType(left.dtype, shape)
    count = max(len(a), len(b)) if a and b else 0
    if len(a) == 1:
        a = a * count
    if len(b) == 1:
        b = b * count
    found: list[DimLike] = []
    for x, y in zip(a, b, strict=True):
        value = function(x, y)
        if value is None or not _fits(value, left.dtype):
            return TensorType(left.dtype, shape)
        found.append(value)
    return typed(left.dtype, shape, tuple(found))


def folded(
    function: Callable[[Elements], DimLike | None], x: TensorType, shape: Shape
) -> TensorType:
    """The type of one number made of all elements of x, `function` of its contents if these are
    known."""
    if x.dtype not in _INDEX_RANGE or not x.elements:
        return TensorType(x.dtype, shape)
    value = function(x.elements)
    if value is None or not _fits(value, x.dtype):
        return TensorType(x.dtype, shape)
    return typed(x.dtype, shape, (value,))


def converted(x: TensorType, dtype: DType) -> TensorType:
    """The type of x in another dtype, with its contents if they are the same numbers there."""
    elements = x.elements
    if not {x.dtype, dtype} <= _INDEX_RANGE.keys() or elements is None:
        return TensorType(dtype, x.shape)
    return typed(dtype, x.shape, elements if all(_fits(e, dtype) for e in elements) else None)


def _fits(value: DimLike, dtype: DType) -> bool:
    """Whether the integer dtype holds the number; what is not known is taken to be small enough."""
    limit = _INDEX_RANGE[dtype]
    return not isinstance(value, int) or -limit <= value < limit


def truncated_quotient(left: DimLike, right: DimLike) -> DimLike | None:
    """ONNX Div on integers rounds towards zero; None where that is not known to be floor."""
    if isinstance(left, int) and isinstance(right, int):
        if right == 0:
            return None
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    if is_natural(left) and (bounds(right)[0] or 0) > 0:
        return floordiv(left, right)
    return None


def is_natural(dim: DimLike) -> bool:
    """Whether the dim is known to be ≥ 0."""
    low = bounds(dim)[0]
    return low is not None and low >= 0


def ints_of(elements: Elements | None) -> tuple[int, ...] | None:
    """The contents if all of them are known integers."""
    if elements is None or any(isinstance(e, Dim) for e in elements):
        return None
    return tuple(e for e in elements if isinstance(e, int))
