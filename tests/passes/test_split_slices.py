"""Slices that part a tensor become one Split."""

from __future__ import annotations

import pytest

from nncomp.dims import DimLike, new_dim
from nncomp.ir.graph import Value
from nncomp.ops.activation import Relu, Tanh
from nncomp.ops.elementwise import Mul
from nncomp.ops.shape_joining import Concat
from nncomp.ops.shape_slicing import Slice
from nncomp.passes.split_slices import SplitSlices
from tests.passes.support import Net, check

N = new_dim("N")
FAR = 2**63 - 1


def cut(net: Net, x: Value, start: int, end: int, axis: int = 1, step: int = 1) -> Value:
    return net(Slice(), x, *(net.b.ints(n) for n in (start, end, axis, step)))


@pytest.mark.parametrize("batch", [3, N])
def test_a_roll(batch: DimLike) -> None:
    net = Net()
    x = net(Tanh(), net.input(batch, 7, 4))
    y = net(Concat(axis=1), cut(net, x, -3, FAR), cut(net, x, 0, -3))
    check(net.bound(y), [SplitSlices()], "Tanh Split Concat", exact=True)


def test_three_parts_and_another_reader() -> None:
    net = Net()
    x = net.input(N, 7)
    parts = [cut(net, x, *ends) for ends in ((4, 7), (0, 1), (1, 4))]
    outputs = net(Mul(), parts[0], parts[2]), net(Relu(), parts[1]), net(Relu(), x)
    check(net.bound(*outputs), [SplitSlices()], "Split Mul Relu Relu", exact=True)


def test_along_two_axes_one_after_the_other() -> None:
    net = Net()
    x = net.input(N, 6, 8)
    rows = net(Concat(axis=1), cut(net, x, 2, FAR), cut(net, x, 0, 2))
    y = net(Concat(axis=2), cut(net, rows, 3, FAR, 2), cut(net, rows, 0, 3, 2))
    check(net.bound(y), [SplitSlices()], "Split Concat Split Concat", exact=True)


def test_parts_that_are_there_twice() -> None:
    net = Net()
    x = net.input(N, 7)
    parts = [cut(net, x, *ends) for ends in ((0, 3), (3, 7), (3, 7), (0, 3))]
    check(net.bound(*parts), [SplitSlices()], "Split Split", exact=True)


@pytest.mark.parametrize(
    "parts",
    [
        [(0, 3), (4, 7)],  # a gap
        [(0, 4), (3, 7)],  # twice the same
        [(0, 3)],
        [(1, 4), (4, 7)],
        [(0, 7, 1, 2), (1, 7, 1, 2)],  # every second
    ],
)
def test_what_is_no_partition(parts: list[tuple[int, ...]]) -> None:
    net = Net()
    x = net.input(N, 7)
    outputs = [net(Relu(), cut(net, x, *part)) for part in parts]
    check(net.bound(*outputs), [SplitSlices()], "Slice Relu " * len(parts))


def test_an_axis_of_unknown_size_stays() -> None:
    net = Net()
    x = net.input(3, N)
    outputs = cut(net, x, 0, 2), cut(net, x, 2, FAR)
    check(net.bound(*outputs), [SplitSlices()], "Slice Slice", exact=True)
