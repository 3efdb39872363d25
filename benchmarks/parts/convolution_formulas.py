"""Gradients of convolution in two spatial axes without dilation and groups, written by hand.

X is [N, C, H, W], dY [N, K, P, Q], W [K, C, R, R], s the stride, p the padding on all sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx

from nncomp.types import Array
from parts.model import Model


@dataclass(frozen=True)
class Shape:
    """s: stride; p: padding; size, out: height and width of X and of dY"""

    n: int
    c: int
    k: int
    r: int
    size: int
    out: int
    s: int
    p: int

    @property
    def pixels(self) -> int:
        return self.out**2

    @property
    def taps(self) -> int:
        return self.r**2


def of_weights(
    x: Array, dy: Array, r: int, s: int, p: int
) -> Iterator[tuple[str, onnx.ModelProto]]:
    """The formulas that were best at some shape, those that apply to this one."""
    n, c, size, _ = x.shape
    shape = Shape(n, c, dy.shape[1], r, size, dy.shape[2], s, p)
    formulas = {
        "reshape": _pointwise,
        "identity": _identity,
        "separable": _separable,
        "columns": _columns,
        "flat": _flat,
    }
    if r == 1:
        names = ["reshape"]
    elif c <= 6:
        names = ["identity", "flat"]
    else:
        names = ["separable", "columns", "flat"] if s == 1 else ["identity", "columns", "flat"]
    for name in names:
        m = Model()
        yield name, m.finish(formulas[name](m, m.input(x), m.input(dy), shape))


def _pointwise(m: Model, x: str, dy: str, g: Shape) -> str:
    if g.s > 1:
        ends = [(g.out - 1) * g.s + 1] * 2
        x = m.Slice(x, m.ints(0, 0), m.ints(*ends), m.ints(2, 3), m.ints(g.s, g.s))
    return _product(m, m.reshape(x, g.n, g.c, g.pixels), dy, g)


def _product(m: Model, columns: str, dy: str, g: Shape) -> str:
    """Σ_n dY columnsᵀ."""
    turned = m.transpose(columns, 0, 2, 1)
    each = m.MatMul(m.reshape(dy, g.n, g.k, g.pixels), turned)
    return m.reshape(m.total(each, 0), g.k, g.c, g.r, g.r)


def _identity(m: Model, x: str, dy: str, g: Shape) -> str:
    """im2col by one depthwise convolution."""
    taps = np.eye(g.taps, dtype=np.float32).reshape(g.taps, 1, g.r, g.r)
    filters = m.constant(np.tile(taps, (g.c, 1, 1, 1)))
    columns = m.Conv(x, filters, group=g.c, strides=[g.s] * 2, pads=[g.p] * 4)
    return _product(m, m.reshape(columns, g.n, g.c * g.taps, g.pixels), dy, g)


def _separable(m: Model, x: str, dy: str, g: Shape) -> str:
    """im2col by a depthwise convolution along each axis."""
    taps = np.eye(g.r, dtype=np.float32)
    down = m.constant(np.tile(taps.reshape(g.r, 1, g.r, 1), (g.c, 1, 1, 1)))
    along = m.constant(np.tile(taps.reshape(g.r, 1, 1, g.r), (g.c * g.r, 1, 1, 1)))
    rows = m.Conv(x, down, group=g.c, strides=[g.s, 1], pads=[g.p, 0, g.p, 0])
    columns = m.Conv(rows, along, group=g.c * g.r, strides=[1, g.s], pads=[0, g.p, 0, g.p])
    return _product(m, m.reshape(columns, g.n, g.c * g.taps, g.pixels), dy, g)


def _columns(m: Model, x: str, dy: str, g: Shape) -> str:
    """im2col by Gather of pixels whose channels lie side by side, and one product."""
    wide = g.size + 2 * g.p
    pixels = m.transpose(x, 0, 2, 3, 1)
    if g.p:
        pixels = m.Pad(pixels, m.ints(0, g.p, g.p, 0, 0, g.p, g.p, 0))
    grid = np.arange(wide**2).reshape(wide, wide)
    span = (g.out - 1) * g.s + 1
    met = [grid[i : i + span : g.s, j : j + span : g.s] for i in range(g.r) for j in range(g.r)]
    places = m.constant(np.stack([places.reshape(-1) for places in met], axis=1))
    columns = m.Gather(m.reshape(pixels, g.n, wide**2, g.c), places, axis=1)
    columns = m.reshape(columns, g.n * g.pixels, g.taps * g.c)
    filters = m.reshape(m.transpose(dy, 1, 0, 2, 3), g.k, g.n * g.pixels)
    last = m.reshape(m.MatMul(filters, columns), g.k, g.taps, g.c)
    return m.reshape(m.transpose(last, 0, 2, 1), g.k, g.c, g.r, g.r)


def _flat(m: Model, x: str, dy: str, g: Shape) -> str:
    """One convolution over rows that hold all channels of each pixel side by side."""
    after, size = g.p - (g.size + 2 * g.p - g.r) % g.s, g.size
    if after < 0:
        size += after
        x = m.Slice(x, m.ints(0, 0), m.ints(size, size), m.ints(2, 3))
        after = 0
    image = m.reshape(m.transpose(x, 0, 2, 3, 1), 1, g.n, size, size * g.c)
    filters = m.transpose(dy, 1, 0, 2, 3)
    pads = [g.p, g.p * g.c, after, after * g.c]
    y = m.Conv(image, filters, dilations=[g.s, g.s * g.c], pads=pads)
    y = m.transpose(m.reshape(y, g.k, g.taps, g.c), 0, 2, 1)
    return m.reshape(y, g.k, g.c, g.r, g.r)


def of_input(
    dy: Array, w: Array, size: int, s: int, p: int
) -> Iterator[tuple[str, onnx.ModelProto]]:
    """The formulas that were best at some shape, those that apply to this one."""
    k, c, r, _ = w.shape
    shape = Shape(dy.shape[0], c, k, r, size, dy.shape[2], s, p)
    formulas = {"flipped": _flipped, "transposed": _transposed, "col2im": _col2im}
    if s > 1:
        names = ["transposed"]
    else:
        names = ["transposed", "col2im"] if c <= 6 else ["flipped"]
    for name in names:
        m = Model()
        yield name, m.finish(formulas[name](m, m.input(dy), m.input(w), shape))


def _flipped(m: Model, dy: str, w: str, g: Shape) -> str:
    """Taps first, to be turned around by whole rows."""
    w = m.transpose(m.reshape(w, g.k * g.c, g.taps), 1, 0)
    if g.taps > 1:
        w = m.Gather(w, m.ints(*reversed(range(g.taps))), axis=0)
    w = m.transpose(m.reshape(w, g.taps, g.k, g.c), 2, 1, 0)
    return str(m.Conv(dy, m.reshape(w, g.c, g.k, g.r, g.r), pads=[g.r - 1 - g.p] * 4))


def _transposed(m: Model, dy: str, w: str, g: Shape) -> str:
    rest = (g.size + 2 * g.p - g.r) % g.s
    pads, more = [g.p] * 4, [rest] * 2
    return str(m.ConvTranspose(dy, w, strides=[g.s] * 2, pads=pads, output_padding=more))


def _col2im(m: Model, dy: str, w: str, g: Shape) -> str:
    weights = m.transpose(m.reshape(w, g.k, g.c * g.taps), 1, 0)
    columns = m.MatMul(weights, m.reshape(dy, g.n, g.k, g.pixels))
    image, block = m.ints(g.size, g.size), m.ints(g.r, g.r)
    return str(m.Col2Im(columns, image, block, strides=[g.s] * 2, pads=[g.p] * 4))
