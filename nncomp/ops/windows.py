"""Windows that slide over the spatial axes: the geometry that convolution and pooling share.

Along one axis a window of `kernel` taps, `dilation` apart, covers `extent` elements; it starts
`stride` further for each output; the axis is padded by `before` and `after` elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NoReturn

from nncomp.dims import DimLike, bounds, equal, floordiv, maximum, minimum
from nncomp.ir.op import InferError
from nncomp.types import TensorType

Ints = tuple[int, ...] | None
AUTO_PADS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


@dataclass(frozen=True, slots=True)
class Window:
    """The windows along one axis.

    size: of the axis, unpadded
    after: includes the overhang
    outputs: how many windows there are
    overhang: what ceil_mode reads beyond the padding
    """

    size: DimLike
    kernel: DimLike
    stride: int
    dilation: int
    before: DimLike
    after: DimLike
    outputs: DimLike
    overhang: DimLike = 0

    @property
    def extent(self) -> DimLike:
        return (self.kernel - 1) * self.dilation + 1

    @property
    def padded(self) -> DimLike:
        return self.size + self.before + self.after

    @property
    def covered(self) -> DimLike:
        """Padded elements from the first window's start to the last one's end."""
        return (self.outputs - 1) * self.stride + self.extent

    @property
    def rest(self) -> DimLike:
        """Padded elements behind the last window, in [0, stride)."""
        return 0 if self.stride == 1 else (self.padded - self.extent) % self.stride


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of ONNX that describe windows, None where they have their defaults."""

    strides: Ints
    dilations: Ints
    pads: Ints
    auto_pad: str
    ceil_mode: int = 0

    @lru_cache(maxsize=4096)  # noqa: B019 - what it keeps are attributes, few and small
    def resolve(
        self, kernel: tuple[DimLike, ...], sizes: tuple[DimLike, ...], *, check: bool = True
    ) -> tuple[Window, ...]:
        """One window for each spatial axis of an input with these sizes.

        check: refuse a window that is known not to fit into its padded axis (operand 0).
        """
        rank = len(sizes)
        strides = self.each("strides", self.strides, rank)
        dilations = self.each("dilations", self.dilations, rank)
        pads = self.padding(rank)
        windows = []
        for i, size in enumerate(sizes):
            slide = (strides[i], dilations[i])
            if self.auto_pad.startswith("SAME"):
                windows.append(_same(size, kernel[i], *slide, self.auto_pad))
                continue
            window = _floored(size, kernel[i], *slide, pads[i], pads[i + rank])
            if check:
                require_fit(window, axis=i + 2, spatial=rank)
            windows.append(_ceiled(window) if self.ceil_mode else window)
        return tuple(windows)

    def each(self, name: str, given: Ints, rank: int) -> tuple[int, ...]:
        """The attribute with one positive number for each spatial axis; all 1 by default."""
        values = (1,) * rank if given is None else given
        if len(values) != rank:
            out_of_range(
                f"{name}={list(values)} has {len(values)} numbers for {rank} spatial axes",
                f"give {rank}, one for each spatial axis",
            )
        if any(v < 1 for v in values):
            out_of_range(f"{name}={list(values)} must be positive", f"{name} starts at 1")
        return values

    def padding(self, rank: int) -> tuple[int, ...]:
        """Explicit pads, all befores and then all afters; zeros under auto_pad."""
        if self.auto_pad not in AUTO_PADS:
            out_of_range(
                f'auto_pad="{self.auto_pad}" is none of {", ".join(AUTO_PADS)}',
                "give pads explicitly, or SAME_UPPER",
            )
        if self.auto_pad != "NOTSET" or self.pads is None:
            return (0,) * (2 * rank)
        if len(self.pads) != 2 * rank:
            out_of_range(
                f"pads={list(self.pads)} has {len(self.pads)} numbers for {rank} spatial axes",
                f"give {2 * rank}: before each axis, then after each axis",
            )
        if min(self.pads) < 0:
            out_of_range(
                f"pads={list(self.pads)} must not be negative", "slice the input to crop it"
            )
        return self.pads


def _floored(
    size: DimLike, kernel: DimLike, stride: int, dilation: int, before: int, after: int
) -> Window:
    outputs = floordiv(size + before + after - (kernel - 1) * dilation - 1, stride) + 1
    return Window(size, kernel, stride, dilation, before, after, outputs)


def _same(size: DimLike, kernel: DimLike, stride: int, dilation: int, auto_pad: str) -> Window:
    """Padding by which every stride-th element has a window: ceil(size / stride) outputs."""
    outputs = floordiv(size + stride - 1, stride)
    total = maximum(0, (outputs - 1) * stride + (kernel - 1) * dilation + 1 - size)
    before = floordiv(total if auto_pad == "SAME_UPPER" else total + 1, 2)
    return Window(size, kernel, stride, dilation, before, total - before, outputs)


def _ceiled(window: Window) -> Window:
    """ceil_mode: a last window may hang over the end, if it starts before the end padding."""
    stride, padded = window.stride, window.padded
    if stride == 1:
        return window
    starts = floordiv(window.size + window.before - 1, stride) + 1
    outputs = minimum(floordiv(padded - window.extent + stride - 1, stride) + 1, starts)
    window = replace(window, outputs=outputs)
    overhang = maximum(0, window.covered - padded)
    return replace(window, after=window.after + overhang, overhang=overhang)


AXIS_NAMES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def require_fit(window: Window, axis: int, spatial: int) -> None:
    """InferError if the window is known to be longer than its padded axis (of operand 0)."""
    size, padded = window.size, window.padded
    high = bounds(padded - window.extent)[1]
    if high is None or high >= 0:
        return
    taps = f"kernel {window.kernel}"
    if window.dilation != 1:
        taps += f" with dilation {window.dilation} (extent {window.extent})"
    name = AXIS_NAMES[spatial][axis - 2] if spatial in AXIS_NAMES else f"size of axis {axis},"
    missing = window.extent - padded
    pad = (
        f"add pad={(missing + 1) // 2} on each side, or take a kernel of at most {padded}"
        if isinstance(missing, int)
        else "add padding"
    )
    raise InferError(
        "NN0205",
        f"{taps} does not fit into {name} {size} (padded {padded})",
        label=f"{window.extent} elements are needed, there are {padded}",
        operand=0,
        axis=axis,
        help=pad,
    )


def require_spatial(t: TensorType, what: str) -> int:
    """The number of spatial axes of [N, C, spatial…]; InferError if there is none."""
    if t.rank < 3:
        raise InferError(
            "NN0204",
            f"{what} needs [N, C, spatial…], with 3 dimensions or more; this is {t}",
            operand=0,
            help="add a channel or batch axis: `x[none]`, `x[:, none]`",
        )
    return t.rank - 2


def require_same(
    left: DimLike,
    right: DimLike,
    message: str,
    *,
    operand: int | None = None,
    axis: int | None = None,
    help: str | None = None,
) -> None:
    """An error, at an operand's axis, unless the two dims are known to be equal."""
    result = equal(left, right)
    if result is None:
        raise InferError(
            "NN0206",
            f"{message} ({left} and {right} are not known to be equal)",
            operand=operand,
            axis=axis,
            help=help,
        )
    if not result:
        raise InferError("NN0205", message, operand=operand, axis=axis, help=help)


def out_of_range(message: str, help: str | None = None) -> NoReturn:
    raise InferError("NN0208", message, help=help)


def known(dim: DimLike) -> int:
    """A dim that must be known here."""
    assert isinstance(dim, int), dim
    return dim


def static_pads(windows: Sequence[Window]) -> tuple[int, ...] | None:
    """pads as ONNX lists them, if all are known."""
    found = [w.before for w in windows] + [w.after for w in windows]
    pads = tuple(p for p in found if isinstance(p, int))
    return pads if len(pads) == len(found) else None
