"""The gradient as an operator: what `grad` in a program becomes."""

from __future__ import annotations

from dataclasses import dataclass

from nncomp.ir.op import InferError, Op
from nncomp.types import TensorType


@dataclass(frozen=True)
class Grad(Op):
    """The gradients of a scalar with respect to each of `wrt`, which need not be inputs.

    `expand_gradients` replaces it by ordinary nodes; no backend ever sees it. The gradients of
    what the loss does not depend on are zeros.
    """

    signature = "loss, wrt* -> gradients*"
    domain = "nncomp"

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


OPS: tuple[type[Op], ...] = (Grad,)
