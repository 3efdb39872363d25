"""Checks of what is given to a model: names, dtypes, shapes, and dims that must be the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx

from nncomp.backends.ort.schemas import ONNX_DTYPES
from nncomp.errors import CompileError, did_you_mean, error
from nncomp.types import Array, DType, SequenceType

_DTYPES = {number: dtype for dtype, number in ONNX_DTYPES.items()}
_NUMPY = (np.ndarray, np.generic)
_MULTIPLE = re.compile(r"(\d+)\*(\w+)")


@dataclass(frozen=True, slots=True)
class InputType:
    """What an input must be; dims are sizes or texts, equal texts being equal sizes."""

    dtype: DType
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


def input_type(info: onnx.ValueInfoProto) -> InputType | SequenceType:
    """The type that a model states for an input. A dim without a name is given one of its own.
    CompileError NN0603 for other kinds than tensors and their sequences."""
    element = info.type.sequence_type.elem_type.tensor_type
    if info.type.WhichOneof("value") == "sequence_type" and element.elem_type in _DTYPES:
        dims = element.shape.dim if element.HasField("shape") else None
        own = (d.dim_value if d.HasField("dim_value") else None for d in dims or ())
        dtype = _DTYPES[element.elem_type]
        return SequenceType(dtype, sizes=None if dims is None else tuple(own))
    return tensor_type(info)


def tensor_type(info: onnx.ValueInfoProto) -> InputType:
    """The same of what can only be a tensor."""
    tensor = info.type.tensor_type
    if tensor.elem_type not in _DTYPES:
        raise error("NN0603", f"input `{info.name}` is not a tensor of a dtype known here")
    shape: list[int | str] = []
    for axis, dim in enumerate(tensor.shape.dim):
        if dim.HasField("dim_value"):
            shape.append(dim.dim_value)
        else:
            shape.append(dim.dim_param or f"{info.name}.{axis}")
    return InputType(_DTYPES[tensor.elem_type], tuple(shape))


def check_names(given: Mapping[str, Any], expected: Sequence[str]) -> None:
    """CompileError NN0503 unless exactly the expected inputs are given."""
    for name in given:
        if name not in expected:
            listed = ", ".join(f"`{e}`" for e in expected) or "none"
            raise error(
                "NN0503",
                f"the model has no input `{name}`; it has {listed}",
                help=did_you_mean(name, expected),
            )
    for name in expected:
        if name not in given:
            raise error("NN0503", f"the input `{name}` is missing")


def check_arrays(
    given: Mapping[str, Any], expected: Mapping[str, InputType | SequenceType]
) -> dict[str, Any]:
    """The inputs as contiguous arrays, those of a sequence as a list, in the expected order;
    CompileError NN0503 if one does not fit, or two disagree about a dim."""
    check_names(given, list(expected))
    sizes: dict[str, tuple[int, str]] = {}
    return {
        name: _items(name, given[name], type_)
        if isinstance(type_, SequenceType)
        else _fitting(name, given[name], type_, sizes)
        for name, type_ in expected.items()
    }


def _items(name: str, value: Any, type_: SequenceType) -> list[Array]:
    if not isinstance(value, list | tuple):
        message = f"input `{name}` must be {type_}, a list of arrays, not {value!r:.60}"
        raise error("NN0503", message)
    found = []
    for number, item in enumerate(value):
        array = np.asarray(item)
        if not type_.holds(array):
            raise error(
                "NN0503",
                f"input `{name}` is {type_}, and element {number} is {_shown(array)}",
            )
        found.append(np.ascontiguousarray(array) if array.ndim else array)
    return found


def _fitting(name: str, value: Any, type_: InputType, sizes: dict[str, tuple[int, str]]) -> Array:
    if not isinstance(value, _NUMPY):
        try:
            value = np.asarray(value, type_.dtype.numpy)
        except (TypeError, ValueError, OverflowError):
            raise error("NN0503", f"input `{name}` must be {type_}, not {value!r:.60}") from None
    array: Array = np.asarray(value)
    if array.dtype != type_.dtype.numpy or array.ndim != len(type_.shape):
        raise _misfit(name, array, type_)
    for axis, (size, dim) in enumerate(zip(array.shape, type_.shape, strict=True)):
        if isinstance(dim, int):
            if size != dim:
                raise _misfit(name, array, type_, f"axis {axis} must be {dim}, not {size}")
            continue
        factor = _factor(dim)
        if size % factor:
            raise _misfit(name, array, type_, f"{size} is not a multiple of {factor}")
        first, owner = sizes.setdefault(dim, (size, name))
        if size != first:
            raise _misfit(name, array, type_, f"{dim} is {first} in `{owner}` and {size} here")
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)


@cache
def _factor(dim: str) -> int:
    """8 for `8*h`: what a size must be a multiple of."""
    multiple = _MULTIPLE.fullmatch(dim)
    return int(multiple[1]) if multiple else 1


def _misfit(name: str, array: Array, type_: InputType, reason: str = "") -> CompileError:
    tail = f": {reason}" if reason else ""
    wanted = type_.dtype.numpy
    number = array.dtype != wanted and array.dtype.kind in "fiu"
    return error(
        "NN0503",
        f"input `{name}` must be {type_}, not {_shown(array)}{tail}",
        help=f'`.astype("{wanted}")` converts an array' if number else None,
    )


def _shown(array: Array) -> str:
    try:
        dtype = str(DType.of(array))
    except KeyError:
        dtype = str(array.dtype)
    return f"{dtype}[{', '.join(map(str, array.shape))}]"
