"""If, Loop and Scan: their subgraphs, which read the graph around them, become closed bodies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import onnx

from nncomp.dims import Dim, Symbol, equal
from nncomp.errors import error
from nncomp.ir.builder import Builder
from nncomp.ir.closure import close, with_captures
from nncomp.ir.graph import Body, Value
from nncomp.ir.naming import identifier
from nncomp.onnx_import import initializers
from nncomp.onnx_import.containers import whole, wholes
from nncomp.onnx_import.operation import Operation
from nncomp.onnx_import.scope import Item, Scope, stated_types
from nncomp.ops.control import If, Loop, Scan, joined, plain
from nncomp.ops.rules import normalize_axis
from nncomp.source import Span
from nncomp.types import DType, OptionalType, SequenceType, TensorType, is_container

MAX_DEPTH = 32  # of subgraphs in one another


class _Subgraph:
    """A subgraph that was read: its nodes are in the builder of its scope."""

    def __init__(
        self,
        operation: Operation,
        graph: onnx.GraphProto,
        given: Sequence[TensorType | Value],
        b: Builder | None = None,
    ) -> None:
        """given: types of its inputs, or what these are; b: where its nodes go, if not into a
        builder of their own"""
        importer, around = operation.importer, operation.scope
        if len(importer.scopes) > MAX_DEPTH:
            raise operation.refuse("NN0003", f"subgraphs are nested more than {MAX_DEPTH} deep")
        if len(given) != len(graph.input):
            text = f"the subgraph takes {len(graph.input)} values, not {len(given)}"
            raise operation.refuse("NN0805", text)
        self.newest = Symbol("_").serial
        names = [info.name for info in graph.input]
        self.inputs = [
            g if isinstance(g, Value) else Value(g, name)
            for g, name in zip(given, names, strict=True)
        ]
        self.scope = Scope(
            b or Builder(around.b.origin),
            around.opsets,
            around,
            dict(zip(names, self.inputs, strict=True)),
            given=around.given,
            path=around.path,
            inputs=self.inputs,
            stated=stated_types(graph),
        )
        initializers.wait(importer, self.scope, graph)
        importer.scopes.append(self.scope)
        importer.nodes(self.scope, graph.node)
        self.outputs = [importer.value(self.scope, info) for info in graph.output]
        importer.scopes.pop()

    def closed(
        self, name: str, results: Mapping[str, Value], outer: Builder | None, own: Iterable[Symbol]
    ) -> tuple[Body, tuple[Value, ...]]:
        """A body and what it captures. own: symbols of its own among those of its inputs"""
        made = {
            symbol
            for node in self.scope.b.nodes
            for value in node.outputs
            for dim in value.shape
            if isinstance(dim, Dim)
            for symbol in dim.symbols()
            if symbol.serial > self.newest
        }
        nodes = self.scope.b.nodes
        return close(name, self.inputs, nodes, results, outer=outer, local=frozenset({*made, *own}))


def inlined(operation: Operation, graph: onnx.GraphProto, values: Sequence[Value]) -> list[Value]:
    """The results of a subgraph that is given these values, its nodes in the graph around."""
    return _Subgraph(operation, graph, values, operation.scope.b).outputs


def read_if(operation: Operation) -> Sequence[Item]:
    """The results of an If. Where it is known which branch is taken, those of the branch; what a
    branch needs of sizes may tell (torch's `squeeze` of an axis, if it is 1)."""
    graphs = [operation.graph(name) for name in ("then_branch", "else_branch")]
    values, contents = wholes(operation), operation.importer.contents
    if len(values) != 1 or values[0] is None:
        raise operation.refuse("NN0702", "If takes one operand, its condition")
    branches: list[_Subgraph] = []
    answer = contents.truth(values[0])
    if answer is None:
        branches = _branches(operation, values[0], graphs)
        answer = contents.truth(values[0])
    if answer is not None:
        return inlined(operation, graphs[0] if answer else graphs[1], ())
    closed = [
        branch.closed("cond", {f"yield.{n}": v for n, v in enumerate(branch.outputs)}, None, ())
        for branch in branches
    ]
    captured = tuple(dict.fromkeys(v for _, found in closed for v in found))
    bodies = [with_captures(body, found, captured) for body, found in closed]
    return operation.become(If(*bodies), [values[0], *captured])


def _branches(
    operation: Operation, condition: Value, graphs: Iterable[onnx.GraphProto]
) -> list[_Subgraph]:
    """Both branches. What the one needs of sizes concerns the other, too; where the condition is
    not about sizes, each has bounds of its own, of which none can be taken to hold."""
    found: list[_Subgraph] = []
    importer = operation.importer
    chosen_by_data = not importer.contents.is_of_sizes(condition)
    importer.conditional += chosen_by_data
    for graph in graphs:
        found.append(_Subgraph(operation, graph, ()))
        importer.scopes.append(found[-1].scope)
    del importer.scopes[-len(found) :]
    importer.conditional -= chosen_by_data
    return found


def read_loop(operation: Operation) -> Sequence[Item]:
    """The results of a Loop. Sizes of its states that change from run to run become symbols."""
    graph, values = operation.graph("body"), wholes(operation)
    limit, first = [*values, None, None][:2]
    states = values[2:]
    carried = [value for value in states if value is not None]
    if len(carried) < len(states):
        raise operation.refuse("NN0702", "Loop lacks the first value of a state")
    types = [plain(value.type) for value in carried]
    heads = [
        _stated(operation, graph, index, dtype)
        for index, dtype in enumerate((DType.I64, DType.BOOL))
    ]
    free: set[Symbol] = set()
    for _ in range(2 + sum(t.rank for t in types)):
        body = _Subgraph(operation, graph, [*heads, *types])
        if len(body.outputs) <= len(types):
            text = f"the body of Loop gives {len(body.outputs)} results"
            raise operation.refuse("NN0805", text)
        for number, inner in enumerate(body.inputs[2:], start=1):  # optional before, there after
            if isinstance(inner.type, OptionalType):
                after = body.outputs[number]
                body.outputs[number] = whole(operation.importer, body.scope, after, inner.type)
        types = [
            _kept(inner, after.type, free, operation.span, body.newest)
            for inner, after in zip(body.inputs[2:], body.outputs[1:], strict=False)
        ]
        if all(t is inner.type for t, inner in zip(types, body.inputs[2:], strict=True)):
            break
    else:
        raise operation.refuse("NN0206", "the sizes of the states of this Loop are not known")
    n = len(types)
    results = {"condition": body.outputs[0]}
    results |= {f"next.{i}": v for i, v in enumerate(body.outputs[1 : 1 + n])}
    results |= {f"yield.{i}": v for i, v in enumerate(body.outputs[1 + n :])}
    closed, captured = body.closed("loop", results, operation.scope.b, free)
    return operation.become(Loop(closed), [limit, first, *carried, *captured])


def _stated(operation: Operation, graph: onnx.GraphProto, index: int, dtype: DType) -> TensorType:
    """The type of a loop's counter or condition: rank 0, or a vector of one where that is said."""
    stated = None
    if index < len(graph.input):
        stated = operation.importer.signatures.stated(graph.input[index])
    return TensorType(dtype, (1,) if stated is not None and stated.rank == 1 else ())


def _kept(
    state: Value, after: TensorType, free: set[Symbol], span: Span | None, newest: int
) -> TensorType:
    """The type of a state, with a free symbol for each size that a run does not keep.

    newest: the last symbol from before the body was read
    """
    type_, name = state.type, state.name
    container = joined(type_, after)
    if container is not None:
        return type_ if container == type_ else _without(container, newest)
    if is_container(type_) or is_container(after):
        raise error("NN0205", f"the state `{name}` is {type_}, and {after} after a run", span)
    if type_.dtype is not after.dtype or type_.rank != after.rank:
        raise error("NN0205", f"the state `{name}` is {type_}, and {after} after a run", span)
    shape = list(type_.shape)
    for axis, (before, size) in enumerate(zip(type_.shape, after.shape, strict=True)):
        if isinstance(before, Dim) and before.symbol in free:
            continue
        if not equal(before, size):
            symbol = Symbol(f"{identifier(name)}_{axis}", 0)
            free.add(symbol)
            shape[axis] = symbol.dim
    return type_ if tuple(shape) == type_.shape else plain(type_.with_shape(tuple(shape)))


def _without(container: TensorType, newest: int) -> TensorType:
    """The type without sizes that only the body knows."""
    if isinstance(container, OptionalType):
        return OptionalType.of(_without(container.content, newest))
    if not isinstance(container, SequenceType) or container.sizes is None:
        return container
    own = {
        size
        for size in container.sizes
        if isinstance(size, Dim) and any(s.serial > newest for s in size.symbols())
    }
    sizes = tuple(None if size in own else size for size in container.sizes)
    return SequenceType(container.dtype, sizes=sizes)


def read_scan(operation: Operation) -> Sequence[Item]:
    """The results of a Scan."""
    if operation.scope.opsets.get("", 1) < 9:
        return _read_batches(operation)
    graph, values = operation.graph("body"), wholes(operation)
    attributes, span = operation.attributes, operation.span
    count = attributes.get("num_scan_inputs")
    operands = [value for value in values if value is not None]
    if not isinstance(count, int) or not 1 <= count <= len(operands) == len(values):
        raise error("NN0805", f"Scan has {len(values)} operands, {count} of them scanned", span)
    axes = attributes.get("scan_input_axes") or (0,) * count
    if not isinstance(axes, tuple) or len(axes) != count:
        raise error("NN0208", f"Scan has the axes {axes} for {count} scanned tensors", span)
    n = len(operands) - count
    types = [plain(v.type) for v in operands[:n]]
    for value, axis in zip(operands[n:], axes, strict=True):
        place = normalize_axis(axis, value.rank) if -value.rank <= axis < value.rank else None
        if place is None:
            raise error("NN0210", f"axis {axis} is out of range for {value.type}", span)
        types.append(value.type.with_shape(value.shape[:place] + value.shape[place + 1 :]))
    body = _Subgraph(operation, graph, types)
    results = {f"next.{i}" if i < n else f"yield.{i - n}": v for i, v in enumerate(body.outputs)}
    closed, captured = body.closed("scan", results, operation.scope.b, ())
    places: dict[str, Any] = {
        name: value
        for name, value in attributes.items()
        if name.startswith("scan_") and isinstance(value, tuple) and any(value)
    }
    op = Scan(closed, count)
    unknown = places.keys() - {f.name for f in op.__dataclass_fields__.values()}
    if unknown:
        raise error("NN0805", f"Scan has no attribute `{min(unknown)}`", span)
    return operation.become(replace(op, **places), [*operands, *captured])


def _read_batches(operation: Operation) -> Sequence[Item]:
    """A Scan of opset 8, whose tensors have a batch in front: a Scan for each of it, in one."""
    graph, values, scope = operation.graph("body"), operation.operands, operation.scope
    count = operation.attributes.get("num_scan_inputs")
    if not values or not isinstance(count, int):
        text = f"Scan has {len(values)} operands, {count} of them scanned"
        raise operation.refuse("NN0805", text)
    if values[0] is not None:
        text = "Scan of opset 8 with lengths of its own has no present form"
        raise operation.refuse("NN0804", text)
    mark = f"nncomp/batch.{operation.importer.count}"
    names = [f"{mark}.{k}" for k in range(len(values) - 1)]
    results = [f"{mark}.y.{k}" for k in range(len(graph.output))]
    inner = onnx.helper.make_node("Scan", names, results, body=graph, num_scan_inputs=count)
    directions = operation.attributes.get("directions")
    if isinstance(directions, tuple) and directions:
        inner.attribute.append(onnx.helper.make_attribute("scan_input_directions", directions))
    around = onnx.helper.make_graph([inner], "batch", [], [])
    around.input.extend(onnx.ValueInfoProto(name=name) for name in names)
    around.output.extend(onnx.ValueInfoProto(name=name) for name in results)
    opsets, scope.opsets = scope.opsets, {**scope.opsets, "": 9}
    try:
        attributes = {"body": around, "num_scan_inputs": len(names)}
        return read_scan(replace(operation, attributes=attributes, operands=values[1:]))
    finally:
        scope.opsets = opsets


READERS: dict[str, Callable[[Operation], Sequence[Item]]] = {
    "If": read_if,
    "Loop": read_loop,
    "Scan": read_scan,
}
