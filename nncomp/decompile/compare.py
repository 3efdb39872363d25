"""Whether two graphs are the same computation, whatever their values are called."""

from __future__ import annotations

from collections.abc import Hashable

from nncomp.dims import DimLike, Symbol, substitute
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.naming import name_graph

_COMMUTATIVE = {"Add", "Mul"}


def same_computation(one: Graph, other: Graph) -> bool:
    """Whether both have the same inputs and obligations, and compute the same outputs from them and
    from parameters of the same paths by the same operators. Sums and products of two may be
    turned round. Graphs with control flow are never the same here."""
    if any(node.op.bodies for graph in (one, other) for node in graph.nodes):
        return False
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

    def _node(self, node: Node) -> None:
        inputs = [None if v is None else self.values[v] for v in node.inputs]
        if node.op.name in _COMMUTATIVE and not node.op.domain:
            inputs.sort(key=lambda n: -1 if n is None else n)
        key: Hashable
        if isinstance(node.op, Constant):
            key = ("constant", node.op.value)
        elif isinstance(node.op, Dims):
            key = ("dims", *map(self._dim, node.op.dims))
        else:
            attributes = tuple((k, str(v)) for k, v in node.op.attributes().items())
            key = (node.op.domain, type(node.op).__name__, attributes, tuple(inputs))
        for place, value in enumerate(node.outputs):
            self.values[value] = self._number((key, place))

    def _number(self, key: Hashable) -> int:
        return self.numbers.setdefault(key, len(self.numbers))

    def _dim(self, dim: DimLike) -> str:
        if isinstance(dim, int):
            return str(dim)
        renamed: dict[Symbol, DimLike] = {
            s: Symbol(self.symbols.get(s, s.name), s.minimum, s.maximum).dim for s in dim.symbols()
        }
        return str(substitute(dim, renamed))
