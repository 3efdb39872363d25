"""Expands that need not be: before what broadcasts by itself, before a sum, and of constants."""

from __future__ import annotations

from dataclasses import dataclass

from nncomp.dims import DimLike, bounds, equal, equal_shapes, product, symbols_in
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ir.op import InferError
from nncomp.ops.comparison import Comparison, Logic, Not
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Add, Div, Max, Mean, Min, Mul, Sub, Sum
from nncomp.ops.elementwise_math import Pow
from nncomp.ops.gradient import dim_as
from nncomp.ops.indexing import Gather
from nncomp.ops.indexing_nd import GatherND
from nncomp.ops.reduction import ReduceSum
from nncomp.ops.rules import broadcast
from nncomp.ops.shape import Expand, Reshape, Unsqueeze
from nncomp.passes.eliminate_no_ops import operand
from nncomp.passes.rewrite import Answer, Facts, Refused, Replacement, Rule, RulePass, by_node
from nncomp.types import DType

BROADCASTING = (Add, Sub, Mul, Div, Pow, Max, Min, Mean, Sum, Where)


class BroadcastAnyway(Rule):
    """f(…, Expand(x), …) → f(…, x, …) for an elementwise f whose other operands have the shape."""

    name = "broadcast-anyway"
    roots = (*BROADCASTING, *Comparison.__subclasses__(), *Logic.__subclasses__())

    def match(self, node: Node, facts: Facts) -> Answer:
        for place, value in enumerate(node.inputs):
            expand = operand(value, Expand)
            if expand is None:
                continue
            inputs = [*node.inputs]
            inputs[place] = expand.inputs[0]
            if _gives(inputs, node.outputs[0]):
                return by_node(node.op, inputs, node)
        return None


def _gives(inputs: list[Value | None], result: Value) -> bool:
    """Whether the operands broadcast to the result's shape."""
    try:
        shape = broadcast(*(v.type for v in inputs if v is not None))
    except InferError:
        return False
    return equal_shapes(shape, result.shape)


class SumOfExpand(Rule):
    """ReduceSum(Expand(x)) → ReduceSum(x) · n, where all axes of size 1 that became larger, n in
    all, are among those that are summed over."""

    name = "sum-of-expand"
    roots = (ReduceSum,)

    def match(self, node: Node, facts: Facts) -> Answer:
        expand = operand(node.inputs[0], Expand)
        op = node.op
        if expand is None or not isinstance(op, ReduceSum):
            return None
        x, wide = expand.inputs[0], expand.outputs[0]
        assert x is not None
        axes = node.inputs[1] if len(node.inputs) > 1 else None
        summed = op.axes(wide.type, None if axes is None else axes.type)
        missing = wide.rank - x.rank
        narrow = (1,) * missing + x.shape
        grown = [a for a in range(wide.rank) if equal(narrow[a], wide.shape[a]) is not True]
        if not set(grown) <= set(summed):
            return None
        count = product(wide.shape[a] for a in grown)
        if why := _why_no_number(count, x.type.dtype):
            return Refused(why)

        def build(b: Builder) -> Value:
            y = x if not missing else b(Unsqueeze(), x, b.ints(*range(missing)))
            total = b(op, y, axes)
            return b(Mul(), total, dim_as(b, count, total.type.dtype))

        return Replacement(build, (node, expand))


def _why_no_number(count: DimLike, dtype: DType) -> str | None:
    """Why a count, which float16 has only up to 65,504, cannot be a factor."""
    most = bounds(count)[1]
    if dtype is not DType.F16 or (most is not None and most <= dtype.limits[1]):
        return None
    return f"the number of copies, {count}, may be too large for {dtype}"


class ExpandLater(Rule):
    """f(Expand(c), d, …) → Expand(f(c, d, …)) for constants c, d, … and an elementwise f or a Cast;
    Gather(c, Expand(d), axis=0) → Expand(Gather(c, d)); GatherND(Expand(c), …) → Expand(c) for one
    number c.

    So what a mask of an unknown number of samples computes is folded, but for how many they are.
    """

    name = "expand-later"
    roots = (Cast, *BroadcastAnyway.roots, Not, Gather, GatherND)

    def match(self, node: Node, facts: Facts) -> Answer:
        y = node.outputs[0]
        if isinstance(node.op, GatherND):
            inputs = [_number(_narrow(node.inputs[0], facts))]
        else:
            inputs = [_narrow(value, facts) for value in node.inputs]
        if None in inputs or (y.type.is_static and facts.known.issuperset(node.operands)):
            return None
        if isinstance(node.op, Gather) and (node.op.axis or node.inputs[0] is not inputs[0]):
            return None
        symbols = symbols_in(y.shape)
        if symbols & facts.found:
            return None

        def build(b: Builder) -> Value:
            (x, *_) = inputs
            assert x is not None
            if isinstance(node.op, GatherND):
                narrow = b(Reshape(), x, b.ints())
            else:
                narrow = b(node.op, *inputs)
            return b(Expand(), narrow, b.dims(y.shape))

        return Replacement(build)


def _narrow(value: Value | None, facts: Facts) -> Value | None:
    """The constant itself, or the one that the value is, expanded."""
    expand = operand(value, Expand)
    if expand is not None:
        value = expand.inputs[0]
    return value if facts.is_known(value) else None


def _number(value: Value | None) -> Value | None:
    return value if value is not None and all(dim == 1 for dim in value.shape) else None


@dataclass(frozen=True)
class EliminateExpands(RulePass):
    """Leaves broadcasting to the operators that do it, and does not sum what was broadcast.

    exact: only what changes no bit
    later: whether constants are expanded after what computes with them; in a step graph little of
        that is folded, and each new shape has to be computed
    """

    name = "eliminate-expands"
    exact: bool = False
    later: bool = True

    @property
    def rules(self) -> tuple[Rule, ...]:
        found: list[Rule] = [BroadcastAnyway()]
        if self.later:
            found.append(ExpandLater())
        if not self.exact:
            found.append(SumOfExpand())
        return tuple(found)
