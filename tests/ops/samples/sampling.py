"""Samples of reading images at computed places."""

from __future__ import annotations

import itertools

import numpy as np

from nncomp.ops.deform_conv import DeformConv
from nncomp.ops.grid_sample import MODES, PADDINGS, AffineGrid, GridSample
from nncomp.ops.regions import MaxRoiPool, RoiAlign
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, ints, normal, spread, uniform

_IMAGE = normal(3, 4, 5, 7)
_SOLID = {"sizes": (1,), "fixed": (3, 4)}
_GRID = uniform(-1.7, 1.7, 3, 6, 8, 2)
_VOLUME, _PLACES = normal(2, 4, 5, 6, 7), uniform(-1.4, 1.4, 2, 8, 1, 9, 3)
_THETA, _THETA3 = normal(4, 2, 3), normal(5, 3, 4)

_ROIS = np.float32([[0.6, 0.4, 4.3, 6.2], [2.3, 1.1, 9.4, 5.7], [-1.8, 0.2, 3.6, 8.3]])
_BATCH = ints(1, 0, 1)
_PLANES = normal(2, 4, 8, 9)
_ALIGN = {"known": (), "grad": (0,), "fixed": (4,)}

# a tap that moves onto a pixel has a kink there
_X, _W = normal(3, 4, 6, 7), normal(6, 4, 2, 3)


def _offset(*shape: int) -> np.ndarray:
    return uniform(0.1, 0.9, *shape) + np.random.default_rng(1).integers(-2, 2, shape)


_DEFORM = {"static": (1, 3), "fixed": (4, 5, 6, 7, 12, 24), "second": False}

SAMPLES = [
    Sample(AffineGrid(), _THETA, ints(4, 1, 5, 7), sizes=(1,), fixed=(2, 3)),
    Sample(
        AffineGrid(align_corners=1),
        _THETA,
        ints(4, 1, 5, 7),
        id="corners",
        sizes=(1,),
        fixed=(2, 3),
    ),
    Sample(AffineGrid(), _THETA3, ints(5, 1, 6, 7, 8), id="3-d", **_SOLID),
    Sample(AffineGrid(align_corners=1), _THETA3, ints(5, 1, 6, 7, 8), id="3-d, corners", **_SOLID),
    *(
        Sample(
            GridSample(corners, mode, padding),
            *(_IMAGE, _GRID),
            id=f"{mode}, {padding}, {corners}",
            grad=(0,) if mode == "nearest" else (0, 1),
            fixed=(2,),
        )
        for mode, padding, corners in itertools.product(MODES, PADDINGS, (0, 1))
    ),
    Sample(GridSample(), _VOLUME, _PLACES, id="3-d", second=False, fixed=(3,)),
    Sample(GridSample(mode="nearest"), _VOLUME, _PLACES, id="3-d, nearest", grad=(0,), fixed=(3,)),
    *(
        Sample(
            RoiAlign(transformation, mode, 3, 5, ratio, 0.7),
            *(_PLANES, _ROIS, _BATCH),
            **(_ALIGN | ({} if ratio or mode == "avg" else {"grad": False})),
            id=f"{mode}, {transformation}, {ratio}",
        )
        for transformation in ("half_pixel", "output_half_pixel")
        for mode in ("avg", "max")
        for ratio in (0, 2)
    ),
    Sample(
        RoiAlign(sampling_ratio=2), _PLANES, _ROIS, _BATCH, **(_ALIGN | {"grad": (1,)}), id="rois"
    ),
    Sample(
        MaxRoiPool((3, 5), 0.8),
        spread(2, 4, 8, 9),
        np.float32([[1, 0, 1, 7, 6], [0, 2, 2, 3, 9], [1, 8, 7, 20, 20]]),
        grad=(0,),
        fixed=(5,),
    ),
    Sample(DeformConv(), _X, _W, _offset(3, 12, 5, 5).astype(np.float32), **_DEFORM),
    Sample(
        DeformConv(dilations=(2, 1), group=2, offset_group=2, pads=(1, 0, 1, 2), strides=(1, 2)),
        *(_X, normal(6, 2, 2, 3), _offset(3, 24, 6, 4).astype(np.float32), normal(6)),
        normal(3, 12, 6, 4),
        id="groups, mask",
        **_DEFORM,
    ),
    Sample(
        DeformConv(strides=(2,), pads=(1, 0)),
        *(normal(2, 4, 9), normal(5, 4, 3), _offset(2, 3, 4).astype(np.float32)),
        id="1-d",
        ort=False,  # onnxruntime has two spatial axes only
        static=(1,),
        fixed=(3, 4, 9),
    ),
]

_T4, _G = TensorType(DType.F32, (2, 3, 5, 7)), TensorType(DType.F32, (2, 4, 6, 2))
_SIZE = TensorType(DType.I64, (4,), (2, 5, 4, 7))
_R4, _I = TensorType(DType.F32, (6, 4)), TensorType(DType.I64, (6,))
FAILURES = [
    Failure(AffineGrid(), TensorType(DType.F32, (2, 3, 4)), _SIZE, code="NN0205"),
    Failure(AffineGrid(), _T4, _SIZE, code="NN0204"),
    Failure(GridSample(mode="bilinear"), _T4, _G, code="NN0208", words="linear"),
    Failure(GridSample(padding_mode="zero"), _T4, _G, code="NN0208", words="zeros"),
    Failure(GridSample(), _T4, TensorType(DType.F32, (2, 4, 6, 3)), code="NN0205"),
    Failure(RoiAlign(mode="min"), _T4, _R4, _I, code="NN0208", words="avg"),
    Failure(RoiAlign(), _T4, TensorType(DType.F32, (6, 5)), _I, code="NN0205", words="5"),
    Failure(RoiAlign(), _T4, _R4, TensorType(DType.I64, (5,)), code="NN0205"),
    Failure(RoiAlign(output_width=0), _T4, _R4, _I, code="NN0208"),
    Failure(MaxRoiPool((2,)), _T4, TensorType(DType.F32, (6, 5)), code="NN0208"),
    Failure(
        DeformConv(),
        *(_T4, TensorType(DType.F32, (4, 3, 2, 2)), TensorType(DType.F32, (2, 9, 4, 6))),
        code="NN0205",
        words="8",
    ),
    Failure(
        DeformConv(offset_group=2),
        *(_T4, TensorType(DType.F32, (4, 3, 2, 2)), TensorType(DType.F32, (2, 16, 4, 6))),
        code="NN0208",
        words="offset_group",
    ),
]
