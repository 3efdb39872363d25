"""What the pooling operators share: attributes, checks and geometry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nncomp.dims import bounds
from nncomp.ir.op import InferError, Op, operator
from nncomp.ops.windows import Attributes, Ints, Window, known, out_of_range, require_spatial
from nncomp.types import Array, Shape, TensorType


@operator
class Pool(Op):
    """The attributes of pooling; see https://onnx.ai/onnx/operators/onnx__MaxPool.html.

    With ceil_mode a last window may reach over the end, if it starts before the end padding.
    """

    kernel_shape: tuple[int, ...]
    auto_pad: str = "NOTSET"
    ceil_mode: int = 0
    dilations: Ints = None
    pads: Ints = None
    strides: Ints = None

    def windows(self, x: Shape, *, check: bool = False) -> tuple[Window, ...]:
        """The windows over the spatial axes of an input of that shape."""
        attributes = Attributes(
            self.strides, self.dilations, self.pads, self.auto_pad, self.ceil_mode
        )
        return attributes.resolve(self.kernel_shape, x[2:], check=check)

    def shared_attributes(self) -> dict[str, Any]:
        """The attributes of all pooling operators, for another one over the same windows."""
        return {
            "kernel_shape": self.kernel_shape,
            "auto_pad": self.auto_pad,
            "ceil_mode": self.ceil_mode,
            "dilations": self.dilations,
            "pads": self.pads,
            "strides": self.strides,
        }

    def pooled(self, x: TensorType) -> Shape:
        """The result's shape; InferError where the windows do not fit."""
        spatial = require_spatial(x, "pooling")
        if len(self.kernel_shape) != spatial:
            out_of_range(
                f"kernel_shape={list(self.kernel_shape)} has {len(self.kernel_shape)} numbers "
                f"for the {spatial} spatial axes of {x}",
                f"give {spatial}",
            )
        if min(self.kernel_shape) < 1:
            out_of_range(f"kernel_shape={list(self.kernel_shape)} must be positive")
        windows = self.windows(x.shape, check=True)
        for axis, v in enumerate(windows, start=2):
            if self.auto_pad == "NOTSET":
                _require_contents(v, axis)
        return (*x.shape[:2], *(v.outputs for v in windows))


def _require_contents(window: Window, axis: int) -> None:
    """InferError for padding so wide that a window holds nothing else."""
    before, after = window.before, window.after - window.overhang
    lows = (bounds(before - window.extent)[0], bounds(after - window.extent)[0])
    if any(low is not None and low >= 0 for low in lows):
        raise InferError(
            "NN0208",
            f"padding {before} before and {after} after axis {axis} is not "
            f"smaller than the window's extent {window.extent}",
            label="a window would hold nothing but padding",
            help=f"pad at most {window.extent - 1}",
        )


def tap_counts(window: Window, include_pad: bool) -> Array:
    """How many taps of each window along an axis lie on elements (or on padding), at least 1.

    What ceil_mode reads beyond the padding is never counted.
    """
    size, before = known(window.size), known(window.before)
    after = known(window.after) - known(window.overhang)
    starts = np.arange(known(window.outputs)) * window.stride - before
    positions = starts[:, None] + np.arange(known(window.kernel)) * window.dilation
    low, high = (-before, size + after) if include_pad else (0, size)
    counts: Array = np.maximum(1, ((positions >= low) & (positions < high)).sum(axis=1))
    return counts


def divisors(windows: Sequence[Window], include_pad: bool) -> Array:
    """For each window of all axes the number of its taps that count; shaped like the windows."""
    counts: Array = np.ones((), np.int64)
    for v in windows:
        counts = counts[..., None] * tap_counts(v, include_pad)
    return counts
