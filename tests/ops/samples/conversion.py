"""Samples of casts, selection and bits."""

from __future__ import annotations

import numpy as np

from nncomp.ops import conversion as c
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, ints, normal, spread

_CONDITION = np.array([[True, False, True], [False, False, True]])
_BITS = np.array([[5, 250, 129]], np.uint8)

SAMPLES = [
    Sample(c.Identity(), normal(2, 3)),
    Sample(c.Identity(), ints(2, 3), id="known"),
    Sample(c.StopGradient(), normal(2, 3), grad=False),
    Sample(c.Cast(DType.F64), normal(2, 3)),
    Sample(c.Cast(DType.F16), normal(2, 3), id="half", grad=False),
    Sample(c.Cast(DType.I32), spread(2, 3), id="truncates", grad=False),
    Sample(c.Cast(DType.BOOL), np.float32([[0, 0.5, -3]]), id="bool", grad=False),
    Sample(c.Cast(DType.F32), _CONDITION, id="from bool"),
    Sample(c.Cast(DType.I32), ints(2, 3), id="known"),
    Sample(c.Cast(DType.U64), np.array([[-1, 5]]), id="wraps"),
    Sample(c.BitCast(DType.I32), normal(2, 3), grad=False),
    Sample(c.BitCast(DType.F64), np.array([[7, -3]]), id="to floats"),
    Sample(c.CastLike(), normal(2, 3), np.float64([7])),
    Sample(c.CastLike(), spread(2, 3), np.int32([[7]]), id="truncates", grad=False, known=()),
    Sample(c.Where(), _CONDITION, normal(2, 3), normal(3, seed=1)),
    Sample(c.Where(), _CONDITION, normal(5, 1, 3), normal(seed=1), id="broadcast"),
    Sample(c.BitShift("LEFT"), _BITS, np.array([[1, 1, 3]], np.uint8)),
    Sample(c.BitShift("RIGHT"), _BITS, np.array([2], np.uint8), id="right"),
    Sample(c.BitwiseAnd(), _BITS, np.array([[15], [240]], np.uint8)),
    Sample(c.BitwiseOr(), _BITS, np.array([[15], [240]], np.uint8)),
    Sample(c.BitwiseXor(), _BITS, np.array([[15], [240]], np.uint8)),
    Sample(c.BitwiseNot(), _BITS),
]

_T = TensorType(DType.F32, (2, 3))
FAILURES = [
    Failure(c.BitCast(DType.F64), TensorType(DType.F32, (2,)), code="NN0203", words="f32[2]|f64"),
    Failure(c.Where(), _T, _T, _T, code="NN0203", words="bool"),
    Failure(c.BitShift("UP"), _T, _T, code="NN0208", words="UP"),
    Failure(c.BitShift("LEFT"), _T, _T, code="NN0203", words="unsigned"),
    Failure(c.BitwiseAnd(), _T, _T, code="NN0203", words="integer"),
]
