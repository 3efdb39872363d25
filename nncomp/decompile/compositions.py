"""Operators that together are a function of the library."""

from __future__ import annotations

from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.op import operator
from nncomp.ir.rebuild import remap
from nncomp.ops.activation import Sigmoid
from nncomp.ops.elementwise import Mul
from nncomp.ops.elementwise_math import FloatFunction


@operator
class Silu(FloatFunction):
    """x * sigmoid(x). It stands for these two while blocks are looked for."""

    domain = "std"


def composed(graph: Graph) -> Graph:
    """The graph with one node for several that are a function of the library, which is lowered to
    the same operators again. Its parameters are those of the graph."""
    gates = {node: sigmoid for node in graph.nodes if (sigmoid := _gate(graph, node)) is not None}
    gone = set(gates.values())
    values: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        if node in gone:
            continue
        if node in gates:
            (y,) = node.outputs
            x = gates[node].operands[0]
            silu = Node(Silu(), (values.get(x, x),), (y.type,), node.origin, (y.name,))
            values[y] = silu.outputs[0]
            nodes.append(silu)
        else:
            nodes.append(remap(node, values))
    return graph.replace(nodes, values)


def _gate(graph: Graph, node: Node) -> Node | None:
    """The Sigmoid of a product of x and sigmoid(x), if nothing else reads it."""
    if not isinstance(node.op, Mul):
        return None
    for x, y in (node.operands, node.operands[::-1]):
        sigmoid = y.node
        if sigmoid is not None and isinstance(sigmoid.op, Sigmoid) and graph.use_count(y) == 1:
            return sigmoid if sigmoid.operands == (x,) else None
    return None
