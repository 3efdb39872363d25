"""Attributes of a node: from protobuf to Python, and to the fields of an operator."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from nncomp.errors import CompileError, error
from nncomp.ir.op import Data, Op
from nncomp.onnx_import.dtypes import dtype_of
from nncomp.onnx_import.external import Folder
from nncomp.onnx_import.tensors import to_array
from nncomp.source import Span

_A = onnx.AttributeProto
_GUESSES = (  # files of before IR version 2 do not say an attribute's type
    ("s", _A.STRING),
    ("f", _A.FLOAT),
    ("i", _A.INT),
    ("t", _A.TENSOR),
    ("g", _A.GRAPH),
)
_LISTS = (("floats", _A.FLOATS), ("ints", _A.INTS), ("strings", _A.STRINGS))


def read_attributes(
    node: onnx.NodeProto, given: Mapping[str, onnx.AttributeProto], span: Span | None
) -> dict[str, Any]:
    """The attributes by name: int, float, str, tuples of these, and protos of tensors and graphs.

    given: what a call of the function gives for its attributes
    """
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        proto = attribute
        if attribute.ref_attr_name:
            if attribute.ref_attr_name not in given:
                continue
            proto = given[attribute.ref_attr_name]
        if attribute.name in found:
            raise error("NN0805", f"the attribute `{attribute.name}` is given twice", span)
        found[attribute.name] = python_value(proto, span)
    return found


def python_value(attribute: onnx.AttributeProto, span: Span | None) -> Any:
    """What the attribute holds. CompileError NN0801, NN0804."""
    kind = attribute.type or _guess(attribute)
    if kind == _A.FLOAT:
        return shortest(attribute.f)
    if kind == _A.INT:
        return attribute.i
    if kind == _A.STRING:
        return _text(attribute.s, attribute.name, span)
    if kind == _A.FLOATS:
        return tuple(shortest(f) for f in attribute.floats)
    if kind == _A.INTS:
        return tuple(attribute.ints)
    if kind == _A.STRINGS:
        return tuple(_text(s, attribute.name, span) for s in attribute.strings)
    if kind == _A.TENSOR:
        return attribute.t
    if kind == _A.SPARSE_TENSOR:
        return attribute.sparse_tensor
    if kind == _A.GRAPH:
        return attribute.g
    if kind == _A.TYPE_PROTO:
        return attribute.tp
    names = {number: name for name, number in _A.AttributeType.items()}
    kind_name = names.get(kind, f"number {kind}").lower()
    raise error("NN0804", f"the attribute `{attribute.name}` is of the kind {kind_name}", span)


def _guess(attribute: onnx.AttributeProto) -> int:
    for field, kind in _GUESSES:
        if attribute.HasField(field):
            return kind
    return next((kind for field, kind in _LISTS if getattr(attribute, field)), _A.INTS)


def shortest(number: float) -> float:
    """A float of 32 bits as the shortest decimal that gives it back: 0.01, not 0.00999999977…"""
    return float(str(np.float32(number)))


def _text(data: bytes, name: str, span: Span | None) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise error("NN0801", f"the attribute `{name}` is not UTF-8 text", span) from None


def make_op(cls: type[Op], attributes: Mapping[str, Any], folder: Folder, span: Span | None) -> Op:
    """The operator with these attributes. Raises CompileError: NN0805 for one that is missing or
    of another type, NN0804 for one that our operator lacks, NN0208."""
    fields = {f.name: f for f in dataclasses.fields(cls)}
    values = {}
    for name, value in attributes.items():
        if name not in fields:
            raise error("NN0804", f"{cls.__name__} has no attribute `{name}` here", span)
        if isinstance(value, onnx.GraphProto):
            raise error("NN0804", f"{cls.__name__} takes no graph as `{name}`", span)
        values[name] = _field_value(cls, fields[name], value, folder, span)
    for field in fields.values():
        if field.name not in values and field.default is dataclasses.MISSING:
            raise error("NN0805", f"{cls.__name__} lacks its attribute `{field.name}`", span)
    try:
        return cls(**values)
    except (ValueError, TypeError) as failure:
        raise error("NN0208", f"{cls.__name__}: {failure}", span) from None


# What the annotation of a field admits. Others admit anything that can be compared.
_ADMITS: dict[str, tuple[type, type | None]] = {
    "int": (int, None),
    "float": (float, None),
    "str": (str, None),
    "Ints": (tuple, int),
    "Floats": (tuple, float),
    "Strings": (tuple, str),
    "Axes": (tuple, int),
    "tuple[int, ...]": (tuple, int),
    "tuple[float, ...]": (tuple, float),
    "tuple[str, ...]": (tuple, str),
}


def _field_value(
    cls: type[Op], field: dataclasses.Field[Any], value: Any, folder: Folder, span: Span | None
) -> Any:
    what = f"`{field.name}` of {cls.__name__}"
    annotation = str(field.type).removesuffix(" | None")
    if annotation == "DType" and isinstance(value, int):
        return dtype_of(value, what, span)
    if annotation == "Data" and isinstance(value, onnx.TensorProto):
        return Data(to_array(value, folder, span))
    kind, item = _ADMITS.get(annotation, (object, None))
    if kind is float and isinstance(value, int):
        value = float(value)
    if item is float and isinstance(value, tuple) and all(isinstance(v, int) for v in value):
        value = tuple(map(float, value))
    fits = isinstance(value, kind) and not isinstance(value, onnx.TensorProto)
    if fits and item is not None:
        fits = all(isinstance(v, item) for v in value)
    if annotation in ("DType", "Data") or not fits:
        raise error("NN0805", f"{what} has a value of another type: {_shown(value)}", span)
    return value


def _shown(value: Any) -> str:
    return f"{value!r:.60}" if isinstance(value, int | float | str | tuple) else "a tensor"


_defaults: dict[tuple[str, int], Mapping[str, Any]] = {}


def changed_defaults(cls: type[Op], opset: int) -> Mapping[str, Any]:
    """Defaults of an older form of the operator that are no longer its defaults."""
    key = (cls.__name__, opset)
    if key not in _defaults:
        _defaults[key] = _changed_defaults(cls, opset)
    return _defaults[key]


def _changed_defaults(cls: type[Op], opset: int) -> Mapping[str, Any]:
    try:
        schema = onnx.defs.get_schema(cls.__name__, opset, "")
    except onnx.defs.SchemaError:
        return {}
    fields = {f.name: f.default for f in dataclasses.fields(cls)}
    found = {}
    for attribute in schema.attributes.values():
        if attribute.default_value.type == _A.UNDEFINED or attribute.name not in fields:
            continue
        try:
            value = python_value(attribute.default_value, None)
        except CompileError:
            continue
        if not _same(value, fields[attribute.name]):
            found[attribute.name] = value
    return found


def _same(value: Any, default: Any) -> bool:
    """Whether a default of the schema is ours; ours may have more digits than 32 bits hold."""
    if isinstance(value, float) and isinstance(default, int | float):
        return bool(np.float32(value) == np.float32(default))
    return bool(value == default)
