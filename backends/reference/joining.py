"""Matrix products, joined with the sums and activations that follow.

What follows is done to each part of the product by the thread that made it, while it is in cache:
biases, residual branches and activations of their own would each read and write all of memory.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from nncomp.dims import equal
from nncomp.ir.graph import Node, Value
from nncomp.ir.op import Op, operator
from nncomp.ops.activation import Gelu, Relu, Sigmoid, Tanh
from nncomp.ops.elementwise import Add
from nncomp.ops.linear import Gemm, MatMul
from nncomp.types import DType, TensorType

_ACTIVATIONS = (Gelu, Relu, Sigmoid, Tanh)


@operator
class Joined(Op):
    """A product, and what its result goes through.

    A, B: the product's, with its other operands first among the others, and then one for each sum
    product: MatMul with a matrix, or Gemm
    after: Add and activations
    """

    signature = "A, B, others* -> Y"
    domain = "nncomp"
    product: Op
    after: tuple[Op, ...]


def join_products(
    nodes: Sequence[Node], same: Mapping[Value, Value], results: Container[Value]
) -> list[Node]:
    """The nodes, with products and what nobody else reads on the way joined in the last one's
    place. same: values that stand for others; results: values that callers get"""
    readers: dict[Value, list[Node]] = {}
    for node in nodes:
        for value in node.operands:
            readers.setdefault(same.get(value, value), []).append(node)
    left_out: set[Node] = set()
    joined: dict[Node, Node] = {}
    for node in nodes:
        if node in left_out or not _is_product(node):
            continue
        chain, others = [node], list(node.inputs)
        while (follower := _follower(chain[-1], readers, results)) is not None:
            read = [v for v in follower.operands if same.get(v, v) is not chain[-1].outputs[0]]
            if follower in left_out or not _fits(follower, read, node.outputs[0].type):
                break  # the sum of two products follows the first
            chain.append(follower)
            others += read
        if len(chain) > 1:
            op = Joined(node.op, tuple(n.op for n in chain[1:]))
            joined[chain[-1]] = whole = Node(op, tuple(others), (), chain[-1].origin)
            whole.outputs = chain[-1].outputs
            left_out.update(chain)
    return [joined.get(n, n) for n in nodes if n in joined or n not in left_out]


def _is_product(node: Node) -> bool:
    """Whether it is a product of rows with one matrix, computed in the result's dtype."""
    if not isinstance(node.op, MatMul | Gemm):
        return False
    a, b = node.operands[:2]
    dtype = node.outputs[0].type.dtype
    return a.rank >= 2 and b.rank == 2 and dtype in (DType.F32, DType.F64)


def _follower(
    node: Node, readers: Mapping[Value, Sequence[Node]], results: Container[Value]
) -> Node | None:
    """The only node that reads the result, if callers do not get it."""
    y = node.outputs[0]
    read = readers.get(y, ())
    return read[0] if len(read) == 1 and y not in results else None


def _fits(follower: Node, others: Sequence[Value], y: TensorType) -> bool:
    """Whether it can be done to parts of a result of that type, in place."""
    if isinstance(follower.op, _ACTIVATIONS):
        return True
    if not isinstance(follower.op, Add) or len(others) != 1:
        return False
    shape = others[0].shape
    if len(shape) == 1:
        return bool(equal(shape[0], y.shape[-1]))
    return len(shape) == y.rank and all(map(equal, shape, y.shape))
