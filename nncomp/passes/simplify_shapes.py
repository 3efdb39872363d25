"""Shape arithmetic: what types know of small integer tensors replaces the nodes that compute it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nncomp.dims import DimLike, equal, equal_shapes, symbols_in
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Node, Value
from nncomp.ir.op import Data, InferError
from nncomp.ops.shape import Reshape
from nncomp.passes.rewrite import Answer, Facts, Replacement, Rule, RulePass
from nncomp.types import DType, Shape


class KnownElements(Rule):
    """f(…) → constant, or Dims, where the contents of an integer result are known as dims.

    So a chain of Shape, Gather, arithmetic and Concat becomes one vector of dims.
    """

    name = "known-elements"

    def match(self, node: Node, facts: Facts) -> Answer:
        if isinstance(node.op, Constant | Dims) or len(node.outputs) != 1 or not node.op.pure:
            return None
        type_ = node.outputs[0].type
        if type_.elements is None or not type_.is_static:
            return None
        elements = type_.elements
        if all(isinstance(e, int) for e in elements):
            array = np.array(elements, type_.dtype.numpy).reshape(type_.static_shape)
            return Replacement(lambda b: b(Constant(Data(array))))
        symbols = symbols_in(elements)
        if symbols & facts.found:  # nothing would hold the size, once nobody reads the tensor
            return None
        if type_.dtype is DType.I64 and type_.rank == 1:
            return Replacement(lambda b: b.dims(elements))
        return None


class PlainReshape(Rule):
    """Reshape(x, dims) → Reshape(x, constant), with 0 for sizes copied from x and one -1.

    Then no dim need be computed at run time.
    """

    name = "plain-reshape"
    roots = (Reshape,)

    def match(self, node: Node, facts: Facts) -> Answer:
        x, shape = node.inputs
        assert x is not None
        if facts.constant(shape) is not None:
            return None
        plain = plain_shape(x, node.outputs[0].shape)
        if plain is None:
            return None
        return Replacement(lambda b: b(Reshape(), x, b.ints(*plain)))


def plain_shape(x: Value, shape: Shape) -> tuple[int, ...] | None:
    """The shape as integers for Reshape(x, …): 0 copies a size of x, one -1 is what is left.

    None if more than one dim would have to be left over, or a size is 0.
    """
    if 0 in shape:
        return None
    plain = [
        dim if isinstance(dim, int) else 0 if _is_copy(x, axis, dim) else -1
        for axis, dim in enumerate(shape)
    ]
    if plain.count(-1) > 1 or (-1 in plain and not _is_left_over(x, plain, shape)):
        return None
    return tuple(plain)


def _is_copy(x: Value, axis: int, dim: DimLike) -> bool:
    return axis < x.rank and equal(x.shape[axis], dim) is True


def _is_left_over(x: Value, plain: Sequence[int], shape: Shape) -> bool:
    """Whether inference finds the same shape again."""
    try:
        found = Reshape().infer(x.type, Constant(Data(np.array(plain))).infer())
    except InferError:
        return False
    return equal_shapes(found.shape, shape)


@dataclass(frozen=True)
class SimplifyShapes(RulePass):
    """Contents of shape tensors from their types; no number of the model itself changes."""

    name = "simplify-shapes"

    @property
    def rules(self) -> tuple[Rule, ...]:
        return KnownElements(), PlainReshape()
