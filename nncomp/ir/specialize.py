"""Nodes with other dims: where a size that was a symbol of its own turns out to be another dim."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, MutableMapping
from typing import Any

from nncomp.dims import Dim, DimLike, Symbol, substitute
from nncomp.ir.graph import Body, Node, Value
from nncomp.ir.op import Op
from nncomp.types import TensorType

Dims = Mapping[Symbol, DimLike]


def with_dims(node: Node, values: MutableMapping[Value, Value], dims: Dims) -> Node:
    """The node with its operands replaced by `values`, and dims for symbols in its types, its
    attributes and its bodies; itself if nothing changes. New results are entered in `values`."""
    op = _op(node.op, dims)
    types = tuple(v.type.substitute(dims) for v in node.outputs)
    inputs = tuple(None if v is None else values.get(v, v) for v in node.inputs)
    same = op is node.op and inputs == node.inputs
    if same and not any(_changes(v.type, dims) for v in node.outputs):
        return node
    new = Node(op, inputs, types, node.origin, tuple(v.name for v in node.outputs))
    values.update(zip(node.outputs, new.outputs, strict=True))
    return new


def _op(op: Op, dims: Dims) -> Op:
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(op):
        attribute = getattr(op, field.name)
        if isinstance(attribute, Body):
            body = _body(attribute, dims)
            if body is not attribute:
                changes[field.name] = body
        elif _mentions(attribute, dims):
            changes[field.name] = tuple(substitute(d, dims) for d in attribute)
    return dataclasses.replace(op, **changes) if changes else op


def _mentions(attribute: object, dims: Dims) -> bool:
    """Whether it is a tuple of dims in which one of the symbols stands."""
    return isinstance(attribute, tuple) and any(
        isinstance(d, Dim) and not d.symbols().isdisjoint(dims) for d in attribute
    )


def _changes(type: TensorType, dims: Dims) -> bool:
    return _mentions(type.shape, dims) or _mentions(type.elements, dims)


def _body(body: Body, dims: Dims) -> Body:
    values: dict[Value, Value] = {}
    for value in body.inputs:
        if _changes(value.type, dims):
            values[value] = Value(value.type.substitute(dims), value.name)
    inputs = tuple(values.get(v, v) for v in body.inputs)
    nodes = [with_dims(node, values, dims) for node in body.nodes]
    if all(a is b for a, b in zip(nodes, body.nodes, strict=True)) and inputs == body.inputs:
        return body
    new = body.replace(nodes, values)
    assert isinstance(new, Body)
    return dataclasses.replace(new, inputs=inputs)
