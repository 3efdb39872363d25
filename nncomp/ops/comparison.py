"""Comparisons and logic: operators whose results are bool. None has a gradient."""

from __future__ import annotations

from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.rules import broadcast, require_float, same_dtype
from nncomp.types import EIGHTS, STRINGS, DType, TensorType


@operator
class Comparison(Op):
    """Base of the comparisons of two tensors of one dtype."""

    signature = "A, B -> C"

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        same_dtype(a, b)
        if a.dtype is DType.BOOL and not isinstance(self, Equal):
            raise InferError("NN0203", f"bool tensors have no order ({a})")
        return TensorType(DType.BOOL, broadcast(a, b, verb="compare"))

    def vjp(self, at: Vjp) -> Gradients:
        return None, None


@operator
class Equal(Comparison):
    """A == B (ONNX Equal-19)."""

    takes = STRINGS


@operator
class Greater(Comparison):
    """A > B (ONNX Greater-13)."""


@operator
class GreaterOrEqual(Comparison):
    """A >= B (ONNX GreaterOrEqual-16)."""


@operator
class Less(Comparison):
    """A < B (ONNX Less-13)."""


@operator
class LessOrEqual(Comparison):
    """A <= B (ONNX LessOrEqual-16)."""


@operator
class Logic(Op):
    """Base of the logical operators on two bool tensors."""

    signature = "A, B -> C"

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        require_bool(a, b)
        return TensorType(DType.BOOL, broadcast(a, b))

    def vjp(self, at: Vjp) -> Gradients:
        return None, None


@operator
class And(Logic):
    """A and B (ONNX And-7)."""


@operator
class Or(Logic):
    """A or B (ONNX Or-7)."""


@operator
class Xor(Logic):
    """Either A or B (ONNX Xor-7)."""


@operator
class Not(Op):
    """not X (ONNX Not-1)."""

    signature = "X -> Y"

    def infer(self, x: TensorType) -> TensorType:
        require_bool(x)
        return TensorType(DType.BOOL, x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)


@operator
class IsNaN(Op):
    """Which elements are NaN (ONNX IsNaN-20)."""

    signature = "X -> Y"
    takes = EIGHTS

    def infer(self, x: TensorType) -> TensorType:
        require_float(x)
        return TensorType(DType.BOOL, x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)


@operator
class IsInf(Op):
    """Which elements are infinite, of either sign or of one (ONNX IsInf-20)."""

    signature = "X -> Y"
    takes = EIGHTS
    detect_negative: int = 1
    detect_positive: int = 1

    def infer(self, x: TensorType) -> TensorType:
        require_float(x)
        return TensorType(DType.BOOL, x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)


def require_bool(*types: TensorType) -> None:
    for t in types:
        if t.dtype is not DType.BOOL:
            raise InferError("NN0203", f"a bool tensor is needed, this is {t}")


OPS: tuple[type[Op], ...] = (
    *(Equal, Greater, GreaterOrEqual, Less, LessOrEqual),
    *(And, Or, Xor, Not, IsNaN, IsInf),
)
