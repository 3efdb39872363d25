"""The cost model: operations, bytes and parameters of each node, and of a graph.

Symbolic dims count as 1 unless sizes are given, so that a model's cost is that of one sample.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nncomp.dims import Dim, DimLike, Symbol, substitute
from nncomp.inspect.flops import Sized, flops
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, ParameterKind, Value
from nncomp.ops.control import Scan

# Results that share their operand's memory.
VIEWS = frozenset(["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "StopGradient"])
# These read their operand's type only, or as many elements as they write.
READ_NOTHING = frozenset(["Shape", "Size"])
READ_WHAT_THEY_WRITE = frozenset(["Gather", "Slice", "GatherElements", "GatherND"])


@dataclass(frozen=True)
class NodeCost:
    """Of one node, at the sizes given to `cost`.

    flops:      floating-point operations; a multiply-add is two (see `nncomp.inspect.flops`)
    read:       bytes of operands, each once
    written:    bytes of the results that are used
    parameters: learnt numbers that the operands are, or are computed from before the first run
    once:       depends on constants and parameters only, so it is computed before the first run
    """

    flops: int = 0
    read: int = 0
    written: int = 0
    parameters: int = 0
    once: bool = False


@dataclass(frozen=True)
class Cost:
    """Of a graph: each node's, and the totals of one run (without what is computed once).

    parameters counts learnt parameters only; buffers and optimiser state stand apart.
    """

    nodes: Mapping[Node, NodeCost]
    flops: int
    read: int
    written: int
    parameters: int
    buffers: int
    state: int


def cost(graph: Graph, sizes: Mapping[str, int] | None = None) -> Cost:
    """What one run of the graph costs.

    sizes: the size of symbolic dims by name; 1 for those that are not given

    A Scan costs its body once for each element, an If its dearer body, a Loop one run: how many
    there will be is not known.
    """
    measure = Measure(sizes or {})
    once = known_before_run(graph)
    kinds = {p.value: p.kind for p in graph.parameters}
    counted: dict[Node, NodeCost] = {}
    for node in graph.nodes:
        operands = dict.fromkeys(node.operands)
        if node.op.bodies:
            counted[node] = _control(node, measure, sizes or {})
            continue
        counted[node] = NodeCost(
            flops=flops(_sized(node, measure)),
            read=_bytes_read(graph, node, operands, measure),
            written=_bytes_written(graph, node, measure),
            parameters=parameters_read(node, kinds, once, measure),
            once=all(v in once for v in node.outputs),
        )
    running = [c for c in counted.values() if not c.once]
    by_kind = dict.fromkeys(("param", "buffer", "state"), 0)
    for parameter in graph.parameters:
        by_kind[parameter.kind] += measure.size(parameter.value)
    return Cost(
        nodes=counted,
        flops=sum(c.flops for c in running),
        read=sum(c.read for c in running),
        written=sum(c.written for c in running),
        parameters=by_kind["param"],
        buffers=by_kind["buffer"],
        state=by_kind["state"],
    )


def _control(node: Node, measure: Measure, sizes: Mapping[str, int]) -> NodeCost:
    bodies = [cost(body, sizes) for body in node.op.bodies]
    dearest = max(bodies, key=dearer)
    times = runs(node, measure)
    return NodeCost(times * dearest.flops, times * dearest.read, times * dearest.written)


def dearer(body: Cost) -> tuple[int, int]:
    """By what the bodies of an If are compared."""
    return body.flops, body.written


def runs(node: Node, measure: Measure) -> int:
    """How often the body of a Scan is run; 1 for a Loop or If."""
    if not isinstance(node.op, Scan):
        return 1
    scanned = node.inputs[node.op.num_states]
    assert scanned is not None
    return measure.dim(scanned.shape[node.op.input_places[0][0]])


def parameters_read(
    node: Node, kinds: Mapping[Value, ParameterKind], once: frozenset[Value], measure: Measure
) -> int:
    """Learnt numbers that the operands are, or are computed from before the first run (a
    transposed weight, one with a normalisation folded in). kinds: of the graph's parameters"""
    return sum(map(measure.size, _learnt(node, kinds, once)))


def parameters_owned(graph: Graph, nodes: Iterable[Node], measure: Measure) -> list[int]:
    """For each node the learnt numbers that it is the first to read, so that the sum over nodes
    counts those that several share once."""
    once = known_before_run(graph)
    kinds = {p.value: p.kind for p in graph.parameters}
    seen: set[Value] = set()
    found = []
    for node in nodes:
        learnt = _learnt(node, kinds, once)
        found.append(sum(measure.size(v) for v in learnt if v not in seen))
        seen.update(learnt)
    return found


def _learnt(
    node: Node, kinds: Mapping[Value, ParameterKind], once: frozenset[Value]
) -> dict[Value, None]:
    """The parameters that the weights among a node's operands are computed from; a weight itself,
    if it is from none."""
    found: dict[Value, None] = {}
    for weight in node.operands:
        if weight in kinds or is_weight(weight, once):
            found |= dict.fromkeys(_roots(weight, kinds))
    return found


def _roots(weight: Value, kinds: Mapping[Value, ParameterKind]) -> list[Value]:
    read, pending = {weight: None}, [weight]
    while pending:
        node = pending.pop().node
        fresh = [] if node is None else [v for v in node.operands if v not in read]
        read |= dict.fromkeys(fresh)
        pending += fresh
    parameters = [v for v in read if v in kinds]
    return [v for v in parameters if kinds[v] == "param"] if parameters else [weight]


def known_before_run(graph: Graph) -> frozenset[Value]:
    """The values that depend on constants and parameters only.

    A parameter that the graph updates is not among them: it changes from run to run.
    """
    known = {p.value for p in graph.parameters if p.path not in graph.updates}
    for node in graph.nodes:
        if node.operands:
            if known.issuperset(node.operands) and node.op.pure:
                known.update(node.outputs)
        elif isinstance(node.op, Constant):  # `Dims`, without operands too, waits for inputs
            known.update(node.outputs)
    return frozenset(known)


class Measure:
    """Turns symbolic dims into numbers."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        self._values: dict[Symbol, DimLike] = {}
        self._dims: dict[Dim, int] = {}
        self._shapes: dict[Value, tuple[int, ...]] = {}

    def dim(self, dim: DimLike) -> int:
        if isinstance(dim, int):
            return dim
        if dim not in self._dims:
            for symbol in dim.symbols():
                self._values.setdefault(symbol, self._sizes.get(symbol.name, symbol.minimum))
            value = substitute(dim, self._values)
            assert isinstance(value, int)
            self._dims[dim] = max(0, value)
        return self._dims[dim]

    def shape(self, value: Value) -> tuple[int, ...]:
        if value not in self._shapes:
            self._shapes[value] = tuple([self.dim(dim) for dim in value.shape])
        return self._shapes[value]

    def size(self, value: Value) -> int:
        """Elements."""
        return math.prod(self.shape(value))

    def bytes(self, value: Value) -> int:
        return self.size(value) * value.type.dtype.size


def _sized(node: Node, measure: Measure) -> Sized:
    return Sized(
        node.op,
        tuple([None if v is None else measure.shape(v) for v in node.inputs]),
        tuple([measure.shape(v) for v in node.outputs]),
    )


def is_weight(value: Value, once: frozenset[Value]) -> bool:
    """Whether it is a tensor of numbers known before the run, and no mere setting (an epsilon)."""
    return value in once and value.rank > 0 and value.type.dtype.is_float


def _bytes_read(graph: Graph, node: Node, operands: Iterable[Value], measure: Measure) -> int:
    name = node.op.name
    if name in VIEWS or name in READ_NOTHING:
        return 0
    if name in READ_WHAT_THEY_WRITE:
        rest = list(operands)[1:]
        return _bytes_written(graph, node, measure) + sum(measure.bytes(v) for v in rest)
    return sum(measure.bytes(v) for v in operands)


def _bytes_written(graph: Graph, node: Node, measure: Measure) -> int:
    if node.op.name in VIEWS or isinstance(node.op, Constant):
        return 0
    return sum(
        measure.bytes(v) for v in node.outputs if v in graph.uses or v in graph.result_values
    )
