"""Whether two graphs are the same computation, whatever their values are called."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from nncomp.decompile.names import dim_text
from nncomp.dims import DimLike
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Body, Graph, Node, Value
from nncomp.ir.naming import name_graph

_COMMUTATIVE = {"Add", "Mul"}


def same_computation(one: Graph, other: Graph) -> bool:
    """Whether both have the same inputs and obligations, and compute the same outputs from them and
    from parameters of the same paths by the same operators. Sums and products of two may be
    turned round."""
    numbers: dict[Hashable, int] = {}
    return _Keys(one, numbers).of_graph() == _Keys(other, numbers).of_graph()


class _Keys:
    """Numbers for values; equal ones for equal computations."""

    def __init__(self, graph: Graph, numbers: dict[Hashable, int]) -> None:
        self.graph = graph
        self.numbers = numbers
        self.values: dict[Value, int] = {}
        self.symbols = name_graph(graph).symbols

    def of_graph(self) -> Hashable:
        graph = self.graph
        for place, value in enumerate(graph.inputs):
            key = (place, value.name, value.type.dtype, *map(self._dim, value.shape))
            self.values[value] = self._number(("input", key))
        for p in graph.parameters:
            self.values[p.value] = self._number(("parameter", p.path, p.kind, str(p.value.type)))
        for node in graph.nodes:
            self._node(node)
        outputs = tuple((name, self.values[v]) for name, v in graph.outputs.items())
        paths = frozenset(p.path for p in graph.parameters)
        clauses = frozenset(
            tuple((self._dim(c.left), c.relation, self._dim(c.right)) for c in o.clause)
            for o in graph.obligations
        )
        return outputs, paths, clauses

    def _body(self, body: Body, captured: Sequence[Value | None], depth: int) -> Hashable:
        """What a body computes, from what it is given and the values of the graph around."""
        own = len(body.inputs) - body.captures
        for place, value in enumerate(body.inputs[:own]):
            self.values[value] = self._number(("given", depth, place, str(value.type.dtype)))
        for value, outer in zip(body.inputs[own:], captured, strict=True):
            assert outer is not None
            self.values[value] = self.values[outer]
        for node in body.nodes:
            self._node(node, depth)
        return tuple(self.values[value] for value in body.outputs.values())

    def _node(self, node: Node, depth: int = 0) -> None:
        bodies: list[Hashable] = []
        operands = node.inputs
        for body in node.op.bodies:
            operands = node.inputs[: len(node.inputs) - body.captures]
            bodies.append(self._body(body, node.inputs[len(operands) :], depth + 1))
        inputs = [None if v is None else self.values[v] for v in operands]
        if node.op.name in _COMMUTATIVE and not node.op.domain:
            inputs.sort(key=lambda n: -1 if n is None else n)
        key: Hashable
        if isinstance(node.op, Constant):
            key = ("constant", node.op.value)
        elif isinstance(node.op, Dims):
            key = ("dims", *map(self._dim, node.op.dims))
        else:
            attributes = tuple(
                (k, str(v)) for k, v in node.op.attributes().items() if not isinstance(v, Graph)
            )
            key = (node.op.domain, type(node.op).__name__, attributes, tuple(inputs), *bodies)
        for place, value in enumerate(node.outputs):
            self.values[value] = self._number((key, place))

    def _number(self, key: Hashable) -> int:
        return self.numbers.setdefault(key, len(self.numbers))

    def _dim(self, dim: DimLike) -> str:
        return dim_text(dim, self.symbols)
