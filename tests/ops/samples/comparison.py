"""Samples of comparisons and logic."""

from __future__ import annotations

import numpy as np

from nncomp.ops import comparison as c
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample

_A = np.float32([[1, 2, 3], [3, 2, 1]])
_B = np.float32([2, 2, 2])
_P = np.array([[True, False, True], [False, False, True]])
_Q = np.array([True, True, False])
_ODD = np.float32([[1, np.nan, np.inf], [-np.inf, 0, 5]])

SAMPLES = [
    *(Sample(op(), _A, _B) for op in (c.Equal, c.Greater, c.GreaterOrEqual, c.Less, c.LessOrEqual)),
    Sample(c.Less(), _A.astype(np.int64), _B[None].astype(np.int64), id="integers"),
    Sample(c.Equal(), _P, _Q, id="bool"),
    *(Sample(op(), _P, _Q) for op in (c.And, c.Or, c.Xor)),
    Sample(c.Not(), _P),
    Sample(c.IsNaN(), _ODD, grad=False),
    Sample(c.IsInf(), _ODD, grad=False),
    Sample(c.IsInf(detect_negative=0), _ODD, id="positive", grad=False),
    Sample(c.IsInf(detect_positive=0), _ODD, id="negative", grad=False),
]
SAMPLES = [Sample(s.op, *s.inputs, id=s.id, grad=False) for s in SAMPLES]

_T = TensorType(DType.F32, (2, 3))
FAILURES = [
    Failure(c.And(), _T, _T, code="NN0203", words="bool"),
    Failure(c.Less(), _T.with_dtype(DType.BOOL), _T.with_dtype(DType.BOOL), code="NN0203"),
    Failure(c.Equal(), _T, TensorType(DType.F32, (2,)), code="NN0207", words="compare"),
]
