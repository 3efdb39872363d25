"""What NumPy kernels do for speed changes no result: room that is used again, blocks, threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.backends.reference.kernels import KERNELS, blocks, windows
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Parameter, Value
from nncomp.ir.op import Op
from nncomp.ops.activation import Gelu, Relu, Sigmoid, Softmax, Tanh
from nncomp.ops.conv import Conv
from nncomp.ops.conversion import Identity
from nncomp.ops.elementwise import Add, Clip, Div, Max, Mul, Neg, Sub
from nncomp.ops.elementwise_math import Abs, Erf, Exp
from nncomp.ops.fused import FusedConv
from nncomp.ops.normalization import LayerNormalization
from nncomp.ops.pooling_max import MaxPool
from nncomp.ops.shape import Reshape, Transpose
from nncomp.types import Array, DType, TensorType

SIZE = 4
MATRIX = TensorType(DType.F32, (SIZE, SIZE))
VECTOR = TensorType(DType.F32, (SIZE,))


def test_a_result_takes_the_place_of_a_dead_operand(monkeypatch: pytest.MonkeyPatch) -> None:
    reused: list[bool] = []

    def watched(_op: Exp, x: Array, out: Array | None = None) -> Any:
        reused.append(out is x)
        return np.exp(x, out=out)

    monkeypatch.setitem(KERNELS, Exp, watched)
    b = Builder()
    x = Value(MATRIX, "x")
    y = b(Exp(), b(Exp(), b(Exp(), x)))
    run(Graph("m", (x,), (), tuple(b.nodes), {"y": y}), {"x": np.zeros((SIZE, SIZE), np.float32)})
    assert reused == [False, True, True]


def test_what_a_view_looks_into_stays_as_it_is() -> None:
    b = Builder()
    x = Value(MATRIX, "x")
    t = b(Exp(), x)
    seen = b(Reshape(), t, b.constant(np.array([SIZE, SIZE])))
    less = b(Neg(), t)  # nobody reads t itself again
    y = b(Add(), seen, less)
    ones = np.ones((SIZE, SIZE), np.float32)
    results = run(Graph("m", (x,), (), tuple(b.nodes), {"y": y}), {"x": ones})
    np.testing.assert_array_equal(results.outputs["y"], 0 * ones)


def test_evaluate_leaves_its_operands_alone() -> None:
    operands = [np.float32([1, 2, 3])]
    evaluate(Neg(), operands)
    np.testing.assert_array_equal(operands[0], [1, 2, 3])


UNARY: list[Op] = [
    *(Neg(), Exp(), Abs(), Erf(), Relu(), Sigmoid(), Tanh(), Gelu(), Gelu(approximate="tanh")),
    *(Softmax(axis=0), Softmax(axis=1), Clip(), Identity(), Transpose(perm=(1, 0))),
]
BINARY: list[Op] = [Add(), Sub(), Mul(), Div(), Max()]
CHOICE = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))


@settings(max_examples=150)
@given(st.lists(CHOICE, min_size=1, max_size=12), st.integers(0, 10**6))
def test_random_graphs_compute_what_their_nodes_do_one_by_one(
    choices: list[tuple[int, int, int]], shown: int
) -> None:
    """Inputs, parameters, constants and values that are read later are never overwritten."""
    rng = np.random.default_rng(0)
    b = Builder()
    x, p, v = Value(MATRIX, "x"), Value(MATRIX, "p"), Value(VECTOR, "v")
    numbers = rng.standard_normal((SIZE, SIZE)).astype(np.float32)
    values = [x, p, v, b.constant(numbers)]
    shape = b.constant(np.array([SIZE, SIZE]))
    made: list[Value] = []
    for which, first, second in choices:
        if which % 3 == 0:
            y = b(BINARY[which // 3 % len(BINARY)], *_pick(values, first, second))
        elif which % 3 == 1 or values[first % len(values)].shape != (SIZE, SIZE):
            op = UNARY[which // 3 % len(UNARY)]
            matrices = [value for value in values if value.shape == (SIZE, SIZE)]
            y = b(op, matrices[first % len(matrices)])
        elif which % 2:
            y = b(Reshape(), values[first % len(values)], shape)
        else:
            vectors = [value for value in values if value.shape == (SIZE,)]
            y = b(
                LayerNormalization(),
                values[first % len(values)],
                vectors[second % len(vectors)],
                vectors[first % len(vectors)],
            )
        values.append(y)
        made.append(y)
    outputs = {"last": made[-1], "other": made[shown % len(made)]}
    graph = Graph("m", (x, v), (Parameter("p", p, "param"),), tuple(b.nodes), outputs)
    given_ = {name: rng.standard_normal(s).astype(np.float32) for name, s in _SHAPES.items()}
    kept = {name: array.copy() for name, array in given_.items()}
    inputs = {"x": given_["x"], "v": given_["v"]}
    results = [run(graph, inputs, {"p": given_["p"]}).outputs for _ in range(2)]

    known: dict[Value, Array] = {x: kept["x"], p: kept["p"], v: kept["v"]}
    for node in graph.nodes:
        operands = [None if i is None else known[i].copy() for i in node.inputs]
        for value, array in zip(node.outputs, evaluate(node.op, operands), strict=False):
            known[value] = array
    for name, value in outputs.items():
        for found in results:
            np.testing.assert_array_equal(found[name], known[value])
    for name, array in kept.items():
        np.testing.assert_array_equal(given_[name], array)


_SHAPES = {"x": (SIZE, SIZE), "p": (SIZE, SIZE), "v": (SIZE,)}


def _pick(values: list[Value], first: int, second: int) -> tuple[Value, Value]:
    return values[first % len(values)], values[second % len(values)]


@pytest.mark.parametrize(
    ("group", "weights", "size"),
    [
        (1, (5, 6, 3, 3), (4, 6, 9, 7)),  # several samples in one product
        (1, (5, 6, 3, 3), (1, 6, 9, 7)),
        (1, (5, 6, 1, 1), (3, 6, 9, 7)),
        (6, (12, 1, 3, 3), (2, 6, 9, 7)),
        (6, (6, 1, 3, 2), (2, 6, 12, 40)),
        (2, (4, 3, 3, 3), (3, 6, 9, 7)),
        (3, (6, 2, 3), (3, 6, 11)),
        (1, (4, 3, 2, 3, 2), (2, 3, 5, 6, 7)),
    ],
)
@pytest.mark.parametrize("cache", [1, 3000, 20000])
def test_convolution_in_blocks_and_threads(
    monkeypatch: pytest.MonkeyPatch,
    group: int,
    weights: tuple[int, ...],
    size: tuple[int, ...],
    cache: int,
) -> None:
    rng = np.random.default_rng(0)
    rank = len(weights) - 2
    x, w = rng.standard_normal(size), rng.standard_normal(weights)
    bias = rng.standard_normal(weights[0])
    slide = {"pads": (1,) * (2 * rank), "strides": (2,) + (1,) * (rank - 1)}
    (plain,) = evaluate(Conv(group=group, **slide), [x, w])
    z = rng.standard_normal(plain.shape)
    expected = np.maximum(plain + bias.reshape(-1, *(1,) * rank) + z, 0)
    _reference(plain, x, w, group, slide["strides"])
    monkeypatch.setattr(windows, "_CACHE_BYTES", cache)
    (found,) = evaluate(FusedConv(group=group, activation="Relu", **slide), [x, w, bias, z])
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def _reference(y: Array, x: Array, w: Array, group: int, strides: tuple[int, ...]) -> None:
    """Some elements of a convolution with pads of 1, one product each."""
    padded = np.pad(x, ((0, 0), (0, 0), *((1, 1),) * (x.ndim - 2)))
    taken, given_ = w.shape[1], w.shape[0] // group
    rng = np.random.default_rng(1)
    for _ in range(20):
        n, m, *place = (int(rng.integers(0, count)) for count in y.shape)
        at = [slice(p * s, p * s + k) for p, s, k in zip(place, strides, w.shape[2:], strict=True)]
        first = m // given_ * taken
        met = padded[(n, slice(first, first + taken), *at)]
        np.testing.assert_allclose(y[(n, m, *place)], (met * w[m]).sum(), rtol=1e-9, atol=1e-12)


def test_blocks_of_an_array_in_another_order() -> None:
    x = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    expected = -x
    np.testing.assert_array_equal(blocks.blockwise(np.negative, x, x), expected)


def test_max_pool_without_indices_gives_the_same_values() -> None:
    b = Builder()
    x = Value(TensorType(DType.F32, (2, 3, 9, 7)), "x")
    op = MaxPool(kernel_shape=(3, 2), strides=(2, 1), pads=(1, 0, 1, 1))
    node = b.add(op, (x,))
    values, indices = node.outputs
    array = np.random.default_rng(0).standard_normal((2, 3, 9, 7)).astype(np.float32)
    alone = run(Graph("m", (x,), (), (node,), {"y": values}), {"x": array}).outputs
    both = run(Graph("m", (x,), (), (node,), {"y": values, "i": indices}), {"x": array}).outputs
    np.testing.assert_array_equal(alone["y"], both["y"])
