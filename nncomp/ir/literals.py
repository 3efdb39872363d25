"""Values as the language writes them: numbers, texts, lists, constants, exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.dims import Dim, DimLike
from nncomp.ir.op import Data
from nncomp.types import NARROW_FLOATS, NARROW_INTS, Array, DType, SequenceType, TensorType

MAX_WRITTEN = 64  # elements of a constant that is written out
MAX_INT = 2**63 - 1  # the largest integer of the language; -2**63 is written as a difference


def attribute_text(value: Any, dim: Callable[[DimLike], str] = str) -> str:
    """A static value: a number, text, dtype, type, constant, dim, or a tuple of them."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Dim):
        return dim(value)
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, DType):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Data):
        return literal(value.array)
    if isinstance(value, TensorType):
        if isinstance(value, SequenceType):
            each = value.sizes
            sizes = ["none" if s is None else _named_size(s, dim) for s in each or ()]
            return f'("sequence", {value.dtype}, {"none" if each is None else _listed(sizes)})'
        sizes = [_named_size(size, dim) for size in value.shape]
        return f"({value.dtype}, {_listed(sizes)})"
    if isinstance(value, tuple):
        return f"[{', '.join(attribute_text(item, dim) for item in value)}]"
    raise TypeError(f"an attribute of type {type(value).__name__} has no text form")


_ESCAPES = {"\n": r"\n", "\t": r"\t", "\r": r"\r"} | {c: "\\" + c for c in '"\\{}'}


def _listed(parts: list[str]) -> str:
    return f"[{', '.join(parts)}]"


def _named_size(size: DimLike, dim: Callable[[DimLike], str]) -> str:
    """A size of a type that is stated: a name in quotes is bound there if nothing else has."""
    return f'"{dim(size)}"' if isinstance(size, Dim) and size.symbol else attribute_text(size, dim)


def quoted(text: str) -> str:
    """The text as a string literal."""
    return f'"{escaped(text)}"'


def escaped(text: str) -> str:
    """The text as it stands between quotes."""
    return "".join(_ESCAPES.get(c, c) for c in text)


def _integer(value: int) -> str:
    return str(value) if value >= -MAX_INT else f"-{MAX_INT} - {-MAX_INT - value}"


def _float(value: float) -> str:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return repr(value)


def can_write(array: Array) -> bool:
    """Whether a list of numbers gives the array back: not too long, no shape lost, no odd NaN,
    no integer that the language has not."""
    if array.size > MAX_WRITTEN or (array.size == 0 and array.ndim != 1):
        return False
    dtype = DType.of(array)
    if dtype is DType.STRING:
        return True
    if dtype.is_float or dtype in NARROW_FLOATS:
        return _nans_are_plain(array)
    return not any(int(e) > MAX_INT for e in array.reshape(-1))


def _nans_are_plain(array: Array) -> bool:
    nans = array[np.isnan(array)] if array.ndim else array.reshape(1)[np.isnan(array.reshape(1))]
    return nans.tobytes() == np.full(nans.shape, np.nan, array.dtype).tobytes()


def literal(array: Array) -> str:
    """`f32([0.5, 1.0])`, `i64(3)`: a dtype applied to nested lists."""
    dtype = DType.of(array)
    if dtype is DType.STRING:
        return f"{dtype}({_texts(array.tolist())})"
    # an array of digits of the same shape, then its nested lists with the quotes taken off
    digits = np.array([number_text(e, dtype) for e in array.reshape(-1)], object).reshape(
        array.shape
    )
    return f"{dtype}({str(digits.tolist()).replace(chr(39), '')})"


def _texts(texts: Any) -> str:
    if isinstance(texts, str):
        return quoted(texts)
    return f"[{', '.join(map(_texts, texts))}]"


def number_text(element: Any, dtype: DType) -> str:
    """The shortest decimal that gives the element back when read as f64 and then rounded."""
    if dtype is DType.BOOL:
        return "true" if element else "false"
    if dtype.is_int or dtype in NARROW_INTS:
        return _integer(int(element))
    exact = _float(float(element))
    if dtype in (DType.F64, DType.BF16) or not math.isfinite(element):
        return exact
    short = str(element)
    with np.errstate(over="ignore"):
        same = dtype.numpy.type(float(short)) == element
    return short if same else exact
