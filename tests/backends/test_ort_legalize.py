"""Lowering: shapes at run time, reshapes, what is left standing, and errors."""

from __future__ import annotations

import numpy as np
import pytest

from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import Target, legalize
from nncomp.backends.ort.session import Session
from nncomp.dims import DimLike, maximum, minimum, new_dim
from nncomp.errors import CompileError
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Value
from nncomp.ir.verify import verify
from nncomp.ops.activation import Gelu, Mish, Relu, ReluGrad
from nncomp.ops.shape import Reshape
from nncomp.types import DType, TensorType

N, H, K = new_dim("N"), new_dim("h"), new_dim("k", minimum=0)


def dims_graph(*dims: DimLike) -> Graph:
    x = Value(TensorType(DType.F32, (N, 8 * H + 3)), "x")
    y = Value(TensorType(DType.F32, (K,)), "y")
    b = Builder()
    out = b.dims(dims)
    return Graph("g", (x, y), (), tuple(b.nodes), {"out": out})


@pytest.mark.parametrize(
    "dims",
    [
        (N,),
        (H,),
        (2, N, 3, 4, H * N),
        (N * N + 2 * H - 1, 8 * H + 3),
        ((N + 5) // 3, (3 * H + 1) % 4),
        (minimum(N, H), maximum(N, H)),
        ((K - 7) // 2, (K - 7) % 3),
        (-N,),
    ],
    ids=str,
)
def test_dims_are_computed_from_the_inputs(dims):
    graph = legalize(dims_graph(*dims))
    verify(graph)
    assert not any(node.op.domain for node in graph.nodes)
    session = Session(emit(graph), optimize=False)
    for n, h, k in [(1, 2, 0), (5, 1, 3), (7, 4, 12)]:
        given = {"x": np.zeros((n, 8 * h + 3), np.float32), "y": np.zeros(k, np.float32)}
        sizes = {"N": n, "h": h, "k": k}
        expected = [eval(str(d), {"min": min, "max": max}, sizes) for d in dims]
        np.testing.assert_array_equal(session.run(given)["out"], expected)


def test_each_size_is_computed_once():
    x = Value(TensorType(DType.F32, (N, 6)), "x")
    b = Builder()
    wide = b(Reshape(), x, b.dims((2, 3, N)))
    flat = b(Reshape(), wide, b.dims((3, 2 * N)))
    outputs = {"a": b.dims((N, 4)), "b": b.dims((N, 5)), "c": flat}
    model = emit(legalize(Graph("g", (x,), (), tuple(b.nodes), outputs)))
    assert [n.op_type for n in model.graph.node].count("Shape") == 1


@pytest.mark.parametrize(
    ("source", "shape", "constant"),
    [
        ((N, 4, 5), (N, 20), [0, 20]),
        ((N, 4, 5), (20, N), [20, -1]),
        ((N, 4, 5), (4 * N, 5), [-1, 5]),
        ((N, H, 5), (N, 5 * H), [0, -1]),
        ((N, H, 5), (5, H, N), [5, 0, -1]),
        ((N, H, 5), (5, N, H), None),
    ],
)
def test_reshapes_take_constants_where_they_can(source, shape, constant):
    x = Value(TensorType(DType.F32, source), "x")
    b = Builder()
    y = b(Reshape(), x, b.dims(shape))
    graph = legalize(Graph("g", (x,), (), tuple(b.nodes), {"y": y}))
    operand = graph.outputs["y"].node.inputs[1].node.op
    found = operand.value.array.tolist() if isinstance(operand, Constant) else None
    assert found == constant
    n, h = 3, 2
    sizes = {N: n, H: h, 5 * H: 5 * h, 4 * N: 4 * n}
    array = np.arange(np.prod([sizes.get(d, d) for d in source]), dtype=np.float32)
    array = array.reshape([sizes.get(d, d) for d in source])
    result = Session(emit(graph)).run({"x": array})["y"]
    np.testing.assert_array_equal(result, array.reshape([sizes.get(d, d) for d in shape]))


def test_a_size_that_no_input_shows_is_an_error():
    x = Value(TensorType(DType.F32, (N * H,)), "x")
    b = Builder()
    graph = Graph("g", (x,), (), tuple(b.nodes), {"y": b.dims((N,))})
    with pytest.raises(CompileError, match=r"NN0206.*`N`"):
        legalize(graph.replace(b.nodes))


@pytest.mark.parametrize(("op", "part"), [(Gelu(), "Erf"), (Mish(), "Softplus")])
def test_function_operators_are_decomposed_for_an_opset_without_them(op, part):
    x = Value(TensorType(DType.F32, (N, 3)), "x")
    b = Builder()
    graph = Graph("g", (x,), (), (), {"y": b(op, x)})
    graph = graph.replace(b.nodes)
    assert [n.op.name for n in legalize(graph).nodes] == [op.name]
    old = emit(legalize(graph, Target(opset=17)), opset=17)
    assert part in [n.op_type for n in old.graph.node]
    given = {"x": np.linspace(-3, 3, 6, dtype=np.float32).reshape(2, 3)}
    new = Session(emit(legalize(graph))).run(given)["y"]
    np.testing.assert_allclose(Session(old).run(given)["y"], new, rtol=2e-6, atol=1e-7)


def test_standard_graphs_stay_as_they_are():
    x = Value(TensorType(DType.F32, (N, 3)), "x")
    b = Builder()
    graph = Graph("g", (x,), (), (), {"y": b(Relu(), x)}).replace(b.nodes)
    assert legalize(graph).nodes == graph.nodes


def test_providers_get_other_bodies():
    dy, y = (Value(TensorType(DType.F32, (N, 3)), name) for name in ("dy", "y"))
    b = Builder()
    graph = Graph("g", (dy, y), (), (), {"dx": b(ReluGrad(), dy, y)}).replace(b.nodes)
    names = {
        provider: [n.op.name for n in legalize(graph, Target(provider=provider)).nodes]
        for provider in ("cpu", "cuda")
    }
    assert "HardSigmoid" in names["cpu"]
    assert "HardSigmoid" not in names["cuda"]
