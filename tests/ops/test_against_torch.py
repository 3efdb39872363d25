"""Convolution, pooling and normalization against PyTorch in float64: values and gradients.

Each case runs with static and with symbolic batch and spatial dims, and each of them with the
kernels and with the decompositions of the gradient operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from nncomp.autodiff.reverse import gradients
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.backends.reference.kernels.in_place import IN_PLACE
from nncomp.backends.reference.kernels.pooling import FIRST_RESULT
from nncomp.dims import new_dim
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ops.elementwise import Mul
from nncomp.ops.fused import ACTIVATIONS
from nncomp.ops.pooling_max import MaxPool, MaxUnpool
from nncomp.ops.reduction import ReduceSum
from nncomp.types import Array, DType, TensorType
from tests.ops.torch_cases import (
    CASES,
    CONVOLUTIONS,
    NORMALIZATIONS,
    ONES,
    PLANE,
    POOLS,
    Case,
)

F = torch.nn.functional

ROWS = [
    pytest.param(case, symbolic, id=f"{case}-{'symbolic' if symbolic else 'static'}")
    for case in CASES
    for symbolic in (False, True)[: 1 + case.symbolic]
]


@pytest.mark.parametrize("expand", [False, True], ids=["kernels", "decomposed"])
@pytest.mark.parametrize(("case", "symbolic"), ROWS)
def test_value_and_gradients(case: Case, symbolic: bool, expand: bool) -> None:
    arrays = operands(case)
    inputs = [torch.tensor(a, requires_grad=True) for a in arrays]
    expected = case.torch(*inputs)
    cotangent = np.random.default_rng(1).standard_normal(tuple(expected.shape))
    (expected * torch.tensor(cotangent)).sum().backward()

    graph = differentiated(case, arrays, cotangent, symbolic)
    if expand:
        graph = decomposed(graph)
    found = run(graph, {f"x{i}": a for i, a in enumerate(arrays)} | {"g": cotangent}).outputs
    close(found["y"], expected.detach().numpy())
    for i, tensor in enumerate(inputs):
        assert tensor.grad is not None
        close(found[f"d{i}"], tensor.grad.numpy())


SECOND = [CONVOLUTIONS[3], CONVOLUTIONS[8], CONVOLUTIONS[15], POOLS[3], POOLS[10]]
SECOND += [NORMALIZATIONS[1], NORMALIZATIONS[2], NORMALIZATIONS[5]]


@pytest.mark.parametrize("case", SECOND, ids=str)
def test_second_gradients(case: Case) -> None:
    """The gradient of Σ (dL/dx)² for every operand x."""
    arrays = operands(case)
    inputs = [torch.tensor(a, requires_grad=True) for a in arrays]
    result = case.torch(*inputs)
    cotangent = np.random.default_rng(1).standard_normal(tuple(result.shape))
    loss = (result**2 * torch.tensor(cotangent)).sum()
    (slope,) = torch.autograd.grad(loss, inputs[:1], create_graph=True)
    expected = torch.autograd.grad((slope**2).sum(), inputs, allow_unused=True)

    b = Builder()
    values = symbols(arrays, static=True)
    given = Value(TensorType(DType.F64, cotangent.shape), "g")
    y = b(case.op, *values)
    first = gradients(b, total(b, b(Mul(), b(Mul(), y, y), given)), values[:1])[0]
    assert first is not None
    seconds = gradients(b, total(b, b(Mul(), first, first)), values)
    outputs = {f"d{i}": s for i, s in enumerate(seconds) if s is not None}
    graph = Graph("second", (*values, given), (), tuple(b.nodes), outputs)
    feeds = {f"x{i}": a for i, a in enumerate(arrays)} | {"g": cotangent}
    for results in (run(graph, feeds).outputs, run(decomposed(graph), feeds).outputs):
        for i, tensor in enumerate(expected):
            if tensor is not None and tensor.abs().max() > 0:
                close(results[f"d{i}"], tensor.numpy())


def operands(case: Case) -> list[Array]:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in case.shapes]
    return [np.abs(a) + 0.5 if i in case.positive else a for i, a in enumerate(arrays)]


def symbols(arrays: Sequence[Array], *, static: bool) -> list[Value]:
    """A value for each operand; the first one symbolic but for its channels."""
    values = []
    for i, array in enumerate(arrays):
        shape: Sequence[Any] = array.shape
        if i == 0 and not static:
            shape = [d if axis == 1 else new_dim(f"d{axis}") for axis, d in enumerate(shape)]
        values.append(Value(TensorType(DType.F64, tuple(shape)), f"x{i}"))
    return values


def differentiated(case: Case, arrays: Sequence[Array], cotangent: Array, symbolic: bool) -> Graph:
    """y = op(x0, …), d0, … = the gradients of Σ y · g."""
    b = Builder()
    values = symbols(arrays, static=not symbolic)
    constants = [None if c is None else b.constant(c) for c in case.constants]
    y = b(case.op, *values, *constants)
    g = Value(y.type, "g")
    found = gradients(b, y, values, g)
    outputs = {"y": y} | {f"d{i}": v for i, v in enumerate(found) if v is not None}
    return Graph(case.op.name, (*values, g), (), tuple(b.nodes), outputs)


def total(b: Builder, x: Value) -> Value:
    return b(ReduceSum(keepdims=0), x, b.ints(*range(x.rank)))


def decomposed(graph: Graph) -> Graph:
    """The graph with every operator of our own replaced by its decomposition."""
    b, same = Builder(), dict[Value, Value]()
    pending: list[Node] = list(reversed(graph.nodes))
    while pending:
        node = pending.pop()
        inputs = [None if v is None else resolve(same, v) for v in node.inputs]
        if node.op.has_decomposition() and node.op.domain == "nncomp":
            inner = Builder()
            results = node.op.decompose(inner, *inputs)
            results = results if isinstance(results, tuple) else (results,)
            pending += reversed(inner.nodes)
            same.update(zip(node.outputs, results, strict=True))
            continue
        b.append(node if inputs == list(node.inputs) else with_inputs(node, inputs, same))
    outputs = {name: resolve(same, v) for name, v in graph.outputs.items()}
    return Graph(graph.name, graph.inputs, (), tuple(b.nodes), outputs)


def with_inputs(node: Node, inputs: list[Value | None], same: dict[Value, Value]) -> Node:
    copy = Node(node.op, tuple(inputs), tuple(v.type for v in node.outputs), node.origin)
    same.update(zip(node.outputs, copy.outputs, strict=True))
    return copy


def resolve(same: dict[Value, Value], value: Value) -> Value:
    while value in same:
        value = same[value]
    return value


def close(found: Array, expected: Array) -> None:
    assert found.shape == expected.shape
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * scale)


@pytest.mark.parametrize("attributes", [{}, {"pads": ONES, "ceil_mode": 1}], ids=str)
def test_max_pool_indices_and_unpool(attributes: dict[str, Any]) -> None:
    x = np.random.default_rng(0).standard_normal(PLANE)
    op = MaxPool(kernel_shape=(3, 2), strides=(3, 2), **attributes)
    y, indices = evaluate(op, [x])
    values, places = F.max_pool2d(
        torch.tensor(x), (3, 2), (3, 2), attributes.get("pads", 0) and 1, 1, bool(attributes), True
    )
    close(y, values.numpy())
    close(FIRST_RESULT[MaxPool](op, x), y)
    channels = np.arange(6).reshape(2, 3, 1, 1) * 56  # torch counts within a channel
    np.testing.assert_array_equal(indices, places.numpy() + channels)
    if not attributes:
        unpooled = F.max_unpool2d(values, places, (3, 2), (3, 2))
        within = indices - channels
        flat = within // 8 * unpooled.shape[3] + within % 8 + channels // 56 * (6 * 8)
        close(evaluate(MaxUnpool((3, 2), strides=(3, 2)), [y, flat])[0], unpooled.numpy())


def test_every_fused_activation_has_a_kernel() -> None:
    assert set(ACTIVATIONS) == set(IN_PLACE)
