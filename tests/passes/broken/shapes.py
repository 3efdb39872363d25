"""Faults in reshapes, transposes, and reductions that drop axes."""

from __future__ import annotations

from typing import Any

from nncomp.dims import Dim, DimLike, new_dim
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ir.op import Op
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.forms import reduce_mean, reshape, transpose, window
from nncomp.ops.pooling import GlobalAveragePool
from nncomp.ops.reduction import ReduceMax
from nncomp.ops.shape import Reshape, Transpose
from nncomp.ops.shape_joining import Concat
from nncomp.passes import (
    eliminate_no_ops,
    fuse_patches,
    simplify_shapes,
    simplify_transposes,
    split_slices,
    squeeze_reductions,
)
from nncomp.passes.eliminate_no_ops import operand
from nncomp.passes.rewrite import Answer, Facts, Replacement
from nncomp.passes.simplify_transposes import TransposeAroundMerged
from tests.passes.broken.fault import N, always, of_formula, start
from tests.passes.support import Net
from tests.passes.test_patches import patches


def added_twice(net: Net) -> Value:
    y = net(Add(), start(net, N, 3, 4), net.param(4))
    return net(Add(), y, net.param(3, 4))


def multiplied_twice(net: Net) -> Value:
    y = net(Mul(), start(net, N, 3, 4), net.const([0.5, 2.0, 3.0, 0.25]))
    return net(Mul(), y, 7.0)


def only_the_first(op: type[Op], x: Value, constant: Any, b: Builder) -> Value:
    return x


M = new_dim("M")


def merged(net: Net) -> Value:
    x = reshape(net.b, start(net, 2, 3, 4, 5), 6, 4, 5)
    return reshape(net.b, transpose(net.b, x, 0, 2, 1), 3, 2, 5, 4)


def averaged(net: Net) -> Value:
    x = start(net, N, 4, 5, 4)
    return reshape(net.b, reduce_mean(net.b, x, [2, 3], keep=True), N, 4)


def along_the_first(right: Any) -> Any:
    def wrong(op: Any, inputs: Any, *nodes: Node) -> Any:
        return Replacement(lambda b: reduce_mean(b, inputs[0], [1, 2]), nodes)

    return wrong


def pooled(net: Net) -> Value:
    return reshape(net.b, net(GlobalAveragePool(), start(net, 5, 3, 4, 2)), 5, 3)


def around_merged(net: Net) -> Value:
    x = transpose(net.b, start(net, 2, 2, 3, 4), 1, 0, 2, 3)
    return transpose(net.b, reshape(net.b, x, 2, 2, 12), 1, 0, 2)


def without_the_first(self: Any, node: Node, facts: Facts) -> Answer:
    merge = operand(node.inputs[0], Reshape)
    inner = None if merge is None else operand(merge.inputs[0], Transpose)
    perm = None if merge is None else simplify_transposes._apart(node, merge)
    if merge is None or inner is None or perm is None or inner.inputs[0] is None:
        return None
    return simplify_transposes._turned_first(inner.inputs[0], perm, node, merge, inner)


def turned_over(net: Net) -> Value:
    return reshape(net.b, start(net, N, M), M, N)


def any_dim(x: Value, axis: int, dim: DimLike) -> bool:
    return axis < x.rank and isinstance(dim, Dim)


def rolled(net: Net) -> Value:
    x = start(net, N, 6)
    halves = [window(net.b, x, [begin], [3], [1]) for begin in (3, 0)]
    return net(Concat(axis=1), *halves)


def the_other_way_round(right: Any) -> Any:
    return lambda graph: [group[::-1] for group in right(graph)]


def of_four_patches(net: Net) -> Value:
    return net(Concat(axis=-1), *patches(net, start(net, N, 4, 4, 3), [1, 2]))


def columns_before_rows(right: Any) -> Any:
    def wrong(starts: Any, steps: Any) -> Any:
        found = right(starts, steps)
        return found and found[::-1]

    return wrong


FAULTS = (
    of_formula(
        "both constants forgotten",
        *("eliminate-no-ops", "merge-sums", added_twice),
        ((eliminate_no_ops, "_merged", only_the_first),),
        most=8,
    ),
    of_formula(
        "both factors forgotten",
        *("eliminate-no-ops", "merge-scales", multiplied_twice),
        ((eliminate_no_ops, "_merged", only_the_first),),
        most=8,
    ),
    of_formula(
        "the mean along other axes",
        *("squeeze-reductions", "drop-reduced-axes", averaged),
        ((squeeze_reductions, "by_node", along_the_first(squeeze_reductions.by_node)),),
        most=6,
    ),
    of_formula(
        "the largest of an image for its mean",
        *("squeeze-reductions", "pool-to-vector", pooled),
        ((squeeze_reductions, "ReduceMean", ReduceMax),),
        most=6,
    ),
    of_formula(
        "axes parted in another order",
        *("simplify-transposes", "transpose-of-merged", merged),
        ((simplify_transposes, "equal_shapes", always),),
    ),
    of_formula(
        "the first of two transposes forgotten",
        *("simplify-transposes", "transpose-around-merged", around_merged),
        ((TransposeAroundMerged, "match", without_the_first),),
        most=6,
    ),
    of_formula(
        "another axis taken for the size",
        *("simplify-shapes", "plain-reshape", turned_over),
        ((simplify_shapes, "_is_copy", any_dim),),
        most=4,
    ),
    of_formula(
        "the parts of a tensor in another order",
        *("split-slices", "slices-to-split", rolled),
        ((split_slices, "_groups", the_other_way_round(split_slices._groups)),),
        most=4,
    ),
    of_formula(
        "patches column by column",
        *("fuse-patches", "merge-patches", of_four_patches),
        ((fuse_patches, "_order", columns_before_rows(fuse_patches._order)),),
    ),
)
