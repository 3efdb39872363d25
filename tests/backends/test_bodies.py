"""Every body of an operator means what the operator's NumPy kernel computes.

Each case runs every body that applies, and the operator's decomposition, in onnxruntime with its
optimiser off and on, from one model with a symbolic batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.ort.bodies import BODIES, conv_scaled
from nncomp.backends.ort.bodies.body import Body, Target
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import choose_body, legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Value
from nncomp.ops.activation import HardSigmoid, ReluGrad
from nncomp.ops.conv_grad import ConvInputGrad, ConvWeightGrad
from nncomp.ops.elementwise import Mul
from nncomp.ops.grad import Grad
from nncomp.ops.linear import MatMul
from nncomp.ops.normalization_batch import BatchNormTraining
from nncomp.ops.pooling_average import AveragePoolGrad
from nncomp.ops.random import Random
from nncomp.ops.reduction import ReduceSum
from nncomp.ops.shape import Transpose
from nncomp.types import DType, TensorType
from tests.backends.body_cases import BATCH, CASES, Case, expected, floats, graph_of, lowered


def candidates() -> list[object]:
    found = []
    for case in CASES:
        _, node, _ = graph_of(case)
        bodies = BODIES.get(type(case.op), ())
        usable: list[Body | None] = [x for x in bodies if x.refuses(node, Target()) is None]
        if case.op.domain:
            usable.append(None)
        found += [
            pytest.param(case, body, id=f"{case.id}-{body.name if body else 'decompose'}")
            for body in usable
        ]
    return found


@pytest.mark.parametrize(("case", "body"), candidates())
def test_a_body_means_what_the_kernel_computes(case: Case, body: Body | None) -> None:
    model = lowered(case, body)
    _, _, feeds = graph_of(case)
    for optimize in (False, True):
        results = Session(model, optimize=optimize, threads=2).run(feeds)
        for actual, wanted in zip(results.values(), expected(case), strict=True):
            assert actual.shape == wanted.shape
            limit = 3e-6 * max(1e-30, np.abs(wanted).max(initial=0))
            np.testing.assert_allclose(actual, wanted, rtol=0, atol=limit)


def test_every_body_is_tried() -> None:
    tried = {(param.values[0].op.name, param.values[1]) for param in candidates()}  # type: ignore[attr-defined]
    for op, bodies in BODIES.items():
        for body in bodies:
            # tested below: Random's body is CUDA's, these look at what computes their operand
            if op is not Random and body not in conv_scaled.BODIES:
                assert (op.__name__, body) in tried, body.name


@pytest.mark.parametrize("case", [c for c in CASES if c.chosen], ids=lambda c: c.id)
def test_the_choice_is_visible_in_the_history(case: Case) -> None:
    graph, _, _ = graph_of(case)
    histories = {str(step) for node in legalize(graph).nodes for step in node.origin.history}
    assert f"legalize/{case.chosen}" in histories


@pytest.mark.parametrize(
    ("op", "x", "w", "chosen"),
    [
        (ConvWeightGrad(pads=(1,) * 4), (32, 16, 16), (32, 32, 3, 3), "flat-conv"),
        (ConvWeightGrad(pads=(1,) * 4, strides=(2, 2)), (16, 32, 32), (32, 16, 3, 3), "flat-conv"),
        (ConvWeightGrad(pads=(1,) * 4), (3, 16, 16), (8, 3, 3, 3), "identity-im2col"),
        (ConvWeightGrad(pads=(2,) * 4), (1, 28, 28), (6, 1, 5, 5), "separable-im2col"),
        (ConvWeightGrad(pads=(3,) * 4), (3, 16, 16), (8, 3, 7, 7), "flat-conv"),
        (ConvWeightGrad(strides=(2, 2)), (16, 32, 32), (32, 16, 1, 1), "pointwise-matmul"),
        (ConvInputGrad(pads=(1,) * 4), (32, 16, 16), (32, 32, 3, 3), "flipped-conv"),
        (ConvInputGrad(pads=(1,) * 4, strides=(2, 2)), (16, 32, 32), (32, 16, 3, 3), None),
        (ConvInputGrad(), (6, 14, 14), (16, 6, 5, 5), None),
    ],
)
def test_choices_by_shape(
    op: ConvWeightGrad | ConvInputGrad,
    x: tuple[int, ...],
    w: tuple[int, ...],
    chosen: str | None,
) -> None:
    dy = floats(BATCH, w[0], *(v.outputs for v in op.windows((BATCH, *x), w)))
    if isinstance(op, ConvWeightGrad):
        case = Case("", op, (floats(BATCH, *x), dy), (True, True), w)
    else:
        case = Case("", op, (dy, floats(*w)), (True, False), (BATCH, *x))
    body = choose_body(graph_of(case)[1], Target())
    assert (body and body.name) == chosen


@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("scale_shape", [(6, 1, 1), (1, 6, 1, 1), (1, 6, 1, 9), (3, 6, 1, 1)])
def test_a_scale_of_the_gradient_goes_into_the_weights(
    group: int, scale_shape: tuple[int, ...]
) -> None:
    """Where it is one number a channel; elsewhere it stays."""
    attributes: dict[str, Any] = {"pads": (1,) * 4, "group": group}
    x, dy, w = floats(3, 4, 8, 9), floats(3, 6, 8, 9), floats(6, 4 // group, 3, 3)
    scale = floats(*scale_shape)
    feeds = {"x": x, "dy": dy, "w": w, "scale": scale}
    inputs = {name: Value(TensorType(DType.F32, a.shape), name) for name, a in feeds.items()}
    b = Builder()
    scaled = b(Mul(), inputs["dy"], inputs["scale"])
    dx = b(ConvInputGrad(**attributes), scaled, inputs["w"], b.ints(*x.shape))
    dw = b(ConvWeightGrad(**attributes), inputs["x"], scaled, b.ints(*w.shape))
    graph = Graph("two", tuple(inputs.values()), (), tuple(b.nodes), {"dx": dx, "dw": dw})
    lowered = legalize(graph)
    histories = {str(step) for node in lowered.nodes for step in node.origin.history}
    taken = scale_shape == (6, 1, 1)
    assert ("legalize/scale-into-weights" in histories) == taken
    assert ("legalize/scale-after-weights" in histories) == taken
    wanted = run(graph, feeds).outputs
    for name, actual in Session(emit(lowered), optimize=False).run(feeds).items():
        limit = 3e-6 * np.abs(wanted[name]).max()
        np.testing.assert_allclose(actual, wanted[name], rtol=0, atol=limit)


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_random_bits_do_not_depend_on_the_body(distribution: str) -> None:
    op = Random(site=3, distribution=distribution)
    scalars = (np.array(5), np.array(11))
    case = Case("random", op, scalars, (False, False), (4, 6))
    graph, _, feeds = graph_of(case)
    results = [
        Session(emit(legalize(graph, Target(provider=provider)))).run(feeds)["y0"]
        for provider in ("cpu", "cuda")
    ]
    np.testing.assert_array_equal(results[0], results[1])
    (reference,) = evaluate(op, [*scalars, np.array((4, 6))])
    np.testing.assert_allclose(results[0], reference, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("size", range(1, 40))
def test_nearest_resize_never_reaches_into_the_next_window(size: int) -> None:
    op = AveragePoolGrad(kernel_shape=(size,), strides=(size,))
    dy = floats(BATCH, 2, 50)
    case = Case("", op, (dy,), (True,), (BATCH, 2, 50 * size))
    graph, node, feeds = graph_of(case)
    body = choose_body(node, Target())
    assert body is not None
    assert body.name == "nearest-resize"
    actual = Session(emit(legalize(graph))).run(feeds)["y0"]
    np.testing.assert_allclose(actual, np.repeat(dy / np.float32(size), size, -1), rtol=2e-7)


def test_relu_gradient_is_exact_for_normal_numbers() -> None:
    tiny = np.finfo(np.float32).tiny
    y = np.array([[0, tiny, 1e-30, 1, 3e38]], np.float32).repeat(BATCH, 0)
    case = Case("", ReluGrad(), (floats(BATCH, 5), y), (True, True))
    graph, _, feeds = graph_of(case)
    actual = Session(emit(legalize(graph))).run(feeds)["y0"]
    np.testing.assert_array_equal(actual, np.where(y > 0, case.inputs[0], 0))


def test_batch_moments_do_not_cancel() -> None:
    """A mean a thousand times the deviation: raw moments would lose every digit."""
    x = floats(BATCH, 4, 16, 16) + np.float32(1000)
    ones, zeros = np.ones(4, np.float32), np.zeros(4, np.float32)
    case = Case("", BatchNormTraining(), (x, ones, zeros), (True, False, False))
    graph, _, feeds = graph_of(case)
    results = Session(emit(legalize(graph))).run(feeds)
    for actual, wanted in zip(results.values(), expected(case), strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=2e-3, atol=2e-4)


def test_a_transposed_matrix_times_a_vector() -> None:
    """In such a gradient onnxruntime's optimiser gets it wrong, where it sees the vector."""
    b = Builder()
    shapes = {"x": (2, 6, 3), "w": (7, 3), "u": (6,)}
    x, w, u = (Value(TensorType(DType.F32, shape), name) for name, shape in shapes.items())
    turned = b(Transpose((0, 2, 1)), b(MatMul(), x, b(Transpose((1, 0)), w)))
    y = b(MatMul(), b(HardSigmoid(), turned), u)
    loss = b(ReduceSum(keepdims=0), b(Mul(), y, y))
    outputs = {"loss": loss, "dx": b(Grad(), loss, x)}
    graph = expand_gradients(Graph("g", (x, w, u), (), tuple(b.nodes), outputs))
    feeds = {name: floats(*shape) for name, shape in shapes.items()}
    wanted = run(graph, feeds).outputs
    for name, array in Session(emit(legalize(graph)), optimize=True).run(feeds).items():
        np.testing.assert_allclose(array, wanted[name], atol=1e-5)
