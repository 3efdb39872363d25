"""Nodes that give back what they are given, and pairs of nodes that one can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from nncomp.dims import equal_shapes
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ir.op import Op
from nncomp.ops.activation import Relu
from nncomp.ops.comparison import Not
from nncomp.ops.conversion import Cast, Identity, StopGradient
from nncomp.ops.elementwise import Add, Clip, Div, Max, Mean, Min, Mul, Neg, Sub, Sum
from nncomp.ops.elementwise_math import Abs, Ceil, Floor, Pow, Sign
from nncomp.ops.grad import Grad
from nncomp.ops.reduction import ReduceMax, ReduceMean, ReduceMin, ReduceProd, ReduceSum
from nncomp.ops.rules import broadcast, normalize_axis
from nncomp.ops.shape import Expand, Flatten, Reshape, Squeeze, Transpose, Unsqueeze
from nncomp.ops.shape_joining import Concat, Split, Tile
from nncomp.ops.shape_slicing import Pad, Slice
from nncomp.passes.rewrite import (
    Answer,
    Facts,
    Refused,
    Replacement,
    Rule,
    RulePass,
    by_node,
    by_value,
)
from nncomp.passes.simplify_shapes import plain_shape
from nncomp.types import Array, DType

RESHAPING = (Reshape, Flatten, Squeeze, Unsqueeze)
Make = Callable[[Builder], Value]


def same_type(x: Value, y: Value) -> bool:
    """Whether two values have equal dtypes, and shapes known to be equal."""
    return x.type.dtype is y.type.dtype and equal_shapes(x.shape, y.shape)


def operand(value: Value | None, *kinds: type[Op]) -> Node | None:
    """The node that gives the value, if it is of one of these operators."""
    node = value.node if value is not None else None
    return node if node is not None and isinstance(node.op, kinds) else None


class ReturnOperand(Rule):
    """f(x, …) → x where f does nothing:

    Identity; StopGradient, once no Grad is left; Cast to the same dtype; Reshape, Flatten,
    Squeeze, Unsqueeze, Expand, Tile to the same shape; Slice of everything; Pad by nothing;
    Transpose by the identity; Concat, Sum, Mean, Max, Min of one; Split into one; Clip without
    bounds; the largest, smallest, mean or product over axes of size 1, which are kept
    """

    name = "return-operand"
    roots = (
        *(Identity, StopGradient, Cast, *RESHAPING, Expand, Tile, Slice, Pad, Transpose),
        *(Concat, Sum, Mean, Max, Min, Split, Clip),
        *(ReduceMax, ReduceMin, ReduceMean, ReduceProd),
    )

    def match(self, node: Node, facts: Facts) -> Answer:
        x = node.inputs[0]
        if x is None or len(node.outputs) != 1 or not same_type(x, node.outputs[0]):
            return None
        if isinstance(node.op, StopGradient) and Grad in facts.kinds:
            return None
        return by_value(x) if _does_nothing(node, x) else None


def _does_nothing(node: Node, x: Value) -> bool:
    """Of a node whose result has its first operand's type."""
    op = node.op
    if isinstance(op, Transpose):
        return op.order(x.rank) == tuple(range(x.rank))
    if isinstance(op, Concat | Sum | Mean | Max | Min | Clip):
        return len(node.inputs) == 1
    types = [v.type if v is not None else None for v in node.inputs]
    if isinstance(op, Slice):
        if any(t is not None and t.elements is None for t in types[1:]):
            return False
        return all(s.step == 1 for s in op.stretches(*types))  # type: ignore[arg-type]
    if isinstance(op, Pad):
        pads, axes = types[1], types[3] if len(types) > 3 else None
        assert pads is not None
        return all(pad == 0 for _, *around in op.amounts(x.type, pads, axes) for pad in around)
    return True


class SumOverOne(Rule):
    """ReduceSum over axes of size 1, which are kept → x. (-0.0 may have become 0.0.)"""

    name = "sum-over-one"
    roots = (ReduceSum,)

    def match(self, node: Node, facts: Facts) -> Answer:
        x = node.inputs[0]
        assert x is not None
        return by_value(x) if same_type(x, node.outputs[0]) else None


class NeutralElement(Rule):
    """x + 0, x - 0, x · 1, x / 1, x ** 1 → x.

    exact: not x + 0.0 and x - -0.0, which turn -0.0 into 0.0
    """

    name = "neutral-element"
    roots = (Add, Sub, Mul, Div, Pow)

    def __init__(self, exact: bool) -> None:
        self.exact = exact

    def match(self, node: Node, facts: Facts) -> Answer:
        sides = [node.inputs, node.inputs[::-1]]
        for x, other in sides if isinstance(node.op, Add | Mul) else sides[:1]:
            assert x is not None
            array = facts.constant(other)
            if array is None or not array.size or not same_type(x, node.outputs[0]):
                continue
            if self._is_neutral(node.op, array):
                return by_value(x)
        return None

    def _is_neutral(self, op: Op, array: Array) -> bool:
        if not isinstance(op, Add | Sub):
            return bool(np.all(array == 1))
        if not np.all(array == 0):
            return False
        if not self.exact or array.dtype.kind in "iu":
            return True
        return bool(np.all(np.signbit(array) == isinstance(op, Add)))


class Twice(Rule):
    """f(f(x)) → x for Neg and Not; f(f(x)) → f(x) for Relu, Abs, Ceil, Floor and Sign."""

    name = "twice"
    roots = (Neg, Not, Relu, Abs, Ceil, Floor, Sign)

    def match(self, node: Node, facts: Facts) -> Answer:
        inner = operand(node.inputs[0], type(node.op))
        if inner is None:
            return None
        undone = isinstance(node.op, Neg | Not)
        result = inner.inputs[0] if undone else inner.outputs[0]
        assert result is not None
        return by_value(result, inner, node)


class MergeTransposes(Rule):
    """Transpose(Transpose(x, p), q) → Transpose(x, p[q])."""

    name = "merge-transposes"
    roots = (Transpose,)

    def match(self, node: Node, facts: Facts) -> Answer:
        inner = operand(node.inputs[0], Transpose)
        if inner is None or not isinstance(node.op, Transpose):
            return None
        x, rank = inner.inputs[0], node.outputs[0].rank
        first = inner.op.order(rank)  # type: ignore[attr-defined]
        perm = tuple(first[axis] for axis in node.op.order(rank))
        return by_node(Transpose(perm), (x,), inner, node)


class MergeReshapes(Rule):
    """Two in a row of Reshape, Flatten, Squeeze, Unsqueeze → one Reshape to the last shape."""

    name = "merge-reshapes"
    roots = RESHAPING

    def match(self, node: Node, facts: Facts) -> Answer:
        inner = operand(node.inputs[0], *RESHAPING)
        if inner is None:
            return None
        x, y = inner.inputs[0], node.outputs[0]
        assert x is not None
        if same_type(x, y):
            return by_value(x, inner, node)
        plain = plain_shape(x, y.shape)
        if plain is None:  # the dims have to be computed at run time
            shape = node.inputs[1] if isinstance(node.op, Reshape) else None
            if shape is None or facts.constant(shape) is not None or _copies(node.op, shape):
                return None
            return by_node(node.op, (x, shape), inner, node)
        return Replacement(lambda b: b(Reshape(), x, b.ints(*plain)), (inner, node))


def _copies(op: Op, shape: Value) -> bool:
    """Whether a 0 in the shape may stand for a size of the operand, so that another operand would
    give another."""
    assert isinstance(op, Reshape)
    return not op.allowzero and (shape.type.elements is None or 0 in shape.type.elements)


class MergeCasts(Rule):
    """Cast(Cast(x, A), B) → Cast(x, B), where A holds every number of x's dtype. Not to strings:
    they tell one dtype from another."""

    name = "merge-casts"
    roots = (Cast,)

    def match(self, node: Node, facts: Facts) -> Answer:
        inner = operand(node.inputs[0], Cast)
        if inner is None:
            return None
        x = inner.inputs[0]
        assert x is not None
        if not is_wider(x.type.dtype, inner.outputs[0].type.dtype):
            return None
        if node.outputs[0].type.dtype is DType.STRING:
            return None
        return by_node(node.op, (x,), inner, node)


class MergeConcats(Rule):
    """Concat(Concat(x, y), z) → Concat(x, y, z) along one axis, if nothing else reads the inner."""

    name = "merge-concats"
    roots = (Concat,)

    def match(self, node: Node, facts: Facts) -> Answer:
        axis, parts, inner = _axis(node), list[Value](), list[Node]()
        shared = None
        for value in node.operands:
            joined = operand(value, Concat)
            if joined is None or _axis(joined) != axis or len(joined.operands) > _MOST_JOINED:
                parts.append(value)
            elif why := facts.why_not_private(value):
                shared = Refused(f"Concats of one axis stay two: of the inner, {why}")
                parts.append(value)
            else:
                parts += joined.operands
                inner.append(joined)
        return by_node(node.op, tuple(parts), *inner, node) if inner else shared


_MOST_JOINED = 64  # operands: each joins them again, so that long chains would cost their square


def _axis(concat: Node) -> int:
    assert isinstance(concat.op, Concat)
    return normalize_axis(concat.op.axis, concat.outputs[0].rank)


def is_wider(dtype: DType, other: DType) -> bool:
    """Whether the other dtype holds every number of the dtype, and casts between them agree."""
    if dtype is DType.BOOL or dtype is other:
        return True
    if dtype.is_float:
        return other is DType.F64 or (other is DType.F32 and dtype is not DType.F64)
    return other.is_int and bool(np.can_cast(dtype.numpy, other.numpy, "safe"))


class MergeSums(Rule):
    """(x + c) + d → x + (c + d), for constants c and d whose sum is no larger than they are and
    does not overflow, if nothing else reads x + c."""

    name = "merge-sums"
    roots: ClassVar[tuple[type[Op], ...]] = (Add,)

    def match(self, node: Node, facts: Facts) -> Answer:
        op = type(node.op)
        for inner_result, d in (node.inputs, node.inputs[::-1]):
            inner = operand(inner_result, op)
            if inner is None or inner_result is None or d is None or not facts.is_known(d):
                continue
            for x, c in (inner.inputs, inner.inputs[::-1]):
                if x is None or c is None or not facts.is_known(c) or facts.is_known(x):
                    continue
                both = broadcast(c.type, d.type)
                if not any(v.shape == both for v in (c.type, d.type)):
                    continue
                if why := facts.why_not_private(inner_result):
                    return Refused(f"the constants cannot become one: {why}")
                found = self.one(c, d, facts)
                if isinstance(found, str):
                    return Refused(found)
                return Replacement(partial(_merged, op, x, found), (inner, node))
        return None

    def one(self, c: Value, d: Value, facts: Facts) -> Make | str:
        """The constant for both, or why there is none."""
        left, right = facts.computed(lambda b: c), facts.computed(lambda b: d)
        if c.type.dtype.is_float and left is not None and right is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                finite = np.isfinite(left + right)
            if np.any(~finite & np.isfinite(left) & np.isfinite(right)):
                return "the sum of the constants overflows"
        return lambda b: b(Add(), c, d)


class MergeScales(MergeSums):
    """(x · c) · d → x · (c · d), for constants c and d whose product is no larger than they are,
    and neither overflows nor vanishes, if nothing else reads x · c."""

    name = "merge-scales"
    roots = (Mul,)

    def one(self, c: Value, d: Value, facts: Facts) -> Make | str:
        left, right = facts.computed(lambda b: c), facts.computed(lambda b: d)
        if left is None or right is None:
            return "one of the constants is a parameter"
        with np.errstate(over="ignore", under="ignore"):
            product = np.asarray(left * right)
        dtype = c.type.dtype
        if not dtype.is_float:
            return lambda b: b.constant(product)
        least = dtype.least_normal
        lost = (np.abs(product) < least) & (np.abs(left) >= least) & (np.abs(right) >= least)
        if lost.any() or not np.isfinite(product).all():
            return f"products of the constants are no normal numbers of {product.dtype}"
        return lambda b: b.constant(product)


def _merged(op: type[Op], x: Value, constant: Make, b: Builder) -> Value:
    return b(op(), x, constant(b))


@dataclass(frozen=True)
class EliminateNoOps(RulePass):
    """Removes nodes that do nothing, and joins reshapes, transposes, casts and concats in a row.

    exact: only what changes no bit
    """

    name = "eliminate-no-ops"
    exact: bool = False

    @property
    def rules(self) -> tuple[Rule, ...]:
        always = (
            *(ReturnOperand(), NeutralElement(self.exact), Twice()),
            *(MergeTransposes(), MergeReshapes(), MergeCasts(), MergeConcats()),
        )
        return always if self.exact else (*always, SumOverOne(), MergeSums(), MergeScales())
