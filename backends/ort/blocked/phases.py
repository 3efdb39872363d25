"""The gradient of a strided convolution's input, on blocked tensors.

The pixels of X that lie a stride apart are a phase: they meet the same taps of the kernel, and
their gradients are a convolution of dY with a stride of 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nncomp.backends.ort.blocked.filters import phase_filters
from nncomp.backends.ort.blocked.operators import BlockedConv
from nncomp.backends.ort.bodies.conv import Geometry
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ops.forms import reshape
from nncomp.ops.indexing import Gather


class _Axis(NamedTuple):
    """taps: [phases, T], which tap of the kernel stands at each place; -1: none. pads: of dY."""

    taps: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    pads: tuple[int, int]


def phased_input_grad(b: Builder, g: Geometry, dy: Value, w: Value, block: int) -> Value | None:
    """dX by one convolution whose channels are those of all phases, and one pass that puts pixels
    where they belong; None where phases differ in size or a window starts inside of dY.

    With a kernel of 3 × 3 and a stride of 2, filters have 16 places for 9 taps.
    """
    if any(size % stride for size, stride in zip(g.size, g.stride, strict=True)):
        return None
    rows, columns = _axis(g, 0), _axis(g, 1)
    if min(rows.pads + columns.pads) < 0:
        return None
    down, right = rows.taps[:, None, :, None], columns.taps[None, :, None, :]
    taps = np.where((down < 0) | (right < 0), g.taps, down * g.kernel[1] + right)
    taps = taps.reshape(-1, *taps.shape[2:])
    (p, s), (q, t) = ((n // s, s) for n, s in zip(g.size, g.stride, strict=True))
    op = BlockedConv(
        kernel_shape=taps.shape[1:],
        pads=(rows.pads[0], columns.pads[0], rows.pads[1], columns.pads[1]),
        block=block,
    )
    y = b(op, dy, phase_filters(b, w, taps, block))
    n = dy.shape[0]
    order = np.arange(s * t * p * q).reshape(s, t, p, q).transpose(2, 0, 3, 1).reshape(-1)
    pixels = reshape(b, y, n * (g.channels // block), order.size, block)
    return reshape(b, b(Gather(axis=1), pixels, b.constant(order)), n, g.channels, *g.size)


def _axis(g: Geometry, axis: int) -> _Axis:
    """Element i · s + a of X meets tap r in window i + (a + before - r · d) / s."""
    stride, kernel, before = g.stride[axis], g.kernel[axis], g.before[axis]
    windows = [
        (a, r, (a + before - r * g.dilation[axis]) // stride)
        for a in range(stride)
        for r in range(kernel)
        if (a + before - r * g.dilation[axis]) % stride == 0
    ]
    first, last = min(w for *_, w in windows), max(w for *_, w in windows)
    taps = np.full((stride, last - first + 1), -1)
    for a, r, window in windows:
        taps[a, window - first] = r
    return _Axis(taps, (-first, g.size[axis] // stride + last - g.outputs[axis]))
