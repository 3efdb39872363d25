"""Convolutions with activations and residuals, products with biases and transposes."""

from __future__ import annotations

import pytest

from nncomp.backends.reference.interpreter import evaluate
from nncomp.dims import new_dim
from nncomp.ir.graph import Graph, Value
from nncomp.ir.op import Op
from nncomp.ops.activation import Elu, HardSigmoid, HardSwish, LeakyRelu, Relu, Sigmoid, Tanh
from nncomp.ops.conv import Conv
from nncomp.ops.elementwise import Add, Clip, Div, Mul
from nncomp.ops.elementwise_math import Exp
from nncomp.ops.fused import FusedConv
from nncomp.ops.linear import Gemm, MatMul
from nncomp.ops.shape import Transpose
from nncomp.passes.fuse_conv_activation import FuseConvActivation
from nncomp.passes.fuse_matmul_bias import FuseMatmulBias
from nncomp.passes.manager import optimize
from nncomp.types import DType
from tests.passes.support import Net, check, names

CONV = (FuseConvActivation(),)
GEMM = (FuseMatmulBias(),)
N = new_dim("N")


def conv(net: Net, x: Value, channels: int, *, bias: bool = True, op: Conv | None = None) -> Value:
    into = x.shape[1]
    assert isinstance(into, int)
    op = op or Conv(pads=(1, 1, 1, 1))
    w = net.param(channels, into // op.group, 3, 3)
    return net(op, x, w, net.param(channels) if bias else None)


def fused(graph: Graph) -> list[FusedConv]:
    return [node.op for node in graph.nodes if isinstance(node.op, FusedConv)]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("activation", "params"),
    [
        (Relu(), ()),
        (Sigmoid(), ()),
        (Tanh(), ()),
        (HardSwish(), ()),
        (LeakyRelu(alpha=0.3), (0.3,)),
        (Elu(alpha=0.7), (0.7,)),
        (HardSigmoid(alpha=0.3, beta=0.6), (0.3, 0.6)),
    ],
    ids=lambda value: value.name if isinstance(value, Op) else "",
)
def test_activation(activation: Op, params: tuple[float, ...], bias: bool) -> None:
    net = Net()
    op = Conv(group=2, strides=(2, 1), pads=(1, 0, 1, 2))
    y = net(activation, conv(net, net.input(N, 4, 9, 7), 6, bias=bias, op=op))
    result = check(net.bound(y), CONV, "FusedConv")
    (made,) = fused(result.graph)
    assert (made.activation, made.activation_params) == (activation.name, params)
    assert (made.group, made.strides, made.pads) == (op.group, op.strides, op.pads)


@pytest.mark.parametrize(
    ("low", "high", "params"),
    [(0.0, 6.0, (0.0, 6.0)), (None, 1.0, (float("-inf"), 1.0)), (-1.0, None, (-1.0, float("inf")))],
)
def test_clip(low: float | None, high: float | None, params: tuple[float, ...]) -> None:
    net = Net()
    y = net(Clip(), conv(net, net.input(N, 4, 9, 7), 6), low, high)
    (made,) = fused(check(net.bound(y), CONV, "FusedConv").graph)
    assert made.activation_params == params


def test_swish() -> None:
    net = Net()
    y = conv(net, net.input(N, 4, 9, 7), 6)
    result = check(net.bound(net(Mul(), net(Sigmoid(), y), y)), CONV, "FusedConv")
    assert fused(result.graph)[0].activation == "Swish"


def test_hard_swish_as_a_formula() -> None:
    """As MobileNetV3 and its kin are exported."""
    net = Net()
    y = conv(net, net.input(N, 4, 9, 7), 6)
    gate = net(Clip(), net(Add(), y, 3.0), 0.0, 6.0)
    result = optimize(net.bound(net(Div(), net(Mul(), y, gate), 6.0)), 2, evaluate)
    assert fused(result.graph)[0].activation == "HardSwish"


@pytest.mark.parametrize("swapped", [False, True])
def test_residual(swapped: bool) -> None:
    net = Net()
    x = net.input(N, 4, 9, 7)
    y = conv(net, net(Relu(), conv(net, x, 6)), 4)
    y = net(Add(), x, y) if swapped else net(Add(), y, x)
    result = check(net.bound(net(Relu(), y)), CONV, "FusedConv FusedConv")
    node = result.graph.nodes[-1]
    assert node.inputs[3] is result.graph.inputs[0]


def test_of_two_convolutions_the_left_takes_the_right_one_in() -> None:
    net = Net()
    x = net.input(N, 4, 9, 7)
    y = net(Add(), conv(net, x, 6, bias=False), conv(net, x, 6))
    check(net.bound(net(Relu(), y)), CONV, "Conv FusedConv")


def test_spans_scope_and_history() -> None:
    net = Net()
    y = net(Relu(), net(Add(), conv(net, net.input(N, 4, 9, 7), 4), net.inputs[0]), name="out")
    node = check(net.bound(y), CONV).graph.nodes[-1]
    assert node.outputs[0].name == "out"
    assert [str(step) for step in node.origin.history] == [
        "fuse-conv-activation/add-residual",
        "fuse-conv-activation/fuse-activation",
    ]


class TestConvRefusals:
    def reason(self, net: Net, *outputs: Value, left: str) -> str:
        (refusal,) = check(net.bound(*outputs), CONV, left).refusals
        return refusal.reason

    def test_other_reader(self) -> None:
        net = Net()
        y = conv(net, net.input(N, 4, 9, 7), 6)
        reason = self.reason(net, net(Relu(), y), net(Exp(), y), left="Conv Relu Exp")
        assert reason == "the convolution cannot take Relu in: its result has 1 other reader"

    def test_output(self) -> None:
        net = Net()
        y = conv(net, net.input(N, 4, 9, 7), 6)
        reason = self.reason(net, net(Tanh(), y), y, left="Conv Tanh")
        assert reason.endswith("its result is an output of the graph")

    def test_both_sides_of_an_addition(self) -> None:
        net = Net()
        y = conv(net, net.input(N, 4, 9, 7), 6)
        assert "1 other reader" in self.reason(net, net(Add(), y, y), left="Conv Add")

    def test_shape_of_what_is_added(self) -> None:
        net = Net()
        y = net(Add(), conv(net, net.input(N, 4, 9, 7), 6), net.input(6, 1, 1))
        assert "what is added is f32[6, 1, 1]" in self.reason(net, y, left="Conv Add")

    def test_bounds_from_the_run(self) -> None:
        net = Net()
        y = net(Clip(), conv(net, net.input(N, 4, 9, 7), 6), net.input())
        assert "computed at run time" in self.reason(net, y, left="Conv Clip")

    def test_swish(self) -> None:
        net = Net()
        y = conv(net, net.input(N, 4, 9, 7), 6)
        s = net(Sigmoid(), y)
        result = check(net.bound(net(Mul(), y, s), y), CONV, "Conv Sigmoid Mul")
        assert {r.rule for r in result.refusals} == {"fuse-activation", "fuse-swish"}


def test_a_second_activation_stays() -> None:
    net = Net()
    y = net(Tanh(), net(Relu(), conv(net, net.input(N, 4, 9, 7), 6)))
    assert not check(net.bound(y), CONV, "FusedConv Tanh").refusals


@pytest.mark.parametrize("shape", [(5,), (1, 5), (1,), ()])
def test_bias(shape: tuple[int, ...]) -> None:
    net = Net()
    y = net(Add(), net.param(*shape), net(MatMul(), net.input(N, 4), net.param(4, 5)))
    check(net.bound(y), GEMM, "Gemm")


@pytest.mark.parametrize("a", [False, True])
@pytest.mark.parametrize("b", [False, True])
def test_transposes(a: bool, b: bool) -> None:
    net = Net()
    x = net(Transpose(), net.input(4, N)) if a else net.input(N, 4)
    w = net(Transpose(perm=(1, 0)), net.input(5, 4)) if b else net.input(4, 5)
    y = net(Add(), net(MatMul(), x, w), net.param(5))
    result = check(net.bound(y), GEMM, "Gemm")
    op = result.graph.nodes[-1].op
    assert isinstance(op, Gemm)
    assert (op.transA, op.transB) == (a, b)


def test_transposed_result() -> None:
    net = Net()
    y = net(Gemm(alpha=0.5, transA=1), net.input(4, N), net.input(4, 5))
    z = net(MatMul(), net.input(N, 4), net.input(4, 5))
    graph = net.graph(net(Transpose(), y), net(Transpose(), z))
    result = check(graph, GEMM, "Gemm Gemm")
    ops = [(n.op.transA, n.op.transB) for n in result.graph.nodes if isinstance(n.op, Gemm)]
    assert ops == [(1, 0), (1, 1)]


def test_transposed_results_that_stay() -> None:
    net = Net()
    y = net(MatMul(), net.input(N, 4), net.input(4, 5))
    z = net(Gemm(), net.input(N, 4), net.input(4, 5), net.input(5))
    graph = net.graph(net(Transpose(), y), y, net(Transpose(), z))
    result = check(graph, GEMM, "MatMul Gemm Transpose Transpose")
    assert [r.reason for r in result.refusals] == [
        "the product cannot be computed transposed: its result is an output of the graph",
        "what is added would have to be transposed",
    ]


def test_product_without_bias_stays_a_matmul() -> None:
    net = Net()
    check(net.bound(net(MatMul(), net.input(N, 4), net.param(4, 5))), GEMM, "MatMul")


def test_gemm_without_bias_takes_one() -> None:
    net = Net()
    y = net(Gemm(alpha=0.5), net.input(N, 4), net.param(4, 5))
    check(net.bound(net(Add(), y, net.param(5))), GEMM, "Gemm")


def test_no_gemm() -> None:
    net = Net()
    y = net(Add(), net(MatMul(), net.input(2, N, 4), net.param(4, 5)), net.param(5))
    z = net(Add(), net(MatMul(), net.input(N, 4), net.param(4, 5)), net.input(3, 1, 5))
    i = net(MatMul(), net.input(N, 4, dtype=DType.I32), net.const(range(4), DType.I32))
    graph = net.bound(y, z, i)
    check(graph, GEMM, names(graph))


def test_product_with_two_readers() -> None:
    net = Net()
    y = net(MatMul(), net.input(N, 4), net.param(4, 5))
    (refusal,) = check(net.bound(net(Add(), y, net.param(5)), y), GEMM, "MatMul Add").refusals
    assert refusal.reason.endswith("its result is an output of the graph")
