"""Recipes over tensors with channels: convolution, pooling, normalisation, resizing, loss."""

from __future__ import annotations

from collections.abc import Sequence

from nncomp.dims import DimLike
from nncomp.ir.graph import Value
from nncomp.ops import normalization as norm
from nncomp.ops.conv import Conv, ConvTranspose
from nncomp.ops.einsum import Einsum
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.fused import FusedConv
from nncomp.ops.loss import SoftmaxCrossEntropyLoss
from nncomp.ops.normalization_batch import BatchNormalization, BatchNormTraining
from nncomp.ops.pooling import GlobalAveragePool, GlobalLpPool, GlobalMaxPool
from nncomp.ops.pooling_average import AveragePool, LpPool
from nncomp.ops.pooling_max import MaxPool, MaxUnpool
from nncomp.ops.resize import Resize
from nncomp.ops.resize_blocks import Col2Im, DepthToSpace, SpaceToDepth
from nncomp.ops.shape_slicing import Pad
from tests.random_graphs.generator import Generator, UnfitError
from tests.random_graphs.recipes import Recipe, positive


def image(g: Generator, *ranks: int) -> Value:
    """A tensor with static channels and spatial axes of at least 3."""

    def fits(v: Value) -> bool:
        return v.rank in ranks and all(isinstance(d, int) and d > 1 for d in v.shape[1:])

    if any(fits(v) for v in g.pool) and g.chance(0.7):
        return g.value(fits)
    rank = g.one_of(ranks)
    sizes = [int(s) for s in g.rng.permutation((4, 5, 6, 8))[: rank - 1]]
    return g.input((g.batch, *sizes))


def known(size: DimLike) -> int:
    if not isinstance(size, int):
        raise UnfitError
    return size


def window(g: Generator, x: Value, *, pads: bool = True) -> dict[str, tuple[int, ...]]:
    """Kernel, strides, dilations and pads that fit."""
    spatial = [known(d) for d in x.shape[2:]]
    kernel = tuple(g.integer(1, min(3, s)) for s in spatial)
    around = [g.integer(0, k - 1) if pads else 0 for k in (*kernel, *kernel)]
    return {
        "kernel_shape": kernel,
        "strides": tuple(g.integer(1, 2) for _ in spatial),
        "pads": tuple(around),
    }


def conv(g: Generator) -> Value:
    x = image(g, 3, 4)
    channels = known(x.shape[1])
    group = g.one_of([d for d in (1, 2, channels) if channels % d == 0])
    options = window(g, x)
    spatial = [known(d) for d in x.shape[2:]]
    sizes = zip(options["kernel_shape"], spatial, strict=True)
    if g.chance(0.3) and all(2 * (k - 1) < size for k, size in sizes):
        options["dilations"] = (2,) * len(spatial)
    out = group * g.integer(1, 2)
    w = g.input((out, channels // group, *options["kernel_shape"]))
    bias = g.input((out,)) if g.chance(0.5) else None
    if g.chance(0.3):
        return g(FusedConv(group=group, activation="Tanh", **options), x, w, bias)
    return g(Conv(group=group, **options), x, w, bias)


def conv_transpose(g: Generator) -> Value:
    x = image(g, 3, 4)
    channels = known(x.shape[1])
    group = g.one_of([d for d in (1, 2) if channels % d == 0])
    options = window(g, x, pads=False)
    w = g.input((channels, 3, *options["kernel_shape"]))
    bias = g.input((3 * group,)) if g.chance(0.5) else None
    return g(ConvTranspose(group=group, **options), x, w, bias)


def pool(g: Generator) -> Value:
    x = image(g, 3, 4)
    if x.node is not None and isinstance(x.node.op, Pad):
        # onnxruntime's optimiser joins a Pad with the pool, and refuses the sum of their pads
        raise UnfitError
    options = window(g, x)
    way = g.integer(0, 2)
    if way == 0:
        return g(AveragePool(count_include_pad=g.integer(0, 1), **options), x)
    if way == 1:
        return g(LpPool(p=2, **options), positive(g, x))
    return g.b.multi(MaxPool(**options), g.spread(x))[0]


def unpool(g: Generator) -> Value:
    x = g.spread(image(g, 4))
    if known(x.shape[2]) % 2 or known(x.shape[3]) % 2:  # places beyond what is unpooled
        raise UnfitError
    y, places = g.b.multi(MaxPool(kernel_shape=(2, 2), strides=(2, 2)), x)
    return g(MaxUnpool(kernel_shape=(2, 2), strides=(2, 2)), y, places)


def global_pool(g: Generator) -> Value:
    x = image(g, 3, 4)
    way = g.integer(0, 2)
    if way == 0:
        return g(GlobalAveragePool(), x)
    if way == 1:
        return g(GlobalLpPool(p=g.integer(2, 3)), positive(g, x))
    return g(GlobalMaxPool(), g.spread(x))


def varied(g: Generator, x: Value) -> Value:
    """x with noise: what is normalised must not be constant."""
    return g(Add(), g(Mul(), x, 0.3), g.input(x.shape))


def normalize(g: Generator) -> Value | Sequence[Value]:
    x = varied(g, image(g, 3, 4))
    channels = known(x.shape[1])
    per_channel = g.input((channels,)), g.input((channels,))
    way = g.integer(0, 6)
    if way == 0:
        return g.b.multi(BatchNormTraining(), x, *per_channel)[0]
    if way == 1:
        mean, var = g.input((channels,)), positive(g, g.input((channels,)))
        return g.b.multi(BatchNormalization(), x, *per_channel, mean, var)[0]
    if way == 2:
        return g(norm.InstanceNormalization(), x, *per_channel)
    if way == 3:
        groups = g.one_of([d for d in (1, 2, channels) if channels % d == 0])
        return g(norm.GroupNormalization(groups), x, *per_channel)
    axis = g.integer(1, x.rank - 1)
    scale = g.input(x.shape[axis:])
    if way == 4:
        return g(norm.RMSNormalization(axis=axis), x, scale)
    bias = g.input(x.shape[axis:]) if g.chance(0.5) else None
    return g.b.multi(norm.LayerNormalization(axis=axis), x, scale, bias)[0]


def other_norm(g: Generator) -> Value:
    x = varied(g, image(g, 4))
    way = g.integer(0, 2)
    if way == 0:
        return g(norm.LRN(3, alpha=0.5), x)
    if way == 1:
        return g(norm.LpNormalization(axis=g.integer(1, 3), p=2), x)
    return g(norm.MeanVarianceNormalization(), x)


def blocks(g: Generator) -> Value:
    x = image(g, 4)
    if known(x.shape[1]) % 4 == 0 and g.chance(0.5):
        return g(DepthToSpace(2, g.one_of(("DCR", "CRD"))), x)
    if known(x.shape[2]) % 2 or known(x.shape[3]) % 2:
        raise UnfitError
    return g(SpaceToDepth(2), x)


def columns(g: Generator) -> Value:
    """4 · channels rows of 6 places: the windows of a 3 × 4 image."""
    x = g.input((g.batch, 4 * g.integer(1, 2), 6))
    return g(Col2Im(), x, g.b.ints(3, 4), g.b.ints(2, 2))


def resize(g: Generator) -> Value:
    x = image(g, 3, 4)
    if any(d == 7 for d in x.shape[2:]):
        raise UnfitError
    sizes = [2 * known(d) if g.chance(0.5) else 7 for d in x.shape[2:]]
    mode = g.one_of(("nearest", "linear"))
    axes = tuple(range(2, x.rank))
    return g(Resize(mode=mode, axes=axes), x, None, None, g.b.ints(*sizes))


def einsum(g: Generator) -> Value:
    x = g.ranked(3)
    a, b, c = x.shape
    equation, other = g.one_of(
        [("abc,cd->abd", (c, 7)), ("abc,dc->adb", (7, c)), ("abc,abd->cd", (a, b, 7))]
    )
    return g(Einsum(equation=equation), x, g.input(other))


def cross_entropy(g: Generator) -> Value:
    classes, rows = 7, g.integer(2, 5)
    labels = g.b.constant(g.rng.integers(0, classes, rows))
    x = g.input((rows, classes))
    return g.b.multi(SoftmaxCrossEntropyLoss(g.one_of(("mean", "sum", "none"))), x, labels)[0]


IMAGE_RECIPES: tuple[Recipe, ...] = (
    *(conv, conv_transpose, pool, pool, unpool, global_pool, normalize, normalize, other_norm),
    *(blocks, columns, resize, einsum, cross_entropy),
)
