"""Derivatives as operators: what `grad` and `jvp` in a program become."""

from __future__ import annotations

from nncomp.dims import equal
from nncomp.ir.op import InferError, Op, operator
from nncomp.types import TensorType


@operator
class Grad(Op):
    """The gradients of a scalar with respect to each of `wrt`, which need not be inputs.

    `expand_gradients` replaces it by ordinary nodes; no backend ever sees it. The gradients of
    what the loss does not depend on are zeros.
    """

    signature = "loss, wrt* -> gradients*"
    domain = "nncomp"
    with_respect_to = slice(1, None)

    def infer(self, loss: TensorType, *wrt: TensorType) -> tuple[TensorType, ...]:
        if loss.rank != 0 or not loss.dtype.is_float:
            raise InferError(
                "NN0402",
                f"a loss is one floating number, this is {loss}",
                operand=0,
                help="take its `mean` or `sum`" if loss.dtype.is_float else None,
            )
        for place, t in enumerate(wrt, start=1):
            if not t.dtype.is_float:
                raise InferError(
                    "NN0401", f"there is no gradient with respect to {t}", operand=place
                )
        return wrt


@operator
class Jvp(Op):
    """The directional derivative of y, Σ (∂y/∂x) v over pairs of a value x and its tangent v.

    y: any floating tensor; pairs: x, v, x, v, … with v of x's type; tangent: as y.
    `expand_gradients` replaces it by ordinary nodes; no backend ever sees it.
    """

    signature = "y, pairs* -> tangent"
    domain = "nncomp"
    with_respect_to = slice(1, None, 2)

    def infer(self, y: TensorType, *pairs: TensorType) -> tuple[TensorType, ...]:
        if not y.dtype.is_float:
            raise InferError("NN0401", f"there is no derivative of {y}", operand=0)
        if len(pairs) % 2:
            raise InferError("NN0702", "each value needs a tangent", operand=len(pairs))
        for place in range(0, len(pairs), 2):
            x, v = pairs[place : place + 2]
            if not x.dtype.is_float:
                raise InferError("NN0401", f"there is no derivative along {x}", operand=place + 1)
            if v.dtype is not x.dtype or v.rank != x.rank or _differ(v, x):
                raise InferError(
                    "NN0205", f"the tangent {v} is not shaped like {x}", operand=place + 2
                )
        return (TensorType(y.dtype, y.shape),)


def _differ(v: TensorType, x: TensorType) -> bool:
    return any(equal(*pair) is False for pair in zip(v.shape, x.shape, strict=True))


DERIVATIVES = (Grad, Jvp)
"""Operators that stand for nodes which `expand_gradients` builds."""

OPS: tuple[type[Op], ...] = DERIVATIVES
