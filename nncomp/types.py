"""Types of values: dtypes, shapes, what is known of a small integer tensor's contents; sequences
and optional values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import ml_dtypes
import numpy as np

from nncomp.dims import DimLike, Symbol, equal, product, substitute

Shape = tuple[DimLike, ...]
Array = np.ndarray[Any, Any]


class DType(Enum):
    """Element types; the value is the name in `.nn`.

    `is_special`: the narrow ones (floats of 8 bits and less, integers of less than 8) and strings.
    Only operators that say so take them (`Op.takes`): they are stored, moved and converted, and
    not computed with.
    """

    is_special: bool
    __hash__ = object.__hash__  # each is one object; that of Enum takes ten times as long

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
    F8E4M3FN = "f8e4m3fn"
    F8E4M3FNUZ = "f8e4m3fnuz"
    F8E5M2 = "f8e5m2"
    F8E5M2FNUZ = "f8e5m2fnuz"
    F8E8M0 = "f8e8m0"
    F4E2M1 = "f4e2m1"
    I4 = "i4"
    U4 = "u4"
    I2 = "i2"
    U2 = "u2"
    STRING = "string"

    @property
    def is_float(self) -> bool:
        """Floats that operators compute with; the narrow ones are none."""
        return self in FLOATS

    @property
    def is_int(self) -> bool:
        """Signed or unsigned integers of 8 bits and more; bool is none."""
        return self in INTS

    @property
    def numpy(self) -> np.dtype[Any]:
        return _NUMPY[self]

    @property
    def size(self) -> int:
        """Bytes of one element in memory; a narrow one takes a byte, a string a reference."""
        return _NUMPY[self].itemsize

    @staticmethod
    def of(array: Array) -> DType:
        """The element type of a NumPy array. KeyError if nncomp has none such."""
        if array.dtype.kind in "UT":
            return DType.STRING
        return _FROM_NUMPY[array.dtype]

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the greatest number; not of bool and string."""
        whole = self.is_int or self in NARROW_INTS
        of: Any = ml_dtypes.iinfo if whole else ml_dtypes.finfo
        found = of(self.numpy)
        return (found.min, found.max) if whole else (float(found.min), float(found.max))

    @property
    def least_normal(self) -> float:
        """The least number above 0 that has all digits; of floats."""
        of: Any = ml_dtypes.finfo
        return float(of(self.numpy).smallest_normal)

    @property
    def epsilon(self) -> float:
        """From 1 to the next larger number; of floats."""
        of: Any = ml_dtypes.finfo
        return float(of(self.numpy).eps)

    def __str__(self) -> str:
        return str(self.value)


UNSIGNED = frozenset({DType.U8, DType.U16, DType.U32, DType.U64})
INTS = UNSIGNED | {DType.I8, DType.I16, DType.I32, DType.I64}
FLOATS = frozenset({DType.F16, DType.BF16, DType.F32, DType.F64})
EIGHTS = frozenset({DType.F8E4M3FN, DType.F8E4M3FNUZ, DType.F8E5M2, DType.F8E5M2FNUZ})
"""Floats of 8 bits with a sign."""
NARROW_FLOATS = EIGHTS | {DType.F8E8M0, DType.F4E2M1}
NARROW_INTS = frozenset({DType.I4, DType.U4, DType.I2, DType.U2})
NARROW = NARROW_FLOATS | NARROW_INTS
STRINGS = frozenset({DType.STRING})
BITS = {DType.F4E2M1: 4, DType.I4: 4, DType.U4: 4, DType.I2: 2, DType.U2: 2}
"""Bits of an element of less than a byte, where elements are packed: in files."""

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
    DType.F8E4M3FN: np.dtype(ml_dtypes.float8_e4m3fn),
    DType.F8E4M3FNUZ: np.dtype(ml_dtypes.float8_e4m3fnuz),
    DType.F8E5M2: np.dtype(ml_dtypes.float8_e5m2),
    DType.F8E5M2FNUZ: np.dtype(ml_dtypes.float8_e5m2fnuz),
    DType.F8E8M0: np.dtype(ml_dtypes.float8_e8m0fnu),
    DType.F4E2M1: np.dtype(ml_dtypes.float4_e2m1fn),
    DType.I4: np.dtype(ml_dtypes.int4),
    DType.U4: np.dtype(ml_dtypes.uint4),
    DType.I2: np.dtype(ml_dtypes.int2),
    DType.U2: np.dtype(ml_dtypes.uint2),
    DType.STRING: np.dtype(np.object_),
}
for _dtype in DType:
    _dtype.is_special = _dtype in NARROW | STRINGS
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


@dataclass(frozen=True, slots=True)
class SequenceType(TensorType):
    """`sequence[f32[N, _]]`: any number of tensors of one dtype.

    What names, counts or hands on values may take it for a tensor of rank 0; what computes with
    tensors gets none, since only operators that say so (`Op.containers`) are given one.

    sizes: of each tensor, None for one that differs or is not known; None if not even the number
        of dimensions is one and known
    empty: whether it is known to have no tensor
    """

    shape: Shape = ()
    sizes: tuple[DimLike | None, ...] | None = None
    empty: bool = False

    @staticmethod
    def of(element: TensorType) -> SequenceType:
        """A sequence of such tensors."""
        return SequenceType(element.dtype, sizes=element.shape)

    def holds(self, array: Array) -> bool:
        """Whether the array can be a tensor of it, as far as its sizes are numbers."""
        sizes = array.shape if self.sizes is None else self.sizes
        return (
            array.dtype == self.dtype.numpy
            and len(sizes) == array.ndim
            and all(
                not isinstance(size, int) or size == own
                for size, own in zip(sizes, array.shape, strict=True)
            )
        )

    def joined(self, element: TensorType) -> SequenceType:
        """The sequence with such tensors, or those of a sequence, too."""
        if self.empty:
            return element if isinstance(element, SequenceType) else SequenceType.of(element)
        if isinstance(element, SequenceType) and element.empty:
            return self
        other = element.sizes if isinstance(element, SequenceType) else element.shape
        mine = self.sizes
        if mine is None or other is None or len(mine) != len(other):
            return SequenceType(self.dtype)
        pairs = zip(mine, other, strict=True)
        sizes = tuple(
            a if a is not None and b is not None and equal(a, b) else None for a, b in pairs
        )
        return SequenceType(self.dtype, sizes=sizes)

    def substitute(self, values: Mapping[Symbol, DimLike]) -> SequenceType:
        if self.sizes is None:
            return self
        sizes = tuple(None if d is None else substitute(d, values) for d in self.sizes)
        return SequenceType(self.dtype, sizes=sizes)

    def __str__(self) -> str:
        sizes = ("...",) if self.sizes is None else self.sizes
        inside = ", ".join("_" if d is None else str(d) for d in sizes)
        return f"sequence[{self.dtype}[{inside}]]"


@dataclass(frozen=True, slots=True)
class OptionalType(TensorType):
    """`optional[f32[N]]`: a tensor or a sequence, or nothing. As with sequences, only operators
    that say so are given one.

    content: what is there if anything is
    """

    shape: Shape = ()
    content: TensorType = field(kw_only=True)

    @staticmethod
    def of(content: TensorType) -> OptionalType:
        return OptionalType(content.dtype, content=content)

    def substitute(self, values: Mapping[Symbol, DimLike]) -> OptionalType:
        return OptionalType.of(self.content.substitute(values))

    def __str__(self) -> str:
        return f"optional[{self.content}]"


def is_container(t: TensorType) -> bool:
    return t.__class__ is not TensorType


def is_number(t: TensorType) -> bool:
    """Whether it is one floating number, as a loss is."""
    return not t.rank and t.dtype.is_float and not is_container(t)


def tensors_of(values: Mapping[str, Any]) -> dict[str, Array]:
    """The tensors in values by name: those of a sequence `y` are `y.0`, `y.1`, …; an optional value
    that is not there has none."""
    found: dict[str, Array] = {}
    for name, value in values.items():
        if isinstance(value, list):
            found |= {f"{name}.{number}": item for number, item in enumerate(value)}
        elif value is not None:
            found[name] = value
    return found
