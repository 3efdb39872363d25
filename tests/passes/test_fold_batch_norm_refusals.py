"""Batch normalization that must stay where it is, and the reasons that are given."""

from __future__ import annotations

import pytest

from nncomp.backends.reference.interpreter import evaluate
from nncomp.ir.graph import Value
from nncomp.ops.activation import Relu
from nncomp.ops.conv import Conv
from nncomp.ops.elementwise import Add, Div, Mul
from nncomp.ops.linear import Gemm
from nncomp.ops.normalization_batch import BatchNormalization
from nncomp.passes.manager import run_passes
from tests.passes.batch_norms import PASSES, N, batch_norm, conv
from tests.passes.support import Net, check


class TestRefusals:
    def refusal(self, net: Net, *outputs: Value, left: str) -> str:
        result = check(net.bound(*outputs), PASSES, left)
        refusal = result.refusals[-1]
        return f"{refusal.rule}: {refusal.reason}"

    def test_other_readers(self) -> None:
        net = Net()
        y = conv(net, net.input(N, 4, 9, 7), Conv(), 6, 4, 3, 3)
        reason = self.refusal(
            net,
            net(Add(), batch_norm(net, y), net(Relu(), y)),
            left="Conv BatchNormalization Relu Add",
        )
        assert reason == "fold-into-previous: Conv cannot take it in: its result has 1 other reader"

    def test_output(self) -> None:
        net = Net()
        y = conv(net, net.input(N, 4, 9, 7), Conv(), 6, 4, 3, 3)
        reason = self.refusal(net, y, batch_norm(net, y), left="Conv BatchNormalization")
        assert "its result is an output of the graph" in reason

    def test_weights_from_the_run(self) -> None:
        net = Net()
        y = net(Conv(), net.input(N, 4, 9, 7), net.input(6, 4, 3, 3))
        reason = self.refusal(net, batch_norm(net, y), left="Conv BatchNormalization")
        assert "its weights are computed at run time" in reason

    def test_statistics_from_the_run(self) -> None:
        net = Net()
        y = conv(net, net.input(N, 4, 9, 7), Conv(), 6, 4, 3, 3)
        scale, variance = net.param(6), net.param(6, positive=True)
        y = net(BatchNormalization(), y, scale, scale, net.input(6), variance)
        reason = self.refusal(net, y, left="Conv BatchNormalization")
        assert "scale, shift, mean or variance is computed at run time" in reason

    @pytest.mark.parametrize("number", [1e-40, 0.0])
    def test_reciprocal_that_is_infinite(self, number: float) -> None:
        net = Net()
        y = conv(net, net.input(N, 4, 9, 7), Conv(), 6, 4, 3, 3)
        graph = net.bound(net(Div(), y, number))
        result = run_passes(graph, PASSES, evaluate)
        assert result.graph is graph
        assert result.refusals[-1].reason == "it divides by a number whose reciprocal is infinite"

    def test_padding(self) -> None:
        net = Net()
        y = batch_norm(net, net.input(N, 4, 9, 7))
        y = conv(net, y, Conv(pads=(0, 0, 1, 0)), 6, 4, 3, 3)
        reason = self.refusal(net, y, left="BatchNormalization Conv")
        assert reason.startswith("fold-into-next: Conv cannot take BatchNormalization in: it pads")

    @pytest.mark.parametrize("case", ["padding", "another", "weights", "output", "place"])
    def test_one_of_several_behind(self, case: str) -> None:
        net = Net()
        y = batch_norm(net, net.input(N, 4, 9, 7))
        first = conv(net, y, Conv(), 6, 4, 3, 3)
        others = {
            "padding": lambda: conv(net, y, Conv(pads=(1, 1, 0, 0)), 6, 4, 3, 3),
            "another": lambda: net(Relu(), y),
            "weights": lambda: net(Conv(), y, net.input(6, 4, 3, 3)),
            "output": lambda: y,
            "place": lambda: net(Conv(), net.input(2, 4, 9, 7), y),
        }
        graph = net.bound(first, others[case]())
        left = {"another": "Relu", "output": ""}.get(case, "Conv")
        result = check(graph, PASSES, f"BatchNormalization Conv {left}", weights={})
        reasons = {
            "padding": "its result has other readers, and Conv cannot: it pads with zeros",
            "another": "its result has other readers, and Relu cannot: it is no convolution",
            "weights": "its result has other readers, and Conv cannot: its weights are computed",
            "output": "its result is an output of the graph",
            "place": "its result has other readers, and Conv cannot: ",
        }
        wanted = f"Conv cannot take BatchNormalization in: {reasons[case]}"
        assert any(r.reason.startswith(wanted) for r in result.refusals)

    def test_bias_along_rows(self) -> None:
        net = Net()
        y = net(Gemm(), net.input(3, 4), net.param(4, 5), net.param(3, 5))
        reason = self.refusal(net, batch_norm(net, y), left="Gemm BatchNormalization")
        assert "varies along the rows" in reason


def test_not_a_pattern() -> None:
    net = Net()
    x = net.input(N, 4, 9, 7)
    y = conv(net, x, Conv(pads=(1, 1, 1, 1)), 4, 4, 3, 3)
    outputs = net(Add(), y, x), net(Mul(), y, net.param(9, 7)), batch_norm(net, net(Relu(), y))
    result = check(net.bound(*outputs), PASSES, "Conv Add Mul Relu BatchNormalization")
    (refusal,) = result.refusals
    assert refusal.reason == "no convolution or product stands before it, but Relu"
