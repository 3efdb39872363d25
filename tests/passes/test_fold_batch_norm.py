"""Batch normalization folded in all its orders."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.ir.graph import Value
from nncomp.ops.activation import Relu
from nncomp.ops.conv import Conv, ConvTranspose
from nncomp.ops.conversion import Cast
from nncomp.ops.elementwise import Add, Div, Mul, Sub
from nncomp.ops.linear import Gemm, MatMul
from nncomp.ops.normalization_batch import BatchNormalization
from nncomp.ops.shape import Transpose
from nncomp.passes.fold_constants import FoldConstants
from nncomp.passes.manager import optimize, run_passes
from nncomp.types import DType
from tests.passes.batch_norms import PASSES, N, batch_norm, conv
from tests.passes.support import Net, check, feeds, names


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (Conv(), (6, 4, 3, 2)),
        (Conv(strides=(2, 1), pads=(1, 0, 2, 1)), (6, 4, 3, 2)),
        (Conv(dilations=(2, 3)), (6, 4, 3, 2)),
        (Conv(auto_pad="SAME_UPPER", strides=(2, 2)), (6, 4, 3, 2)),
        (Conv(group=2), (6, 2, 3, 2)),
        (Conv(group=4), (8, 1, 3, 2)),
    ],
    ids=["plain", "stride-pad", "dilation", "auto-pad", "group", "depthwise"],
)
def test_after_conv(op: Conv, shape: tuple[int, ...], bias: bool) -> None:
    net = Net()
    x = net.input(N, 4, 9, 7)
    check(net.bound(batch_norm(net, conv(net, x, op, *shape, bias=bias))), PASSES, "Conv")


@pytest.mark.parametrize("spatial", [(9,), (7, 6, 5)])
def test_after_conv_of_other_ranks(spatial: tuple[int, ...]) -> None:
    net = Net()
    x = net.input(N, 3, *spatial)
    y = batch_norm(net, conv(net, x, Conv(), 5, 3, *(2,) * len(spatial)))
    check(net.bound(y), PASSES, "Conv")


@pytest.mark.parametrize("group", [1, 2, 4])
def test_after_transposed_conv(group: int) -> None:
    net = Net()
    x = net.input(N, 4, 5, 6)
    y = net(ConvTranspose(group=group, strides=(2, 3)), x, net.param(4, 3, 3, 2))
    check(net.bound(batch_norm(net, y)), PASSES, "ConvTranspose")


@pytest.mark.parametrize("trans", [0, 1])
@pytest.mark.parametrize("bias", [None, (5,), (1, 5), (1, 1), (1,)])
def test_after_gemm(trans: int, bias: tuple[int, ...] | None) -> None:
    net = Net()
    x, w = net.input(N, 4), net.param(*((5, 4) if trans else (4, 5)))
    y = net(Gemm(alpha=0.5, beta=2.0, transB=trans), x, w, net.param(*bias) if bias else None)
    check(net.bound(batch_norm(net, y)), PASSES, "Gemm")


def test_after_matmul() -> None:
    net = Net()
    x = net.input(N, 4)
    check(net.bound(batch_norm(net, net(MatMul(), x, net.param(4, 5)))), PASSES, "Gemm")


@pytest.mark.parametrize(
    "arithmetic",
    [
        lambda net, y, c: net(Mul(), y, c),
        lambda net, y, c: net(Mul(), c, y),
        lambda net, y, c: net(Add(), c, y),
        lambda net, y, c: net(Sub(), y, c),
        lambda net, y, c: net(Sub(), c, y),
        lambda net, y, c: net(Div(), y, c),
        lambda net, y, c: net(Add(), net(Mul(), y, c), c),
        lambda net, y, c: batch_norm(net, net(Add(), y, c)),
        lambda net, y, c: net(Div(), net(Sub(), batch_norm(net, y), c), c),
        lambda net, y, c: batch_norm(net, batch_norm(net, y)),
    ],
)
@pytest.mark.parametrize("shape", [(6, 1, 1), (1, 6, 1, 1), (), (1,)])
def test_arithmetic_on_channels(
    arithmetic: Callable[[Net, Value, Value], Value], shape: tuple[int, ...]
) -> None:
    net = Net()
    y = conv(net, net.input(N, 4, 9, 7), Conv(pads=(1, 1, 1, 1)), 6, 4, 3, 3)
    check(net.bound(arithmetic(net, y, net.param(*shape, positive=True))), PASSES, "Conv")


def test_zero_minus_conv() -> None:
    net = Net()
    y = conv(net, net.input(N, 4, 9, 7), Conv(), 6, 4, 3, 3)
    check(net.bound(net(Sub(), 0.0, y)), PASSES, "Conv")


@pytest.mark.parametrize(
    ("group", "shape"), [(1, (6, 4, 3, 2)), (2, (6, 2, 3, 2)), (4, (8, 1, 3, 2))]
)
@pytest.mark.parametrize("bias", [False, True])
def test_before_conv(group: int, shape: tuple[int, ...], bias: bool) -> None:
    net = Net()
    y = batch_norm(net, net.input(N, 4, 9, 7))
    y = conv(net, y, Conv(group=group, strides=(2, 1)), *shape, bias=bias)
    check(net.bound(y), PASSES, "Conv")


@pytest.mark.parametrize("trans", [0, 1])
def test_before_gemm(trans: int) -> None:
    net = Net()
    y = batch_norm(net, net.input(N, 4))
    y = net(
        Gemm(alpha=0.5, beta=3.0, transB=trans),
        y,
        net.param(*((5, 4) if trans else (4, 5))),
        net.param(5),
    )
    check(net.bound(y), PASSES, "Gemm")


def test_between_two_convs_goes_into_the_first() -> None:
    net = Net()
    y = conv(net, net.input(N, 4, 9, 7), Conv(), 6, 4, 3, 3)
    y = conv(net, batch_norm(net, y), Conv(pads=(1, 1, 1, 1)), 5, 6, 3, 3)
    check(net.bound(y), PASSES, "Conv Conv")


def test_scaling_goes_into_a_padded_conv_and_shifting_does_not() -> None:
    net = Net()
    x = net.input(N, 4, 9, 7)
    y = net(Div(), net(Sub(), x, net.param(4, 1, 1)), net.param(4, 1, 1, positive=True))
    y = conv(net, y, Conv(pads=(1, 1, 1, 1)), 6, 4, 3, 3)
    result = check(net.bound(y), PASSES, "Sub Conv")
    assert [r.reason for r in result.refusals] == [
        "Conv cannot take Sub in: it pads with zeros, which are not normalised"
    ]


def test_shared_parameters_and_shared_weights() -> None:
    net = Net()
    x, w = net.input(N, 4, 9, 7), net.param(6, 4, 3, 3)
    statistics = [net.param(6, positive=True) for _ in range(4)]
    y1 = net(BatchNormalization(), net(Conv(), x, w), *statistics)
    y2 = net(BatchNormalization(), net(Conv(strides=(2, 2)), x, w), *statistics)
    check(net.bound(y1, y2), PASSES, "Conv Conv")


def test_a_result_read_twice_is_no_hindrance() -> None:
    net = Net()
    y = batch_norm(net, conv(net, net.input(N, 4, 9, 7), Conv(), 6, 4, 3, 3))
    check(net.bound(net(Relu(), y), y), PASSES, "Conv Relu")


def test_weights_that_are_not_bound_are_folded_into_nodes() -> None:
    net = Net()
    y = batch_norm(net, conv(net, net.input(N, 4, 9, 7), Conv(), 6, 4, 3, 3))
    result = check(net.graph(y), PASSES, weights=net.weights)
    assert "BatchNormalization" not in names(result.graph)


def shiftless(net: Net, x: Value) -> Value:
    """Batch normalization that keeps zero where it is: β = μ · a."""
    c = x.shape[1]
    assert isinstance(c, int)
    scale = net.random.normal(size=c).astype(np.float32)
    mean = net.random.integers(-3, 4, size=c).astype(np.float32)
    variance, epsilon = np.full(c, 0.75, np.float32), 0.25  # the root of 1
    shift, values = mean * scale, (scale, mean * scale, mean, variance)
    assert shift.any()
    return net(BatchNormalization(epsilon=epsilon), x, *map(net.const, values))


@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (Conv(pads=(1, 1, 1, 1)), (6, 4, 3, 3)),
        (Conv(auto_pad="SAME_LOWER", group=2), (6, 2, 2, 2)),
    ],
)
def test_before_a_padded_conv_where_zero_stays_zero(op: Conv, shape: tuple[int, ...]) -> None:
    net = Net()
    y = shiftless(net, net.input(N, 4, 9, 7))
    check(net.bound(conv(net, y, op, *shape, bias=True)), PASSES, "Conv")


def test_before_a_padded_conv_once_its_scale_keeps_zero_in_place() -> None:
    """What it has become is computed before constants are folded."""
    net = Net()
    y = shiftless(net, net.input(N, 4, 9, 7))
    y = net(Mul(), y, net.const(np.exp2(np.arange(4, dtype=np.float32)).reshape(4, 1, 1)))
    check(net.bound(conv(net, y, Conv(pads=(1, 1, 1, 1)), 6, 4, 3, 3)), PASSES, "Conv")


def test_scaling_before_a_padded_conv() -> None:
    net = Net()
    y = net(Mul(), net.input(N, 4, 9, 7), net.param(4, 1, 1))
    check(net.bound(conv(net, y, Conv(pads=(1, 1, 1, 1)), 6, 4, 3, 3)), PASSES, "Conv")


@pytest.mark.parametrize("name", ["Mul", "Add", "Sub", "Div", "minus", "two"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_arithmetic_beside_a_batch_norm_alone(name: str, side: str) -> None:
    net = Net()
    c = net.param(4, 1, 1, positive=True)

    def arithmetic(x: Value) -> Value:
        if name == "two":
            return net(Add(), net(Mul(), x, c), net.param(1, 4, 1, 1))
        if name == "minus":
            return net(Sub(), c, x)
        return net({"Mul": Mul(), "Add": Add(), "Sub": Sub(), "Div": Div()}[name], x, c)

    x = net.input(N, 4, 9, 7)
    y = batch_norm(net, arithmetic(x)) if side == "before" else arithmetic(batch_norm(net, x))
    check(net.bound(net(Relu(), y)), PASSES, "BatchNormalization Relu")


def test_a_batch_norm_that_others_read_keeps_its_arithmetic() -> None:
    net = Net()
    y = batch_norm(net, net.input(N, 4, 9, 7))
    result = check(
        net.bound(net(Mul(), y, net.param(4, 1, 1)), net(Relu(), y)),
        PASSES,
        "BatchNormalization Mul Relu",
    )
    assert "BatchNormalization and Mul stay two: its result has 1 other reader" in [
        r.reason for r in result.refusals
    ]


def in_halves(net: Net, value: Value) -> Value:
    return net(Cast(DType.F16), value)


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("statistics", [DType.F16, DType.F32])
def test_float16_weights_are_rounded_once(side: str, statistics: DType) -> None:
    """In float16 a variance of 1e-6 would be 0, and epsilon half of what it is."""
    net = Net()
    x = net.input(N, 4, 9, 7, dtype=DType.F16)
    size = 6 if side == "after" else 4
    scale, shift, mean = (in_halves(net, net.param(size)) for _ in range(3))
    variance = net.const(np.full(size, 3e-6, np.float32))
    norm = (scale, shift, net(Cast(statistics), mean), net(Cast(statistics), variance))
    w = in_halves(net, net.param(6, 4, 3, 3))
    op = BatchNormalization(epsilon=1e-6)
    y = net(op, net(Conv(), x, w), *norm) if side == "after" else net(Conv(), net(op, x, *norm), w)
    graph = net.bound(y)
    result = run_passes(graph, (FoldConstants(), *PASSES), evaluate)
    assert names(result.graph) == ["Conv"]
    inputs = feeds(graph)
    wanted, found = (run(g, inputs).outputs["y0"].astype(float) for g in (graph, result.graph))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=4e-3 * np.abs(wanted).max())


class TestSeveralBehind:
    """A batch norm that several convolutions or products read, and nothing else."""

    def test_convolutions(self) -> None:
        net = Net()
        y = batch_norm(net, net.input(N, 4, 9, 7))
        parts = [
            conv(net, y, Conv(), 6, 4, 1, 1),
            conv(net, y, Conv(strides=(2, 2)), 6, 4, 3, 3, bias=True),
            conv(net, y, Conv(group=2), 6, 2, 2, 2),
        ]
        check(net.bound(*parts), PASSES, "Conv Conv Conv")

    def test_products(self) -> None:
        net = Net()
        y = batch_norm(net, net.input(N, 4))
        parts = net(MatMul(), y, net.param(4, 5)), net(Gemm(), y, net.param(4, 3), net.param(3))
        check(net.bound(*parts), PASSES, "Gemm Gemm")

    def test_products_that_are_one_then(self) -> None:
        net = Net()
        y = batch_norm(net, net.input(N, 4))
        parts = [net(Gemm(), y, net.param(4, n), net.param(n)) for n in (5, 3, 2)]
        after = optimize(net.bound(*parts), 2, evaluate).graph
        assert names(after) == ["Gemm", "Split"]

    def test_padding_where_zero_stays_zero(self) -> None:
        net = Net()
        y = net(Mul(), net.input(N, 4, 9, 7), net.param(4, 1, 1))
        parts = [conv(net, y, Conv(pads=(k, k, k, k)), 6, 4, 3, 3) for k in range(3)]
        check(net.bound(*parts), PASSES, "Conv Conv Conv")

    def test_after_arithmetic_that_it_takes_in_first(self) -> None:
        net = Net()
        y = batch_norm(net, net(Add(), net.input(N, 4, 9, 7), net.param(4, 1, 1)))
        parts = [conv(net, y, Conv(), 6, 4, k, k) for k in (1, 3)]
        check(net.bound(*parts), PASSES, "Conv Conv")

    def test_weights_that_are_made_later(self) -> None:
        """Of a second reader that stands below."""
        net = Net()
        y = batch_norm(net, net.input(N, 4))
        first = net(MatMul(), y, net.param(4, 5))
        later = net(Transpose((1, 0)), net.param(3, 4))
        check(net.bound(first, net(MatMul(), y, later)), PASSES, "Gemm Gemm")

    def test_of_one_that_stands_behind_a_convolution(self) -> None:
        net = Net()
        y = batch_norm(net, conv(net, net.input(N, 4, 9, 7), Conv(), 5, 4, 2, 2))
        parts = [conv(net, y, Conv(pads=(k, k, k, k)), 6, 5, 3, 3) for k in (0, 1)]
        check(net.bound(*parts), PASSES, "Conv Conv Conv")
