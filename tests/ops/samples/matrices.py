"""Samples of operators on matrices."""

from __future__ import annotations

import numpy as np

from nncomp.ops import matrices as m
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, normal, scalar

_X = normal(2, 4, 5)
_SQUARE = normal(2, 5, 4, 4)
# pivots that are not where they stand, and a zero on the diagonal
_TURNED = np.float32([[0, 2, 1], [4, 1, 3], [1, 5, 2]])

SAMPLES = [
    Sample(m.Trilu(), _X),
    Sample(m.Trilu(upper=0), _X, id="lower"),
    Sample(m.Trilu(), _X, scalar(2), id="k", known=()),
    Sample(m.Trilu(upper=0), _X, scalar(-1), id="lower, k"),
    Sample(m.Trilu(), _X, scalar(9), id="beyond", known=(), grad=False),
    Sample(m.Trilu(upper=0), np.arange(20).reshape(4, 5), id="i64"),
    Sample(m.Trilu(), np.ones((4, 5), bool), id="bool"),
    Sample(m.EyeLike(), normal(4, 5)),
    Sample(m.EyeLike(DType.I64, k=-2), normal(4, 5), id="dtype, k"),
    Sample(m.EyeLike(DType.F64, k=1), np.ones((4, 5), np.int32), id="from integers"),
    Sample(m.Det(), _SQUARE),
    Sample(m.Det(), _TURNED, id="one"),
    Sample(m.Det(), normal(3, 1, 1), id="numbers"),
    Sample(m.Inverse(), _SQUARE + 3 * np.eye(4, dtype=np.float32)),
    Sample(m.Inverse(), _TURNED, id="pivots"),
]

_T = TensorType(DType.F32, (2, 3))
FAILURES = [
    Failure(m.Det(), _T, code="NN0205", words="2 rows|3 columns"),
    Failure(m.Det(), TensorType(DType.F32, (2,)), code="NN0204"),
    Failure(m.Trilu(), _T, _T, code="NN0204", words="k of Trilu"),
    Failure(m.EyeLike(), TensorType(DType.F32, (2, 3, 4)), code="NN0204"),
]
