"""A graph of float32 computed in float16, where that does.

What `keeping` names stays float32, with its reason; `placing` decides on what may be either.
Weights are rounded to float16 while compiling. Inputs and outputs keep their dtype unless they are
asked for in float16 too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from nncomp.deployment.keeping import Role, role_of
from nncomp.deployment.placing import halves
from nncomp.errors import error
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.op import Data
from nncomp.ir.rebuild import remap
from nncomp.ir.verify import verify
from nncomp.ops.conversion import Cast
from nncomp.ops.products import why_in_float32
from nncomp.passes.retype import retyped_op
from nncomp.source import Span
from nncomp.types import DType

BETWEEN = "between operators that stay float32, which a cast would part"
_NARROW = {DType.F32: DType.F16}


@dataclass(frozen=True)
class Kept:
    """An operator that stays float32: in how many nodes, why, and a line that one comes from."""

    operator: str
    nodes: int
    reason: str
    span: Span | None


@dataclass(frozen=True)
class Narrowed:
    """A graph in float16.

    nodes: in float16, of all that compute with floats; casts: how many stand between
    kept: what stays float32, the most frequent first
    """

    graph: Graph
    half: int
    nodes: int
    casts: int
    kept: tuple[Kept, ...]


def narrowed(
    graph: Graph, *, ports: bool = False, seen: Mapping[Value, float] | None = None
) -> Narrowed:
    """The graph in float16.

    graph: optimised, its weights constants
    ports: whether inputs and outputs become float16, too
    seen: the largest number that values had in runs: what is near float16's end stays float32
    Raises CompileError NN0606 if no product of the graph can be float16.
    """
    found = {node: role_of(node, _largest(node, seen or {})) for node in graph.nodes}
    roles = {node: role for node, (role, _) in found.items()}
    if Role.HALF not in roles.values():
        raise error(
            "NN0606",
            why_in_float32(graph)
            or f"{graph.name} has no product in float32 that float16 could compute",
            help="convolutions and matrix products are what float16 makes faster and smaller",
        )
    half = halves(graph, roles, Role.HALF if ports else Role.FULL)
    kept = _kept(graph, found, half)
    computing = [node for node in graph.nodes if roles[node] is not Role.NONE]
    writer = _Writer(graph, half, ports)
    result = writer.graph()
    verify(result)
    return Narrowed(result, len(half), len(computing), writer.casts, kept)


def _largest(node: Node, seen: Mapping[Value, float]) -> float | None:
    return max((seen[v] for v in (*node.operands, *node.outputs) if v in seen), default=None)


def _kept(
    graph: Graph, found: Mapping[Node, tuple[Role, str]], half: set[Node]
) -> tuple[Kept, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    spans: dict[tuple[str, str], Span | None] = {}
    for node in graph.nodes:
        role, reason = found[node]
        if role is Role.NONE or node in half:
            continue
        key = node.op.name, reason or BETWEEN
        counts[key] += 1
        spans.setdefault(key, node.origin.spans[0] if node.origin.spans else None)
    return tuple(Kept(op, n, reason, spans[op, reason]) for (op, reason), n in counts.most_common())


class _Writer:
    """One rewrite. A value of the old graph has a float32 form, a float16 form, or both; each is
    made when it is first read."""

    def __init__(self, graph: Graph, half: set[Node], ports: bool) -> None:
        self.old = graph
        self.half_nodes = half
        self.ports = ports
        self.b = Builder()
        self.full: dict[Value, Value] = {}
        self.half: dict[Value, Value] = {}
        self.casts = 0

    def graph(self) -> Graph:
        inputs = tuple(self._input(value) for value in self.old.inputs)
        for node in self.old.nodes:
            with self.b.at(node.origin):
                self._node(node)
        wanted = self._half if self.ports else self._full
        outputs = {name: wanted(value) for name, value in self.old.outputs.items()}
        updates = {path: self._full(value) for path, value in self.old.updates.items()}
        nodes = tuple(self.b.nodes)
        return replace(self.old, inputs=inputs, nodes=nodes, outputs=outputs, updates=updates)

    def _input(self, value: Value) -> Value:
        if not self.ports or value.type.dtype is not DType.F32:
            return value
        self.half[value] = new = Value(replace(value.type, dtype=DType.F16), value.name)
        return new

    def _node(self, node: Node) -> None:
        if isinstance(node.op, Constant):
            return  # written where it is read
        names = tuple(value.name for value in node.outputs)
        if node in self.half_nodes:
            op = retyped_op(node.op, _NARROW)
            inputs = tuple(None if v is None else self._half(v) for v in node.inputs)
            # a size that only the run knows would be inferred as another symbol
            types = tuple(
                replace(old.type, dtype=new.dtype)
                for old, new in zip(node.outputs, self.b.infer(op, inputs), strict=True)
            )
            made = self.b.append(Node(op, inputs, types, node.origin, names)).outputs
            for old, new in zip(node.outputs, made, strict=True):
                form = self.half if new.type.dtype is DType.F16 else self.full
                form[old] = new
            return
        changed = {v: self._full(v) for v in node.operands if self._full(v) is not v}
        new_node = self.b.append(remap(node, changed))
        self.full.update(zip(node.outputs, new_node.outputs, strict=True))

    def _full(self, value: Value) -> Value:
        """The value in the dtype that it had."""
        if value not in self.full:
            if _is_constant(value):
                assert value.node is not None
                self.b.append(value.node)
                self.full[value] = value
            elif value in self.half:
                self.full[value] = self._cast(self.half[value], DType.F32)
            else:
                self.full[value] = value
        return self.full[value]

    def _half(self, value: Value) -> Value:
        if value.type.dtype is not DType.F32:
            return self._full(value)
        if value not in self.half:
            self.half[value] = (
                self._rounded(value)
                if _is_constant(value)
                else self._cast(self._full(value), DType.F16)
            )
        return self.half[value]

    def _rounded(self, value: Value) -> Value:
        """A constant in float16."""
        assert value.node is not None
        assert isinstance(value.node.op, Constant)
        data = Data(value.node.op.value.array.astype(DType.F16.numpy))
        with self.b.at(value.node.origin):
            return self.b(Constant(data), name=value.name)

    def _cast(self, value: Value, dtype: DType) -> Value:
        self.casts += 1
        return self.b(Cast(dtype), value)


def _is_constant(value: Value) -> bool:
    return value.node is not None and isinstance(value.node.op, Constant)
