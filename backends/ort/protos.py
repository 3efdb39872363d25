"""Parts of an ONNX model: tensors, types and attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from nncomp.backends.ort.schemas import ONNX_DTYPES
from nncomp.dims import DimLike
from nncomp.ir.graph import Node
from nncomp.ir.op import Data
from nncomp.source import Span
from nncomp.types import Array, DType, OptionalType, SequenceType, TensorType


def type_proto(
    type_: TensorType, named: Callable[[Sequence[DimLike]], list[int | str]]
) -> onnx.TypeProto:
    """The type as ONNX has it. named: sizes as numbers and texts"""
    number = ONNX_DTYPES[type_.dtype]
    if isinstance(type_, OptionalType):
        return helper.make_optional_type_proto(type_proto(type_.content, named))
    if isinstance(type_, SequenceType):
        known = type_.sizes and [d if isinstance(d, int) else None for d in type_.sizes]
        sizes = None if type_.sizes is None else known or ()
        return helper.make_sequence_type_proto(helper.make_tensor_type_proto(number, sizes))
    return helper.make_tensor_type_proto(number, named(type_.shape))


def tensor_proto(array: Array, name: str) -> onnx.TensorProto:
    """A constant under a name."""
    return numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)


def plain_attribute(name: str, value: Any) -> onnx.AttributeProto:
    """An attribute of an operator without a schema: its Python type says its kind."""
    if isinstance(value, Data):
        return helper.make_attribute(name, tensor_proto(value.array, ""))
    if value == ():  # of what is not told; most lists are of ints
        return helper.make_attribute(name, [], attr_type=onnx.AttributeProto.INTS)
    return helper.make_attribute(name, list(value) if isinstance(value, tuple) else value)


def attribute_proto(name: str, value: Any, kind: str) -> onnx.AttributeProto:
    """kind: as the operator's schema has it"""
    if isinstance(value, Data):
        return helper.make_attribute(name, tensor_proto(value.array, ""))
    if isinstance(value, TensorType):
        proto = type_proto(value, lambda shape: [d if isinstance(d, int) else "" for d in shape])
        return helper.make_attribute(name, proto)
    if isinstance(value, DType):
        return helper.make_attribute(name, ONNX_DTYPES[value])
    if kind == "FLOAT":
        return helper.make_attribute(name, float(value))
    if kind == "FLOATS":
        items = [float(item) for item in value]
        return helper.make_attribute(name, items, attr_type=onnx.AttributeProto.FLOATS)
    if kind == "INTS":
        items = [int(item) for item in value]
        return helper.make_attribute(name, items, attr_type=onnx.AttributeProto.INTS)
    return helper.make_attribute(name, list(value) if isinstance(value, tuple) else value)


def provenance(node: Node) -> str:
    """The `doc_string` of a node: where it comes from, and which rewrites made it.

    Files are told by their names alone, so that the same sources make the same bytes in every
    folder, and what is handed on does not tell where it was made.
    """
    lines = []
    if node.origin.spans:
        lines.append("source: " + ", ".join(_place(span) for span in node.origin.spans))
    if node.origin.history:
        lines.append("history: " + ", ".join(str(step) for step in node.origin.history))
    text = "\n".join(lines)
    return text.encode(errors="replace").decode()  # a file's name may be no UTF-8


def _place(span: Span) -> str:
    return str(span).replace("\\", "/").rpartition("/")[-1]
