"""Tensor types: dtypes, shapes, and what is known of a small integer tensor's contents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import ml_dtypes
import numpy as np

from nncomp.dims import DimLike, Symbol, product, substitute

Shape = tuple[DimLike, ...]
Array = np.ndarray[Any, Any]


class DType(Enum):
    """Element types; the value is the name in `.nn`."""

    F16 = "f16"
    BF16 = "bf16"
    F32 = "f32"
    F64 = "f64"
    I8 = "i8"
    I16 = "i16"
    I32 = "i32"
    I64 = "i64"
    U8 = "u8"
    U16 = "u16"
    U32 = "u32"
    U64 = "u64"
    BOOL = "bool"

    @property
    def is_float(self) -> bool:
        return self in FLOATS

    @property
    def is_int(self) -> bool:
        """Signed or unsigned integers; bool is none."""
        return not self.is_float and self is not DType.BOOL

    @property
    def numpy(self) -> np.dtype[Any]:
        return _NUMPY[self]

    @property
    def size(self) -> int:
        """Bytes of one element."""
        return _NUMPY[self].itemsize

    @staticmethod
    def of(array: Array) -> DType:
        """The element type of a NumPy array. KeyError if nncomp has none such."""
        return _FROM_NUMPY[array.dtype]

    def __str__(self) -> str:
        return self.value


UNSIGNED = frozenset({DType.U8, DType.U16, DType.U32, DType.U64})
FLOATS = frozenset({DType.F16, DType.BF16, DType.F32, DType.F64})

_NUMPY: dict[DType, np.dtype[Any]] = {
    DType.F16: np.dtype(np.float16),
    DType.BF16: np.dtype(ml_dtypes.bfloat16),
    DType.F32: np.dtype(np.float32),
    DType.F64: np.dtype(np.float64),
    DType.I8: np.dtype(np.int8),
    DType.I16: np.dtype(np.int16),
    DType.I32: np.dtype(np.int32),
    DType.I64: np.dtype(np.int64),
    DType.U8: np.dtype(np.uint8),
    DType.U16: np.dtype(np.uint16),
    DType.U32: np.dtype(np.uint32),
    DType.U64: np.dtype(np.uint64),
    DType.BOOL: np.dtype(np.bool_),
}
_FROM_NUMPY = {numpy: dtype for dtype, numpy in _NUMPY.items()}


@dataclass(frozen=True, slots=True)
class TensorType:
    """`dtype[shape]`.

    elements: for an integer tensor of rank 0 or 1, its contents as dims where the compiler knows
    them (shape computations); not part of the type's identity.
    floats: for a small floating constant of rank 0 or 1, its contents (scales of a Resize), in the
    same way.
    """

    dtype: DType
    shape: Shape
    elements: tuple[DimLike, ...] | None = field(default=None, compare=False)
    floats: tuple[float, ...] | None = field(default=None, compare=False)

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> DimLike:
        """Number of elements."""
        return product(self.shape)

    @property
    def is_static(self) -> bool:
        return all(isinstance(d, int) for d in self.shape)

    @property
    def static_shape(self) -> tuple[int, ...]:
        """The shape as integers; only for a static type."""
        assert self.is_static, f"{self} has symbolic dims"
        return tuple(d for d in self.shape if isinstance(d, int))

    def with_dtype(self, dtype: DType) -> TensorType:
        return TensorType(dtype, self.shape)

    def with_shape(self, shape: Shape) -> TensorType:
        return TensorType(self.dtype, shape)

    def substitute(self, values: Mapping[Symbol, DimLike]) -> TensorType:
        elements = self.elements
        if elements is not None:
            elements = tuple(substitute(d, values) for d in elements)
        shape = tuple(substitute(d, values) for d in self.shape)
        return TensorType(self.dtype, shape, elements, self.floats)

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"
