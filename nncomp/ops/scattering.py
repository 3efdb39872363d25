"""What scattering operators share: their reductions, and the gradient of each."""

from __future__ import annotations

import numpy as np

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Data, Gradients, InferError, Op, Vjp, operator
from nncomp.ops.comparison import Equal
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Div, Mul, Sub, require_number
from nncomp.ops.filling import ConstantOfShape
from nncomp.ops.gradient import zeros_like
from nncomp.types import TensorType

REDUCTIONS = ("none", "add", "mul", "max", "min")


@operator
class Scatter(Op):
    """Base of the operators that combine updates into a copy of data at indices.

    reduction: "none" replaces (indices must not repeat); "add", "mul", "max" and "min" combine
        with what is there, and repeated indices with each other
    """

    signature = "data, indices, updates -> output"

    def scattered(
        self, b: Builder, data: Value, indices: Value, updates: Value, reduction: str
    ) -> Value:
        """The same operator with another reduction."""
        raise NotImplementedError

    def picked(self, b: Builder, data: Value, indices: Value) -> Value:
        """The elements of data that the indices name, shaped like the updates."""
        raise NotImplementedError

    def check_reduction(self, reduction: str, data: TensorType) -> None:
        if reduction not in REDUCTIONS:
            raise InferError(
                "NN0208", f"{self.name} has no reduction {reduction}", help=", ".join(REDUCTIONS)
            )
        if reduction != "none":
            require_number(data)

    def gradients(self, at: Vjp, reduction: str) -> Gradients:
        """The rule for a reduction."""
        _, indices, updates = at.inputs
        assert indices is not None
        assert updates is not None
        if reduction == "none":
            kept = self.scattered(at.b, at.g, indices, zeros_like(at.b, updates), "none")
            return kept, None, self.picked(at.b, at.g, indices)
        if reduction == "add":
            return at.g, None, self.picked(at.b, at.g, indices)
        if reduction == "mul":
            return self._of_product(at, indices, updates)
        return self._of_extremum(at, indices, updates)

    def _of_product(self, at: Vjp, indices: Value, updates: Value) -> Gradients:
        """dY times the product of the others: of all updates of an element that are not 0, where
        no other one is 0."""
        b, g, dtype = at.b, at.g, at.g.type.dtype
        ones = b(ConstantOfShape(Data(np.ones(1, dtype.numpy))), b.dims(at.x.shape))
        ddata = b(Mul(), g, self.scattered(b, ones, indices, updates, "mul"))
        is_zero = b(Equal(), updates, 0.0)
        nonzero = b(Where(), is_zero, b.constant(1, dtype), updates)
        zero = b(Cast(dtype), is_zero)
        zeros = self.scattered(b, zeros_like(b, at.x), indices, zero, "add")
        other_zeros = b(Sub(), self.picked(b, zeros, indices), zero)
        product = b(Mul(), g, self.scattered(b, at.x, indices, nonzero, "mul"))
        others = b(Div(), self.picked(b, product, indices), nonzero)
        dupdates = b(Mul(), others, b(Cast(dtype), b(Equal(), other_zeros, 0.0)))
        return ddata, None, dupdates

    def _of_extremum(self, at: Vjp, indices: Value, updates: Value) -> Gradients:
        """Data and updates that tie for the extremum of an element share its dY evenly."""
        b, dtype = at.b, at.g.type.dtype
        ours = b(Cast(dtype), b(Equal(), at.x, at.y))
        theirs = b(Cast(dtype), b(Equal(), updates, self.picked(b, at.y, indices)))
        share = b(Div(), at.g, self.scattered(b, ours, indices, theirs, "add"))
        return b(Mul(), share, ours), None, b(Mul(), self.picked(b, share, indices), theirs)
