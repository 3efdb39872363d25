"""A graph in other dtypes: float64 for gradient checks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Body, Graph, Node, Value
from nncomp.ir.op import Data, Op
from nncomp.ops.conversion import Cast
from nncomp.types import DType

DTypes = Mapping[DType, DType]


def retype(graph: Graph, dtypes: DTypes) -> Graph:
    """The graph with dtypes replaced: of inputs, parameters, constants and attributes.

    Where an operator's result has a dtype of its own (the stream of random f32 numbers), a Cast
    follows it.
    """
    values: dict[Value, Value] = {}
    inputs = tuple(_retyped(v, dtypes, values) for v in graph.inputs)
    parameters = tuple(
        dataclasses.replace(p, value=_retyped(p.value, dtypes, values)) for p in graph.parameters
    )
    b = Builder()
    for node in graph.nodes:
        _rebuild(b, node, dtypes, values)
    graph = graph.replace(b.nodes, values)
    return dataclasses.replace(graph, inputs=inputs, parameters=parameters)


def _retyped(value: Value, dtypes: DTypes, values: dict[Value, Value]) -> Value:
    type_ = value.type
    new = Value(dataclasses.replace(type_, dtype=dtypes.get(type_.dtype, type_.dtype)), value.name)
    values[value] = new
    return new


def _rebuild(b: Builder, node: Node, dtypes: DTypes, values: dict[Value, Value]) -> None:
    inputs = [None if v is None else values[v] for v in node.inputs]
    names = tuple(v.name for v in node.outputs)
    with b.at(node.origin):
        outputs = b.add(retyped_op(node.op, dtypes), inputs, names).outputs
        for old, new in zip(node.outputs, outputs, strict=True):
            wanted = dtypes.get(old.type.dtype, old.type.dtype)
            values[old] = new if new.type.dtype is wanted else b(Cast(wanted), new)


def retyped_op(op: Op, dtypes: DTypes) -> Op:
    """The operator with dtypes replaced in its attributes, and in its bodies."""
    changes: dict[str, Data | DType | Graph] = {}
    for field in dataclasses.fields(op):
        attribute = getattr(op, field.name)
        if isinstance(attribute, Data) and DType.of(attribute.array) in dtypes:
            to = dtypes[DType.of(attribute.array)]
            changes[field.name] = Data(attribute.array.astype(to.numpy))
        elif isinstance(attribute, Body):
            changes[field.name] = retype(attribute, dtypes)
        elif isinstance(attribute, DType) and attribute in dtypes:
            changes[field.name] = dtypes[attribute]
    return dataclasses.replace(op, **changes) if changes else op
