"""The text form: golden texts, exact constants, and that the parser reads what is printed."""

from __future__ import annotations

from collections.abc import Iterator

import ml_dtypes
import numpy as np
import pytest

from nncomp.dims import floordiv, maximum, new_dim
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Origin, Parameter, Rewrite, Value
from nncomp.ir.naming import HARD_KEYWORDS, SOFT_KEYWORDS, Names
from nncomp.ir.op import Data
from nncomp.ir.text import to_text
from nncomp.ops.activation import Relu
from nncomp.ops.elementwise import Add, Clip, Mul
from nncomp.ops.fused import FusedConv
from nncomp.ops.pooling_max import MaxPool
from nncomp.source import SourceFile
from nncomp.syntax import ast
from nncomp.syntax.parser import parse
from nncomp.syntax.tables import load_tables
from nncomp.types import Array, DType, TensorType
from tests.ir.graphs import lenet, resnet

F32 = DType.F32


def tensor(name: str, *shape: object, dtype: DType = F32) -> Value:
    return Value(TensorType(dtype, shape), name)  # type: ignore[arg-type]


def graph(b: Builder, *inputs: Value, **outputs: Value) -> Graph:
    return Graph("Net", inputs, (), tuple(b.nodes), outputs)


def parsed(text: str) -> ast.ModelDecl:
    (model,) = parse(SourceFile("printed.nn", text)).declarations
    assert isinstance(model, ast.ModelDecl)
    return model


LENET = """\
model LeNet5 {
  input image: f32[N, 1, 28, 28]
  param conv1_weight: f32[6, 1, 5, 5] as "conv1.weight"
  param conv1_bias: f32[6] as "conv1.bias"
  param conv2_weight: f32[16, 6, 5, 5] as "conv2.weight"
  param conv2_bias: f32[16] as "conv2.bias"
  param fc1_weight: f32[120, 400] as "fc1.weight"
  param fc1_bias: f32[120] as "fc1.bias"
  param fc2_weight: f32[84, 120] as "fc2.weight"
  param fc2_bias: f32[84] as "fc2.bias"
  param fc3_weight: f32[10, 84] as "fc3.weight"
  param fc3_bias: f32[10] as "fc3.bias"

  v1 = onnx.Conv(image, conv1_weight, conv1_bias, pads=[2, 2, 2, 2], strides=[1, 1])
  v2 = onnx.Tanh(v1)
  v3 = onnx.AveragePool(v2, kernel_shape=[2, 2], strides=[2, 2])
  v4 = onnx.Conv(v3, conv2_weight, conv2_bias, pads=[0, 0, 0, 0], strides=[1, 1])
  v5 = onnx.Tanh(v4)
  v6 = onnx.AveragePool(v5, kernel_shape=[2, 2], strides=[2, 2])
  v7 = onnx.Flatten(v6)
  v8 = onnx.Gemm(v7, fc1_weight, fc1_bias, transB=1)
  v9 = onnx.Tanh(v8)
  v10 = onnx.Gemm(v9, fc2_weight, fc2_bias, transB=1)
  v11 = onnx.Tanh(v10)
  logits = onnx.Gemm(v11, fc3_weight, fc3_bias, transB=1)

  output logits
}
"""


def test_lenet() -> None:
    printed = to_text(lenet())
    assert printed.text == LENET
    assert not printed.constants
    assert len(parsed(printed.text).body) == 1 + 10 + 12 + 1


def test_resnet_parses_and_is_deterministic() -> None:
    text = to_text(resnet()).text
    assert text == to_text(resnet()).text
    assert "buffer layer4_2_bn3_var: f32[2048] as" in text
    parsed(text)


def test_missing_operands_results_and_attributes() -> None:
    b = Builder()
    x, w, z = tensor("x", 2, 3, 8, 8), tensor("w", 4, 3, 1, 1), tensor("z", 2, 4, 8, 8)
    y = b(FusedConv(activation="LeakyRelu", activation_params=(0.1,)), x, w, None, z)
    high = b(Clip(), y, None, 6.0)
    pooled, indices = b.multi(MaxPool(kernel_shape=(2, 2)), high)
    (only, _) = b.multi(MaxPool(kernel_shape=(8, 8)), y)
    g = graph(b, x, w, z, y=pooled, where=indices, top=only)
    assert "\n".join(to_text(g).text.splitlines()[5:9]) == (
        '  v1 = nncomp.FusedConv(x, w, none, z, activation="LeakyRelu", activation_params=[0.1])\n'
        "  v2 = onnx.Clip(v1, none, f32(6.0))\n"
        "  (y, where) = onnx.MaxPool(v2, kernel_shape=[2, 2])\n"
        "  top = onnx.MaxPool(v1, kernel_shape=[8, 8])"
    )
    parsed(to_text(g).text)


def test_constants_small_and_large() -> None:
    b = Builder()
    x = tensor("x", 65)
    big = b.constant(np.arange(65, dtype=np.float32), name="table")
    y = b(Add(), b(Mul(), x, big), 0.5)
    z = b(Add(), b(Mul(), y, b.constant(np.full(1, np.inf, np.float32))), y)
    nine = b.constant(np.zeros((3, 3), np.float32))
    g = graph(b, x, y=z, nine=nine)
    printed = to_text(g)
    assert printed.text == (
        "model Net {\n"
        "  input x: f32[65]\n"
        '  buffer table: f32[65] as "constant.1"\n'
        "\n"
        "  v1 = onnx.Mul(x, table)\n"
        "  v2 = onnx.Add(v1, f32(0.5))\n"
        "  v3 = onnx.Mul(v2, f32([inf]))\n"
        "  y = onnx.Add(v3, v2)\n"
        "  nine = f32([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])\n"
        "\n"
        "  output y\n"
        "  output nine\n"
        "}\n"
    )
    assert list(printed.constants) == ["constant.1"]
    assert Data(printed.constants["constant.1"]) == Data(np.arange(65, dtype=np.float32))
    parsed(printed.text)


def test_constant_paths_avoid_parameters() -> None:
    b = Builder()
    p = tensor("p", 65)
    y = b(Add(), p, b.constant(np.ones(65, np.float32)))
    g = Graph("Net", (), (Parameter("constant.1", p, "param"),), tuple(b.nodes), {"y": y})
    assert list(to_text(g).constants) == ["constant.2"]


def test_names() -> None:
    n, other = new_dim("N"), new_dim("N")
    b = Builder()
    x, y = tensor("input", n, 3), tensor("y", other, 3)
    hidden = b(Relu(), x, name="layer1.0/relu")
    again = b(Relu(), y, name="layer1.0/relu")
    soft = b(Relu(), hidden, name="state")
    dim = b.dims((n * 4, floordiv(other, 2), maximum(n - 1, other)))
    hard = b(Relu(), b(Relu(), soft, name="if"), name="N")
    g = graph(b, x, y, output=hard, other=again, dims=dim, same=x)
    text = to_text(g).text
    assert text == (
        "model Net {\n"
        "  input input: f32[N, 3]\n"
        "  input y: f32[N_2, 3]\n"
        "\n"
        "  layer1_0_relu = onnx.Relu(input)\n"
        "  other = onnx.Relu(y)\n"
        "  state_2 = onnx.Relu(layer1_0_relu)\n"
        "  dims = nncomp.Dims([4*N, N_2 // 2, max(N - 1, N_2)])\n"
        "  if_2 = onnx.Relu(state_2)\n"
        "  output = onnx.Relu(if_2)\n"
        "\n"
        "  output output\n"
        "  output other\n"
        "  output dims\n"
        "  output same = input\n"
        "}\n"
    )
    parsed(text)


def test_a_negative_quotient_keeps_its_brackets() -> None:
    h = new_dim("H")
    b = Builder()
    dims = b.dims((5 - floordiv(h, 2), h * h - floordiv(h, 2)))
    text = to_text(graph(b, tensor("x", h), dims=dims)).text
    assert "nncomp.Dims([-(H // 2) + 5, H*H - H // 2])" in text
    parsed(text)


def test_updates_that_read_each_other() -> None:
    a, c = tensor("a", 2), tensor("c", 2)
    parameters = (Parameter("net.a", a, "param"), Parameter('odd "{c}"', c, "state"))
    g = Graph("swap", (), parameters, (), {}, {"net.a": c, 'odd "{c}"': a})
    text = to_text(g).text
    assert text == (
        "model swap {\n"
        '  param net_a: f32[2] as "net.a"\n'
        '  state odd_c: f32[2] as "odd \\"\\{c\\}\\""\n'
        "\n"
        "  net_a_before = net_a\n"
        "  update net_a = odd_c\n"
        "  update odd_c = net_a_before\n"
        "}\n"
    )
    state = parsed(text).body[1]
    assert isinstance(state, ast.StateDecl)
    assert isinstance(state.path, ast.String)
    assert state.path.value == 'odd "{c}"'


def test_defaults_and_comments() -> None:
    lr, x = tensor("lr"), tensor("x", 3)
    b = Builder(Origin(scope="net", history=(Rewrite("fuse", "a"), Rewrite("fuse", "b"))))
    y = b(Mul(), x, lr)
    g = Graph("Net", (lr, x), (), tuple(b.nodes), {"y": y}, {}, {"lr": 1e-3})
    text = to_text(g, comments=True).text
    assert "  input lr: f32[] = 0.001\n" in text
    assert "  y = onnx.Mul(x, lr)  # f32[3]; net; fuse/a fuse/b\n" in text
    parsed(text)


def evaluated(expr: ast.Expr) -> object:
    """The meaning of a constant's text: what lowering does, in few words."""
    if isinstance(expr, ast.ListExpr):
        return [evaluated(item) for item in expr.items]
    if isinstance(expr, ast.Unary):
        value = evaluated(expr.operand)
        assert isinstance(value, int | float)
        return -value
    if isinstance(expr, ast.Binary):  # -2**63, which is no literal
        left, right = evaluated(expr.left), evaluated(expr.right)
        assert expr.op == "-"
        assert isinstance(left, int)
        assert isinstance(right, int)
        return left - right
    if isinstance(expr, ast.Ref):
        return float(expr.name)
    assert isinstance(expr, ast.Int | ast.Float | ast.Bool)
    return expr.value


def arrays() -> Iterator[Array]:
    floats = [0.1, -0.0, 1e-45, 3.4028235e38, 1 / 3, np.pi, -np.inf, np.nan, 16777217.0]
    for dtype in (np.float16, np.float32, np.float64, ml_dtypes.bfloat16):
        with np.errstate(over="ignore"):
            yield np.array(floats).astype(dtype)
    rng = np.random.default_rng(0)
    for _ in range(20):
        bits = rng.integers(0, 2**32, (4, 4, 2), np.uint32).view(np.float32)
        yield np.where(np.isnan(bits), np.float32(np.nan), bits)
    yield np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max, -1])
    yield np.array([2**63 - 1], np.uint64)
    yield np.array([[True, False]])
    yield np.array(7, np.int32)
    yield np.zeros((3, 0), np.float32).reshape(0)


@pytest.mark.parametrize("array", arrays(), ids=lambda a: f"{a.dtype}{a.shape}")
def test_constants_come_back_exactly(array: Array) -> None:
    b = Builder()
    printed = to_text(graph(b, y=b.constant(array)))
    assert not printed.constants
    output = parsed(printed.text).body[-1]
    assert isinstance(output, ast.OutputDecl)
    call = output.value
    if call is None:
        assign = parsed(printed.text).body[0]
        assert isinstance(assign, ast.Assign)
        call = assign.value
    assert isinstance(call, ast.Call)
    assert isinstance(call.callee, ast.Ref)
    dtype = DType(call.callee.name)
    assert dtype is DType.of(array)
    back = np.array(evaluated(call.arguments[0].value), dtype.numpy)
    assert Data(back) == Data(array)


@pytest.mark.parametrize(
    "odd",
    [
        np.array([0x7FC00001], np.uint32).view(np.float32),  # a NaN that says something
        np.array([2**64 - 1], np.uint64),
        np.zeros((0, 3), np.float32),
    ],
    ids=["nan", "integer", "empty"],
)
def test_what_no_list_gives_back_is_not_written(odd: Array) -> None:
    b = Builder()
    assert list(to_text(graph(b, y=b.constant(odd))).constants) == ["constant.1"]


def test_all_keywords_are_reserved() -> None:
    assert set((HARD_KEYWORDS + SOFT_KEYWORDS).split()) == set(load_tables().words)


def test_many_equal_hints_stay_linear() -> None:
    names = Names()
    assert names.fresh("x") == "x"
    assert [names.fresh("x") for _ in range(10_000)][-1] == "x_10001"
