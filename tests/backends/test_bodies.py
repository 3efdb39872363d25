"""Every body of an operator means what the operator's NumPy kernel computes.

Each case runs every body that applies, and the operator's decomposition, in onnxruntime with its
optimiser off and on, from one model with a symbolic batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.ort.bodies import BODIES, conv_scaled
from nncomp.backends.ort.bodies.body import Body, Target
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import choose_body, legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.dims import new_dim
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.op import Op
from nncomp.ops.activation import HardSigmoid, ReluGrad
from nncomp.ops.conv_grad import ConvInputGrad, ConvWeightGrad
from nncomp.ops.einsum import Einsum
from nncomp.ops.elementwise import Mul
from nncomp.ops.grad import Grad
from nncomp.ops.indexing import GatherGrad
from nncomp.ops.linear import MatMul
from nncomp.ops.loss import SoftmaxCrossEntropyLoss
from nncomp.ops.normalization_batch import BatchNormalization, BatchNormGrad, BatchNormTraining
from nncomp.ops.pooling import GlobalLpPool
from nncomp.ops.pooling_average import AveragePoolGrad
from nncomp.ops.pooling_max import MaxPool, MaxPoolGrad
from nncomp.ops.random import Random
from nncomp.ops.reduction import ReduceSum
from nncomp.ops.shape import Transpose
from nncomp.types import Array, DType, TensorType

RNG = np.random.default_rng(7)
BATCH = 3


@dataclass(frozen=True)
class Case:
    """An operator on arrays.

    batched: which inputs have the symbolic batch as their first axis
    shape: contents of the last operand, the result's shape; batched too if its first is BATCH
    """

    id: str
    op: Op
    inputs: tuple[Array, ...]
    batched: tuple[bool, ...]
    shape: tuple[int, ...] | None = None
    chosen: str | None = None


def floats(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


CONVOLUTIONS = [
    # attributes, X behind the batch, W
    ({"pads": (1, 1, 1, 1)}, (5, 7, 8), (6, 5, 3, 3)),
    ({"pads": (0, 2, 1, 0)}, (8, 9, 7), (4, 8, 3, 2)),
    ({"pads": (1, 2, 0, 1), "strides": (2, 2)}, (5, 9, 10), (6, 5, 3, 4)),
    ({"pads": (1, 1, 1, 1), "strides": (2, 2)}, (5, 8, 10), (7, 5, 3, 3)),
    ({}, (7, 6, 5), (4, 7, 1, 1)),
    ({"strides": (2, 2)}, (5, 8, 9), (6, 5, 1, 1)),
    ({"strides": (2, 3)}, (4, 11, 10), (6, 4, 2, 2)),
    ({"strides": (3, 3)}, (4, 11, 10), (6, 4, 2, 1)),
    ({"pads": (1, 2), "strides": (2,)}, (4, 11), (6, 4, 3)),
    ({"pads": (2, 0)}, (7, 11), (6, 7, 4)),
    ({"group": 2, "pads": (1, 1, 1, 1)}, (8, 7, 6), (4, 4, 3, 3)),
    ({"group": 7, "pads": (1, 1, 1, 1)}, (7, 5, 8), (7, 1, 3, 3)),
    ({"group": 6, "pads": (1, 1, 1, 1), "strides": (2, 1)}, (6, 7, 8), (6, 1, 3, 3)),
    ({"dilations": (2, 3), "pads": (1, 1, 1, 1)}, (7, 9, 10), (4, 7, 3, 3)),
    ({"pads": (3, 3, 3, 3)}, (5, 7, 8), (6, 5, 3, 3)),
    ({"auto_pad": "SAME_LOWER", "strides": (2, 2)}, (5, 7, 8), (6, 5, 3, 3)),
    ({"pads": (1,) * 6}, (8, 4, 5, 6), (7, 8, 3, 2, 3)),
]


def convolution_cases() -> list[Case]:
    found = []
    for attributes, x, w in CONVOLUTIONS:
        windows = ConvWeightGrad(**attributes).windows((BATCH, *x), w)
        dy = floats(BATCH, w[0], *(v.outputs for v in windows))
        name = f"{x}-{w}-{attributes}"
        weight, image = floats(*w), floats(BATCH, *x)
        found += [
            Case(f"weights{name}", ConvWeightGrad(**attributes), (image, dy), (True, True), w),
            Case(
                f"input{name}",
                ConvInputGrad(**attributes),
                (dy, weight),
                (True, False),
                (BATCH, *x),
            ),
        ]
    return found


POOLINGS = [
    ({"kernel_shape": (2, 2), "strides": (2, 2)}, (5, 8, 6)),
    ({"kernel_shape": (2, 3), "strides": (2, 3)}, (5, 9, 10)),
    ({"kernel_shape": (2, 2), "strides": (2, 2), "pads": (1, 0, 1, 0)}, (5, 6, 8)),
    ({"kernel_shape": (3, 3), "strides": (3, 3), "pads": (1, 1, 1, 1)}, (5, 7, 8)),
    ({"kernel_shape": (2, 2), "strides": (2, 2), "ceil_mode": 1}, (5, 7, 9)),
    ({"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1)}, (5, 8, 9)),
    ({"kernel_shape": (3, 2), "strides": (1, 1), "pads": (1, 0, 1, 1)}, (5, 7, 6)),
    ({"kernel_shape": (2, 2), "strides": (3, 3)}, (5, 7, 8)),
    ({"kernel_shape": (7, 6)}, (5, 7, 6)),
    ({"kernel_shape": (3,), "strides": (3,)}, (5, 12)),
    ({"kernel_shape": (3, 3), "auto_pad": "SAME_UPPER", "strides": (2, 2)}, (5, 8, 7)),
]


def pooling_cases() -> list[Case]:
    found = []
    for attributes, x in POOLINGS:
        image = floats(BATCH, *x)
        _, indices = evaluate(MaxPool(**attributes), [image])
        dy = floats(*indices.shape)
        shape = (BATCH, *x)
        name = f"{x}-{attributes}"
        found.append(
            Case(f"max{name}", MaxPoolGrad(**attributes), (dy, indices), (True, True), shape)
        )
        for counted in (0, 1):
            op = AveragePoolGrad(**attributes, count_include_pad=counted)
            found.append(Case(f"average{counted}{name}", op, (dy,), (True,), shape))
    return found


def other_cases() -> list[Case]:
    image, dy = floats(BATCH, 4, 5, 6), floats(BATCH, 4, 5, 6)
    scale, bias, mean, inv_std = floats(4), floats(4), floats(4), np.abs(floats(4)) + 0.5
    labels = RNG.integers(0, 4, (BATCH, 5, 6))
    return [
        Case("matrix-vector", MatMul(), (image, floats(6)), (True, False)),
        Case("vector-matrix", MatMul(), (floats(5), image), (False, True)),
        Case("vector-vector", MatMul(), (floats(5), floats(5)), (False, False)),
        Case("global-lp-pool", GlobalLpPool(p=3), (image,), (True,)),
        Case("relu", ReluGrad(), (dy, np.maximum(image, 0)), (True, True), None, "steep-sigmoid"),
        Case("batch-norm", BatchNormTraining(1e-3), (image, scale, bias), (True, False, False)),
        Case(
            "batch-norm-many-pixels",
            BatchNormTraining(1e-3),
            (floats(BATCH, 4, 17, 16), scale, bias),
            (True, False, False),
            None,
            "depthwise-affine",
        ),
        Case(
            "batch-norm-grad",
            BatchNormGrad(),
            (dy, image, scale, mean, inv_std),
            (True, True, False, False, False),
        ),
        Case(
            "batch-norm-training",
            BatchNormalization(training_mode=1),
            (image, scale, bias, mean, inv_std),
            (True, False, False, False, False),
            None,
            "own-statistics",
        ),
        Case(
            "cross-entropy",
            SoftmaxCrossEntropyLoss(ignore_index=2),
            (image, labels),
            (True, True),
            None,
            "log-softmax",
        ),
        Case(
            "gather-grad",
            GatherGrad(axis=0),
            (floats(BATCH, 2, 5), RNG.integers(0, 7, (BATCH, 2))),
            (True, True),
            (7, 5),
        ),
        Case(
            "einsum",
            Einsum("bhqd,bhkd->bqhk"),
            (floats(BATCH, 2, 5, 7), floats(BATCH, 2, 3, 7)),
            (True, True),
            None,
            "matrix-products",
        ),
    ]


CASES = [*convolution_cases(), *pooling_cases(), *other_cases()]


def graph_of(case: Case, batch_symbolic: bool = True) -> tuple[Graph, Node, dict[str, Array]]:
    """The graph of the one operator, its node, and the feeds."""
    batch = new_dim("N") if batch_symbolic else BATCH
    values, feeds = [], {}
    for i, (array, batched) in enumerate(zip(case.inputs, case.batched, strict=True)):
        shape = (batch, *array.shape[1:]) if batched else array.shape
        values.append(Value(TensorType(DType.of(array), shape), f"x{i}"))
        feeds[f"x{i}"] = array
    b = Builder()
    operands = list(values)
    if case.shape is not None:
        of_batch = case.shape[0] == BATCH
        operands.append(b.dims((batch, *case.shape[1:]) if of_batch else case.shape))
    results = b.multi(case.op, *operands)
    node = next(n for n in b.nodes if n.op is case.op)
    outputs = {f"y{i}": value for i, value in enumerate(results)}
    return Graph("one", tuple(values), (), tuple(b.nodes), outputs), node, feeds


def expected(case: Case) -> tuple[Array, ...]:
    """In float64 where the operator takes floats."""
    inputs = [a.astype(np.float64) if a.dtype == np.float32 else a for a in case.inputs]
    if case.shape is not None:
        inputs.append(np.array(case.shape))
    return evaluate(case.op, inputs)


def lowered(case: Case, body: Body | None) -> onnx.ModelProto:
    """The model with that body; with the decomposition for None."""
    graph, node, _ = graph_of(case)

    def choose(other: Node, target: Target) -> Body | None:
        return body if other.op is node.op else choose_body(other, target)

    model = emit(legalize(graph, choose=choose))
    onnx.checker.check_model(model)
    return model


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
