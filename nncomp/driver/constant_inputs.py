"""Inputs of an ONNX model that get their value for good: `--set sr=16000`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nncomp.errors import did_you_mean, error
from nncomp.lower.settings import literal
from nncomp.types import Array

if TYPE_CHECKING:
    import onnx

    from nncomp.onnx_import.reading import OnnxFile


def constant_inputs(file: OnnxFile, settings: Mapping[str, Any]) -> dict[str, Array]:
    """The contents of the inputs that the settings name, in the inputs' dtypes. Raises CompileError
    NN0202 for what is no input, and for a value that does not fit it."""
    graph = file.proto.graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = {info.name: info for info in graph.input if info.name not in weights}
    for name in settings:
        if name not in inputs:
            raise error(
                "NN0202",
                f"{file.name} is an ONNX model, which has no hyperparameters, and no input "
                f"`{name}` that could be a constant",
                help=did_you_mean(name, inputs) or f"its inputs are {', '.join(inputs)}",
            )
    return {name: _contents(file, inputs[name], value) for name, value in settings.items()}


def _contents(file: OnnxFile, info: onnx.ValueInfoProto, value: Any) -> Array:
    from nncomp.onnx_import.dtypes import dtype_of

    if info.type.WhichOneof("value") != "tensor_type":
        raise error("NN0202", f"`{info.name}` of {file.name} is no tensor: it cannot be a constant")
    type_ = info.type.tensor_type
    dtype = dtype_of(type_.elem_type, f"the input `{info.name}` of {file.name}")
    sizes = [dim.dim_value or None for dim in type_.shape.dim]
    given = literal(info.name, value) if isinstance(value, str) else value
    try:
        with np.errstate(all="raise"):
            array = np.asarray(given, dtype.numpy)
        exact = np.isfinite(array) if dtype.is_float else array == np.asarray(given)
    except (ValueError, TypeError, OverflowError, FloatingPointError):
        exact = np.False_
    if not np.all(exact) or not _fits(array.shape, sizes):
        shape = ", ".join("_" if size is None else str(size) for size in sizes)
        raise error(
            "NN0202", f"`{info.name}` of {file.name} is {dtype}[{shape}], and cannot be {value}"
        )
    return array


def _fits(shape: tuple[int, ...], sizes: list[int | None]) -> bool:
    return len(shape) == len(sizes) and all(
        wanted in (None, size) for size, wanted in zip(shape, sizes, strict=True)
    )
