"""Matrix products."""

from __future__ import annotations

from nncomp.dims import equal
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.elementwise import Mul, require_number
from nncomp.ops.rules import broadcast, require_equal, require_rank, same_dtype
from nncomp.ops.shape import Reshape, Squeeze, Transpose, Unsqueeze
from nncomp.types import TensorType


@operator
class MatMul(Op):
    """NumPy's matmul: batches of matrix products; rank-1 operands are a row and a column
    (ONNX MatMul-13)."""

    signature = "A, B -> Y"

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        require_number(a, b)
        same_dtype(a, b)
        for t, side in ((a, "left"), (b, "right")):
            if t.rank == 0:
                raise InferError("NN0204", f"the {side} side of a matrix product is {t}")
        inner = b.shape[-2] if b.rank > 1 else b.shape[0]
        if equal(a.shape[-1], inner) is not True:
            certain = equal(a.shape[-1], inner) is False
            raise InferError(
                "NN0205" if certain else "NN0206",
                f"cannot multiply the matrices {a} and {b}",
                label=f"{a.shape[-1]} columns (left) {'are not' if certain else 'against'} "
                f"{inner} rows (right)",
                operand=1,
                axis=max(-2, -b.rank),
                help="the right side fits turned: `… @ transpose(…)`"
                if b.rank > 1 and equal(a.shape[-1], b.shape[-1]) is True
                else None,
            )
        batch = broadcast(
            a.with_shape(a.shape[:-2]), b.with_shape(b.shape[:-2]), verb="multiply batches"
        )
        rows = a.shape[-2:-1]
        columns = b.shape[-1:] if b.rank > 1 else ()
        return TensorType(a.dtype, (*batch, *rows, *columns))

    def vjp(self, at: Vjp) -> Gradients:
        b, x, y, g = at.b, at.x, at.inputs[1], at.g
        assert y is not None
        row, column = x.rank == 1, y.rank == 1
        if column:
            y, g = b(Unsqueeze(), y, b.ints(1)), b(Unsqueeze(), g, b.ints(-1))
        if row:
            x, g = b(Unsqueeze(), x, b.ints(0)), b(Unsqueeze(), g, b.ints(-2))
        dx, dy = _matrix_gradients(b, x, y, g)
        return (
            b(Squeeze(), dx, b.ints(-2)) if row else dx,
            b(Squeeze(), dy, b.ints(-1)) if column else dy,
        )


def _matrix_gradients(b: Builder, x: Value, y: Value, g: Value) -> tuple[Value, Value]:
    """g yᵀ and xᵀ g for operands of rank ≥ 2, with their batches not yet summed."""
    if x.rank == y.rank == 2:
        return b(Gemm(transB=1), g, y), b(Gemm(transA=1), x, g)
    dx = b(MatMul(), g, matrix_transpose(b, y))
    if y.rank > 2:
        return dx, b(MatMul(), matrix_transpose(b, x), g)
    # one matrix for the whole batch (a weight): one product over all rows, not a sum of products
    return dx, b(Gemm(transA=1), rows(b, x), rows(b, g))


def matrix_transpose(b: Builder, x: Value) -> Value:
    """The last two axes swapped."""
    *batch, row, column = range(x.rank)
    return b(Transpose((*batch, column, row)), x)


def rows(b: Builder, x: Value) -> Value:
    return b(Reshape(), x, b.dims((-1, x.shape[-1])))


@operator
class Gemm(Op):
    """alpha · A' B' + beta · C with A' = Aᵀ for transA=1, B' = Bᵀ for transB=1 (ONNX Gemm-13).

    A and B have rank 2; C broadcasts to the product's shape.
    """

    signature = "A, B, C? -> Y"
    alpha: float = 1.0
    beta: float = 1.0
    transA: int = 0  # noqa: N815
    transB: int = 0  # noqa: N815

    def infer(self, a: TensorType, b: TensorType, c: TensorType | None = None) -> TensorType:
        require_number(a, b)
        same_dtype(a, b, c)
        require_rank(a, 2, "the left matrix")
        require_rank(b, 2, "the right matrix")
        rows, inner = a.shape[::-1] if self.transA else a.shape
        other, columns = b.shape[::-1] if self.transB else b.shape
        require_equal(
            inner, other, f"cannot multiply {a} and {b}: the inner sizes are {inner} and {other}"
        )
        result = TensorType(a.dtype, (rows, columns))
        if c is not None:
            shape = broadcast(result, c, verb="add")
            if len(shape) != 2 or not all(map(equal, shape, result.shape)):
                raise InferError("NN0207", f"{c} does not broadcast to the product {result}")
        return result

    def vjp(self, at: Vjp) -> Gradients:
        b, (x, y), g = at.b, at.inputs[:2], at.g
        if self.transA:
            dx = b(Gemm(alpha=self.alpha, transA=self.transB, transB=1), y, g)
        else:
            dx = b(Gemm(alpha=self.alpha, transB=1 - self.transB), g, y)
        if self.transB:
            dy = b(Gemm(alpha=self.alpha, transA=1, transB=self.transA), g, x)
        else:
            dy = b(Gemm(alpha=self.alpha, transA=1 - self.transA), x, g)
        if len(at.inputs) < 3:
            return dx, dy
        return dx, dy, g if self.beta == 1 else b(Mul(), g, self.beta)


OPS: tuple[type[Op], ...] = (MatMul, Gemm)
