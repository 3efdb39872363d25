"""Samples of resizing and of blocks moved between channels and space."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncomp.ops.resize import Resize
from nncomp.ops.resize_blocks import Col2Im, DepthToSpace, SpaceToDepth
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, ints, normal

X = normal(2, 3, 5, 7)
FLOOR = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def scaled(op: Resize, *scales: float, symbolic: bool = False, **more: Any) -> Sample:
    """By scales; only repetition has a gradient on symbolic sizes."""
    static = () if symbolic else (0,)
    numbers = np.float32(scales)
    return Sample(op, X, None, numbers, known=(2,), grad=(0,), static=static, **more)


def sized(op: Resize, *sizes: int, **more: Any) -> Sample:
    return Sample(op, X, None, None, ints(*sizes), static=(0,), **more)


MEASURED: dict[str, Any] = {"known": (), "static": (2, 3), "grad": False}
DOUBLE, MIXED = (1, 1, 2, 3), (1, 1, 0.6, 1.7)
SAMPLES = [
    Sample(Resize(), X, None, np.float32(MIXED), id="scales measured", **MEASURED),
    Sample(Resize(axes=(3,)), X, None, None, ints(9), id="sizes measured", **MEASURED),
    scaled(Resize(), *DOUBLE, symbolic=True),
    scaled(Resize(**FLOOR), *DOUBLE, id="floor", symbolic=True),
    scaled(Resize(axes=(2, 3)), 2, 2, id="axes", symbolic=True),
    scaled(Resize(nearest_mode="ceil"), *MIXED, id="ceil"),
    scaled(Resize(nearest_mode="round_prefer_ceil"), *MIXED, id="prefer ceil"),
    *(
        scaled(Resize(mode="linear", coordinate_transformation_mode=mode), *MIXED, id=mode)
        for mode in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
    ),
    scaled(Resize(mode="cubic"), *MIXED, id="cubic"),
    scaled(Resize(mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1), *MIXED, id="exclude"),
    scaled(Resize(mode="linear", antialias=1), 1, 1, 0.5, 0.5, id="antialias"),
    sized(Resize(mode="linear"), 2, 3, 9, 4, id="sizes"),
    sized(Resize(axes=(2, 3), keep_aspect_ratio_policy="not_larger"), 9, 10, id="not larger"),
    sized(Resize(axes=(2, 3), keep_aspect_ratio_policy="not_smaller"), 9, 10, id="not smaller"),
    Sample(
        Resize(
            mode="linear",
            coordinate_transformation_mode="tf_crop_and_resize",
            axes=(2, 3),
            extrapolation_value=0.5,
        ),
        *(X, np.float32([0.2, -0.1, 0.8, 0.7]), None, ints(4, 6)),
        id="crop",
        known=(1, 3),
        grad=(0,),
        static=(0,),
    ),
    Sample(Col2Im(), normal(2, 12, 20), ints(5, 6), ints(2, 2), fixed=(12, 20)),
    Sample(
        Col2Im(dilations=(1, 2), pads=(1, 0, 0, 1), strides=(2, 1)),
        *(normal(2, 18, 10), ints(5, 6), ints(3, 2)),
        id="strides",
        fixed=(18, 10),
    ),
    Sample(DepthToSpace(2), normal(2, 12, 3, 5), fixed=(12,)),
    Sample(DepthToSpace(2, mode="CRD"), normal(2, 12, 3, 5), id="CRD", fixed=(12,)),
    Sample(SpaceToDepth(2), normal(2, 3, 4, 6), fixed=(4, 6)),
]


def f32(*shape: int) -> TensorType:
    return TensorType(DType.F32, shape)


def numbers(*values: float) -> TensorType:
    return TensorType(DType.F32, (len(values),), floats=values)


IMAGE = f32(2, 3, 5, 7)
FAILURES = [
    Failure(Resize(), IMAGE, None, None, f32(4), code="NN0203", words="sizes are i64"),
    Failure(Resize(), IMAGE, code="NN0702", words="scales or sizes"),
    Failure(Resize(), IMAGE, None, numbers(2, 2), code="NN0205", words="2 numbers|4 axes"),
    Failure(Resize(mode="best"), IMAGE, None, numbers(1, 1, 2, 2), code="NN0208", words="cubic"),
    Failure(Resize(antialias=1), IMAGE, None, numbers(1, 1, 2, 2), code="NN0208", words="linear"),
    Failure(DepthToSpace(2), IMAGE, code="NN0205", words="3 channels|4"),
    Failure(SpaceToDepth(2), IMAGE, code="NN0205", words="height 5|pad"),
]
