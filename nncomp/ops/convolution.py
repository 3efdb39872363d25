"""What the convolution operators share: attributes, checks and geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from nncomp.dims import DimLike, bounds, equal, floordiv, maximum
from nncomp.ir.op import InferError, Op, operator
from nncomp.ops.rules import require_float, same_dtype
from nncomp.ops.windows import (
    Attributes,
    Ints,
    Window,
    out_of_range,
    require_same,
    require_spatial,
    static_pads,
)
from nncomp.types import Shape, TensorType

C = TypeVar("C", bound="Convolution")


@operator
class Convolution(Op):
    """The attributes of Conv; see https://onnx.ai/onnx/operators/onnx__Conv.html."""

    auto_pad: str = "NOTSET"
    dilations: Ints = None
    group: int = 1
    kernel_shape: Ints = None
    pads: Ints = None
    strides: Ints = None

    def windows(self, x: Shape, w: Shape, *, check: bool = False) -> tuple[Window, ...]:
        """The windows over the spatial axes of an input shaped `x`, under weights shaped `w`."""
        attributes = Attributes(self.strides, self.dilations, self.pads, self.auto_pad)
        return attributes.resolve(w[2:], x[2:], check=check)

    def infer_forward(
        self, x: TensorType, w: TensorType, b: TensorType | None = None
    ) -> TensorType:
        """Conv's result type; InferError for operands that do not fit."""
        spatial = require_spatial(x, "a convolution")
        dtype = same_dtype(require_float(x), w, b)
        check_weights(self, w, spatial)
        channels, per_group = x.shape[1], w.shape[1]
        require_same(
            channels,
            per_group * self.group,
            f"{_channels(channels)} do not match the weights {w}, which take {per_group}"
            + (f" in each of {self.group} groups" if self.group != 1 else ""),
            operand=0,
            axis=1,
            help=_channel_help(channels, w, self.group),
        )
        require_groups(w.shape[0], self.group, "output", operand=1)
        if b is not None:
            require_vector(b, w.shape[0], "the bias", operand=2)
        windows = self.windows(x.shape, w.shape, check=True)
        return TensorType(dtype, (x.shape[0], w.shape[0], *(v.outputs for v in windows)))


def check_weights(op: Convolution, w: TensorType, spatial: int) -> None:
    """Rank and kernel_shape of the weights, and a sensible group."""
    if op.group < 1:
        out_of_range(f"group={op.group} must be positive", "group=1 connects all channels")
    if w.rank != spatial + 2:
        raise InferError(
            "NN0204",
            f"the weights {w} have {w.rank} dimensions and the input has {spatial + 2}",
            operand=1,
            help=f"weights are [out, in / group, {', '.join('k' * spatial)}]",
        )
    if op.kernel_shape is None:
        return
    if len(op.kernel_shape) != spatial:
        out_of_range(
            f"kernel_shape={list(op.kernel_shape)} has {len(op.kernel_shape)} numbers "
            f"for {spatial} spatial axes",
            "leave it out: the weights say it",
        )
    for axis, (given, actual) in enumerate(zip(op.kernel_shape, w.shape[2:], strict=True), 2):
        if equal(given, actual) is False:
            raise InferError(
                "NN0205",
                f"kernel_shape={list(op.kernel_shape)} does not match the weights {w}",
                operand=1,
                axis=axis,
                help="leave kernel_shape out: the weights say it",
            )


def require_groups(channels: DimLike, group: int, side: str, *, operand: int) -> None:
    """InferError unless the group divides the channels."""
    if channels % group == 0:
        return
    near = [g for g in range(group, 0, -1) if channels % g == 0]
    raise InferError(
        "NN0205" if isinstance(channels, int) else "NN0206",
        f"group {group} does not divide {channels} {side} channels",
        operand=operand,
        axis=0,
        help=f"group={near[0]} does" if isinstance(channels, int) else None,
    )


def require_vector(t: TensorType, size: DimLike, what: str, *, operand: int) -> None:
    """InferError unless the operand is [size]."""
    if t.rank != 1:
        raise InferError(
            "NN0204", f"{what} is {t} and must be one number a channel, [{size}]", operand=operand
        )
    require_same(
        t.shape[0],
        size,
        f"{what} has {t.shape[0]} numbers for {_channels(size)}",
        operand=operand,
        axis=0,
    )


def _channels(count: DimLike) -> str:
    return "1 channel" if count == 1 else f"{count} channels"


def _channel_help(channels: DimLike, w: TensorType, group: int) -> str | None:
    if not isinstance(channels, int) or not isinstance(w.shape[1], int):
        return None
    if group == 1 and w.shape[1] and channels % w.shape[1] == 0:
        return f"group={channels // w.shape[1]} would fit these weights"
    if channels % group == 0:
        return (
            f"weights for {channels} channels and group={group} are [out, {channels // group}, …]"
        )
    return f"group {group} does not divide {channels} channels"


def shape_operand(shape: TensorType, rank: int, like: TensorType) -> TensorType:
    """The type that an i64 shape operand describes; its contents must be known as dims."""
    if shape.elements is None:
        raise InferError("NN0212", "the shape operand is not known in terms of the inputs' dims")
    if len(shape.elements) != rank:
        raise InferError(
            "NN0204", f"the shape operand has {len(shape.elements)} numbers and needs {rank}"
        )
    return TensorType(like.dtype, shape.elements)


def with_explicit_pads(cls: type[C], op: Convolution, windows: Sequence[Window]) -> C:
    """An operator of that class with the attributes of `op`, auto_pad resolved if it can be."""
    kernel = tuple(v.kernel for v in windows if isinstance(v.kernel, int))
    pads = static_pads(windows)
    return cls(
        auto_pad="NOTSET" if pads is not None else op.auto_pad,
        dilations=op.dilations,
        group=op.group,
        kernel_shape=kernel if len(kernel) == len(windows) else None,
        pads=pads if pads is not None and any(pads) else None,
        strides=op.strides,
    )


def transposed_windows(
    op: Convolution,
    x: Shape,
    w: Shape,
    output_padding: Ints,
    output_shape: Ints,
) -> tuple[Window, ...]:
    """The windows of ConvTranspose: those of the convolution whose input is *its output*.

    size is the output's size, outputs the input's. Where an output size is given or follows from
    auto_pad, it decides the padding; what padding cannot give is zeros at the end.
    """
    spatial = len(x) - 2
    attributes = Attributes(op.strides, op.dilations, op.pads, op.auto_pad)
    strides = attributes.each("strides", op.strides, spatial)
    dilations = attributes.each("dilations", op.dilations, spatial)
    pads = attributes.padding(spatial)
    extra = _output_padding(output_padding, strides, dilations)
    if output_shape is not None and len(output_shape) not in (spatial, spatial + 2):
        out_of_range(
            f"output_shape={list(output_shape)} has {len(output_shape)} numbers for {spatial} "
            "spatial axes",
            "give the spatial sizes only",
        )
    windows = []
    for i, size in enumerate(x[2:]):
        window = Window(0, w[i + 2], strides[i], dilations[i], pads[i], pads[i + spatial], size)
        natural = window.covered + extra[i]
        wanted: DimLike | None = None
        if output_shape is not None:
            wanted = output_shape[i - spatial]
        elif op.auto_pad.startswith("SAME"):
            wanted = size * strides[i]
        if wanted is None:
            wanted = natural - window.before - window.after
        else:
            total = maximum(0, natural - wanted)
            smaller = floordiv(total, 2)
            before = smaller if op.auto_pad == "SAME_UPPER" else total - smaller
            window = replace(window, before=before, after=total - before)
        _require_output(wanted, window, natural, axis=i + 2)
        windows.append(replace(window, size=wanted))
    return tuple(windows)


def _output_padding(given: Ints, strides: Sequence[int], dilations: Sequence[int]) -> Sequence[int]:
    if given is None:
        return [0] * len(strides)
    if len(given) != len(strides):
        out_of_range(
            f"output_padding={list(given)} has {len(given)} numbers for {len(strides)} spatial axes"
        )
    for extra, stride, dilation in zip(given, strides, dilations, strict=True):
        if not 0 <= extra < max(stride, dilation):
            out_of_range(
                f"output_padding {extra} is not below stride {stride} or dilation {dilation}",
                f"at most {max(stride, dilation) - 1}; it tells apart inputs of one output size",
            )
    return given


def _require_output(size: DimLike, window: Window, natural: DimLike, axis: int) -> None:
    high = bounds(size)[1]
    if high is not None and high < 1:
        raise InferError(
            "NN0205",
            f"padding {window.before} + {window.after} leaves nothing of {natural} elements "
            f"along axis {axis}",
            operand=0,
            axis=axis,
            help="take less padding",
        )
