"""The cost model, on figures that are known by hand."""

from __future__ import annotations

import pytest

from nncomp.dims import new_dim
from nncomp.inspect.cost import cost, known_before_run
from nncomp.inspect.families import family_of
from nncomp.inspect.flops import Sized, flops, has_rule
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Parameter, Value
from nncomp.ir.op import Op
from nncomp.ops import REGISTRY
from nncomp.ops.activation import Relu, Softmax
from nncomp.ops.conv import Conv, ConvTranspose
from nncomp.ops.conv_grad import ConvInputGrad, ConvWeightGrad
from nncomp.ops.elementwise import Add, Sum
from nncomp.ops.fused import FusedConv
from nncomp.ops.linear import Gemm, MatMul
from nncomp.ops.pooling_max import MaxPool
from nncomp.ops.shape import Reshape, Transpose
from nncomp.types import DType, TensorType
from tests.ir.graphs import lenet, resnet

CASES: list[tuple[str, Op, list[tuple[int, ...] | None], tuple[int, ...], int]] = [
    ("conv", Conv(), [(1, 1, 32, 32), (6, 1, 5, 5)], (1, 6, 28, 28), 2 * 117_600),
    ("conv bias", Conv(), [(1, 6, 14, 14), (16, 6, 5, 5), (16,)], (1, 16, 10, 10), 480_000 + 1600),
    ("groups", Conv(group=4), [(2, 8, 5, 5), (12, 2, 3, 3)], (2, 12, 3, 3), 2 * 216 * 18),
    (
        "fused",
        FusedConv(activation="Relu"),
        [(2, 3, 4, 4), (5, 3, 1, 1), (5,), (2, 5, 4, 4)],
        (2, 5, 4, 4),
        160 * (6 + 1 + 1 + 1),
    ),
    ("transposed", ConvTranspose(), [(1, 3, 4, 5), (3, 2, 2, 2)], (1, 2, 5, 6), 2 * 60 * 8),
    ("conv dX", ConvInputGrad(), [(1, 6, 28, 28), (6, 1, 5, 5), (4,)], (1, 1, 32, 32), 235_200),
    ("conv dW", ConvWeightGrad(), [(1, 1, 32, 32), (1, 6, 28, 28), (4,)], (6, 1, 5, 5), 235_200),
    ("matmul", MatMul(), [(2, 3, 5), (5, 7)], (2, 3, 7), 2 * 2 * 3 * 5 * 7),
    ("gemm", Gemm(transA=1), [(5, 3), (5, 7), (7,)], (3, 7), 2 * 105 + 21),
    ("pool", MaxPool(kernel_shape=(3, 2)), [(1, 2, 6, 6)], (1, 2, 4, 5), 40 * 6),
    ("softmax", Softmax(), [(3, 4)], (3, 4), 60),
    ("sum", Sum(), [(2, 3), (2, 3), (3,)], (2, 3), 12),
    ("reshape", Reshape(), [(6,), (2,)], (2, 3), 0),
]


@pytest.mark.parametrize(("name", "op", "inputs", "output", "expected"), CASES)
def test_flops(
    name: str,
    op: Op,
    inputs: list[tuple[int, ...] | None],
    output: tuple[int, ...],
    expected: int,
) -> None:
    assert flops(Sized(op, tuple(inputs), (output,))) == expected, name


def test_every_operator_has_a_rule() -> None:
    """Elementwise ones need none: they count one for each element of the result."""
    elementwise = ("activation", "elementwise")
    missing = [n for n in REGISTRY if not has_rule(n)]
    assert [n for n in missing if family_of(REGISTRY[n]) not in elementwise] == []


def test_every_operator_has_a_family() -> None:
    assert [n for n, op in REGISTRY.items() if family_of(op) == "other"] == []


def test_lenet() -> None:
    costs = cost(lenet())
    assert (costs.parameters, costs.buffers) == (61_706, 0)
    by_name = {v.origin.scope: c for v, c in costs.nodes.items() if v.origin.scope}
    assert by_name["conv1"].flops == 2 * 117_600 + 4704
    assert by_name["conv2"].flops == 2 * 240_000 + 1600
    assert by_name["fc1"].flops == 2 * 48_000 + 120
    assert [c.parameters for c in by_name.values()] == [156, 2416, 48_120, 10_164, 850]
    assert by_name["fc3"].read == 4 * (84 + 840 + 10)
    assert by_name["fc3"].written == 40
    # 416,520 multiply-adds, the figure that is usually given
    products = sum(c.flops for s, c in by_name.items()) - (4704 + 1600 + 120 + 84 + 10)
    assert products == 2 * 416_520


def test_sizes_of_symbolic_dims() -> None:
    one, seven = cost(lenet()), cost(lenet(), {"N": 7})
    assert seven.flops == 7 * one.flops
    assert seven.written == 7 * one.written
    assert seven.read < 7 * one.read  # weights are read once


def test_resnet50() -> None:
    costs = cost(resnet())
    assert costs.parameters == 25_557_032
    assert costs.buffers == 53_120
    convolutions = sum(c.flops for n, c in costs.nodes.items() if n.op.name in ("Conv", "Gemm"))
    assert convolutions == pytest.approx(2 * 4.089e9, rel=1e-3)


def test_what_depends_on_parameters_alone_is_computed_once() -> None:
    x, w = (Value(TensorType(DType.F32, shape), "v") for shape in ((2, 3), (4, 3)))
    b = Builder()
    transposed = b(Transpose(), w)
    y = b(MatMul(), x, b(Relu(), transposed))
    g = Graph("net", (x,), (Parameter("w", w, "param"),), tuple(b.nodes), {"y": y})
    costs = cost(g)
    assert [c.once for c in costs.nodes.values()] == [True, True, False]
    assert costs.flops == costs.nodes[y.node].flops == 48  # type: ignore[index]
    assert costs.nodes[y.node].parameters == 12  # type: ignore[index]
    trained = Graph("net", (x,), g.parameters, g.nodes, {"y": y}, {"w": w})
    assert transposed not in known_before_run(trained)


def test_symbols_bounded_below() -> None:
    n = new_dim("N", minimum=4)
    x = Value(TensorType(DType.F32, (n - 3, 2)), "x")
    b = Builder()
    y = b(Add(), x, x)
    costs = cost(Graph("net", (x,), (), tuple(b.nodes), {"y": y}))
    assert costs.flops == 2
    assert costs.read == 8  # x once
