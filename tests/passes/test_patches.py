"""Every second row and column, put beside each other, are a transpose."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest

from nncomp.dims import DimLike, new_dim
from nncomp.ir.graph import Value
from nncomp.ops.activation import Relu
from nncomp.ops.shape_joining import Concat
from nncomp.ops.shape_slicing import Slice
from nncomp.passes.fuse_patches import FusePatches
from tests.passes.support import Net, check

N = new_dim("N")
FAR = 2**63 - 1
PASSES = [FusePatches()]
MERGED = "Reshape Transpose Reshape"


def every(net: Net, x: Value, start: int, step: int, axis: int) -> Value:
    return net(Slice(), x, *(net.b.ints(n) for n in (start, FAR, axis, step)))


def patches(net: Net, x: Value, axes: Sequence[int], step: int = 2) -> list[Value]:
    """The last of the axes changes fastest."""
    found = []
    for starts in product(range(step), repeat=len(axes)):
        part = x
        for start, axis in zip(starts, axes, strict=True):
            part = every(net, part, start, step, axis)
        found.append(part)
    return found


@pytest.mark.parametrize("batch", [2, N])
@pytest.mark.parametrize("axes", [(1, 2), (2, 1)])
def test_of_swin(batch: DimLike, axes: tuple[int, int]) -> None:
    net = Net()
    y = net(Concat(axis=-1), *patches(net, net.input(batch, 4, 6, 3), axes))
    check(net.bound(y), PASSES, MERGED, exact=True)


@pytest.mark.parametrize("axis", [0, 1, 3])
def test_along_any_axis(axis: int) -> None:
    net = Net()
    y = net(Concat(axis=axis), *patches(net, net.input(2, 3, 9, 5), [2], step=3))
    check(net.bound(y), PASSES, MERGED, exact=True)


def test_all_axes_in_one_slice() -> None:
    net = Net()
    x = net.input(3, 4, 6)
    parts = [
        net(Slice(), x, net.b.ints(i, j), net.b.ints(FAR, FAR), net.b.ints(1, 2), net.b.ints(2, 3))
        for i, j in product(range(2), range(3))
    ]
    check(net.bound(net(Concat(axis=0), *parts)), PASSES, MERGED, exact=True)


def test_of_a_part() -> None:
    net = Net()
    x = net(Slice(), net.input(N, 4, 9, 3), *(net.b.ints(n) for n in (1, 7, 2, 1)))
    y = net(Concat(axis=-1), *patches(net, x, (1, 2)))
    check(net.bound(y), PASSES, f"Slice {MERGED}", exact=True)


@pytest.mark.parametrize("case", ["order", "axis", "missing", "others", "gap"])
def test_what_is_no_transpose(case: str) -> None:
    net = Net()
    x = net.input(3, 4, 6, 2)
    parts = patches(net, x, [1, 2])
    if case == "order":
        parts = [parts[0], parts[3], parts[1], parts[2]]
    if case == "missing":
        parts = parts[:3]
    if case == "others":
        parts[1] = every(net, every(net, net.input(3, 4, 6, 2), 0, 2, 1), 1, 2, 2)
    if case == "gap":  # every third column twice
        parts = [every(net, x, start, 3, 2) for start in (0, 1, 1, 2)]
    y = net(Concat(axis=1 if case == "axis" else 3), *parts)
    assert not check(net.bound(y), PASSES, exact=True).log[0].changed


def test_patches_that_others_read_stay() -> None:
    net = Net()
    parts = patches(net, net.input(3, 4, 6, 2), [1, 2])
    graph = net.bound(net(Concat(axis=3), *parts), net(Relu(), parts[1]))
    (refusal,) = check(graph, PASSES, exact=True).refusals
    assert refusal.reason == "the patches stay apart: Slice in it has 1 other reader"
