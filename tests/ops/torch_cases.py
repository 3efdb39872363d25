"""Operators beside the torch functions that do the same, for `test_against_torch`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from nncomp.ir.op import Op
from nncomp.ops.conv import Conv, ConvTranspose
from nncomp.ops.fused import FusedConv
from nncomp.ops.grid_sample import AffineGrid, GridSample
from nncomp.ops.loss import NegativeLogLikelihoodLoss
from nncomp.ops.matrices import Det
from nncomp.ops.normalization import (
    LRN,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    RMSNormalization,
)
from nncomp.ops.normalization_batch import BatchNormalization, BatchNormTraining
from nncomp.ops.pooling import GlobalAveragePool
from nncomp.ops.pooling_average import AveragePool, LpPool
from nncomp.ops.pooling_max import MaxPool
from nncomp.ops.reduction import CumProd
from nncomp.ops.resize import Resize
from nncomp.types import Array

F = torch.nn.functional
Torch = Callable[..., torch.Tensor]


@dataclass
class Case:
    """An operator beside the torch function that does the same, on operands of these shapes.

    The dims of the first operand are symbolic but for its channels. Constants follow the operands.
    """

    op: Op
    torch: Torch
    shapes: Sequence[tuple[int, ...]]
    constants: Sequence[Array | None] = field(default_factory=tuple)
    symbolic: bool = True  # whether the case works on symbolic dims
    positive: tuple[int, ...] = ()  # operands that must be positive
    name: str = ""

    def __str__(self) -> str:
        attributes = ",".join(f"{k}={v}" for k, v in self.op.attributes().items())
        return f"{self.op.name}({attributes}){list(self.shapes[0])}{self.name}".replace(" ", "")


def conv(shapes: Sequence[tuple[int, ...]], **attributes: Any) -> Case:
    spatial = len(shapes[0]) - 2
    function = (F.conv1d, F.conv2d, F.conv3d)[spatial - 1]
    pads = attributes.get("pads", (0,) * (2 * spatial))

    def reference(x: torch.Tensor, w: torch.Tensor, *b: torch.Tensor) -> torch.Tensor:
        padding = [p for i in reversed(range(spatial)) for p in (pads[i], pads[i + spatial])]
        return function(
            F.pad(x, padding),
            w,
            *b,
            stride=attributes.get("strides", 1),
            dilation=attributes.get("dilations", 1),
            groups=attributes.get("group", 1),
        )

    return Case(Conv(**attributes), reference, shapes)


def conv_transpose(shapes: Sequence[tuple[int, ...]], **attributes: Any) -> Case:
    spatial = len(shapes[0]) - 2
    function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[spatial - 1]
    pads = attributes.get("pads", (0,) * (2 * spatial))

    def reference(x: torch.Tensor, w: torch.Tensor, *b: torch.Tensor) -> torch.Tensor:
        return function(
            x,
            w,
            *b,
            stride=attributes.get("strides", 1),
            padding=pads[:spatial],
            output_padding=attributes.get("output_padding", 0),
            groups=attributes.get("group", 1),
            dilation=attributes.get("dilations", 1),
        )

    return Case(ConvTranspose(**attributes), reference, shapes)


def same_upper(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return F.conv2d(F.pad(x, (0, 1, 1, 1)), w)


def same_lower(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return F.conv2d(F.pad(x, (1, 0, 1, 0)), w, stride=2)


CONVOLUTIONS = [
    conv([(2, 3, 7), (4, 3, 3), (4,)], pads=(1, 2), strides=(2,)),
    conv([(2, 3, 7, 9), (4, 3, 3, 2)]),
    conv([(2, 3, 7, 9), (4, 3, 3, 2), (4,)], pads=(1, 0, 2, 1)),
    conv([(2, 3, 8, 9), (4, 3, 3, 2)], strides=(2, 3), pads=(1, 1, 1, 1)),
    conv([(2, 3, 9, 10), (4, 3, 3, 2)], dilations=(2, 3), strides=(3, 2)),
    conv([(2, 3, 6, 7), (5, 3, 1, 1), (5,)]),
    conv([(2, 3, 6, 7), (5, 3, 1, 1)], strides=(2, 2)),
    conv([(2, 3, 6, 7), (5, 3, 1, 1)], pads=(1, 1, 1, 1)),
    conv([(2, 6, 6, 7), (4, 3, 3, 3), (4,)], group=2, strides=(2, 1), pads=(1, 1, 1, 1)),
    conv([(2, 4, 6, 7), (4, 1, 3, 3)], group=4, strides=(2, 2), pads=(1, 1, 1, 1)),
    conv([(2, 4, 6, 7), (8, 1, 3, 2), (8,)], group=4),
    conv([(2, 3, 5, 6, 7), (4, 3, 3, 2, 1)], strides=(2, 1, 3), pads=(1, 0, 1, 0, 1, 0)),
    conv([(2, 3, 5, 5), (4, 3, 7, 7)], pads=(3, 3, 3, 3), strides=(2, 2)),
    Case(Conv(auto_pad="SAME_UPPER"), same_upper, [(2, 3, 6, 7), (4, 3, 3, 2)]),
    Case(Conv(auto_pad="SAME_LOWER", strides=(2, 2)), same_lower, [(2, 3, 6, 7), (4, 3, 3, 2)]),
    conv_transpose([(2, 3, 4), (3, 4, 3), (4,)], strides=(2,)),
    conv_transpose([(2, 3, 4, 5), (3, 4, 3, 2)], strides=(2, 3), output_padding=(1, 2)),
    conv_transpose([(2, 3, 4, 5), (3, 4, 3, 2), (4,)], pads=(1, 1, 1, 1), dilations=(2, 2)),
    conv_transpose([(2, 4, 4, 5), (4, 3, 3, 3)], group=2, strides=(2, 2), pads=(1, 0, 1, 0)),
    conv_transpose([(2, 4, 4, 5), (4, 1, 3, 3)], group=4, strides=(2, 2)),
    conv_transpose([(2, 3, 4, 5), (3, 2, 2, 2)], dilations=(3, 3), output_padding=(2, 1)),
    conv_transpose([(1, 2, 3, 4, 2), (2, 3, 2, 1, 3)], strides=(2, 1, 2)),
]


def fused(activation: str, function: Torch, *params: float) -> Case:
    op = FusedConv(pads=(1, 1, 1, 1), activation=activation, activation_params=params)

    def reference(
        x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, z: torch.Tensor
    ) -> torch.Tensor:
        return function(F.conv2d(x, w, b, padding=1) + z)

    shapes = [(2, 3, 5, 6), (4, 3, 3, 3), (4,), (2, 4, 5, 6)]
    return Case(op, reference, shapes, symbolic=False)


FUSED = [
    fused("", lambda y: y),
    fused("Relu", F.relu),
    fused("Sigmoid", torch.sigmoid),
    fused("Tanh", torch.tanh),
    fused("LeakyRelu", lambda y: F.leaky_relu(y, 0.2), 0.2),
    fused("Clip", lambda y: torch.clamp(y, -1.5, 2.5), -1.5, 2.5),
    fused("HardSigmoid", lambda y: torch.clamp(0.3 * y + 0.4, 0, 1), 0.3, 0.4),
    fused("HardSwish", F.hardswish),
    fused("Swish", F.silu),
    fused("Elu", lambda y: F.elu(y, 0.7), 0.7),
]


def max_pool(shape: tuple[int, ...], **attributes: Any) -> Case:
    spatial = len(shape) - 2
    function = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[spatial - 1]

    def reference(x: torch.Tensor) -> torch.Tensor:
        return function(
            x,
            attributes["kernel_shape"],
            attributes.get("strides", 1),
            attributes.get("pads", (0,) * spatial)[:spatial],
            attributes.get("dilations", 1),
            bool(attributes.get("ceil_mode", 0)),
        )

    return Case(MaxPool(**attributes), reference, [shape])


def average_pool(shape: tuple[int, ...], **attributes: Any) -> Case:
    spatial = len(shape) - 2
    function = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[spatial - 1]

    def reference(x: torch.Tensor) -> torch.Tensor:
        return function(
            x,
            attributes["kernel_shape"],
            attributes.get("strides", 1),
            attributes.get("pads", (0,) * spatial)[:spatial],
            bool(attributes.get("ceil_mode", 0)),
            bool(attributes.get("count_include_pad", 0)),
        )

    return Case(AveragePool(**attributes), reference, [shape])


PLANE = (2, 3, 7, 8)
ONES = (1, 1, 1, 1)
POOLS = [
    max_pool((2, 3, 7), kernel_shape=(3,), strides=(2,)),
    max_pool(PLANE, kernel_shape=(2, 2), strides=(2, 2)),
    max_pool(PLANE, kernel_shape=(3, 2), strides=(2, 1), pads=(1, 1, 1, 1)),
    max_pool(PLANE, kernel_shape=(3, 3), strides=(2, 2), pads=ONES, ceil_mode=1),
    max_pool(PLANE, kernel_shape=(2, 3), dilations=(3, 2), pads=(1, 1, 1, 1)),
    max_pool(PLANE, kernel_shape=(2, 2), strides=(3, 3), storage_order=1),
    max_pool((2, 3, 4, 5, 6), kernel_shape=(2, 3, 2), strides=(2, 2, 2), ceil_mode=1),
    average_pool((2, 3, 7), kernel_shape=(3,), strides=(2,)),
    average_pool(PLANE, kernel_shape=(2, 2), strides=(2, 2)),
    *(
        average_pool(
            PLANE,
            kernel_shape=(3, 2),
            strides=(2, 3),
            pads=ONES,
            ceil_mode=ceil,
            count_include_pad=include,
        )
        for ceil in (0, 1)
        for include in (0, 1)
    ),
    average_pool((2, 3, 6, 5), kernel_shape=(2, 2), strides=(3, 3), ceil_mode=1),
    average_pool((2, 3, 4, 5, 6), kernel_shape=(2, 3, 2), strides=(2, 2, 2), ceil_mode=1),
    Case(GlobalAveragePool(), lambda x: x.mean((2, 3), keepdim=True), [PLANE]),
    Case(
        LpPool(kernel_shape=(2, 3), strides=(2, 2), p=3),
        lambda x: F.avg_pool2d(x.abs() ** 3, (2, 3), 2).mul(6).pow(1 / 3),
        [PLANE],
    ),
]


def batch_norm(
    x: torch.Tensor, g: torch.Tensor, b: torch.Tensor, mean: torch.Tensor, var: torch.Tensor
) -> torch.Tensor:
    mean, var, g, b = (v.reshape(-1, 1, 1) for v in (mean, var, g, b))
    return (x - mean) / torch.sqrt(var + 1e-3) * g + b


def rms_norm(x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return F.rms_norm(x, scale.shape, scale, 1e-3)


NORMALIZATIONS = [
    Case(BatchNormalization(epsilon=1e-3), batch_norm, [PLANE, *[(3,)] * 4], positive=(4,)),
    Case(
        BatchNormTraining(epsilon=1e-3),
        lambda x, g, b: F.batch_norm(x, None, None, g, b, training=True, eps=1e-3),
        [PLANE, (3,), (3,)],
    ),
    Case(
        LayerNormalization(epsilon=1e-3),
        lambda x, g, b: F.layer_norm(x, g.shape, g, b, 1e-3),
        [(2, 5, 6), (6,), (6,)],
        symbolic=False,
    ),
    Case(
        LayerNormalization(axis=1, epsilon=1e-3),
        lambda x, g: F.layer_norm(x, g.shape, g, None, 1e-3),
        [(2, 5, 6), (5, 6)],
        symbolic=False,
    ),
    Case(RMSNormalization(epsilon=1e-3), rms_norm, [(2, 5, 6), (6,)], symbolic=False),
    Case(
        InstanceNormalization(epsilon=1e-3),
        lambda x, g, b: F.instance_norm(x, weight=g, bias=b, eps=1e-3),
        [PLANE, (3,), (3,)],
    ),
    Case(
        GroupNormalization(num_groups=2, epsilon=1e-3),
        lambda x, g, b: F.group_norm(x, 2, g, b, 1e-3),
        [(2, 6, 3, 5), (6,), (6,)],
    ),
    Case(
        LRN(size=3, alpha=0.3, beta=0.6, bias=1.5),
        lambda x: F.local_response_norm(x, 3, 0.3, 0.6, 1.5),
        [(2, 5, 3, 4)],
    ),
]


def resize(
    scales: tuple[float, ...], mode: str, *, symbolic: bool = False, **attributes: Any
) -> Case:
    torch_mode = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}[mode]
    corners = attributes.get("coordinate_transformation_mode") == "align_corners"

    def reference(x: torch.Tensor, *_: Any) -> torch.Tensor:
        return F.interpolate(
            x,
            scale_factor=scales[2:],
            mode=torch_mode,
            align_corners=None if mode == "nearest" else corners,
        )

    op = Resize(mode=mode, **attributes)
    numbers = np.array(scales, np.float32)
    return Case(op, reference, [(2, 3, 4, 5)], [None, numbers], symbolic, name=f"x{scales}")


DOUBLE = (1.0, 1.0, 2.0, 3.0)
FLOOR = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
RESIZES = [
    resize(DOUBLE, "nearest", symbolic=True, **FLOOR),
    resize(DOUBLE, "nearest", symbolic=True),
    resize((1.0, 1.0, 0.5, 0.5), "nearest", **FLOOR),
    resize(DOUBLE, "linear"),
    resize(DOUBLE, "linear", coordinate_transformation_mode="align_corners"),
    resize((1.0, 1.0, 0.5, 2.0), "linear", coordinate_transformation_mode="pytorch_half_pixel"),
    resize(DOUBLE, "cubic"),
]


def grid_sample(mode: str, padding: str, corners: int, shapes: Sequence[tuple[int, ...]]) -> Case:
    torch_mode = {"linear": "bilinear", "cubic": "bicubic"}[mode]

    def reference(x: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
        return F.grid_sample(x, grid, torch_mode, padding, bool(corners))

    return Case(GridSample(corners, mode, padding), reference, shapes, symbolic=False)


FLAT_GRID = [(2, 3, 5, 7), (2, 4, 6, 2)]
SAMPLED = [
    *(
        grid_sample(mode, padding, corners, FLAT_GRID)
        for mode in ("linear", "cubic")
        for padding in ("zeros", "border", "reflection")
        for corners in (0, 1)
    ),
    grid_sample("linear", "zeros", 0, [(2, 3, 4, 5, 6), (2, 3, 1, 4, 3)]),
    Case(
        AffineGrid(),
        lambda theta: F.affine_grid(theta, [2, 3, 5, 4], align_corners=False),
        [(2, 2, 3)],
        [np.array([2, 3, 5, 4])],
        symbolic=False,
    ),
    Case(Det(), torch.linalg.det, [(2, 3, 5, 5)], symbolic=False),
    Case(CumProd(), lambda x: x.cumprod(1), [(2, 5, 4)], [np.array(1)]),
    Case(
        NegativeLogLikelihoodLoss(ignore_index=1),
        lambda x: F.nll_loss(x, torch.tensor([2, 1, 0, 4]), ignore_index=1),
        [(4, 5)],
        [np.array([2, 1, 0, 4])],
        symbolic=False,
    ),
]

CASES = [*SAMPLED, *CONVOLUTIONS, *FUSED, *POOLS, *NORMALIZATIONS, *RESIZES]
