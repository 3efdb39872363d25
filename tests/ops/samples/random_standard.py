"""Samples of ONNX's own random operators; onnxruntime draws other numbers."""

from __future__ import annotations

import numpy as np

from nncomp.ops import random_standard as r
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, normal, uniform

_X, _YES, _NO = normal(3, 4, 5), np.array(True), np.array(False)
_DRAWN = {"ort": False}

SAMPLES = [
    Sample(r.RandomNormal((3, 5), seed=2.0), **_DRAWN),
    Sample(r.RandomUniform((3, 5), dtype=11, low=-2.0, high=7.0, seed=2.0), **_DRAWN),
    Sample(r.RandomNormalLike(seed=2.0, mean=3.0, scale=0.5), normal(3, 5), grad=False, **_DRAWN),
    Sample(r.RandomUniformLike(dtype=10, seed=2.0), np.int32([[3, 5]]), known=(), **_DRAWN),
    Sample(r.Bernoulli(seed=2.0), uniform(0, 1, 3, 5), grad=False, **_DRAWN),
    Sample(r.Bernoulli(dtype=6, seed=2.0), uniform(0, 1, 3, 5), id="i32", grad=False, **_DRAWN),
    Sample(r.Multinomial(sample_size=7, seed=2.0), normal(3, 5), grad=False, **_DRAWN),
    Sample(r.Dropout(), _X),
    Sample(r.Dropout(), _X, np.float32(0.3), _NO, id="not in training", grad=(0,)),
    Sample(r.Dropout(seed=4), _X, np.float32(0.3), _YES, id="in training", grad=(0,), **_DRAWN),
    Sample(r.Dropout(seed=5), _X, None, _YES, id="half", **_DRAWN),
    Sample(r.Dropout(), _X, np.float32(0), _YES, id="nothing", grad=(0,)),
]

_T = TensorType(DType.F32, (3, 5))
FAILURES = [
    Failure(r.RandomNormal((3, -1)), code="NN0205"),
    Failure(r.RandomUniform((3,), dtype=6), code="NN0203", words="floating"),
    Failure(r.Multinomial(dtype=1), _T, code="NN0208"),
    Failure(r.Dropout(), _T, _T, code="NN0204", words="ratio"),
]
