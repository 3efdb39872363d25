"""The blocked layout: its operators are onnxruntime's, and graphs keep their meaning in it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import numpy as np
import pytest

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.ort.blocked import clipping
from nncomp.backends.ort.blocked.layout import block_layout
from nncomp.backends.ort.blocked.operators import (
    Blocked,
    BlockedConv,
    BlockedGlobalAveragePool,
    ReorderInput,
    ReorderOutput,
)
from nncomp.backends.ort.blocked.processor import block_size
from nncomp.backends.ort.bodies.body import Target
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import run
from nncomp.dims import new_dim
from nncomp.ir.bind_dims import bind_dims
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Value
from nncomp.ir.op import InferError, Op
from nncomp.ir.verify import verify
from nncomp.ops.activation import Relu, ReluGrad
from nncomp.ops.conv import Conv
from nncomp.ops.conv_grad import ConvInputGrad, ConvWeightGrad
from nncomp.ops.elementwise import Add, Clip, Mul
from nncomp.ops.grad import Grad
from nncomp.ops.normalization_batch import BatchNormalization, BatchNormGrad, BatchNormTraining
from nncomp.ops.pooling import GlobalAveragePool
from nncomp.ops.reduction import ReduceSum
from nncomp.passes.eliminate_dead_nodes import EliminateDeadNodes
from nncomp.passes.manager import run_passes
from nncomp.passes.retype import retype
from nncomp.types import Array, DType, TensorType

RNG = np.random.default_rng(3)
N = new_dim("N")
B = block_size()


def floats(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def near(actual: Array, expected: Array) -> None:
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= 1e-5 * np.abs(expected).max()


def typed(array: Array, name: str, batch: Any = None) -> Value:
    shape = array.shape if batch is None else (batch, *array.shape[1:])
    return Value(TensorType(DType.of(array), shape), name)


# --- the operators ---------------------------------------------------------------------------

OPERATORS: list[tuple[Op, tuple[Array | None, ...]]] = [
    (ReorderInput(B), (floats(2, 2 * B, 3, 5),)),
    (ReorderOutput(B, 2 * B), (floats(2, 2 * B, 3, 5),)),
    (ReorderInput(B), (floats(2, B + 4, 3, 5),)),  # filled up, and cut
    (ReorderOutput(B, B + 4), (floats(2, 2 * B, 3, 5),)),
    (ReorderInput(B, channels_last=1), (floats(2, 3, 5, 2 * B),)),
    (BlockedGlobalAveragePool(B), (floats(2, 2 * B, 3, 5),)),
    (BlockedConv(block=B), (floats(2, 2 * B, 3, 5), floats(3 * B, 2 * B, 1, 1))),
    (
        BlockedConv(block=B, pads=(1, 0, 1, 2), strides=(2, 1), activation="Relu"),
        (floats(2, 2 * B, 7, 5), floats(B, 2 * B, 3, 2), floats(B)),
    ),
    (
        BlockedConv(block=B, dilations=(1, 2), activation="Relu"),
        (floats(2, B, 4, 7), floats(2 * B, B, 2, 3), None, floats(2, 2 * B, 3, 3)),
    ),
    (  # an input of fewer channels than a block is plain
        BlockedConv(block=B, pads=(1, 1, 1, 1)),
        (floats(2, 3, 4, 5), floats(2 * B, 3, 3, 3), floats(2 * B)),
    ),
    (
        BlockedConv(block=B, group=2 * B, pads=(1, 1, 1, 1)),
        (floats(2, 2 * B, 4, 5), floats(2 * B, 1, 3, 3), floats(2 * B), floats(2, 2 * B, 4, 5)),
    ),
]


@pytest.mark.parametrize(("op", "inputs"), OPERATORS, ids=lambda x: getattr(x, "name", ""))
def test_operators_mean_what_onnxruntime_computes(op: Op, inputs: tuple[Array | None, ...]) -> None:
    names = [None if a is None else f"x{i}" for i, a in enumerate(inputs)]
    given = [
        None if a is None else typed(a, str(name)) for a, name in zip(inputs, names, strict=True)
    ]
    b = Builder()
    y = b(op, *given)
    graph = Graph("g", tuple(v for v in given if v), (), tuple(b.nodes), {"y": y})
    feeds = {str(n): a for n, a in zip(names, inputs, strict=True) if a is not None}
    meant = run(graph, feeds).outputs["y"]
    near(Session(emit(graph)).run(feeds)["y"], meant)


@pytest.mark.parametrize(
    ("op", "shape", "code"),
    [
        (ReorderInput(16), (2, 22, 3, 3), "NN0205"),
        (ReorderOutput(16, 32), (2, 32, 3), "NN0204"),
        (BlockedGlobalAveragePool(8), (2, 12, 3, 3), "NN0205"),
    ],
)
def test_operators_refuse_what_has_no_blocks(op: Op, shape: tuple[int, ...], code: str) -> None:
    with pytest.raises(InferError) as caught:
        op.infer(TensorType(DType.F32, shape))
    assert caught.value.code == code


# --- one operator in the layout --------------------------------------------------------------

CONVOLUTIONS: list[tuple[dict[str, Any], tuple[int, ...], tuple[int, ...]]] = [
    # attributes, X behind the batch, W; channels in blocks of 16
    ({"pads": (1, 1, 1, 1)}, (32, 6, 7), (16, 32, 3, 3)),
    ({"pads": (1, 1, 1, 1)}, (16, 6, 7), (48, 16, 3, 3)),
    ({"pads": (1, 1, 1, 1)}, (64, 4, 5), (16, 64, 3, 3)),
    ({"pads": (0, 2, 1, 0)}, (32, 6, 7), (32, 32, 3, 2)),
    # so many pixels that weight gradients go through them in stripes
    ({"pads": (1, 1, 1, 1)}, (16, 20, 18), (32, 16, 3, 3)),
    ({"pads": (1, 1, 1, 1), "strides": (2, 2)}, (32, 36, 40), (16, 32, 3, 3)),
    ({"pads": (1, 1, 1, 1), "strides": (2, 2)}, (16, 8, 6), (32, 16, 3, 3)),
    ({"pads": (1, 1, 1, 1), "strides": (2, 2)}, (32, 7, 9), (16, 32, 3, 3)),
    ({"strides": (2, 2)}, (32, 7, 9), (16, 32, 2, 2)),
    ({}, (32, 5, 6), (48, 32, 1, 1)),
    # whole blocks of pixels, as many channels as are filters, more, and fewer
    ({}, (16, 4, 8), (16, 16, 1, 1)),
    ({}, (32, 8, 8), (48, 32, 1, 1)),
    ({}, (48, 8, 4), (16, 48, 1, 1)),
    ({}, (24, 8, 8), (48, 24, 1, 1)),
    ({"strides": (2, 2)}, (16, 6, 8), (32, 16, 1, 1)),
    ({"strides": (2, 2)}, (16, 7, 9), (32, 16, 1, 1)),
    ({"strides": (3, 2)}, (16, 8, 8), (32, 16, 1, 1)),
    ({"pads": (1, 1, 1, 1)}, (3, 6, 7), (32, 3, 3, 3)),
    ({"dilations": (2, 1), "pads": (2, 1, 2, 1)}, (16, 7, 8), (16, 16, 3, 3)),
    ({"group": 32, "pads": (1, 1, 1, 1)}, (32, 6, 7), (32, 1, 3, 3)),
    ({"group": 16, "pads": (1, 1, 1, 1), "strides": (2, 2)}, (16, 8, 6), (16, 1, 3, 3)),
    ({"group": 16, "pads": (0, 1, 1, 0), "strides": (2, 1)}, (16, 9, 6), (16, 1, 3, 2)),
    ({"group": 2, "pads": (1, 1, 1, 1)}, (32, 5, 6), (32, 16, 3, 3)),
    ({"pads": (1, 1, 1, 1)}, (24, 6, 7), (20, 24, 3, 3)),
    # one side is filled up to whole blocks
    ({}, (24, 6, 7), (48, 24, 1, 1)),
    ({"pads": (1, 1, 1, 1)}, (48, 6, 7), (20, 48, 3, 3)),
    ({"pads": (1, 1, 1, 1), "strides": (2, 2)}, (20, 6, 8), (16, 20, 3, 3)),
    ({"auto_pad": "SAME_UPPER", "strides": (2, 2)}, (16, 7, 8), (16, 16, 3, 3)),
    ({"pads": (1, 1)}, (16, 7), (16, 16, 3)),
]
BATCHES = [32, 4]  # the number of samples in whole blocks, or not


def convolution_graph(
    attributes: dict[str, Any], x: Array, w: Array, bias: Array, batch: Any
) -> tuple[Graph, dict[str, Array]]:
    """A convolution, and the gradients of its input and weights, of one graph."""
    images = typed(x, "x", batch)
    weights, offsets = typed(w, "w"), typed(bias, "bias")
    b = Builder()
    y = b(Conv(**attributes), images, weights, offsets)
    dy = Value(y.type, "dy")
    dx = b(ConvInputGrad(**attributes), dy, weights, b.dims(images.shape))
    dw = b(ConvWeightGrad(**attributes), images, dy, b.dims(weights.shape))
    graph = Graph(
        "g", (images, weights, offsets, dy), (), tuple(b.nodes), {"y": y, "dx": dx, "dw": dw}
    )
    windows = Conv(**attributes).windows(x.shape, w.shape)
    gradient = floats(x.shape[0], w.shape[0], *(v.outputs for v in windows))
    return graph, {"x": x, "w": w, "bias": bias, "dy": gradient}


@pytest.mark.parametrize("samples", BATCHES)
@pytest.mark.parametrize(("attributes", "x", "w"), CONVOLUTIONS, ids=str)
def test_convolutions_and_their_gradients(
    attributes: dict[str, Any], x: tuple[int, ...], w: tuple[int, ...], samples: int
) -> None:
    arrays = floats(samples, *x), floats(*w), floats(w[0])
    graph, feeds = convolution_graph(attributes, *arrays, samples)
    expected = run(graph, feeds).outputs
    for block in (8, 16):  # both sizes that processors have, in NumPy
        blocked = legalize(graph, Target(block=block))
        verify(blocked)
        results = run(blocked, feeds).outputs
        for name, value in expected.items():
            near(results[name], value)
    symbolic, _ = convolution_graph(attributes, *arrays, N)
    for own in (graph, symbolic):
        session = Session(emit(legalize(own, Target(block=B))))
        results = session.run(feeds)
        for name, value in expected.items():
            near(results[name], value)


@pytest.mark.parametrize(
    ("attributes", "kernel"),
    [
        ({"pads": (1, 1, 1, 1), "strides": (2, 2)}, (3, 3)),
        ({"pads": (2, 0, 2, 0), "strides": (2, 3)}, (5, 3)),  # taps of a phase are of two sizes
        ({"pads": (1, 1, 1, 1), "strides": (2, 2), "dilations": (1, 2)}, (2, 2)),
        ({"strides": (4, 2)}, (2, 2)),  # rows that no window meets
    ],
    ids=str,
)
def test_strided_input_gradients_are_one_convolution(
    attributes: dict[str, Any], kernel: tuple[int, ...]
) -> None:
    arrays = floats(4, 32, 12, 18), floats(48, 32, *kernel), floats(48)
    graph, feeds = convolution_graph(attributes, *arrays, N)
    dx = {"dx": graph.outputs["dx"]}
    graph = dataclasses.replace(graph, outputs=dx)
    graph = run_passes(graph, [EliminateDeadNodes()]).graph
    expected = run(graph, feeds).outputs["dx"]
    for block in (8, 16):
        blocked = legalize(graph, Target(block=block))
        verify(blocked)
        assert sum(isinstance(node.op, BlockedConv) for node in blocked.nodes) == 1
        near(run(blocked, feeds).outputs["dx"], expected)
    near(Session(emit(legalize(graph, Target(block=B)))).run(feeds)["dx"], expected)


def norm_graph(x: Array, w: Array, batch: Any, read: bool = True, biased: bool = False) -> Graph:
    """Convolution, batch norm, ReLU, and back through all of them.

    read: something else reads what is normalised; biased: the convolution has a bias
    """
    images, weights = typed(x, "x", batch), typed(w, "w")
    scale, bias = (Value(TensorType(DType.F32, (w.shape[0],)), n) for n in ("scale", "bias"))
    b = Builder()
    pads = (w.shape[2] // 2,) * 4
    z = b(Conv(pads=pads), images, weights, bias if biased else None)
    normal, mean, var, inv_std = b.multi(BatchNormTraining(1e-3), z, scale, bias)
    y = b(Relu(), normal)
    dy = Value(y.type, "dy")
    masked = b(ReluGrad(), dy, y)
    dz, dscale, dbias = b.multi(BatchNormGrad(), masked, z, scale, mean, inv_std)
    dx = b(ConvInputGrad(pads=pads), dz, weights, b.dims(images.shape))
    dw = b(ConvWeightGrad(pads=pads), images, dz, b.dims(weights.shape))
    frozen = b(BatchNormalization(), z, scale, bias, mean, var) if read else dz
    other = b.multi(BatchNormGrad(), dy, z, scale, bias, inv_std)[0]  # of another mean
    results = {
        "other": other,
        "y": y,
        "mean": mean,
        "var": var,
        "dx": dx,
        "dw": dw,
        "dscale": dscale,
    }
    results |= {"dbias": dbias, "dz": dz, "frozen": frozen}
    return Graph("g", (images, weights, scale, bias, dy), (), tuple(b.nodes), results)


@pytest.mark.parametrize(
    ("channels", "kernel", "read", "biased"),
    [
        (3, 3, True, False),
        (32, 3, True, True),
        (3, 3, False, True),
        (32, 3, False, False),
        (32, 3, False, True),
        (16, 1, False, True),  # its mean is told from those of its input
        (48, 1, False, False),
    ],
)
def test_batch_norm_both_ways(channels: int, kernel: int, read: bool, biased: bool) -> None:
    x, w = floats(16, channels, 5, 6) + 30, floats(32, channels, kernel, kernel)
    feeds = {"x": x, "w": w, "scale": floats(32), "bias": floats(32), "dy": floats(16, 32, 5, 6)}
    graph = norm_graph(x, w, N, read, biased)
    wide = {name: array.astype(np.float64) for name, array in feeds.items()}
    whole = norm_graph(x, w, 16, read, biased)
    expected = run(retype(whole, {DType.F32: DType.F64}), wide).outputs
    fixed = bind_dims(graph, {_symbol(graph): 16})
    for own in (graph, fixed):
        blocked = legalize(own, Target(block=B))
        verify(blocked)
        for results in (run(blocked, feeds).outputs, Session(emit(blocked)).run(feeds)):
            for name, value in expected.items():
                scale = np.abs(value).max()
                assert np.abs(results[name] - value).max() <= 1e-4 * scale, name


def _symbol(graph: Graph) -> Any:
    size = graph.inputs[0].shape[0]
    assert not isinstance(size, int)
    return size.symbol


def test_the_mean_may_be_large_beside_the_deviation() -> None:
    x, w = floats(16, 16, 4, 4), np.zeros((16, 16, 3, 3), np.float32)
    w[:, :, 1, 1] = np.eye(16)
    x += 300
    graph = norm_graph(x, w, 16)
    feeds = {"x": x, "w": w, "scale": floats(16), "bias": floats(16), "dy": floats(16, 16, 4, 4)}
    results = Session(emit(legalize(graph, Target(block=B)))).run(feeds)
    np.testing.assert_allclose(results["var"], x.astype(np.float64).var((0, 2, 3)), rtol=1e-4)


# --- which values are blocked ----------------------------------------------------------------


def test_a_residual_block_reorders_at_its_borders_only() -> None:
    x, w = floats(16, 16, 6, 5), floats(16, 16, 3, 3)
    images, weights = typed(x, "x"), typed(w, "w")
    scale = Value(TensorType(DType.F32, (16,)), "scale")
    b = Builder()
    y = images
    for _ in range(2):
        z = b(Conv(pads=(1, 1, 1, 1)), y, weights)
        normal = b.multi(BatchNormTraining(), z, scale, scale)[0]
        y = b(Relu(), b(Add(), normal, y))
    y = b(GlobalAveragePool(), b(Mul(), y, 2.0))
    graph = Graph("g", (images, weights, scale), (), tuple(b.nodes), {"y": y})
    blocked = legalize(graph, Target(block=16))
    names = Counter(node.op.name for node in blocked.nodes)
    assert names["Relu"] == names["ReorderOutput"] == 0  # taken in; the pool's result is plain
    images_reordered = [
        node
        for node in blocked.nodes
        if isinstance(node.op, ReorderInput) and node.outputs[0].shape == x.shape
    ]
    assert len(images_reordered) == 1
    fused = [n.op for n in blocked.nodes if isinstance(n.op, BlockedConv) and n.op.activation]
    assert len(fused) == 2
    feeds = {"x": x, "w": w, "scale": floats(16)}
    near(run(blocked, feeds).outputs["y"], run(graph, feeds).outputs["y"])


@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (-0.3, 0.7), (-1.0, None)])
@pytest.mark.parametrize("read", [False, True])
def test_clipping_and_its_gradient(low: float, high: float | None, read: bool) -> None:
    x, w, v = floats(4, 16, 6, 5), 0.1 * floats(32, 16, 3, 3), floats(16, 32, 1, 1)
    images, weights, others = typed(x, "x", N), typed(w, "w"), typed(v, "v")
    b = Builder()
    z = b(Conv(pads=(1, 1, 1, 1)), images, weights)
    limits = (bound if bound is None else b.constant(bound, DType.F32) for bound in (low, high))
    y = b(Clip(), z, *limits)
    loss = b(ReduceSum(keepdims=0), b(Relu(), b(Conv(), y, others)))
    dx, dw = b.multi(Grad(), loss, images, weights)
    results = {"y": y, "dx": dx, "dw": dw} | ({"z": z} if read else {})
    whole = expand_gradients(Graph("g", (images, weights, others), (), tuple(b.nodes), results))
    graph = run_passes(whole, [EliminateDeadNodes()]).graph
    feeds = {"x": x, "w": w, "v": v}
    expected = run(graph, feeds).outputs
    blocked = legalize(graph, Target(block=B))
    verify(blocked)
    count = Counter(node.op.name for node in blocked.nodes)
    assert count["Equal"] == (1 if read or high is None else 0)
    for found in (run(blocked, feeds).outputs, Session(emit(blocked)).run(feeds)):
        for name, value in expected.items():
            near(found[name], value)


@pytest.mark.parametrize(("low", "high"), [(0, 6), (-0.3, 0.7), (1e-3, 1e6), (0.1, 0.1), (0, 1e39)])
def test_what_lies_between_two_bounds(low: float, high: float) -> None:
    within = clipping.bounds(low, high)
    if not low < high < 1e39:
        assert within is None
        return
    assert within is not None
    ends = np.array([low, high], np.float32)
    steps = [np.nextafter(ends[0], ends[1]), np.nextafter(ends[1], ends[0])]
    rest = np.linspace(low, high, 2 * 16 * 6)[1:-1].astype(np.float32)
    y = np.concatenate([ends, [steps[1]], rest, [within.middle]])[: 2 * 16 * 6]
    y = y.astype(np.float32).reshape(1, 2 * 16, 2, 3)
    b, given = Builder(), typed(y, "y")
    mask = clipping.inside(b, given, within, B)
    graph = Graph("g", (given,), (), tuple(b.nodes), {"mask": mask})
    expected = (y > ends[0]) & (y < ends[1])
    for found in (run(graph, {"y": y}).outputs, Session(emit(legalize(graph))).run({"y": y})):
        np.testing.assert_array_equal(found["mask"], expected)


def test_what_others_read_is_not_taken_into_a_convolution() -> None:
    x, w = floats(2, 16, 6, 5), floats(16, 16, 3, 3)
    images, weights = typed(x, "x"), typed(w, "w")
    b = Builder()
    z = b(Conv(pads=(1, 1, 1, 1)), images, weights)
    y, total = b(Relu(), z), b(Add(), z, images)
    graph = Graph("g", (images, weights), (), tuple(b.nodes), {"z": z, "y": y, "total": total})
    feeds = {"x": x, "w": w}
    expected, results = run(graph, feeds).outputs, run(block_layout(graph, 16), feeds).outputs
    for name, value in expected.items():
        near(results[name], value)


def test_a_graph_without_whole_blocks_stays_as_it_is() -> None:
    x, w = floats(2, 12, 6, 5), floats(20, 12, 3, 3)
    graph, _ = convolution_graph({}, x, w, floats(20), 2)
    nodes = legalize(graph, Target(block=16)).nodes
    assert not any(isinstance(node.op, Blocked) for node in nodes)
