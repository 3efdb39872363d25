"""What a Scan computes of its scanned tensors alone, computed for all runs at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from nncomp.dims import equal_shapes
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Origin, Rewrite, Value
from nncomp.ir.op import Op
from nncomp.ir.rebuild import remap
from nncomp.ops import activation, elementwise, elementwise_math
from nncomp.ops.control import Scan, plain
from nncomp.ops.control_building import places
from nncomp.ops.elementwise import Mul
from nncomp.passes.base import Pass, PassContext, PassResult

_POINTWISE: frozenset[type[Op]] = frozenset(
    (
        *(elementwise.Add, elementwise.Sub, elementwise.Mul, elementwise.Div, elementwise.Neg),
        *(elementwise.Min, elementwise.Max, elementwise_math.Abs, elementwise_math.Sqrt),
        *(elementwise_math.Reciprocal, elementwise_math.Exp, elementwise_math.Log),
        *(activation.Sigmoid, activation.Tanh, activation.Relu, activation.ReluGrad),
        *(activation.LeakyRelu, activation.HardSigmoid, activation.Softplus, activation.Elu),
    )
)


@dataclass(frozen=True)
class HoistFromScans(Pass):
    """Of a Scan over X along its first axis::

    hoist: f(x) in each run = slices of f(X) computed once, for elementwise f
    regroup: (a · x) · y = a · (x · y) where x and y are slices and a is not, so that x · y is
        computed once

    A run of a loop costs much more than an element of a tensor: the gradient of an LSTM has a third
    of the nodes in its body afterwards. Results as large as what they are computed from only.
    """

    name = "hoist-from-scans"

    @property
    def rule_names(self) -> tuple[str, ...]:
        return ("hoist", "regroup")

    def run(self, graph: Graph, context: PassContext) -> PassResult:
        if not any(isinstance(node.op, Scan) for node in graph.nodes):
            return PassResult(graph)
        values: dict[Value, Value] = {}
        counts: Counter[str] = Counter()
        nodes: list[Node] = []
        for node in graph.nodes:
            new = remap(node, values)
            if isinstance(new.op, Scan):
                nodes += _Hoisting(new, new.op, counts, context).run()
                new = nodes.pop()
                values.update(zip(node.outputs, new.outputs, strict=True))
            nodes.append(new)
        return PassResult(graph.replace(nodes, values) if counts else graph, dict(counts))


class _Hoisting:
    """One Scan. A value of its body is *steady* where no state leads to it."""

    def __init__(self, node: Node, op: Scan, counts: Counter[str], context: PassContext) -> None:
        self.node = node
        self.op = op
        self.counts = counts
        self.context = context
        self.inner: dict[Node, None] = {}  # what stays in the body
        self.readers: Counter[Value] = Counter(op.body.outputs.values())
        for inner in op.body.nodes:
            self.readers.update(inner.operands)
        self.values: dict[Value, Value] = {}
        # steady values: the direction in which they are scanned
        self.steady = {
            value: direction
            for value, (axis, direction) in zip(op.elements, op.input_places, strict=True)
            if axis == 0
        }
        self.fixed = set(op.captures)  # and constants: the same in each run
        self.hoisted: list[Node] = []

    def run(self) -> list[Node]:
        """What is computed before, then the Scan; the Scan alone if nothing is hoisted."""
        for node in self.op.body.nodes:
            new = self._visit(remap(node, self.values))
            for old, value in zip(node.outputs, new.outputs, strict=True):
                if value is not old:
                    self.values[old] = value
                    self.readers[value] = self.readers[old]
        return self._rebuilt() if self.hoisted else [self.node]

    def _visit(self, node: Node) -> Node:
        if isinstance(node.op, Constant):
            self.fixed.update(node.outputs)
        elif self._hoists(node) and self.context.allows("hoist", node):
            self._hoist(node)
            self.counts["hoist"] += 1
            return node
        elif type(node.op) is Mul:
            node = self._regrouped(node)
        self.inner[node] = None
        return node

    def _hoist(self, node: Node) -> None:
        directions = {self.steady[v] for v in node.operands if v in self.steady}
        self.steady[node.outputs[0]] = directions.pop()
        self.hoisted.append(node)

    def _hoists(self, node: Node) -> bool:
        """Whether the node is elementwise on slices of one direction, of its result's shape."""
        read = [v for v in node.operands if v in self.steady]
        if type(node.op) not in _POINTWISE or not read:
            return False
        if any(v not in self.steady and v not in self.fixed for v in node.operands):
            return False
        y = node.outputs[0]
        return (
            len({self.steady[v] for v in read}) == 1
            and all(v.rank == y.rank for v in read)
            and any(equal_shapes(v.shape, y.shape) for v in read)
        )

    def _regrouped(self, node: Node) -> Node:
        """(a · x) · y as a · (x · y)."""
        for product, y in (node.operands, node.operands[::-1]):
            inside = product.node
            if y not in self.steady or inside not in self.inner or type(inside.op) is not Mul:
                continue
            if self.readers[product] > 1:
                continue
            for a, x in (inside.operands, inside.operands[::-1]):
                if self.steady.get(x) != self.steady[y] or not equal_shapes(x.shape, y.shape):
                    continue
                if not self.context.allows("regroup", inside, node):
                    continue
                origin = inside.origin.merged(
                    [node.origin], Rewrite(HoistFromScans.name, "regroup")
                )
                factor = _node(Mul(), (x, y), origin, x)
                self._hoist(factor)
                new = _node(Mul(), (a, factor.outputs[0]), origin, node.outputs[0])
                del self.inner[inside]
                self.counts["regroup"] += 1
                return new
        return node

    def _rebuilt(self) -> list[Node]:
        op, n, m = self.op, self.op.num_states, self.op.num_scan_inputs
        outside = Builder(self.node.origin)
        tensors: dict[Value, Value] = {}
        for inner, outer in zip(op.body.inputs[n:], self.node.inputs[n:], strict=True):
            assert outer is not None
            tensors[inner] = outer
        outputs = {name: self.values.get(v, v) for name, v in op.body.outputs.items()}
        slices: dict[Value, Value] = {}
        read = {v for node in self.inner for v in node.operands} | set(outputs.values())
        elements = [
            (value, tensors[value], place)
            for value, place in zip(op.elements, op.input_places, strict=True)
            if value in read
        ]
        for node in self.hoisted:
            with outside.at(node.origin.merged((), Rewrite(HoistFromScans.name, "hoist"))):
                given = [v and self._outside(outside, v, tensors) for v in node.inputs]
                y = node.outputs[0]
                tensors[y] = outside.add(node.op, given, (y.name,)).outputs[0]
            if y in read:
                element = Value(plain(y.type), f"hoisted.{len(slices)}")
                slices[y] = element
                elements.append((element, tensors[y], (0, self.steady[y])))
        if not elements:  # a Scan goes over something
            elements.append((op.elements[0], tensors[op.elements[0]], op.input_places[0]))
        inputs = [*op.states, *(value for value, _, _ in elements), *op.captures]
        body = replace(
            op.body,
            inputs=tuple(inputs),
            nodes=tuple([remap(node, slices) for node in self.inner]),
            outputs={name: slices.get(v, v) for name, v in outputs.items()},
        )
        axes, directions = places([place for _, _, place in elements])
        new = replace(
            op,
            body=body,
            num_scan_inputs=len(elements),
            scan_input_axes=axes,
            scan_input_directions=directions,
        )
        operands = (
            *self.node.inputs[:n],
            *(tensor for _, tensor, _ in elements),
            *self.node.inputs[n + m :],
        )
        origin = self.node.origin.merged((), Rewrite(HoistFromScans.name, "hoist"))
        types = tuple(v.type for v in self.node.outputs)
        names = tuple(v.name for v in self.node.outputs)
        return [*outside.nodes, Node(new, operands, types, origin, names)]

    def _outside(self, b: Builder, value: Value, tensors: dict[Value, Value]) -> Value:
        """What stands outside for a value of the body."""
        if value not in tensors:  # a constant
            assert value.node is not None
            tensors[value] = b.add(value.node.op, (), (value.name,)).outputs[0]
        return tensors[value]


def _node(op: Op, inputs: tuple[Value, ...], origin: Origin, like: Value) -> Node:
    return Node(op, inputs, (plain(like.type),), origin, (like.name,))
