"""The formulations that were the fastest when formulas were compared by hand, written with
`onnx.helper` for known shapes: what nncomp's own are held against on the machine at hand.

Each takes the inputs of a case of `gradients.py` and gives models with the same inputs and results.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx

from nncomp.ir.op import Op
from nncomp.ops.activation import ReluGrad
from nncomp.ops.conv_grad import ConvInputGrad, ConvWeightGrad
from nncomp.ops.indexing import GatherGrad
from nncomp.ops.loss import SoftmaxCrossEntropyLoss
from nncomp.ops.normalization import LayerNormalization
from nncomp.ops.normalization_batch import BatchNormTraining
from nncomp.ops.pooling_average import AveragePoolGrad
from nncomp.ops.pooling_max import MaxPoolGrad
from nncomp.types import Array
from parts import convolution_formulas
from parts.model import Model

EPSILON = 1e-5
_FEW_PLACES = 1024  # more make the one-hot product hopeless


def by_hand(
    op: Op, inputs: list[Array], shape: tuple[int, ...] | None
) -> Iterator[tuple[str, onnx.ModelProto]]:
    """Names and models. shape: the result's, where the operator takes it"""
    if isinstance(op, ConvWeightGrad):
        assert shape is not None
        x, dy = inputs
        yield from convolution_formulas.of_weights(x, dy, shape[2], op.strides[0], op.pads[0])
    elif isinstance(op, ConvInputGrad):
        assert shape is not None
        dy, w = inputs
        yield from convolution_formulas.of_input(dy, w, shape[2], op.strides[0], op.pads[0])
    elif isinstance(op, MaxPoolGrad):
        assert shape is not None
        yield _max_pool(op, inputs, shape)
    elif isinstance(op, AveragePoolGrad):
        yield "resize", _average_pool(op, inputs)
    elif isinstance(op, ReluGrad):
        yield "steep", _relu(inputs)
    elif isinstance(op, BatchNormTraining):
        yield "raw-moments", _batch_norm(inputs)
    elif isinstance(op, SoftmaxCrossEntropyLoss):
        yield "softmax-scatter", _cross_entropy(inputs)
    elif isinstance(op, LayerNormalization):
        yield "its-outputs", _layer_norm(inputs)
    elif isinstance(op, GatherGrad):
        assert shape is not None
        yield "scatter-elements", _scattered(inputs, shape)
        yield "sorted", _sorted(inputs, shape)
        if shape[0] <= _FEW_PLACES:
            yield "one-hot", _one_hot(inputs, shape)


def _relu(inputs: list[Array]) -> onnx.ModelProto:
    m = Model()
    dy, y = map(m.input, inputs)
    return m.finish(m.Mul(dy, m.HardSigmoid(y, alpha=3e38, beta=0.0)))


def _max_pool(
    op: MaxPoolGrad, inputs: list[Array], shape: tuple[int, ...]
) -> tuple[str, onnx.ModelProto]:
    m = Model()
    dy, indices = map(m.input, inputs)
    if op.kernel_shape[0] <= op.strides[0]:
        kernel, strides = list(op.kernel_shape), list(op.strides)
        return "unpool", m.finish(
            m.MaxUnpool(dy, indices, kernel_shape=kernel, strides=strides, pads=list(op.pads))
        )
    zeros = m.ConstantOfShape(m.ints(int(np.prod(shape))))
    dx = m.ScatterElements(
        zeros, m.reshape(indices, -1), m.reshape(dy, -1), axis=0, reduction="add"
    )
    return "scatter-elements", m.finish(m.reshape(dx, *shape))


def _average_pool(op: AveragePoolGrad, inputs: list[Array]) -> onnx.ModelProto:
    m = Model()
    share = m.Mul(m.input(inputs[0]), m.number(1 / float(np.prod(op.kernel_shape))))
    scales = m.constant(np.array([1, 1, *op.kernel_shape], np.float32))
    modes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return m.finish(m.Resize(share, "", scales, mode="nearest", **modes))


def _batch_norm(inputs: list[Array]) -> onnx.ModelProto:
    """Affine in X both ways, from Σ X, Σ X², Σ dY and Σ dY X, each summed in two steps."""
    m = Model()
    x, scale, bias, dy = map(m.input, inputs)
    n, c, h, w = inputs[0].shape
    one_of = m.number(1 / (n * h * w))

    def mean(v: str) -> str:
        return str(m.Mul(m.total(m.total(v, 2, 3, keep=True), 0), one_of))

    wide_scale, wide_bias = (m.reshape(v, c, 1, 1) for v in (scale, bias))
    mu = mean(x)
    var = m.Sub(mean(m.Mul(x, x)), m.Mul(mu, mu))
    inv_std = m.Reciprocal(m.Sqrt(m.Add(var, m.number(EPSILON))))
    slope = m.Mul(wide_scale, inv_std)
    y = m.Add(m.Mul(x, slope), m.Sub(wide_bias, m.Mul(mu, slope)))

    # with M elements a channel, dX = slope · (dY - Σ dY / M - x̂ · Σ dY x̂ / M)
    mean_dy = mean(dy)
    mean_dy_x = m.Mul(m.Sub(mean(m.Mul(dy, x)), m.Mul(mu, mean_dy)), inv_std)
    of_x = m.Mul(m.Mul(slope, inv_std), mean_dy_x)
    rest = m.Sub(m.Mul(mu, of_x), m.Mul(slope, mean_dy))
    dx = m.Add(m.Sub(m.Mul(dy, slope), m.Mul(x, of_x)), rest)
    elements = m.number(n * h * w)
    sums = [m.reshape(m.Mul(v, elements), c) for v in (mean_dy_x, mean_dy)]
    return m.finish(y, dx, *sums)


def _cross_entropy(inputs: list[Array]) -> onnx.ModelProto:
    m = Model()
    scores, labels = map(m.input, inputs)
    n = len(inputs[1])
    places = m.reshape(labels, n, 1)
    probability = m.Softmax(scores, axis=1)
    picked = m.GatherElements(probability, places, axis=1)
    loss = m.Neg(m.ReduceMean(m.Log(picked), keepdims=0))
    share = m.constant(np.full((n, 1), -1 / n, np.float32))
    scaled = m.Mul(probability, m.number(1 / n))
    return m.finish(loss, m.ScatterElements(scaled, places, share, axis=1, reduction="add"))


def _layer_norm(inputs: list[Array]) -> onnx.ModelProto:
    m = Model()
    x, scale, bias, dy = map(m.input, inputs)
    *_, width = inputs[0].shape
    y, mean, inv_std = m.several("LayerNormalization", 3, x, scale, bias, axis=-1, epsilon=EPSILON)
    normal = m.Mul(m.Sub(x, mean), inv_std)
    of_normal = m.Mul(dy, scale)
    one_of = m.number(1 / width)
    along = m.Mul(m.total(m.Mul(of_normal, normal), -1, keep=True), one_of)
    across = m.Mul(m.total(of_normal, -1, keep=True), one_of)
    dx = m.Mul(m.Sub(m.Sub(of_normal, across), m.Mul(normal, along)), inv_std)
    rows = range(len(inputs[0].shape) - 1)
    dscale = m.total(m.Mul(dy, normal), *rows)
    return m.finish(y, dx, dscale, m.total(dy, *rows))


def _scattered(inputs: list[Array], shape: tuple[int, ...]) -> onnx.ModelProto:
    m = Model()
    rows, ids = map(m.input, inputs)
    places = m.Expand(m.reshape(ids, -1, 1), m.ints(*inputs[0].shape))
    zeros = m.ConstantOfShape(m.ints(*shape))
    return m.finish(m.ScatterElements(zeros, places, rows, axis=0, reduction="add"))


def _sorted(inputs: list[Array], shape: tuple[int, ...]) -> onnx.ModelProto:
    """Rows sorted by id and summed with those of the same id: within blocks by a product, and over
    blocks by one more of the sums that stand at their edges."""
    m = Model()
    rows, ids = map(m.input, inputs)
    count, width = inputs[0].shape
    block = 32 if count <= 2048 else 64
    blocks = count // block
    assert blocks * block == count
    ids, order = m.several("TopK", 2, ids, m.ints(count), largest=0)
    inside = m.reshape(m.Gather(rows, order), blocks, block, width)
    grid = m.reshape(ids, blocks, block)

    def equal(left: str, right: str) -> str:
        return str(m.Cast(m.Equal(left, right), to=onnx.TensorProto.FLOAT))

    column, row = m.reshape(grid, blocks, block, 1), m.reshape(grid, blocks, 1, block)
    ends = m.Gather(grid, m.ints(0, block - 1), axis=1)
    last = m.Cast(
        m.Not(m.Equal(*(m.Gather(grid, m.ints(i), axis=1) for i in (0, block - 1)))), to=1
    )
    counted = m.Concat(last, m.constant(np.ones((blocks, 1), np.float32)), axis=1)
    counted = m.reshape(counted, blocks, 2, 1)  # a block of a single id has one edge
    picks = m.Mul(equal(m.reshape(ends, blocks, 2, 1), row), counted)
    sums = m.MatMul(picks, inside)
    of_all = equal(m.reshape(ends, 2 * blocks, 1), m.reshape(ends, 1, 2 * blocks))
    totals = m.reshape(m.MatMul(of_all, m.reshape(sums, 2 * blocks, width)), blocks, 2, width)
    others = m.Mul(m.Sub(totals, sums), counted)
    same = m.Concat(equal(column, row), equal(column, m.reshape(ends, blocks, 1, 2)), axis=2)
    found = m.MatMul(same, m.Concat(inside, others, axis=1))
    zeros = m.ConstantOfShape(m.ints(*shape))
    return m.finish(m.ScatterND(zeros, m.reshape(ids, count, 1), m.reshape(found, count, width)))


def _one_hot(inputs: list[Array], shape: tuple[int, ...]) -> onnx.ModelProto:
    m = Model()
    rows, ids = map(m.input, inputs)
    every = m.constant(np.arange(shape[0])[:, None])
    chosen = m.Cast(m.Equal(every, ids), to=onnx.TensorProto.FLOAT)
    return m.finish(m.MatMul(chosen, rows))
