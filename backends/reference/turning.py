"""Weights of matrix products, laid out by columns.

BLAS packs both operands of a product before it multiplies. Weights that a few hundred rows meet
are packed for little work, and by columns that is quicker: a fifth of the product's time in
OpenBLAS, if the result stands by columns, too (`kernels.products`). So a plan holds such weights a
second time, in that order.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from itertools import product

import numpy as np

from nncomp.backends.reference.joining import Joined
from nncomp.backends.reference.kernels import products
from nncomp.backends.reference.kernels.windows import steps
from nncomp.backends.reference.threads import all_cores, each, shares
from nncomp.ir.graph import Node, Value
from nncomp.ops.linear import Gemm, MatMul
from nncomp.types import Array

_ROWS = 16  # known to be fewer, rows are no matrix that a product has to pack
_TILE = 128  # rows and columns that stay in cache while they change places


def turned_weights(
    nodes: Iterable[tuple[Node, tuple[Value | None, ...]]],
    constants: Mapping[Value, Array],
    results: Container[Value],
) -> dict[Value, Array]:
    """Copies by columns of the constants that are weights of products and nothing else.

    nodes: each with the values that it reads; results: values that callers get by rows
    """
    fit: dict[Value, bool] = {}
    for node, inputs in nodes:
        for place, value in enumerate(inputs):
            if value is not None and value in constants:
                good = place == 1 and _by_columns(node) and node.outputs[0] not in results
                fit[value] = fit.get(value, _worth(constants[value])) and good
    with all_cores():
        return {value: by_columns(constants[value]) for value, good in fit.items() if good}


def _by_columns(node: Node) -> bool:
    """Whether the node is a product with rows enough."""
    op = node.op.product if isinstance(node.op, Joined) else node.op
    if not isinstance(op, MatMul) and not (isinstance(op, Gemm) and not op.transB):
        return False
    rows = node.outputs[0].shape[:-1]
    known = [size for size in rows if isinstance(size, int)]
    return len(known) < len(rows) or int(np.prod(known)) >= _ROWS


def _worth(weights: Array) -> bool:
    return weights.ndim == 2 and weights.dtype.kind == "f" and weights.size >= products.LARGE


def by_columns(matrix: Array) -> Array:
    """A copy in Fortran's order, made tile by tile (NumPy itself takes five times as long)."""
    turned = np.empty(matrix.shape, matrix.dtype, order="F")
    rows, columns = matrix.shape
    tiles = list(product(steps(slice(rows), _TILE), steps(slice(columns), _TILE)))

    def some(part: slice) -> None:
        for tile in tiles[part]:
            turned[tile] = matrix[tile]

    each(some, shares(len(tiles), matrix.size))
    return turned
