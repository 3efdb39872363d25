"""Which results of a graph are written with their types: those that bring a size which only a run
knows, where something else has to name it.

    r: i64[1, found] = onnx.NonZero(x)
    v1 = nncomp.Dims([found])
    s: i64[found] = onnx.Range(i64(0), n, i64(1))

The first type gives the size its name, the last says that another one is the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from nncomp.dims import DimLike, Symbol, symbols_in
from nncomp.ir.constant import Dims
from nncomp.ir.graph import Body, Graph, Node, Value
from nncomp.types import OptionalType, SequenceType, TensorType


def typed_results(graph: Graph) -> set[Value]:
    """The results that are written with their types."""
    values = [*graph.inputs, *(p.value for p in graph.parameters)]
    known = symbols_in(d for v in values for d in v.shape)
    wanted: set[Symbol] = set()
    makers: dict[Symbol, dict[Node, list[Value]]] = {}
    for node in _nodes(graph):
        if isinstance(node.op, Dims):
            wanted |= symbols_in(node.op.dims)
        for body in node.op.bodies:
            wanted |= symbols_in(d for v in body.inputs if _is_sequence(v) for d in _sizes(v.type))
        made = symbols_in(d for v in node.outputs for d in v.shape)
        if made:
            made -= symbols_in(d for v in node.operands for d in _sizes(v.type))
        for symbol in made:
            having = [v for v in node.outputs if symbol in symbols_in(v.shape)]
            makers.setdefault(symbol, {})[node] = having
    typed: set[Value] = set()
    for symbol, by_node in makers.items():
        first, *later = by_node.values()
        if symbol in known:
            typed.update(first)
        elif later or symbol in wanted:
            typed.add(first[0])
        for values in later:
            typed.update(values)
    return typed


def _nodes(graph: Graph | Body) -> Iterator[Node]:
    for node in graph.nodes:
        yield node
        for body in node.op.bodies:
            yield from _nodes(body)


def _is_sequence(value: Value) -> bool:
    return isinstance(value.type, SequenceType)


def _sizes(type_: TensorType) -> Iterator[DimLike]:
    """The sizes that a type tells: of axes, of tensors in a sequence, of known contents."""
    if isinstance(type_, OptionalType):
        yield from _sizes(type_.content)
    elif isinstance(type_, SequenceType):
        yield from (d for d in type_.sizes or () if d is not None)
    else:
        yield from type_.shape
        yield from type_.elements or ()
