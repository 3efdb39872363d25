"""Faults in what removes nodes: no-ops, shapes, constants, dead and equal nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.op import Data
from nncomp.ops.activation import LeakyRelu, Relu
from nncomp.ops.comparison import Less
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Add, Mul, Sub
from nncomp.ops.elementwise_math import Abs, Floor
from nncomp.ops.indexing import Gather
from nncomp.ops.linear import MatMul
from nncomp.ops.random_standard import RandomNormalLike
from nncomp.ops.reduction import ReduceSum, ReduceSumSquare
from nncomp.ops.shape import Reshape, Shape, Transpose
from nncomp.ops.shape_joining import Concat, Split
from nncomp.ops.shape_slicing import Pad, Slice
from nncomp.passes import eliminate_common_subexpressions as cse
from nncomp.passes import eliminate_no_ops as no_ops
from nncomp.passes import fold_constants
from nncomp.passes.base import PassContext, PassResult
from nncomp.passes.eliminate_dead_nodes import EliminateDeadNodes
from nncomp.passes.manager import O1
from nncomp.passes.rewrite import Answer, Facts, Replacement, by_node, by_value
from nncomp.passes.simplify_shapes import KnownElements
from nncomp.types import DType
from tests.passes.broken.fault import Fault, N, start
from tests.passes.support import Net


def shifted(net: Net) -> Value:
    return net(Pad(), start(net, N, 5), net.b.ints(0, 1, 0, -1))


def reversed_(net: Net) -> Value:
    ends = (net.b.ints(-1), net.b.ints(-99), net.b.ints(1), net.b.ints(-1))
    return net(Slice(), start(net, N, 5), *ends)


def square(net: Net) -> Value:
    return net(Transpose((0, 2, 1)), start(net, N, 4, 4))


def does_nothing_by_type(node: Node, x: Value) -> bool:
    return True


def any_one(self: Any, op: object, array: Any) -> bool:
    return bool(np.any(array == (0 if isinstance(op, Add | Sub) else 1)))


def scaled(net: Net) -> Value:
    return net(Mul(), start(net, N, 3), net.const([1.0, 2.0, 1.0]))


def subtracted_from_zero(net: Net) -> Value:
    x = start(net, N, 3)
    return net(Sub(), net.const(np.zeros((1, 3))), x)


def either_side(self: Any, node: Node, facts: Facts) -> Answer:
    for x, other in (node.inputs, node.inputs[::-1]):
        array = facts.constant(other)
        if x is not None and array is not None and no_ops.same_type(x, node.outputs[0]):
            neutral = 0 if isinstance(node.op, Add | Sub) else 1
            return by_value(x) if array.size and bool(np.all(array == neutral)) else None
    return None


def negative_zeros(net: Net) -> Value:
    """-0.0 + 0.0 is 0.0."""
    x = net(Mul(), net(Relu(), net.input(N, 3)), -1.0)
    return net(Add(), x, net.const([0.0, 0.0, 0.0]))


def relu_twice(net: Net) -> Value:
    return net(Abs(), net(Abs(), start(net, N, 3)))


def undone(self: Any, node: Node, facts: Facts) -> Answer:
    inner = no_ops.operand(node.inputs[0], type(node.op))
    if inner is None or inner.inputs[0] is None:
        return None
    return by_value(inner.inputs[0], inner, node)


def transposed_twice(net: Net) -> Value:
    return net(Transpose((1, 2, 0)), net(Transpose((2, 1, 0)), start(net, 4, 4, 4)))


def composed_the_wrong_way(self: Any, node: Node, facts: Facts) -> Answer:
    inner = no_ops.operand(node.inputs[0], Transpose)
    if inner is None or not isinstance(node.op, Transpose) or not isinstance(inner.op, Transpose):
        return None
    rank = node.outputs[0].rank
    last = node.op.order(rank)
    return by_node(
        Transpose(tuple(last[a] for a in inner.op.order(rank))), (inner.inputs[0],), inner, node
    )


def reshaped_transpose(net: Net) -> Value:
    x = net(Transpose((0, 2, 1)), start(net, N, 4, 6))
    return net(Reshape(), x, net.b.ints(-1, 24))


def also_of_transposes(self: Any, node: Node, facts: Facts) -> Answer:
    inner = no_ops.operand(node.inputs[0], Transpose)
    x = None if inner is None else inner.inputs[0]
    if inner is None or x is None or not isinstance(node.op, Reshape):
        return None
    return by_node(node.op, (x, node.inputs[1]), inner, node)


def joined_across(net: Net) -> Value:
    x, y = start(net, N, 4, 6), start(net, N, 4, 6)
    return net(Concat(axis=1), net(Concat(axis=2), x, y), net(Concat(axis=-1), y, x))


def along_any_axis(node: Node) -> int:
    return 0


def through_integers(net: Net) -> Value:
    x = net(Mul(), start(net, N, 3), 4.0)
    return net(Cast(DType.F32), net(Cast(DType.I32), x))


def through_halves(net: Net) -> Value:
    return net(Cast(DType.F32), net(Cast(DType.F16), start(net, N, 3)))


def squares_over_one(net: Net) -> Value:
    return net(ReduceSumSquare(), start(net, N, 1, 3), net.b.ints(1))


def sum_or_squares(self: Any, node: Node, facts: Facts) -> Answer:
    x = node.inputs[0]
    assert x is not None
    return by_value(x) if no_ops.same_type(x, node.outputs[0]) else None


def two_slopes(net: Net) -> Value:
    x = start(net, N, 3)
    return net(MatMul(), net(LeakyRelu(0.1), x), net(LeakyRelu(0.6), net(Transpose(), x)))


def two_leaks(net: Net) -> tuple[Value, ...]:
    x = start(net, N, 3)
    return net(LeakyRelu(0.1), x), net(LeakyRelu(0.6), x)


def merged_if(alike: Any) -> Any:
    """A `_twins` that takes nodes for equal whose keys are."""

    def twins(graph: Graph, context: PassContext) -> dict[Node, list[Node]]:
        first: dict[Any, Node] = {}
        found: dict[Node, list[Node]] = {}
        for node in graph.nodes:
            other = first.setdefault(alike(node), node)
            if other is not node and context.allows("merge-equal", other, node):
                found.setdefault(other, []).append(node)
        return found

    return twins


def without_attributes(node: Node) -> Any:
    return (type(node.op), node.inputs) if node.inputs else node


def in_any_order(node: Node) -> Any:
    return (node.op, frozenset(node.inputs)) if len(node.inputs) == 2 else node


def both_differences(net: Net) -> tuple[Value, ...]:
    x, y = start(net, N, 3), start(net, N, 3)
    return net(Sub(), x, y), net(Sub(), y, x)


def impure_too(node: Node) -> Any:
    return (node.op, node.inputs) if node.inputs else node


def drawn_twice(net: Net) -> Value:
    x = start(net, N, 3)
    noise = net(Sub(), net(RandomNormalLike(), x), net(RandomNormalLike(), x))
    return net(Add(), x, noise)


def second_half(net: Net) -> Value:
    _, second = net.b.multi(Split(axis=1, num_outputs=2), start(net, N, 6))
    return second


def by_first_result(self: Any, graph: Graph, context: PassContext) -> PassResult:
    needed, live = set(graph.results), []
    for node in reversed(graph.nodes):
        if node.outputs[0] in needed or not context.allows("remove-unread", node):
            needed.update(node.operands)
            live.append(node)
    removed = len(graph.nodes) - len(live)
    return PassResult(
        graph.replace(reversed(live)) if removed else graph, {"remove-unread": removed}
    )


def counted(net: Net) -> Value:
    x = start(net, N, 4, 6)
    sizes = net(Cast(DType.F32), net(Gather(), net(Shape(), x), net.b.ints(1, 2)))
    return net(Mul(), net(ReduceSum(keepdims=0), x, net.b.ints(1, 2)), net(ReduceSum(), sizes))


def last_first(self: Any, node: Node, facts: Facts) -> Answer:
    type_ = node.outputs[0].type
    if isinstance(node.op, Constant) or len(node.outputs) != 1 or not type_.elements:
        return None
    if not all(isinstance(e, int) for e in type_.elements) or len(type_.elements) < 2:
        return None
    array = np.array(type_.elements[::-1], type_.dtype.numpy) + np.arange(len(type_.elements))
    return Replacement(lambda b: b(Constant(Data(array))))


def of_constants(net: Net) -> Value:
    known = net(Sub(), net.const([1.0, 2.0, 4.0]), net.const([0.5, 5.0, 1.0]))
    return net(Mul(), start(net, N, 3), known)


def swapped_operands(match: Any) -> Any:
    def wrong(self: Any, node: Node, facts: Facts) -> Answer:
        if not isinstance(node.op, Sub):
            return match(self, node, facts)
        x, y = (facts.constant(v) for v in node.inputs)
        return None if x is None or y is None else constant(y - x)

    return wrong


def constant(array: Any) -> Answer:
    return Replacement(lambda b: b(Constant(Data(np.asarray(array)))))


def in_halves(b: Builder, array: Any) -> Value:
    rounded = array.astype(np.float16).astype(array.dtype) if array.dtype.kind == "f" else array
    return b(Constant(Data(np.ascontiguousarray(rounded).reshape(array.shape))))


def third(net: Net) -> Value:
    return net(Mul(), start(net, N, 3), net(Sub(), net.const([0.1, 0.2, 0.3]), net.const(0.7)))


def noise_of_constants(net: Net) -> Value:
    return net(Add(), start(net, N, 3), net(RandomNormalLike(), net.const([1.0, 2.0, 3.0])))


def drawn_now(match: Any) -> Any:
    def wrong(self: Any, node: Node, facts: Facts) -> Answer:
        if isinstance(node.op, RandomNormalLike) and facts.constant(node.inputs[0]) is not None:
            return constant(np.array([0.1, -0.2, 0.3], np.float32))
        return match(self, node, facts)

    return wrong


def chosen(net: Net) -> Value:
    x = start(net, N, 3)
    return net(Where(), net(Less(), x, 0.0), net(Floor(), net(Mul(), x, 3.0)), x)


NO_OPS = "eliminate-no-ops"
CSE = "eliminate-common-subexpressions"
nothing = ((no_ops, "_does_nothing", does_nothing_by_type),)
wider = ((no_ops, "is_wider", lambda dtype, other: True),)
twins = "_twins"
fold = fold_constants.FoldConstant

FAULTS = (
    Fault("a Pad that shifts is a no-op", NO_OPS, "return-operand", shifted, nothing),
    Fault("a Slice backwards is a no-op", NO_OPS, "return-operand", reversed_, nothing),
    Fault("a square transpose is a no-op", NO_OPS, "return-operand", square, nothing),
    Fault(
        "one 1 among the factors is enough",
        NO_OPS,
        "neutral-element",
        scaled,
        ((no_ops.NeutralElement, "_is_neutral", any_one),),
    ),
    Fault(
        "0 - x is x",
        NO_OPS,
        "neutral-element",
        subtracted_from_zero,
        ((no_ops.NeutralElement, "match", either_side),),
    ),
    Fault(
        "x + 0.0 is x to the bit",
        NO_OPS,
        "neutral-element",
        negative_zeros,
        ((no_ops.NeutralElement, "match", either_side),),
        passes=O1,
    ),
    Fault("|(|x|)| is x", NO_OPS, "twice", relu_twice, ((no_ops.Twice, "match", undone),)),
    Fault(
        "permutations composed the wrong way round",
        NO_OPS,
        "merge-transposes",
        transposed_twice,
        ((no_ops.MergeTransposes, "match", composed_the_wrong_way),),
    ),
    Fault(
        "a transpose taken for a reshape",
        NO_OPS,
        "merge-reshapes",
        reshaped_transpose,
        ((no_ops.MergeReshapes, "match", also_of_transposes),),
    ),
    Fault(
        "concats of two axes joined",
        NO_OPS,
        "merge-concats",
        joined_across,
        ((no_ops, "_axis", along_any_axis),),
    ),
    Fault("a cast to integers dropped", NO_OPS, "merge-casts", through_integers, wider),
    Fault("a cast to float16 dropped", NO_OPS, "merge-casts", through_halves, wider),
    Fault(
        "a sum of one square is the number",
        NO_OPS,
        "sum-over-one",
        squares_over_one,
        (
            (no_ops.SumOverOne, "roots", (ReduceSum, ReduceSumSquare)),
            (no_ops.SumOverOne, "match", sum_or_squares),
        ),
    ),
    Fault(
        "nodes of other attributes merged",
        CSE,
        "merge-equal",
        two_leaks,
        ((cse, twins, merged_if(without_attributes)),),
    ),
    Fault(
        "x - y and y - x merged",
        CSE,
        "merge-equal",
        both_differences,
        ((cse, twins, merged_if(in_any_order)),),
    ),
    Fault(
        "two draws of random numbers merged",
        CSE,
        "merge-equal",
        drawn_twice,
        ((cse, twins, merged_if(impure_too)),),
    ),
    Fault(
        "a node dead by its first result alone",
        "eliminate-dead-nodes",
        "remove-unread",
        second_half,
        ((EliminateDeadNodes, "run", by_first_result),),
    ),
    Fault(
        "the sizes of a shape mixed up",
        "simplify-shapes",
        "known-elements",
        counted,
        ((KnownElements, "match", last_first),),
    ),
    Fault(
        "operands of Sub swapped",
        "fold-constants",
        "fold",
        of_constants,
        ((fold, "match", swapped_operands(fold.match)),),
    ),
    Fault(
        "constants rounded to float16",
        "fold-constants",
        "fold",
        third,
        ((fold_constants, "_constant", in_halves),),
    ),
    Fault(
        "random numbers drawn while compiling",
        "fold-constants",
        "fold",
        noise_of_constants,
        ((fold, "match", drawn_now(fold.match)),),
    ),
)
