"""Formulas that are recognised as operators: each way to write them, and what keeps them as they
are."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import Target, legalize
from nncomp.backends.reference.interpreter import evaluate
from nncomp.ir.graph import Value
from nncomp.ops.activation import Gelu, HardSigmoid, Softplus, Tanh
from nncomp.ops.conversion import Cast
from nncomp.ops.elementwise import Add, Clip, Div, Mul, Sub
from nncomp.ops.elementwise_math import Erf, Exp, Log, Pow, Reciprocal, Sqrt
from nncomp.ops.forms import reduce_mean
from nncomp.ops.normalization import LayerNormalization, RMSNormalization
from nncomp.passes.fuse_activations import FuseActivations
from nncomp.passes.fuse_gelu import FuseGelu
from nncomp.passes.fuse_layer_norm import FuseLayerNorm
from nncomp.passes.fuse_rms_norm import FuseRmsNorm
from nncomp.passes.manager import optimize, run_passes
from nncomp.passes.retype import retype
from nncomp.types import DType
from tests.passes.broken.fault import N
from tests.passes.support import Net, check, names

ROOT = math.sqrt(2 / math.pi)


def erf_gelu(net: Net, x: Value) -> Value:
    return net(Mul(), net(Mul(), x, 0.5), one_plus_erf(net, x))


def one_plus_erf(net: Net, x: Value) -> Value:
    return net(Add(), net(Erf(), net(Div(), x, math.sqrt(2))), 1.0)


def half_last(net: Net, x: Value) -> Value:
    """As PyTorch's exporter writes it."""
    return net(Mul(), net(Mul(), x, one_plus_erf(net, x)), 0.5)


def half_before(net: Net, x: Value) -> Value:
    return net(Mul(), net(Div(), one_plus_erf(net, x), 2.0), x)


def tanh_gelu(net: Net, x: Value) -> Value:
    """As transformers' NewGELUActivation has it."""
    inner = net(Add(), x, net(Mul(), net(Pow(), x, 3.0), 0.044715))
    bent = net(Add(), net(Tanh(), net(Mul(), inner, ROOT)), 1.0)
    return net(Mul(), net(Mul(), x, 0.5), bent)


def fast_gelu(net: Net, x: Value) -> Value:
    """As transformers' FastGELUActivation has it."""
    square = net(Add(), net(Mul(), net(Mul(), x, 0.044715), x), 1.0)
    bent = net(Tanh(), net(Mul(), net(Mul(), x, 0.7978845608), square))
    return net(Mul(), net(Mul(), x, 0.5), net(Add(), 1.0, bent))


@pytest.mark.parametrize(
    ("formula", "approximate"),
    [(f, "none") for f in (erf_gelu, half_last, half_before)]
    + [(f, "tanh") for f in (tanh_gelu, fast_gelu)],
)
def test_gelu(formula: Callable[[Net, Value], Value], approximate: str) -> None:
    net = Net()
    result = check(net.bound(formula(net, net.input(N, 5))), [FuseGelu()], "Gelu")
    assert result.graph.nodes[-1].op == Gelu(approximate)


@pytest.mark.parametrize("dtype", [DType.F16, DType.BF16])
@pytest.mark.parametrize("formula", [erf_gelu, tanh_gelu])
def test_gelu_of_other_dtypes(formula: Callable[[Net, Value], Value], dtype: DType) -> None:
    """Constants are what they round to."""
    net = Net()
    graph = retype(net.bound(formula(net, net.input(N, 5))), {DType.F32: dtype})
    assert names(optimize(graph, 2, evaluate).graph) == ["Gelu"]


class TestGeluRefusals:
    def reason(self, net: Net, *outputs: Value) -> str:
        (refusal,) = check(net.bound(*outputs), [FuseGelu()]).refusals
        return refusal.reason

    def test_other_reader(self) -> None:
        net = Net()
        x = net.input(N, 5)
        bent = one_plus_erf(net, x)
        y = net(Mul(), net(Mul(), x, 0.5), bent)
        reason = self.reason(net, y, net(Exp(), bent))
        assert reason == "the formula of GELU is needed step by step: Add in it has 1 other reader"

    def test_output(self) -> None:
        net = Net()
        x = net.input(N, 5)
        half = net(Mul(), x, 0.5)
        bent = one_plus_erf(net, x)
        reason = self.reason(net, net(Mul(), half, bent), bent)
        assert "the result of Add in it is an output of the graph" in reason

    def test_other_polynomial(self) -> None:
        net = Net()
        x = net.input(N, 5)
        bent = net(Add(), net(Erf(), net(Div(), x, 1.5)), 1.0)
        reason = self.reason(net, net(Mul(), net(Mul(), x, 0.5), bent))
        assert reason == "Erf bends another polynomial than that of GELU"


def test_other_products_are_left_alone() -> None:
    net = Net()
    x = net.input(N, 5)
    whole = net(Mul(), x, one_plus_erf(net, x))  # twice of GELU
    other = net(Mul(), net(Mul(), net.input(N, 5), 0.5), one_plus_erf(net, x))
    assert not check(net.bound(whole, other), [FuseGelu()]).log[0].changed


def clip_swish(net: Net, x: Value) -> Value:
    return net(Div(), net(Mul(), x, net(Clip(), net(Add(), x, 3.0), 0.0, 6.0)), 6.0)


def gate_swish(net: Net, x: Value) -> Value:
    return net(Mul(), net(HardSigmoid(alpha=1 / 6, beta=0.5), x), x)


def mish(net: Net, x: Value) -> Value:
    return net(Mul(), x, net(Tanh(), net(Log(), net(Add(), net(Exp(), x), 1.0))))


def softplus(net: Net, x: Value) -> Value:
    return net(Log(), net(Add(), 1.0, net(Exp(), x)))


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        *((clip_swish, "HardSwish"), (gate_swish, "HardSwish")),
        *((mish, "Mish"), (softplus, "Softplus")),
    ],
)
def test_activations(formula: Callable[[Net, Value], Value], expected: str) -> None:
    net = Net()
    check(net.bound(formula(net, net.input(N, 5))), [FuseActivations()], expected)


class TestActivationRefusals:
    def reason(self, net: Net, *outputs: Value) -> str:
        (refusal,) = check(net.bound(*outputs), [FuseActivations()]).refusals
        return refusal.reason

    def test_gate_with_other_reader(self) -> None:
        net = Net()
        x = net.input(N, 5)
        gate = net(HardSigmoid(alpha=1 / 6), x)
        reason = self.reason(net, net(Mul(), x, gate), net(Exp(), gate))
        assert reason == (
            "the formula of HardSwish is needed step by step: HardSigmoid in it has 1 other reader"
        )

    def test_softplus_with_other_reader(self) -> None:
        net = Net()
        grown = net(Exp(), net.input(N, 5))
        reason = self.reason(net, net(Log(), net(Add(), grown, 1.0)), net(Mul(), grown, 2.0))
        assert reason == (
            "the formula of Softplus is needed step by step: Exp in it has 1 other reader"
        )


def test_other_gates_are_left_alone() -> None:
    net = Net()
    x = net.input(N, 5)
    steep = net(Mul(), x, net(HardSigmoid(), x))
    wide = net(Mul(), x, net(Clip(), net(Add(), x, 3.0), 0.0, 5.0))
    other = net(Mul(), net.input(N, 5), net(Tanh(), net(Softplus(), x)))
    assert not check(net.bound(steep, wide, other), [FuseActivations()]).log[0].changed


def test_a_gate_of_integers_rounds() -> None:
    net = Net()
    n = net(Cast(DType.I32), net(Mul(), net.input(N, 5), 4.0))
    assert not check(net.bound(clip_swish(net, n)), [FuseActivations()]).log[0].changed


def squared(net: Net, x: Value, power: bool) -> Value:
    return net(Pow(), x, 2.0) if power else net(Mul(), x, x)


def layer_norm(net: Net, x: Value, *axes: int, power: bool = True) -> Value:
    centred = net(Sub(), x, reduce_mean(net.b, x, axes, keep=True))
    variance = reduce_mean(net.b, squared(net, centred, power), axes, keep=True)
    return net(Div(), centred, net(Sqrt(), net(Add(), variance, 1e-5)))


@pytest.mark.parametrize("axes", [(-1,), (1, 2)])
@pytest.mark.parametrize("power", [False, True])
def test_layer_norm(axes: tuple[int, ...], power: bool) -> None:
    net = Net()
    x = net.input(N, 4, 6)
    y = layer_norm(net, x, *axes, power=power)
    shape = (4, 6)[-len(axes) :]
    y = net(Add(), net(Mul(), y, net.param(*shape)), net.param(*shape))
    result = check(net.bound(y), [FuseLayerNorm()])
    assert names(result.graph) == ["Mul", "LayerNormalization"]  # of the ones and the scale
    op = result.graph.nodes[-1].op
    assert isinstance(op, LayerNormalization)
    assert (op.axis, op.epsilon) == (-len(axes), pytest.approx(1e-5))


def test_scale_and_shift_join_what_is_there() -> None:
    net = Net()
    x = net.input(N, 4, 6)
    y = net(LayerNormalization(), x, net.param(6), net.param(6))
    y = net(Add(), net(Mul(), y, 3.0), net.param(1))
    check(net.bound(y), [FuseLayerNorm()], "Mul Mul Add LayerNormalization")


class TestLayerNormRefusals:
    def reasons(self, net: Net, *outputs: Value) -> list[str]:
        return [r.reason for r in check(net.bound(*outputs), [FuseLayerNorm()]).refusals]

    def test_other_reader(self) -> None:
        net = Net()
        x = net.input(N, 6)
        centred = net(Sub(), x, reduce_mean(net.b, x, [1], keep=True))
        variance = reduce_mean(net.b, net(Mul(), centred, centred), [1], keep=True)
        y = net(Div(), centred, net(Sqrt(), net(Add(), variance, 1e-5)))
        assert self.reasons(net, y, net(Exp(), variance)) == [
            "the formula of LayerNormalization is needed step by step: "
            "ReduceMean in it has 1 other reader"
        ]

    def test_unknown_size(self) -> None:
        net = Net()
        reasons = self.reasons(net, layer_norm(net, net.input(3, N), -1))
        assert reasons == [
            "LayerNormalization needs a scale, and the size of f32[3, N] from axis -1 on"
        ]

    def test_computed_factor(self) -> None:
        net = Net()
        y = net(LayerNormalization(), net.input(N, 6), net.param(6))
        assert self.reasons(net, net(Mul(), y, net.input(6))) == [
            "LayerNormalization cannot take the factor in: it is computed in each run"
        ]

    def test_factor_along_rows(self) -> None:
        net = Net()
        y = net(LayerNormalization(), net.input(5, 6), net.param(6))
        reasons = self.reasons(net, net(Mul(), y, net.param(5, 1)), net(Add(), y, net.param(5, 6)))
        assert "f32[5, 1] is no f32[6]" in " ".join(reasons) or len(reasons) == 2


def rms_norm(net: Net, x: Value, form: str) -> Value:
    mean = reduce_mean(net.b, net(Pow(), x, 2.0), [-1], keep=True)
    inner = net(Add(), mean, 1e-6)
    if form == "power":
        return net(Mul(), x, net(Pow(), inner, -0.5))
    root = net(Sqrt(), inner)
    if form == "divide":
        return net(Div(), x, root)
    inverse = net(Reciprocal(), root) if form == "reciprocal" else net(Div(), 1.0, root)
    return net(Mul(), inverse, x)


@pytest.mark.parametrize("form", ["power", "divide", "reciprocal", "one over"])
def test_rms_norm(form: str) -> None:
    net = Net()
    y = net(Mul(), net.param(6), rms_norm(net, net.input(N, 4, 6), form))
    result = check(net.bound(y), [FuseRmsNorm()], "Mul RMSNormalization")
    op = result.graph.nodes[-1].op
    assert isinstance(op, RMSNormalization)
    assert (op.axis, op.epsilon) == (-1, pytest.approx(1e-6))


def test_no_norm_where_epsilon_adds_an_axis() -> None:
    net = Net()
    x = net.input(N, 6)
    mean = reduce_mean(net.b, net(Mul(), x, x), [1], keep=True)
    y = net(Div(), x, net(Sqrt(), net(Add(), mean, net.const([[[1e-6]]]))))
    check(net.bound(y), [FuseRmsNorm()], "Mul ReduceMean Add Sqrt Div")


class TestRmsNormRefusals:
    def test_other_reader(self) -> None:
        net = Net()
        x = net.input(N, 6)
        mean = reduce_mean(net.b, net(Mul(), x, x), [1], keep=True)
        y = net(Div(), x, net(Sqrt(), net(Add(), mean, 1e-6)))
        (refusal,) = check(net.bound(y, net(Exp(), mean)), [FuseRmsNorm()]).refusals
        assert refusal.reason == (
            "the formula of RMSNormalization is needed step by step: "
            "ReduceMean in it has 1 other reader"
        )

    def test_axis_in_the_middle(self) -> None:
        net = Net()
        x = net.input(N, 4, 6)
        mean = reduce_mean(net.b, net(Mul(), x, x), [1], keep=True)
        y = net(Div(), x, net(Sqrt(), net(Add(), mean, 1e-6)))
        assert not check(net.bound(y), [FuseRmsNorm()]).log[0].changed


def test_an_older_opset_has_the_formulas() -> None:
    """What an opset lacks is written out again, and it is no more than there was."""
    net = Net()
    x = net.input(N, 4, 6)
    y = net(Mul(), net.param(6), rms_norm(net, clip_swish(net, tanh_gelu(net, x)), "divide"))
    graph = net.bound(y)
    passes = [FuseGelu(), FuseRmsNorm(), FuseActivations()]
    after = run_passes(graph, passes).graph
    assert names(after) == ["Gelu", "HardSwish", "Mul", "RMSNormalization"]
    assert emit(legalize(after)).opset_import[0].version == 23
    old = emit(legalize(after, Target(opset=17)), opset=17)
    assert len(old.graph.node) <= len(names(graph)) + 1
