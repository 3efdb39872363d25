"""Samples of casts, selection and bits."""

from __future__ import annotations

import numpy as np

from nncomp.ops import conversion as c
from nncomp.types import NARROW, DType, TensorType
from tests.ops.sample import Failure, Sample, ints, normal, spread

_CONDITION = np.array([[True, False, True], [False, False, True]])
_BITS = np.array([[5, 250, 129]], np.uint8)

_SIGNED = np.array([[5, -128, -7], [127, -1, 0]], np.int8)
_SHIFTS = np.array([[1, 3, 7], [-1, 8, 100]], np.int8)

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
    Sample(c.Cast(DType.I32), ints(2**31, -(2**31) - 1, 5), id="known, and wraps"),
    Sample(c.Cast(DType.U64), np.array([[-1, 5]]), id="wraps"),
    Sample(c.BitCast(DType.I32), normal(2, 3), grad=False),
    Sample(c.BitCast(DType.F64), np.array([[7, -3]]), id="to floats"),
    Sample(c.BitCast(DType.U8), np.array([[True, False]] * 3), id="of truth"),
    Sample(c.BitCast(DType.BOOL), np.array([1, 0, 1], np.int8), id="to truth"),
    Sample(c.BitCast(DType.F16), np.array([[15360, -16384]], np.int16), id="to halves"),
    Sample(c.CastLike(), normal(2, 3), np.float64([7])),
    Sample(c.CastLike(), spread(2, 3), np.int32([[7]]), id="truncates", grad=False, known=()),
    Sample(c.Where(), _CONDITION, normal(2, 3), normal(3, seed=1)),
    Sample(c.Where(), _CONDITION, normal(5, 1, 3), normal(seed=1), id="broadcast"),
    Sample(c.BitShift("LEFT"), _BITS, np.array([[1, 1, 3]], np.uint8)),
    Sample(c.BitShift("RIGHT"), _BITS, np.array([2], np.uint8), id="right"),
    Sample(c.BitShift("LEFT"), _SIGNED, _SHIFTS, id="signed left", known=()),
    Sample(c.BitShift("RIGHT"), _SIGNED, _SHIFTS, id="signed right", known=()),
    Sample(c.Cast(DType.STRING), ints(2, -3), id="text", known=()),
    Sample(c.Cast(DType.F32), ["1.5", "-2e3", "NaN", "-INF"], id="from text"),
    Sample(c.Cast(DType.I64), ["15", "-3"], id="from digits"),
    *(
        Sample(c.Cast(dtype), 2 * normal(3, 5), id=str(dtype), grad=False, ort=False)
        for dtype in sorted(NARROW, key=str)  # which onnxruntime gives to no NumPy
    ),
    *(
        Sample(c.Cast(DType.F32), normal(3, 5).astype(dtype.numpy), id=f"from {dtype}", ort=False)
        for dtype in sorted(NARROW, key=str)
    ),
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
    Failure(c.BitShift("LEFT"), _T, _T, code="NN0203", words="integer"),
    Failure(
        c.BitCast(DType.I8), TensorType(DType.I4, (2,)), code="NN0203", words="the bits of i4[2]"
    ),
    Failure(c.Cast(DType.F8E8M0, round_mode="even"), _T, code="NN0208", words="round_mode"),
    Failure(c.BitwiseAnd(), _T, _T, code="NN0203", words="integer"),
]
