"""The NumPy interpreter: order, freeing, symbols, decomposition, refusals."""

from __future__ import annotations

import gc
import math
import weakref

import numpy as np
import pytest

from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.backends.reference.kernels import KERNELS
from nncomp.backends.reference.kernels.erf import erf
from nncomp.dims import new_dim
from nncomp.errors import CompileError
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Parameter, Value
from nncomp.ir.op import Data
from nncomp.ops.activation import HardSwish, Relu, Shrink, Softmax
from nncomp.ops.conversion import Identity
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.elementwise_math import Exp
from nncomp.ops.filling import ConstantOfShape
from nncomp.ops.grad import Grad
from nncomp.ops.indexing import Gather, GatherGrad
from nncomp.ops.reduction import ReduceSum
from nncomp.ops.shape_slicing import CenterCropPad
from nncomp.types import DType, TensorType

N, W = new_dim("N"), new_dim("w")


def f32(*shape: object) -> TensorType:
    return TensorType(DType.F32, tuple(shape))  # type: ignore[arg-type]


def test_outputs_and_updates() -> None:
    b = Builder()
    x, w = Value(f32(N, 3), "x"), Value(f32(3), "w")
    y = b(Mul(), x, w)
    grown = b(Add(), w, 1.0)
    graph = Graph(
        "m", (x,), (Parameter("layer.w", w, "param"),), tuple(b.nodes), {"y": y}, {"layer.w": grown}
    )
    given = np.float32([[1, 2, 3], [4, 5, 6]])
    results = run(graph, {"x": given}, {"layer.w": np.float32([1, 0, 2])})
    np.testing.assert_array_equal(results.outputs["y"], given * np.float32([1, 0, 2]))
    np.testing.assert_array_equal(results.updates["layer.w"], np.float32([2, 1, 3]))


def test_results_are_the_caller_s_own() -> None:
    b = Builder()
    x = Value(f32(3), "x")
    constant = b.constant(np.float32([1, 2]))
    outputs = {"same": b(Identity(), x), "input": x, "constant": constant}
    given = np.float32([1, 2, 3])
    results = run(Graph("m", (x,), (), tuple(b.nodes), outputs), {"x": given}).outputs
    for name in outputs:
        results[name] += 1
    np.testing.assert_array_equal(given, [1, 2, 3])
    again = run(Graph("m", (x,), (), tuple(b.nodes), outputs), {"x": given}).outputs
    np.testing.assert_array_equal(again["constant"], [1, 2])


def test_tensors_are_freed_at_their_last_use(monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref[np.ndarray]] = []
    most = 0

    def counted(_op: Exp, x: np.ndarray) -> np.ndarray:
        nonlocal most
        y = np.exp(-np.abs(x))
        alive.append(weakref.ref(y))
        gc.collect()
        most = max(most, sum(r() is not None for r in alive))
        return y

    monkeypatch.setitem(KERNELS, Exp, counted)
    b = Builder()
    x = Value(f32(3), "x")
    y = x
    for _ in range(50):
        y = b(Exp(), y)
    run(Graph("m", (x,), (), tuple(b.nodes), {"y": y}), {"x": np.float32([1, 2, 3])})
    assert most == 2  # an operand and its result


def test_dims_follow_from_the_inputs() -> None:
    b = Builder()
    x = Value(f32(N, 8 * W + 1), "x")
    zeros = b(ConstantOfShape(Data(np.float32([2]))), b.dims((W, N + W, (N * W) // 2)))
    graph = Graph("m", (x,), (), tuple(b.nodes), {"y": zeros})
    assert run(graph, {"x": np.zeros((5, 25), np.float32)}).outputs["y"].shape == (3, 8, 7)
    with pytest.raises(CompileError, match=r"NN0503.*axis 1.*26.*8\*w \+ 1"):
        run(graph, {"x": np.zeros((5, 26), np.float32)})
    with pytest.raises(CompileError, match="w would be 0"):
        run(graph, {"x": np.zeros((5, 1), np.float32)})


def test_inputs_must_agree_on_a_symbol() -> None:
    b = Builder()
    x, y = Value(f32(N, 3), "x"), Value(f32(N, 3), "y")
    graph = Graph("m", (x, y), (), (), {"y": b(Add(), x, y)})
    graph = graph.replace(b.nodes)
    with pytest.raises(CompileError, match=r"input `y`.*axis 0 has size 4, not N = 2"):
        run(graph, {"x": np.zeros((2, 3), np.float32), "y": np.zeros((4, 3), np.float32)})


def test_defaults_and_numbers() -> None:
    b = Builder()
    x, lr = Value(f32(2), "x"), Value(f32(), "lr")
    graph = Graph("m", (x, lr), (), (), {"y": b(Mul(), x, lr)}, defaults={"lr": 0.5}).replace(
        b.nodes
    )
    given = np.float32([1, 2])
    np.testing.assert_array_equal(run(graph, {"x": given}).outputs["y"], given / 2)
    np.testing.assert_array_equal(run(graph, {"x": given, "lr": 2.0}).outputs["y"], given * 2)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "NN0503.*input `image`.*missing"),
        (
            {"imgae": np.zeros((1, 3), np.float32)},
            "no input `imgae`[^`]*`image`(.|\n)*did you mean",
        ),
        ({"image": np.zeros((1, 3))}, "float64.*float32"),
        ({"image": np.zeros((1, 3, 1), np.float32)}, r"\[1, 3, 1\].*f32\[N, 3\]"),
        ({"image": np.zeros((1, 4), np.float32)}, "axis 1 has size 4, not 3"),
    ],
)
def test_inputs_that_do_not_fit(inputs: dict[str, np.ndarray], words: str) -> None:
    x = Value(f32(N, 3), "image")
    with pytest.raises(CompileError, match=words):
        run(Graph("m", (x,), (), (), {"y": x}), inputs)


def test_weights_that_do_not_fit() -> None:
    w = Value(f32(3), "w")
    graph = Graph("m", (), (Parameter("a.weight", w, "param"),), (), {"y": w})
    with pytest.raises(CompileError, match=r"NN0502.*lack `a.weight`(.|\n)*`a.weigth`"):
        run(graph, {}, {"a.weigth": np.zeros(3, np.float32)})
    with pytest.raises(CompileError, match=r"NN0502.*size 4, not 3"):
        run(graph, {}, {"a.weight": np.zeros(4, np.float32)})


def test_an_index_out_of_range_is_reported() -> None:
    b = Builder()
    x, i = Value(f32(5, 3), "x"), Value(TensorType(DType.I64, (N,)), "i")
    graph = Graph("m", (x, i), (), (), {"y": b(Gather(), x, i)}).replace(b.nodes)
    with pytest.raises(CompileError, match=r"NN0503.*Gather failed.*out of bounds"):
        run(graph, {"x": np.zeros((5, 3), np.float32), "i": np.array([7])})


def test_without_a_kernel_the_decomposition_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    dy, indices, shape = np.float32([1, 2, 4]), np.array([3, 0, 3]), np.array([5])
    with_kernel = evaluate(GatherGrad(), (dy, indices, shape))[0]
    monkeypatch.delitem(KERNELS, GatherGrad)
    np.testing.assert_array_equal(evaluate(GatherGrad(), (dy, indices, shape))[0], with_kernel)

    monkeypatch.delitem(KERNELS, HardSwish)
    b = Builder()
    x = Value(f32(N), "x")
    y = b(Add(), b(HardSwish(), b(HardSwish(), x)), x)
    graph = Graph("m", (x,), (), tuple(b.nodes), {"y": y})
    given = np.float32([-2, 1, 5])

    def swish(x: np.ndarray) -> np.ndarray:
        return x * np.clip(x / 6 + 0.5, 0, 1)

    expected = swish(swish(given)) + given
    np.testing.assert_allclose(run(graph, {"x": given}).outputs["y"], expected, rtol=1e-6)


def test_an_operator_without_implementation() -> None:
    b = Builder()
    x = Value(f32(3), "x")
    y = b(Grad(), b(ReduceSum(keepdims=0), x), x)
    with pytest.raises(CompileError, match=r"NN0603.*Grad"):
        run(Graph("m", (x,), (), tuple(b.nodes), {"y": y}), {"x": np.zeros(3, np.float32)})


def test_evaluate() -> None:
    (y,) = evaluate(Softmax(), (np.float64([[1, 2]]),))
    assert y.dtype == np.float64
    np.testing.assert_allclose(y.sum(), 1)
    with pytest.raises(CompileError, match="NN0207"):
        evaluate(Add(), (np.zeros(2), np.zeros(3)))


def test_half_precision_is_computed_in_single() -> None:
    x = np.full(4096, 1.0009765625, np.float16)
    (total,) = evaluate(ReduceSum(), (x,))
    assert total.dtype == np.float16
    assert total[0] == np.float16(4096 * 1.0009765625)
    (y,) = evaluate(Relu(), (x.astype(DType.BF16.numpy),))
    assert DType.of(y) is DType.BF16


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-15), (np.float32, 3e-7)])
def test_erf(dtype: type, tolerance: float) -> None:
    sizes = np.concatenate([np.geomspace(1e-30, 1e15, 4001), np.linspace(1e-3, 7, 4000)])
    x = np.concatenate([-sizes, sizes]).astype(dtype)
    exact = np.array([math.erf(v) for v in x.astype(np.float64)])
    with np.errstate(over="ignore"):  # as kernels run
        erf(x, found := np.empty_like(x))
    assert (np.abs(found - exact) / np.abs(exact)).max() <= tolerance
    special = np.array([0, np.inf, -np.inf, np.nan], dtype)
    erf(special, special)
    np.testing.assert_array_equal(special, np.array([0, 1, -1, np.nan], dtype))


def test_long_graphs_run_without_recursion() -> None:
    b = Builder()
    x = Value(f32(1), "x")
    y = x
    for _ in range(20_000):
        y = b(Add(), y, x)
    graph = Graph("m", (x,), (), tuple(b.nodes), {"y": y})
    assert run(graph, {"x": np.float32([1])}).outputs["y"] == 20_001


def test_a_decomposition_that_gives_back_what_another_made() -> None:
    """A crop to the size that is there, of what has no kernel either."""
    b, x = Builder(), Value(f32(2, 3), "x")
    same = b(CenterCropPad(), b(Shrink(), x), b.ints(2, 3))
    y = b(Mul(), same, 2.0)
    graph = Graph("g", (x,), (), tuple(b.nodes), {"y": y})
    numbers = np.array([[0.2, 1.0, -2.0], [0.6, 0.0, -0.4]], np.float32)
    wanted = np.where(np.abs(numbers) > 0.5, 2 * numbers, 0)
    np.testing.assert_array_equal(run(graph, {"x": numbers}).outputs["y"], wanted)
