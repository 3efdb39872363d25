"""Samples of pooling and its gradients."""

from __future__ import annotations

import numpy as np

from nncomp.ops.pooling import GlobalAveragePool, GlobalLpPool, GlobalMaxPool
from nncomp.ops.pooling_average import AveragePool, AveragePoolGrad, LpPool
from nncomp.ops.pooling_max import MaxPool, MaxPoolGrad, MaxUnpool
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, ints, normal, picks, spread

X, D = spread(2, 3, 7, 8), normal(2, 3, 7, 8)
HALF = {"kernel_shape": (2, 2), "strides": (2, 2)}
PADDED = {"kernel_shape": (3, 2), "strides": (2, 3), "pads": (1, 0, 1, 1)}
BYTES = np.random.default_rng(0).integers(0, 255, (2, 3, 7, 8)).astype(np.uint8)
PLACES = np.arange(2 * 3 * 3 * 4).reshape(2, 3, 3, 4)[..., ::-1] * 4 + 1  # distinct, below 6·7·8

SAMPLES = [
    Sample(MaxPool(**HALF), X),
    Sample(MaxPool(**PADDED), X, id="pads"),
    Sample(MaxPool(**PADDED, ceil_mode=1), X, id="ceil"),
    Sample(MaxPool(kernel_shape=(2, 3), dilations=(3, 2)), X, id="dilations"),
    Sample(MaxPool(**HALF, storage_order=1), X, id="column-major"),
    Sample(MaxPool(kernel_shape=(3, 2), strides=(2, 2), auto_pad="SAME_UPPER"), X, id="same"),
    Sample(MaxPool(kernel_shape=(3, 2), strides=(2, 2), auto_pad="SAME_LOWER"), X, id="lower"),
    Sample(MaxPool(kernel_shape=(3,), strides=(2,)), spread(2, 3, 7), id="1-D"),
    Sample(MaxPool(kernel_shape=(2, 3, 2)), spread(2, 3, 4, 5, 6), id="3-D"),
    Sample(MaxPool(**HALF), BYTES, id="bytes"),
    Sample(MaxPoolGrad(**HALF), normal(2, 3, 3, 4), PLACES, ints(2, 3, 6, 8), static=(0, 1)),
    Sample(
        MaxPoolGrad(kernel_shape=(2, 2)),
        *(normal(2, 3, 4, 5), picks(2 * 3 * 5 * 6, 2, 3, 4, 5), ints(2, 3, 5, 6)),
        id="overlap",
        static=(0, 1),
    ),
    Sample(MaxUnpool(**HALF), normal(2, 3, 3, 4), PLACES, static=(0, 1)),
    Sample(
        MaxUnpool(**HALF),
        *(normal(2, 3, 3, 4), PLACES, ints(2, 3, 7, 9)),
        id="larger",
        static=(0, 1),
        ort=False,  # counts the indices in the larger tensor, unlike the ONNX specification
    ),
    Sample(AveragePool(**HALF), D),
    *(
        Sample(
            AveragePool(**PADDED, ceil_mode=ceil, count_include_pad=include),
            D,
            id=f"ceil={ceil} pad={include}",
        )
        for ceil in (0, 1)
        for include in (0, 1)
    ),
    Sample(AveragePool(kernel_shape=(2, 3), dilations=(3, 2)), D, id="dilations"),
    Sample(AveragePool(kernel_shape=(3, 2), strides=(2, 2), auto_pad="SAME_UPPER"), D, id="same"),
    Sample(AveragePool(kernel_shape=(3,), strides=(2,)), normal(2, 3, 7), id="1-D"),
    Sample(AveragePool(kernel_shape=(2, 3, 2)), normal(2, 3, 4, 5, 6), id="3-D"),
    Sample(AveragePoolGrad(**HALF), normal(2, 3, 3, 4), ints(2, 3, 7, 8), static=(0,), sizes=()),
    Sample(AveragePoolGrad(**PADDED), normal(2, 3, 4, 3), ints(2, 3, 7, 8), id="pads", static=(0,)),
    Sample(
        AveragePoolGrad(kernel_shape=(2, 3), pads=(1, 1, 0, 1)),
        *(normal(2, 3, 7, 8), ints(2, 3, 7, 8)),
        id="symbolic",
        sizes=(1,),
    ),
    Sample(LpPool(kernel_shape=(2, 3)), X),
    Sample(LpPool(**PADDED, p=1), X, id="p=1"),
    Sample(LpPool(**PADDED, p=3, ceil_mode=1), X, id="p=3"),
    Sample(GlobalAveragePool(), D),
    Sample(GlobalAveragePool(), normal(2, 3, 5), id="1-D"),
    Sample(GlobalMaxPool(), X),
    Sample(GlobalLpPool(), X),
    Sample(GlobalLpPool(p=3), X, id="p=3"),
]


def f32(*shape: int) -> TensorType:
    return TensorType(DType.F32, shape)


IMAGE = f32(2, 3, 5, 9)
FAILURES = [
    Failure(MaxPool((7, 2)), IMAGE, code="NN0205", words="kernel 7|height 5|pad=1"),
    Failure(MaxPool((2,)), IMAGE, code="NN0208", words="kernel_shape=[2]|2 spatial axes"),
    Failure(
        AveragePool((2, 2), pads=(2, 0, 0, 0)), IMAGE, code="NN0208", words="nothing but padding"
    ),
    Failure(MaxPool((2, 2)), f32(3, 5), code="NN0204", words="f32[3, 5]"),
    Failure(
        MaxPool((2, 2)), TensorType(DType.I64, (2, 3, 5, 9)), code="NN0203", words="8-bit|cast"
    ),
    Failure(LpPool((2, 2), p=0), IMAGE, code="NN0208", words="p=0"),
    Failure(GlobalAveragePool(), f32(3, 5), code="NN0204", words="f32[3, 5]"),
    Failure(MaxUnpool((2, 2)), IMAGE, f32(2, 3, 5, 9), code="NN0203", words="i64"),
]
