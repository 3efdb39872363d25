"""Products joined with what follows, and weights by columns: the same as node by node."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from nncomp.backends.reference import interpreter, threads, turning
from nncomp.backends.reference.interpreter import run
from nncomp.backends.reference.joining import Joined
from nncomp.backends.reference.kernels import products
from nncomp.backends.reference.kernels.activation import gelu
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ops.activation import Gelu, Relu, Sigmoid, Tanh
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.linear import Gemm, MatMul
from nncomp.ops.normalization import LayerNormalization
from nncomp.ops.shape import Reshape, Transpose
from nncomp.types import Array, DType, TensorType

ROWS, SIZE, WIDTH = 24, 12, 20
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of any size are turned, three threads share any work, in small blocks."""
    monkeypatch.setattr(products, "LARGE", 1)
    monkeypatch.setattr(products, "_ELEMENTS", 16)
    monkeypatch.setattr(threads, "_WORTH", 1)
    monkeypatch.setattr(threads, "_most", lambda: 3)
    threads._helpers.cache_clear()


def _input(*shape: Any, dtype: DType = DType.F32) -> Value:
    return Value(TensorType(dtype, shape), "x")


def _array(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def _graph(b: Builder, x: Value, **outputs: Value) -> Graph:
    return Graph("m", (x,), (), tuple(b.nodes), outputs)


def _steps(graph: Graph) -> list[str]:
    """What is computed, in order."""
    return [step.node.op.name for step in interpreter._plan(graph, joined=True).steps]


def _check(graph: Graph, x: Array) -> None:
    """A run that is watched computes node by node."""

    def watch(node: Node, _read: object, _results: object) -> None:
        assert not isinstance(node.op, Joined)

    apart = run(graph, {"x": x}, watch=watch)
    whole = run(graph, {"x": x})
    for name, expected in apart.outputs.items():
        found = whole.outputs[name]
        assert found.dtype == expected.dtype
        assert found.flags.c_contiguous
        assert found.flags.owndata
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("batch", [(ROWS,), (1, ROWS), (2, ROWS)])
@pytest.mark.parametrize("width", [WIDTH, 60])
def test_a_layer_with_a_residual_branch(batch: tuple[int, ...], width: int) -> None:
    """Products of more rows than columns and of fewer, by rows and by columns, of both."""
    b = Builder()
    x = _input(*batch, SIZE)
    hidden = b(Add(), b(MatMul(), x, b.constant(_array(SIZE, width))), b.constant(_array(width)))
    hidden = b(Gelu(), hidden)
    product = b(MatMul(), hidden, b.constant(_array(width, SIZE)))
    y = b(Add(), x, b(Add(), b.constant(_array(SIZE)), product))
    scale, bias = (b.constant(_array(SIZE)) for _ in range(2))
    normal = b.add(LayerNormalization(axis=-1), (y, scale, bias)).outputs[0]
    graph = _graph(b, x, y=b(Transpose(), b(Relu(), normal)))
    assert _steps(graph) == ["Joined", "Joined", "LayerNormalization", "Relu", "Transpose"]
    _check(graph, _array(*batch, SIZE))


@pytest.mark.parametrize(
    "activation", [Relu(), Sigmoid(), Tanh(), Gelu(approximate="tanh")], ids=str
)
@pytest.mark.parametrize("dtype", [DType.F32, DType.F64])
def test_activations(activation: Any, dtype: DType) -> None:
    b = Builder()
    x = _input(ROWS, SIZE, dtype=dtype)
    weights = b.constant(_array(SIZE, WIDTH).astype(dtype.numpy))
    y = b(activation, b(MatMul(), x, weights))
    graph = _graph(b, x, y=b(Add(), y, y))
    assert _steps(graph) == ["Joined", "Add"]
    _check(graph, _array(ROWS, SIZE).astype(dtype.numpy))


@pytest.mark.parametrize("shape", [(), (1,), (WIDTH,), (ROWS, 1), (ROWS, WIDTH)], ids=str)
def test_gemm_adds_what_it_is_given_to_its_part(shape: tuple[int, ...]) -> None:
    b = Builder()
    x = _input(SIZE, ROWS)
    op = Gemm(alpha=0.5, beta=2.0, transA=1)
    weights, c, array = _array(SIZE, WIDTH), _array(*shape), _array(SIZE, ROWS)
    y = b(Relu(), b(op, x, b.constant(weights), b.constant(c)))
    graph = _graph(b, x, y=b(Mul(), y, y))
    _check(graph, array)
    expected = np.maximum(0.5 * array.T @ weights + 2 * c, 0) ** 2
    np.testing.assert_allclose(run(graph, {"x": array}).outputs["y"], expected, rtol=1e-4)


def test_what_others_read_is_not_joined() -> None:
    b = Builder()
    x = _input(ROWS, SIZE)
    first = b(MatMul(), x, b.constant(_array(SIZE, WIDTH)))
    second = b(MatMul(), x, b.constant(_array(SIZE, WIDTH)))
    total = b(Add(), first, second)  # follows one of them
    kept = b(MatMul(), total, b.constant(_array(WIDTH, SIZE)))
    shown = b(Relu(), kept)
    twice = b(MatMul(), x, b.constant(_array(SIZE, SIZE)))
    graph = _graph(b, x, kept=kept, shown=shown, twice=b(Add(), twice, twice))
    assert sorted(_steps(graph)) == ["Add", "Joined", "MatMul", "MatMul", "MatMul", "Relu"]
    _check(graph, _array(ROWS, SIZE))


def test_only_weights_of_products_are_turned() -> None:
    b = Builder()
    x = _input(ROWS, SIZE)
    weights, both, last = (b.constant(_array(SIZE, SIZE)) for _ in range(3))
    y = b(MatMul(), b(MatMul(), x, weights), both)
    y = b(MatMul(), b(Reshape(), b(Add(), y, b(MatMul(), x, both)), b.ints(ROWS, SIZE)), last)
    z = b(Mul(), both, both)
    graph = _graph(b, x, y=y, z=z)
    constants = interpreter._plan(graph, joined=True).constants
    by_columns = [constants[v].flags.f_contiguous for v in (weights, both, last)]
    assert by_columns == [True, False, False]  # the last one's product is what the caller gets
    _check(graph, _array(ROWS, SIZE))


def test_by_columns_is_a_copy() -> None:
    matrix = _array(300, 150)[:, ::2]
    with threads.all_cores():
        turned = turning.by_columns(matrix)
    np.testing.assert_array_equal(turned, matrix)
    assert turned.flags.f_contiguous


@pytest.mark.parametrize("kind", ["whole", "turned", "every second", "repeated", "backwards"])
def test_elementwise_kernels_take_arrays_however_they_stand_in_memory(kind: str) -> None:
    rng = np.random.default_rng(0)
    for shape in ((5, 4), (2, 1, 3), (3, 4, 5)):
        for axes in permutations(range(len(shape))):
            x = rng.standard_normal(shape)
            if kind == "every second":
                x = rng.standard_normal([2 * size for size in shape])[
                    (slice(None, None, 2),) * x.ndim
                ]
            elif kind == "repeated":
                x = np.broadcast_to(rng.standard_normal((shape[0], *[1] * (x.ndim - 1))), shape)
            elif kind == "backwards":
                x = x[::-1]
            x = x if kind == "whole" else x.transpose(axes)
            expected = 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
            for out in (None, np.empty(x.shape), np.empty_like(x), x.copy("K")):
                found = gelu(Gelu(), x, out=out)
                assert np.allclose(found, expected, rtol=1e-12, atol=1e-15)
            if x.flags.writeable:
                assert np.allclose(gelu(Gelu(), x, out=x), expected, rtol=1e-12, atol=1e-15)
