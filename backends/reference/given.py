"""What a run is given: inputs and parameters that fit their types, types of operands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from nncomp.errors import did_you_mean, error
from nncomp.ir.graph import Graph, Value
from nncomp.types import Array, DType, OptionalType, SequenceType, TensorType

_FEW = 64  # numbers whose contents `evaluate` tells the shape rules


def given_inputs(graph: Graph, given: Mapping[str, Array]) -> Iterable[tuple[Value, Array]]:
    """Each input with its array, or its default. CompileError NN0503."""
    names = [value.name for value in graph.inputs]
    for name in given:
        if name not in names:
            known = ", ".join(f"`{n}`" for n in names) or "none"
            raise error(
                "NN0503",
                f"{graph.name} has no input `{name}` (it has {known})",
                help=did_you_mean(name, names),
            )
    for value in graph.inputs:
        if value.name in given:
            yield value, _checked(f"input `{value.name}`", value.type, given[value.name], "NN0503")
        elif value.name in graph.defaults:
            default = graph.defaults[value.name]
            yield value, np.asarray(default, value.type.dtype.numpy)
        else:
            raise error("NN0503", f"input `{value.name}` ({value.type}) is missing")


def given_parameters(
    graph: Graph, given: Mapping[str, Array]
) -> Iterable[tuple[str, Value, Array]]:
    """Each parameter's path and value with its array. CompileError NN0502."""
    for parameter in graph.parameters:
        path, value = parameter.path, parameter.value
        if path not in given:
            raise error(
                "NN0502",
                f"the weights lack `{path}` ({value.type})",
                help=did_you_mean(path, given),
            )
        yield path, value, _checked(f"`{path}`", value.type, given[path], "NN0502")


def _checked(what: str, type: TensorType, given: Any, code: str) -> Any:
    """The array that was given, of the right dtype; Python's numbers and lists take it on. A
    sequence is a list of arrays, an optional value may be None."""
    if isinstance(type, OptionalType):
        return given if given is None else _checked(what, type.content, given, code)
    if isinstance(type, SequenceType):
        return _checked_items(what, type, given, code)
    wanted = type.dtype.numpy
    if not isinstance(given, np.ndarray | np.generic):
        try:
            return np.asarray(given, wanted)
        except (TypeError, ValueError, OverflowError):
            raise error(code, f"{what} must be {type}, not {given!r:.60}") from None
    array = np.asarray(given)
    if type.dtype is DType.STRING:
        array = array.astype(object) if array.dtype.kind == "U" else array
        if array.dtype == object and not all(isinstance(e, str) for e in array.reshape(-1)):
            raise error(code, f"{what} holds what is no text, but is {type}")
    if array.dtype != wanted:
        raise error(
            code,
            f"{what} has dtype {array.dtype}, but is {type} ({wanted})",
            help=f'`.astype("{wanted}")` converts an array' if array.dtype.kind in "fiu" else None,
        )
    return array


def _checked_items(what: str, type: SequenceType, given: Any, code: str) -> Any:
    """The sequence that was given, as arrays."""
    if not isinstance(given, list | tuple):
        raise error(code, f"{what} must be {type}, a list of arrays, not {given!r:.60}")
    items = []
    for number, item in enumerate(given):
        array = np.asarray(item)
        array = array.astype(object) if array.dtype.kind == "U" else array
        if not type.holds(array):
            raise error(
                code, f"{what} is {type}, and element {number} is {array.dtype}{list(array.shape)}"
            )
        items.append(array)
    return items


def type_of(array: Array) -> TensorType:
    """The type of an operand; of a list the sequence, whose tensors differ in who knows what."""
    if isinstance(array, list):
        if not array:
            return SequenceType(DType.F32, empty=True)
        found = SequenceType.of(type_of(array[0]))
        for item in array:
            found = found.joined(type_of(item))
        return found
    dtype, elements, floats = DType.of(array), None, None
    if array.ndim <= 1 and array.size <= _FEW:
        if dtype.is_int:
            elements = tuple(int(e) for e in array.reshape(-1))
        elif dtype.is_float:
            floats = tuple(float(e) for e in array.reshape(-1))
    return TensorType(dtype, array.shape, elements, floats)
