"""Cases of operators that have bodies, as graphs with a symbolic batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from nncomp.backends.ort.bodies.body import Body, Target
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import choose_body, legalize
from nncomp.backends.reference.interpreter import evaluate
from nncomp.dims import new_dim
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.op import Op
from nncomp.ops.activation import ReluGrad, Swish
from nncomp.ops.attention import Attention
from nncomp.ops.conv_grad import ConvInputGrad, ConvWeightGrad
from nncomp.ops.conversion import BitCast
from nncomp.ops.einsum import Einsum
from nncomp.ops.elementwise import Add, Div, Mul, Sub
from nncomp.ops.indexing import GatherGrad, OneHot
from nncomp.ops.indexing_nd import ScatterND
from nncomp.ops.linear import MatMul
from nncomp.ops.loss import NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss
from nncomp.ops.normalization_batch import BatchNormalization, BatchNormGrad, BatchNormTraining
from nncomp.ops.pooling import GlobalLpPool
from nncomp.ops.pooling_average import AveragePoolGrad
from nncomp.ops.pooling_max import MaxPool, MaxPoolGrad
from nncomp.ops.recurrent import GRU, LSTM, RNN
from nncomp.ops.reduction import ReduceMean, ReduceSum
from nncomp.ops.regions import MaxRoiPool, RoiAlign
from nncomp.ops.shape_slicing import CenterCropPad, Pad
from nncomp.types import Array, DType, TensorType

RNG = np.random.default_rng(7)
BATCH = 3


@dataclass(frozen=True)
class Case:
    """An operator on arrays.

    batched: which inputs have the symbolic batch as their first axis
    shape: contents of the last operand, the result's shape; batched too if its first is BATCH
    known: which inputs are constants, by their number
    """

    id: str
    op: Op
    inputs: tuple[Array, ...]
    batched: tuple[bool, ...]
    shape: tuple[int, ...] | None = None
    chosen: str | None = None
    known: tuple[int, ...] = ()


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


def recurrent(gates: int) -> tuple[Array, ...]:
    """X, with the batch first, W and R."""
    return floats(BATCH, 5, 2), floats(1, gates * 4, 2) / 2, floats(1, gates * 4, 4) / 2


def other_cases() -> list[Case]:
    image, dy = floats(BATCH, 4, 5, 6), floats(BATCH, 4, 5, 6)
    scale, bias, mean, inv_std = floats(4), floats(4), floats(4), np.abs(floats(4)) + 0.5
    labels = RNG.integers(0, 4, (BATCH, 5, 6))
    mask = np.where(RNG.random((BATCH, 1, 1, 7)) < 0.6, 0, -9).astype(np.float32)
    rois = np.array([[0.6, 0.4, 4.3, 3.2], [1.3, 1.1, 5.4, 3.7]], np.float32)
    picked, regional = np.array([2, 0]), (True, False, False)
    numbered = np.array([[1, 0, 1, 4, 4], [2, 2, 2, 3, 9]], np.float32)
    return [
        Case("matrix-vector", MatMul(), (image, floats(6)), (True, False)),
        Case("vector-matrix", MatMul(), (floats(5), image), (False, True)),
        Case("vector-vector", MatMul(), (floats(5), floats(5)), (False, False)),
        Case("global-lp-pool", GlobalLpPool(p=3), (image,), (True,)),
        Case("relu", ReluGrad(), (dy, np.maximum(image, 0)), (True, True), None, "steep-sigmoid"),
        Case(
            "channel-sum",
            ReduceSum(keepdims=0),
            (floats(BATCH, 4, 7, 6),),
            (True,),
            (0, 2, 3),
            "pixels-then-batch",
        ),
        Case(
            "channel-mean",
            ReduceMean(),
            (floats(BATCH, 4, 33),),
            (True,),
            (-1, 0),
            "pixels-then-batch",
        ),
        Case(
            "column-sum",
            ReduceSum(keepdims=0),
            (floats(BATCH, 5, 64),),
            (True,),
            (1, 0),
            "product-with-ones",
        ),
        Case(
            "row-of-sums",
            ReduceSum(),
            (floats(BATCH, 8, 9),),
            (True,),
            (0,),
            "product-with-ones",
        ),
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
        Case("likelihood", NegativeLogLikelihoodLoss(), (image, labels), (True, True)),
        Case(
            "pad-an-axis",
            Pad(),
            (image, np.array([2, 1]), floats(), np.array([-2])),
            (True, False, False, False),
            None,
            "all-axes",
            (1, 3),
        ),
        Case("crop", CenterCropPad((1, 3)), (image,), (True,), (7, 2), "slices-and-pads"),
        Case("swish", Swish(1.7), (image,), (True,)),
        Case("truth", BitCast(DType.U8), (image > 0,), (True,), None, "truth-as-number"),
        Case(
            *("one-hot", OneHot(axis=1), (labels, np.array(7), np.array([-1, 3], np.int32))),
            (True, False, False),
            None,
            "gathered",
            (1,),
        ),
        Case(
            "padding-mask",
            Attention(),
            (floats(BATCH, 2, 5, 4), floats(BATCH, 2, 7, 4), floats(BATCH, 2, 7, 3), mask),
            (True, True, True, True),
            None,
            "rows-of-the-mask",
        ),
        Case("regions", RoiAlign("half_pixel", "avg", 2, 3, 2), (image, rois, picked), regional),
        Case("own-regions", RoiAlign(), (image, rois, picked), regional),
        Case("largest", MaxRoiPool((2, 3)), (image, numbered), (True, False)),
        *(
            Case(op.__name__, op(layout=1), recurrent(op.gates), (True, False, False))
            for op in (RNN, GRU, LSTM)
        ),
        Case(
            "gather-grad",
            GatherGrad(axis=0),
            (floats(BATCH, 2, 5), RNG.integers(0, 7, (BATCH, 2))),
            (True, True),
            (7, 5),
        ),
        Case(
            "gather-grad-last-axis",
            GatherGrad(axis=1),
            (floats(BATCH, 2, 5), np.array([4, -5], np.int32)),
            (True, False),
            (BATCH, 7, 5),
        ),
        Case(
            "scatter-nd",
            ScatterND("add"),
            (floats(BATCH, 7, 2, 5), RNG.integers(-2, 2, (50, 3)), floats(50, 5)),
            (True, False, False),
            None,
            "by-elements",
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


def elementwise_cases() -> list[Case]:
    """What is broadcast where the last dims are 1."""
    weights, number = floats(80, 64, 1, 1), np.array(1.5, np.float32)
    rows, image = floats(80, 1, 1, 1) + 5, floats(BATCH, 64, 64, 1)
    return [
        Case(
            "number-plus-weights", Add(), (number, weights), (False,) * 2, None, "without-last-ones"
        ),
        Case("weights-minus-rows", Sub(), (weights, rows), (False,) * 2, None, "without-last-ones"),
        Case(
            "columns-times-channels",
            *(Mul(), (image, floats(64, 1, 1)), (True, False), None, "without-last-ones"),
        ),
        Case("weights-over-rows", Div(), (weights, rows), (False,) * 2, None, "without-last-ones"),
    ]


CASES = [*convolution_cases(), *pooling_cases(), *elementwise_cases(), *other_cases()]


def graph_of(case: Case, batch_symbolic: bool = True) -> tuple[Graph, Node, dict[str, Array]]:
    """The graph of the one operator, its node, and the feeds."""
    batch = new_dim("N") if batch_symbolic else BATCH
    b = Builder()
    operands, values, feeds = [], [], {}
    for i, (array, batched) in enumerate(zip(case.inputs, case.batched, strict=True)):
        if i in case.known:
            operands.append(b.constant(array))
            continue
        shape = (batch, *array.shape[1:]) if batched else array.shape
        operands.append(Value(TensorType(DType.of(array), shape), f"x{i}"))
        values.append(operands[-1])
        feeds[f"x{i}"] = array
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
