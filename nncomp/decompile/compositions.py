"""Operators that together are a function of the library."""

from __future__ import annotations

from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.op import Op, operator
from nncomp.ir.rebuild import remap
from nncomp.ops.activation import Sigmoid
from nncomp.ops.elementwise import Mul
from nncomp.ops.elementwise_math import FloatFunction
from nncomp.types import TensorType


@operator
class Silu(FloatFunction):
    """x * sigmoid(x). It stands for these two while blocks are looked for."""

    domain = "std"


@operator
class Square(Op):
    """x * x, likewise."""

    domain = "std"
    signature = "X -> Y"

    def infer(self, x: TensorType) -> TensorType:
        return TensorType(x.dtype, x.shape)


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
        gate = gates.get(node)
        if gate is not None or _is_square(node):
            (y,) = node.outputs
            x = node.operands[0] if gate is None else gate.operands[0]
            op = Square() if gate is None else Silu()
            function = Node(op, (values.get(x, x),), (y.type,), node.origin, (y.name,))
            values[y] = function.outputs[0]
            nodes.append(function)
        else:
            nodes.append(remap(node, values))
    return graph.replace(nodes, values)


def _is_square(node: Node) -> bool:
    """A literal may be written where it is read, and is no tensor there."""
    if not isinstance(node.op, Mul):
        return False
    x, y = node.operands
    return x is y and not (x.node is not None and isinstance(x.node.op, Constant | Dims))


def _gate(graph: Graph, node: Node) -> Node | None:
    """The Sigmoid of a product of x and sigmoid(x), if nothing else reads it."""
    if not isinstance(node.op, Mul):
        return None
    for x, y in (node.operands, node.operands[::-1]):
        sigmoid = y.node
        if sigmoid is not None and isinstance(sigmoid.op, Sigmoid) and graph.use_count(y) == 1:
            return sigmoid if sigmoid.operands == (x,) else None
    return None
