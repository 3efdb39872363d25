"""A large constant that is another one transposed becomes a Transpose of it.

Folding turns `x @ transpose(weight)` into a product with a constant of its own, which is fastest.
Where the weight is read as it is too, an embedding that is the last layer once more, the file would
hold it twice. onnxruntime transposes it when it loads the model.
"""

from __future__ import annotations

import numpy as np

from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Rewrite, Value
from nncomp.ir.rebuild import remap
from nncomp.ops.shape import Transpose
from nncomp.types import Array

MIN_BYTES = 1 << 20
"""Smaller constants stay as they are."""


def share_transposed(graph: Graph) -> Graph:
    """The graph with each large matrix stored once, in the orientation that comes first."""
    twins = _twins(graph)
    if not twins:
        return graph
    b = Builder()
    values: dict[Value, Value] = {}
    for node in graph.nodes:
        if node not in twins:
            b.append(remap(node, values))
            continue
        with b.at(node.origin.merged((), Rewrite("legalize", "share-transposed"))):
            original = twins[node].outputs[0]
            values[node.outputs[0]] = b(Transpose(perm=(1, 0)), values.get(original, original))
    return graph.replace(b.nodes, values)


def _twins(graph: Graph) -> dict[Node, Node]:
    """The constant that each of the others is the transpose of."""
    found: dict[Node, Node] = {}
    by_shape: dict[tuple[int, ...], list[Node]] = {}
    for node in graph.nodes:
        array = _matrix(node)
        if array is None:
            continue
        others = by_shape.get(array.shape[::-1], [])
        twin = next((n for n in others if _is_transposed(array, _matrix(n))), None)
        if twin is None:
            by_shape.setdefault(array.shape, []).append(node)
        else:
            found[node] = twin
    return found


def _matrix(node: Node) -> Array | None:
    if not isinstance(node.op, Constant):
        return None
    array = node.op.value.array
    return array if array.ndim == 2 and array.nbytes >= MIN_BYTES else None


def _is_transposed(one: Array, other: Array | None) -> bool:
    """One row tells most apart."""
    if other is None or one.dtype != other.dtype or not np.array_equal(one[0], other[:, 0]):
        return False
    return np.array_equal(one, other.T)
