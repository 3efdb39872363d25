"""Operators on matrices: triangles, diagonals, determinants and inverses."""

from __future__ import annotations

from nncomp.dims import DimLike
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.comparison import Equal, Less
from nncomp.ops.control_building import Values, add_recurrence
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Add, Div, Mul, Neg, Sub
from nncomp.ops.elementwise_math import Abs
from nncomp.ops.forms import arange, reduce_sum, transpose, window
from nncomp.ops.indexing import Gather
from nncomp.ops.linear import MatMul
from nncomp.ops.reduction import ArgMax
from nncomp.ops.rules import require_equal, require_float, require_rank
from nncomp.ops.shape import Expand, Unsqueeze
from nncomp.ops.shape_joining import Concat
from nncomp.types import DType, TensorType


def _require_matrices(x: TensorType, *, square: bool = False) -> None:
    if x.rank < 2:
        raise InferError("NN0204", f"matrices have two axes or more, this is {x}")
    if square:
        rows, columns = x.shape[-2:]
        message = f"square matrices are needed, these are {x}: {rows} rows, {columns} columns"
        require_equal(rows, columns, message)


@operator
class Trilu(Op):
    """The upper triangle of matrices, or with upper=0 the lower one; 0 elsewhere (ONNX Trilu-14).

    k: which diagonal is the last to be kept, an i64 scalar; 0 the main one, 1 that above it
    """

    signature = "input, k? -> output"
    upper: int = 1

    def infer(self, x: TensorType, k: TensorType | None = None) -> TensorType:
        _require_matrices(x)
        if k is not None and (k.dtype is not DType.I64 or k.size != 1):
            raise InferError("NN0204", f"k of Trilu is an i64 scalar, this is {k}", operand=1)
        return TensorType(x.dtype, x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return at.b(Trilu(self.upper), at.g, *at.inputs[1:]), None


@operator
class EyeLike(Op):
    """A matrix of the operand's shape with 1 on its k-th diagonal, else 0 (ONNX EyeLike-22).

    dtype: of the result; the operand's if left out
    """

    signature = "input -> output"
    dtype: DType | None = None
    k: int = 0

    def infer(self, x: TensorType) -> TensorType:
        require_rank(x, 2, "the operand of EyeLike")
        return TensorType(self.dtype or x.dtype, x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)


@operator
class Det(Op):
    """The determinants of square matrices: [*, M, M] to [*] (ONNX Det-22).

    The gradient goes through the inverse: that of a singular matrix is not finite.
    """

    signature = "X -> Y"

    def infer(self, x: TensorType) -> TensorType:
        require_float(x)
        _require_matrices(x, square=True)
        return TensorType(x.dtype, x.shape[:-2])

    def vjp(self, at: Vjp) -> Gradients:
        b = at.b
        scale = b(Unsqueeze(), b(Mul(), at.g, at.y), b.ints(-2, -1))
        return (b(Mul(), scale, _transposed(b, b(Inverse(), at.x))),)


@operator
class Inverse(Op):
    """The inverses of square matrices; not finite where there is none."""

    signature = "X -> Y"
    domain = "nncomp"

    def infer(self, x: TensorType) -> TensorType:
        require_float(x)
        _require_matrices(x, square=True)
        return TensorType(x.dtype, x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        b, y = at.b, _transposed(at.b, at.y)
        return (b(Neg(), b(MatMul(), b(MatMul(), y, at.g), y)),)

    def decompose(self, b: Builder, x: Value) -> Value:
        """Gauss and Jordan's elimination with partial pivoting, a column in each run."""
        size, dtype = x.shape[-1], x.type.dtype
        rows = arange(b, size)
        column = b(Unsqueeze(), rows, b.ints(1))
        unit = b(Expand(), b(Cast(dtype), b(Equal(), column, rows)), b.dims(x.shape))

        def step(b: Builder, states: Values, slices: Values) -> tuple[Values, Values]:
            return [_eliminated(b, states[0], slices[0], rows)], []

        both = b(Concat(axis=-1), x, unit)
        result = add_recurrence(b, step, [both], [rows], name="inverse")[0]
        sizes: list[DimLike] = [size]
        return window(b, result, sizes, sizes, [x.rank - 1])


def _eliminated(b: Builder, matrix: Value, k: Value, rows: Value) -> Value:
    """The rows with column k made that of the unit matrix. The pivot is the largest number of the
    column from row k on; its row and row k change places."""
    dtype, inner, last = matrix.type.dtype, b.ints(-2), b.ints(-1)
    column = b(Gather(axis=-1), matrix, k)
    done = b(Less(), rows, k)
    weight = b(Where(), done, b.constant(-1, dtype), b(Abs(), column))
    place = b(ArgMax(axis=-1), weight)
    is_pivot = b(Cast(dtype), b(Equal(), rows, place))
    pivot_row = b(MatMul(), b(Unsqueeze(), is_pivot, inner), matrix)
    own_row = b(Unsqueeze(), b(Gather(axis=-2), matrix, k), inner)
    moved = b(Mul(), b(Unsqueeze(), is_pivot, last), b(Sub(), own_row, pivot_row))
    swapped = b(Add(), matrix, moved)  # at the pivot's place stands row k
    pivot = b(Unsqueeze(), reduce_sum(b, b(Mul(), column, is_pivot), [-1], keep=True), inner)
    normal = b(Div(), pivot_row, pivot)
    factor = b(Unsqueeze(), b(Gather(axis=-1), swapped, k), last)
    rest = b(Sub(), swapped, b(Mul(), factor, normal))
    return b(Where(), b(Unsqueeze(), b(Equal(), rows, k), last), normal, rest)


def _transposed(b: Builder, x: Value) -> Value:
    axes = list(range(x.rank))
    return transpose(b, x, *axes[:-2], axes[-1], axes[-2])


OPS: tuple[type[Op], ...] = (Trilu, EyeLike, Det, Inverse)
