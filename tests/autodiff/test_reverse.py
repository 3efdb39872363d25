"""The driver of reverse mode: what it reaches, sums, accumulates and refuses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp.autodiff.reverse import gradients
from nncomp.dims import new_dim
from nncomp.errors import CompileError
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Origin, Value
from nncomp.ir.op import Op
from nncomp.ops.activation import Relu, Sigmoid, Tanh
from nncomp.ops.comparison import Greater
from nncomp.ops.conversion import Cast, Identity, StopGradient, Where
from nncomp.ops.elementwise import Add, Div, Max, Mul, Neg, Sub
from nncomp.ops.elementwise_math import Exp
from nncomp.ops.fused import FusedConv
from nncomp.ops.grad import Grad
from nncomp.ops.linear import MatMul
from nncomp.ops.pooling import GlobalLpPool
from nncomp.ops.reduction import ArgMax, ReduceMean, ReduceSum
from nncomp.ops.shape import Transpose
from nncomp.ops.shape_joining import Split
from nncomp.source import SourceFile, Span
from nncomp.types import Array, DType, TensorType
from tests.autodiff.support import (
    Net,
    central_differences,
    check_gradients,
    expanded,
    named,
    randoms,
    values,
)

N, T = new_dim("N"), new_dim("T")


def total(net: Net, x: Value) -> Value:
    return net(ReduceSum(keepdims=0), x)


def names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


SHAPES = [(2, 3, 4), (3, 4), (1, 3, 1), (4,), (1,), (), (2, 1, 4), (1, 1, 1)]


@pytest.mark.parametrize(("left", "right"), itertools.product(SHAPES, SHAPES))
def test_broadcasting(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    net = Net()
    x, y = net.input(*left), net.input(*right)
    product = net(Mul(), net(Tanh(), x), net(Exp(), y))
    weights = net.b.constant(randoms(tuple(product.type.static_shape), seed=3)[0])
    loss = total(net, net(Mul(), product, weights))
    graph = expanded(net.graph(*net.grad(loss, x, y)))
    a, b = randoms(left, right)
    w = randoms(tuple(product.type.static_shape), seed=3)[0]
    dx, dy = values(graph, named([a, b]))

    def summed(g: Array, shape: tuple[int, ...]) -> Array:
        g = np.asarray(g.sum(axis=tuple(range(g.ndim - len(shape)))))
        return np.asarray(
            g.sum(axis=tuple(i for i, d in enumerate(shape) if d == 1), keepdims=True)
        )

    np.testing.assert_allclose(dx, summed(w * np.exp(b) * (1 - np.tanh(a) ** 2), left), rtol=1e-12)
    np.testing.assert_allclose(dy, summed(w * np.tanh(a) * np.exp(b), right), rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2])
def test_broadcasting_along_symbolic_dims(n: int) -> None:
    net = Net()
    x, bias, scale = net.input(N, T, 3), net.input(3), net.input(1, T, 1)
    y = net(Tanh(), net(Mul(), net(Add(), x, bias), scale))
    check_gradients(net, net(ReduceMean(keepdims=0), y), randoms((n, 4, 3), (3,), (1, 4, 1)))


def test_a_bias_needs_one_reduction() -> None:
    net = Net()
    x, bias = net.input(N, 5), net.input(5)
    (db,) = gradients(net.b, total(net, net(Add(), x, bias)), [bias])
    assert db is not None
    assert db.shape == (5,)
    assert db.node is not None
    assert db.node.op == ReduceSum(keepdims=0)


def test_accumulation() -> None:
    net = Net()
    x = net.input(3)
    y = net(Mul(), net(Exp(), x), net(Add(), x, net(Tanh(), x)))
    check_gradients(net, total(net, net(Mul(), y, y)), randoms((3,)))


def test_several_results() -> None:
    net = Net()
    x = net.input(6)
    first, _, third = net.b.multi(Split(num_outputs=3), x)
    check_gradients(net, total(net, net(Mul(), first, net(Exp(), third))), randoms((6,)))


def test_with_respect_to_intermediate_values() -> None:
    net = Net()
    x = net.input(3)
    y = net(Exp(), x)
    z = net(Mul(), y, y)
    loss = total(net, net(Mul(), z, y))
    graph = expanded(net.graph(*net.grad(loss, z, y, x, loss)))
    (a,) = randoms((3,))
    dz, dy, dx, dloss = values(graph, named([a]))
    np.testing.assert_allclose(dz, np.exp(a))
    np.testing.assert_allclose(dy, 3 * np.exp(2 * a))
    np.testing.assert_allclose(dx, 3 * np.exp(3 * a))
    assert dloss == 1


def test_a_given_gradient_of_the_result() -> None:
    net = Net()
    x, dy = net.input(N, 3), net.input(N, 3)
    (dx,) = gradients(net.b, net(Exp(), x), [x], dy)
    assert dx is not None
    a, g = randoms((2, 3), (2, 3))
    np.testing.assert_allclose(values(net.graph(dx), named([a, g]))[0], g * np.exp(a))


def test_zero_gradients_cost_nothing() -> None:
    net = Net()
    x, other = net.input(3), net.input(N, 4)
    stopped = net(StopGradient(), net(Exp(), x))
    loss = total(net, net(Mul(), stopped, 2.0))
    before = len(net.b.nodes)
    assert gradients(net.b, loss, [x, other]) == [None, None]
    assert "Exp" not in [node.op.name for node in net.b.nodes[before:]]


def test_what_the_loss_does_not_depend_on_gets_zeros() -> None:
    net = Net()
    x, other, scalar = net.input(3), net.input(N, 4), net.input()
    loss = total(net, x)
    graph = expanded(net.graph(*net.grad(loss, other, scalar, x)))
    zeros, zero, ones = values(graph, named([*randoms((3,), (5, 4), ())]))
    assert zeros.shape == (5, 4)
    assert not zeros.any()
    assert zero == 0
    assert (ones == 1).all()


def test_stop_gradient() -> None:
    net = Net()
    x = net.input(3)
    loss = total(net, net(Mul(), x, net(StopGradient(), net(Exp(), x))))
    (a,) = randoms((3,))
    graph = expanded(net.graph(*net.grad(loss, x)))
    np.testing.assert_allclose(values(graph, named([a]))[0], np.exp(a))


def test_integers_and_comparisons_stop_it() -> None:
    net = Net()
    x = net.input(3, 4)
    places = net(Cast(DType.F64), net(ArgMax(axis=1), x))
    chosen = net(Where(), net(Greater(), x, 0.0), net(Exp(), x), net(Neg(), x))
    loss = total(net, net(Mul(), places, chosen))
    (a,) = randoms((3, 4))
    dx = values(expanded(net.graph(*net.grad(loss, x))), named([a]))[0]
    wanted = a.argmax(axis=1)[:, None] * np.where(a > 0, np.exp(a), -1)
    np.testing.assert_allclose(dx, wanted)


@pytest.mark.parametrize("activation", ["Relu", "Tanh", "Swish"])
def test_through_a_decomposition(activation: str) -> None:
    net = Net()
    x, w, bias, z = net.input(N, 2, 6), net.input(3, 2, 2), net.input(3), net.input(N, 3, 5)
    y = net(FusedConv(activation=activation), x, w, bias, z)
    loss = total(net, net(Mul(), y, y))
    check_gradients(net, loss, randoms((2, 2, 6), (3, 2, 2), (3,), (2, 3, 5)))


def test_a_decomposition_of_a_decomposition() -> None:
    net = Net()
    x = net.input(N, 2, 6)
    assert not GlobalLpPool.has_vjp()
    y = net(GlobalLpPool(p=3), net(FusedConv(activation="Sigmoid"), x, net.input(3, 2, 2)))
    check_gradients(net, total(net, y), randoms((2, 2, 6), (3, 2, 2)))


def test_a_decomposition_reuses_the_result() -> None:
    net = Net()
    x, w = net.input(N, 2, 6), net.input(3, 2, 2)
    y = net(FusedConv(activation="Sigmoid"), x, w)
    gradients(net.b, total(net, y), [w])
    read = {value for node in net.b.nodes for value in node.operands}
    inner = [node for node in net.b.nodes if isinstance(node.op, Sigmoid)]
    assert inner
    assert all(value not in read for node in inner for value in node.outputs)


class TestSecondOrder:
    def test_polynomial(self) -> None:
        net = Net()
        x = net.input()
        y = net(Mul(), net(Mul(), x, x), net(Mul(), x, x))
        (first,) = net.grad(y, x)
        (second,) = net.grad(first, x)
        (third,) = net.grad(second, x)
        graph = expanded(net.graph(first, second, third))
        found = values(graph, {"x0": np.array(1.5)})
        np.testing.assert_allclose(found, [4 * 1.5**3, 12 * 1.5**2, 24 * 1.5])

    def test_gradient_penalty(self) -> None:
        net = Net()
        x, w = net.input(N, 3), net.input(3, 4)
        y = total(net, net(Tanh(), net(MatMul(), x, w)))
        (g,) = net.grad(y, x)
        loss = net(Add(), y, total(net, net(Mul(), g, g)))
        forward = expanded(net.graph(loss))
        graph = expanded(net.graph(*net.grad(loss, x, w)))
        arrays = randoms((2, 3), (3, 4))
        for place, gradient in enumerate(values(graph, named(arrays))):
            wanted = central_differences(forward, arrays, place)
            np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-7)


class TestRefusals:
    SOURCE = SourceFile("m.nn", "y = odd(x)\ng = grad(y, x)\n")

    def at(self, start: int, end: int) -> Origin:
        return Origin((Span(self.SOURCE, start, end),))

    def test_no_gradient(self) -> None:
        class Odd(Identity):
            """An operator without a gradient."""

            vjp = Op.vjp

        net = Net()
        x = net.input()
        with net.b.at(self.at(4, 10)):
            y = net(Odd(), x)
        with net.b.at(self.at(15, 25)):
            net.grad(y, x)
        with pytest.raises(CompileError) as failure:
            expanded(net.graph(y))
        assert str(failure.value) == (
            "error[NN0401]: Odd has no gradient\n"
            " --> m.nn:1:5\n  |\n1 | y = odd(x)\n  |     ^^^^^^\n  |\n"
            "note: the gradient is asked for here\n"
            " --> m.nn:2:5\n  |\n2 | g = grad(y, x)\n  |     ----------\n  |\n"
            "help: cut the gradient with `stop_gradient`, if it is not needed"
        )

    @pytest.mark.parametrize(("shape", "dtype"), [((3,), DType.F64), ((), DType.I64)])
    def test_loss(self, shape: tuple[int, ...], dtype: DType) -> None:
        x = Value(TensorType(dtype, shape))
        with pytest.raises(CompileError, match="NN0402"):
            gradients(Builder(), x, [x])
        with pytest.raises(CompileError, match="NN0402"):
            Builder()(Grad(), x, x)

    def test_with_respect_to_integers(self) -> None:
        loss, x = Value(TensorType(DType.F32, ())), Value(TensorType(DType.I64, (3,)))
        with pytest.raises(CompileError, match="NN0401"):
            Builder()(Grad(), loss, x)


def test_origins() -> None:
    source = SourceFile("m.nn", "y = exp(x)\n")
    span = Span(source, 4, 10)
    net = Net()
    x = net.input()
    with net.b.at(Origin((span,), "layer")):
        y = net(Exp(), x)
    graph = expanded(net.graph(*net.grad(y, x)))
    node = graph.nodes[-1]
    assert (node.origin.spans, node.origin.scope) == ((span,), "layer")
    assert [str(step) for step in node.origin.history] == ["expand-gradients/Exp"]


def test_a_long_chain_needs_no_recursion() -> None:
    net = Net()
    x = y = net.input()
    for _ in range(5_000):
        y = net(Mul(), net(Add(), y, 1e-4), 1.0)
    graph = expanded(net.graph(*net.grad(y, x)))
    assert len(graph.nodes) < 40_000


UNARY = [Tanh(), Sigmoid(), Exp(), Neg(), Transpose(), Relu(), Identity()]
BINARY = [Add(), Sub(), Mul(), Max(), MatMul(), Div()]


@settings(max_examples=40)
@given(st.data())
def test_random_graphs(data: st.DataObject) -> None:
    """Square matrices through random operators, read any number of times."""
    net = Net()
    made = [net.input(2, 2) for _ in range(3)]
    for _ in range(data.draw(st.integers(1, 8))):
        operand = st.sampled_from(made)
        if data.draw(st.booleans()):
            made.append(net(data.draw(st.sampled_from(UNARY)), data.draw(operand)))
        else:
            op = data.draw(st.sampled_from(BINARY))
            left, right = data.draw(operand), data.draw(operand)
            if isinstance(op, Div):
                right = net(Add(), net(Mul(), right, right), 1.0)
            made.append(net(op, left, right))
    y = net(Tanh(), made[-1])  # keeps numbers, and so the error of differences, moderate
    check_gradients(net, total(net, y), randoms((2, 2), (2, 2), (2, 2), seed=7), rtol=1e-5)
