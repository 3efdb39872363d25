"""Bodies of the gradient of a convolution's input (its decomposition is ConvTranspose).

Ratios and names as in `conv`.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from nncomp.backends.ort.bodies.body import Body, Target, constant_cost, operand
from nncomp.backends.ort.bodies.conv import FEW, Geometry, geometry, known_geometry
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.conv import Conv
from nncomp.ops.conv_grad import ConvInputGrad
from nncomp.ops.forms import reshape, transpose
from nncomp.ops.indexing import Gather
from nncomp.ops.linear import MatMul
from nncomp.ops.shape_slicing import Pad
from nncomp.types import Array

# as measured: one product is faster for at least so many channels, at so few pixels and at most so
# many for each channel
_CHANNELS = 64
_PIXELS = 256
_PIXELS_A_CHANNEL = 2


def _geometry(node: Node) -> Geometry | None:
    assert isinstance(node.op, ConvInputGrad)
    return geometry(node.op, node.outputs[0].shape, operand(node, 1).shape)


def _flipped_refuses(node: Node, target: Target) -> str | None:
    g = _geometry(node)
    if g is None:
        return "spatial sizes are symbolic"
    if target.provider == "cuda":
        return "cuDNN computes ConvTranspose as this very gradient"
    if not g.unit_stride:
        return "the stride is not 1"
    if g.channels <= FEW and g.taps > 1:
        return "ConvTranspose is faster for few channels"
    if min(flipped_pads(g)) < 0:
        return "the padding is wider than the kernel"
    return None


def flipped_pads(g: Geometry) -> tuple[int, ...]:
    reach = [(k - 1) * d for k, d in zip(g.kernel, g.dilation, strict=True)]
    return tuple(r - p for r, p in zip(reach * 2, g.pads, strict=True))


def _flipped_input_grad(b: Builder, node: Node) -> Value:
    """Convolution of dY with the weights turned around in space, in and out swapped."""
    g, dy, w = known_geometry(_geometry(node)), operand(node, 0), operand(node, 1)
    op = Conv(dilations=g.dilation, group=g.group, pads=flipped_pads(g))
    return b(op, dy, _flipped(b, w, g))


def _flipped(b: Builder, w: Value, g: Geometry) -> Value:
    """[K, C / group, R, S] -> [C, K / group, R, S], taps in reverse order.

    One axis moves at a time, as more of them take onnxruntime up to twenty times as long. The taps
    come first to be turned around, where Gather copies whole rows; a Slice with a negative step,
    or a Gather on the last axis, is many times slower.
    """
    inner = g.filters // g.group
    outer = g.channels // g.group
    w = transpose(b, reshape(b, w, g.group, inner, outer, g.taps), 0, 2, 1, 3)
    if g.taps > 1:
        w = transpose(b, reshape(b, w, g.channels * inner, g.taps), 1, 0)
        w = b(Gather(axis=0), w, b.ints(*reversed(range(g.taps))))
        w = transpose(b, w, 1, 0)
    return reshape(b, w, g.channels, inner, *g.kernel)


def _columns_refuse(node: Node, target: Target) -> str | None:
    refusal = _flipped_refuses(node, target)
    g = _geometry(node)
    if refusal or g is None:
        return refusal
    if g.group > 1:
        return "the convolution has groups"
    if g.taps == 1:
        return "the kernel is 1 × 1"
    return None


def _columns_cost(node: Node, target: Target) -> float:
    g = known_geometry(_geometry(node))
    channels, pixels = min(g.channels, g.filters), int(np.prod(g.size))
    deep = channels >= _CHANNELS and pixels <= min(_PIXELS, _PIXELS_A_CHANNEL * channels)
    return 1.1 if deep else 2.0


def _columns_input_grad(b: Builder, node: Node) -> Value:
    """Pixels of dY with their channels side by side, gathered for each pixel of dX and each tap;
    their product with W as [R · S · K, C]. One product for all samples: a convolution multiplies
    sample by sample, and reads all of W for the few pixels of each."""
    g, dy, w = known_geometry(_geometry(node)), operand(node, 0), operand(node, 1)
    n, pads = dy.shape[0], flipped_pads(g)
    pixels = transpose(b, dy, 0, *range(2, 2 + g.rank), 1)
    if any(pads):
        before, after = pads[: g.rank], pads[g.rank :]
        pixels = b(Pad(), pixels, b.ints(0, *before, 0, 0, *after, 0))
    places = b.constant(_places(g))
    rows = reshape(b, pixels, n, int(np.prod(_padded(g))), g.filters)
    columns = reshape(b, b(Gather(axis=1), rows, places), n * places.shape[0], g.taps * g.filters)
    taps_first = transpose(b, reshape(b, w, g.filters * g.channels, g.taps), 1, 0)
    dx = b(MatMul(), columns, reshape(b, taps_first, g.taps * g.filters, g.channels))
    return transpose(
        b, reshape(b, dx, n, *g.size, g.channels), 0, 1 + g.rank, *range(1, 1 + g.rank)
    )


def _padded(g: Geometry) -> tuple[int, ...]:
    pads = flipped_pads(g)
    return tuple(o + pads[i] + pads[i + g.rank] for i, o in enumerate(g.outputs))


def _places(g: Geometry) -> Array:
    """[pixels of dX, taps]: which pixel of padded dY has gone into it through a tap."""
    grid = np.arange(np.prod(_padded(g))).reshape(_padded(g))
    turned = [
        [(k - 1 - t) * d for k, t, d in zip(g.kernel, tap, g.dilation, strict=True)]
        for tap in product(*(range(k) for k in g.kernel))
    ]
    met = [
        grid[tuple(slice(s, s + size) for s, size in zip(start, g.size, strict=True))].reshape(-1)
        for start in turned
    ]
    return np.stack(met, axis=1)


BODIES = (
    Body("flipped-conv", ConvInputGrad, _flipped_refuses, constant_cost(1.2), _flipped_input_grad),
    Body("column-product", ConvInputGrad, _columns_refuse, _columns_cost, _columns_input_grad),
)
