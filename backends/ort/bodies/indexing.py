"""Bodies of gathering's gradient and of scattering.

onnxruntime 1.31 adds repeated indices up in two operators: ScatterND, whose threads race (sums are
wrong without a word), and ScatterElements, which takes 7 to 140 ns for each element. So rows of a
GatherGrad are added up by matrix products with equality of their indices, as far as these go.
"""

from __future__ import annotations

import numpy as np

from nncomp.backends.ort.bodies.body import Body, Target, operand
from nncomp.dims import DimLike, floordiv, product
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.comparison import Equal, Not
from nncomp.ops.conversion import Cast
from nncomp.ops.elementwise import Add, Mod, Mul, Sub
from nncomp.ops.filling import Range
from nncomp.ops.forms import full, reshape, transpose, window
from nncomp.ops.indexing import Gather, GatherGrad, ScatterElements, TopK
from nncomp.ops.indexing_nd import ScatterND, flat_places
from nncomp.ops.linear import MatMul
from nncomp.ops.shape import Expand, Squeeze, Unsqueeze
from nncomp.ops.shape_joining import Concat
from nncomp.ops.shape_slicing import Pad
from nncomp.types import DType

_TYPICAL = 4096  # rows, where their number is symbolic
_AT_ONCE = 512  # rows whose indices are all compared with each other
_LEVELS = 2  # of blocks, where the number of rows is symbolic

# nanoseconds on two cores, from benchmarks/gradients.py
_SCATTERED = 12.0  # an element of ScatterElements
_SCATTERED_FAR = 60.0  # where there are more than
_NEAR = 500_000
_SORTED = 250.0  # an index, with the nodes around
_MOVED = 1.5  # an element of a row gathered, summed in its block, scattered
_COMPARED = 1.0  # two indices, with the cast
_MULTIPLIED = 0.02  # two numbers in a matrix product
_NODES = 70_000.0  # what the nodes of the sorted form cost without any rows


def _count(node: Node) -> int:
    """The number of indices."""
    count = product(operand(node, 1).shape)
    return count if isinstance(count, int) else _TYPICAL


def _row(node: Node) -> int:
    """The number of elements of a row; of symbolic sizes, a guess."""
    shape = node.outputs[0].shape
    axis = _axis(node)
    sizes = [size if isinstance(size, int) else 64 for size in shape]
    return int(np.prod(sizes[:axis] + sizes[axis + 1 :], dtype=np.int64))


def _axis(node: Node) -> int:
    assert isinstance(node.op, GatherGrad)
    return node.op.axis % node.outputs[0].rank


def _scatter_cost(node: Node, target: Target) -> float:
    if target.provider == "cuda":
        return 0.0  # atomic additions, all at once
    elements = _count(node) * _row(node)
    return elements * (_SCATTERED if elements <= _NEAR else _SCATTERED_FAR)


def _scatter(b: Builder, node: Node) -> Value:
    result = node.op.decompose(b, *node.inputs)
    assert isinstance(result, Value)
    return result


def _products_refuse(node: Node, target: Target) -> str | None:
    if operand(node, 0).type.dtype not in (DType.F32, DType.F64):
        return "onnxruntime multiplies matrices of f32 and f64 fast"
    return None


# --- few places: one product with the equality of each place and each index -------------------


def _one_hot_refuses(node: Node, target: Target) -> str | None:
    if not isinstance(node.outputs[0].shape[_axis(node)], int):
        return "the number of places is symbolic"
    return _products_refuse(node, target)


def _one_hot_cost(node: Node, target: Target) -> float:
    places = node.outputs[0].shape[_axis(node)]
    assert isinstance(places, int)
    pairs = places * _count(node)
    return pairs * (_COMPARED + _MULTIPLIED * _row(node))


def _one_hot(b: Builder, node: Node) -> Value:
    """dX = [place = index] · dY."""
    ids, rows, places = _rows(b, node)
    assert isinstance(places, int)
    every = b.constant(np.arange(places, dtype=ids.type.dtype.numpy)[:, None])
    return _restored(b, node, b(MatMul(), _equality(b, every, ids, rows.type.dtype), rows))


def _rows(b: Builder, node: Node) -> tuple[Value, Value, DimLike]:
    """Indices ≥ 0 [M], dY [M, D] with what is gathered first, and the number of places."""
    dy, indices = operand(node, 0), operand(node, 1)
    axis, places = _axis(node), node.outputs[0].shape[_axis(node)]
    behind = axis + indices.rank
    count = product(indices.shape)
    rest = (*dy.shape[:axis], *dy.shape[behind:])
    if axis:
        order = (*range(axis, behind), *range(axis), *range(behind, dy.rank))
        dy = transpose(b, dy, *order)
    ids = b(Mod(), reshape(b, indices, count), _number(b, places, indices.type.dtype))
    return ids, reshape(b, dy, count, product(rest)), places


def _restored(b: Builder, node: Node, dx: Value) -> Value:
    """[places, D] as the gradient, the gathered axis where it belongs."""
    shape, axis = node.outputs[0].shape, _axis(node)
    if axis == 0:
        return reshape(b, dx, *shape)
    dx = reshape(b, dx, shape[axis], *shape[:axis], *shape[axis + 1 :])
    return transpose(b, dx, *range(1, axis + 1), 0, *range(axis + 1, len(shape)))


def _number(b: Builder, dim: DimLike, dtype: DType) -> Value:
    value = b(Squeeze(), b.dims((dim,)), b.ints(0))
    return value if dtype is DType.I64 else b(Cast(dtype), value)


def _equality(b: Builder, left: Value, right: Value, dtype: DType) -> Value:
    """1 where left [.., n, 1] equals right [.., m], else 0: [.., n, m]."""
    if right.rank > 1:
        right = b(Unsqueeze(), right, b.ints(-2))
    return b(Cast(dtype), b(Equal(), left, right))


# --- many places: rows sorted, and added up by blocks -----------------------------------------


def _sorted_cost(node: Node, target: Target) -> float:
    count, row = _count(node), _row(node)
    block = _block(count)
    edges = min(2 * count / block, _AT_ONCE)
    compared = count * block + edges**2
    return _NODES + count * (_SORTED + _MOVED * row) + compared * (_COMPARED + _MULTIPLIED * row)


def _sorted(b: Builder, node: Node) -> Value:
    """The rows in the order of their indices; each is then replaced by the sum of all that share
    its index, so that it does not matter which of them ScatterND writes last."""
    ids, rows, places = _rows(b, node)
    zeros = full(b, 0, rows.type.dtype, (places, rows.shape[1]))
    ids, order = b.multi(TopK(largest=0), ids, b.dims(ids.shape))
    rows = b(Gather(), rows, order)
    last = _number(b, places - 1, ids.type.dtype)
    ids, totals = _group_totals(b, ids, rows, last)
    if ids.type.dtype is not DType.I64:
        ids = b(Cast(DType.I64), ids)
    places_of = b(Unsqueeze(), ids, b.ints(1))
    return _restored(b, node, b(ScatterND(), zeros, places_of, totals))


def _group_totals(
    b: Builder, ids: Value, rows: Value, last: Value, level: int = 0
) -> tuple[Value, Value]:
    """For sorted ids [M] of rows [M, D], the sum of all rows with the same id, [M', D], and ids
    [M']: both are filled up to whole blocks, with zeros for the id `last`, the largest of all.

    A product with equality adds up within blocks. Only the first and the last id of a block go on
    in another; their sums in each block are rows, sorted likewise, whose totals are found in the
    same way. What other blocks add to an id is added to one of its rows before the product.
    """
    count, width, dtype = ids.shape[0], rows.shape[1], rows.type.dtype
    if count <= _AT_ONCE if isinstance(count, int) else level == _LEVELS:
        same = _equality(b, b(Unsqueeze(), ids, b.ints(1)), ids, dtype)
        return ids, b(MatMul(), same, rows)
    block = _block(count)
    blocks = floordiv(count + block - 1, block)
    missing = blocks * block - count
    if missing != 0:
        ids = b(Pad(), ids, b.dims((0, missing)), last)
        rows = b(Pad(), rows, b.dims((0, 0, missing, 0)))
    grid = reshape(b, ids, blocks, block)
    inside = reshape(b, rows, blocks, block, width)

    starts, ends = (window(b, grid, [at], [1], [1]) for at in (0, block - 1))
    edges = b(Concat(axis=1), starts, ends)
    apart = b(Cast(dtype), b(Not(), b(Equal(), starts, ends)))
    # a block of a single id has one edge
    counts = b(Concat(axis=1), apart, full(b, 1, dtype, (blocks, 1)))
    counts = b(Unsqueeze(), counts, b.ints(2))
    picks = b(Mul(), _equality(b, b(Unsqueeze(), edges, b.ints(2)), grid, dtype), counts)
    sums = b(MatMul(), picks, inside)
    _, totals = _group_totals(
        b, reshape(b, edges, blocks * 2), reshape(b, sums, blocks * 2, width), last, level + 1
    )
    if totals.shape[0] != blocks * 2:
        totals = window(b, totals, [0], [blocks * 2], [0])
    others = b(Mul(), b(Sub(), reshape(b, totals, blocks, 2, width), sums), counts)

    ours = b(Concat(axis=1), *(window(b, inside, [at], [1], [1]) for at in (0, block - 1)))
    numbers = b(Mul(), _numbers(b, blocks), b.constant(block, DType.I64))
    where = b(Add(), b(Unsqueeze(), numbers, b.ints(1)), b.ints(0, block - 1))
    rows = b(
        ScatterND(),
        reshape(b, rows, blocks * block, width),
        reshape(b, where, blocks * 2, 1),
        reshape(b, b(Add(), ours, others), blocks * 2, width),
    )
    same = _equality(b, b(Unsqueeze(), grid, b.ints(2)), grid, dtype)
    found = b(MatMul(), same, reshape(b, rows, blocks, block, width))
    return reshape(b, grid, blocks * block), reshape(b, found, blocks * block, width)


def _block(count: DimLike) -> int:
    """Rows of a block, such that blocks and edges cost about the same."""
    rows = count if isinstance(count, int) else _TYPICAL
    return int(2 ** round(np.log2(np.clip(2 * rows ** (1 / 3), 16, 256))))


def _numbers(b: Builder, count: DimLike) -> Value:
    """0 … count - 1."""
    zero, one = b.constant(0, DType.I64), b.constant(1, DType.I64)
    return b(Range(), zero, _number(b, count, DType.I64), one)


# --- ScatterND ---------------------------------------------------------------------------------


def _no_reduction(node: Node, target: Target) -> str | None:
    assert isinstance(node.op, ScatterND)
    return "it replaces, which is no race" if node.op.reduction == "none" else None


def _by_elements(b: Builder, node: Node) -> Value:
    """ScatterElements on rows, whose reductions do not race."""
    assert isinstance(node.op, ScatterND)
    data, indices, updates = (operand(node, i) for i in range(3))
    named = indices.shape[-1]
    assert isinstance(named, int)
    places = flat_places(b, indices, data.shape)
    width = product(data.shape[named:])
    rows = reshape(b, data, product(data.shape[:named]), width)
    count = places.shape[0]
    spread = b(Expand(), reshape(b, places, count, 1), b.dims((count, width)))
    scatter = ScatterElements(reduction=node.op.reduction)
    return reshape(b, b(scatter, rows, spread, reshape(b, updates, count, width)), *data.shape)


BODIES = (
    Body("scatter-elements", GatherGrad, lambda node, target: None, _scatter_cost, _scatter),
    Body("one-hot-product", GatherGrad, _one_hot_refuses, _one_hot_cost, _one_hot),
    Body("sorted-blocks", GatherGrad, _products_refuse, _sorted_cost, _sorted),
    Body("by-elements", ScatterND, _no_reduction, lambda node, target: 1.0, _by_elements),
)
