"""Samples of operators whose results have sizes that only a run knows."""

from __future__ import annotations

import numpy as np

from nncomp.ops import selection as s
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, normal, picks, scalar, spread

_SPARSE = np.float32([[0, 2, 0, 1], [0, 0, 0, 3], [5, 0, 0, 0]])
_CONDITION = np.array([True, False, True, True, False])
_REPEATED = picks(4, 7).astype(np.float32)
_ROWS = np.float32([[1, 2, 0], [3, 4, 0], [1, 2, 0], [0, 9, 9], [3, 4, 0]])
_CORNERS = np.random.default_rng(0).uniform(0, 2, (2, 9, 4)).astype(np.float32)
_CORNERS[0, 3] = _CORNERS[0, 3][[2, 3, 0, 1]]  # the corners the other way round
_CENTERS = np.concatenate([_CORNERS[..., :2], _CORNERS[..., 2:] + 0.3], -1)
_SCORES = normal(2, 3, 9)
_LIMITS = (scalar(4), np.float32(0.3), np.float32(-0.2))
_BOXES = {"known": (), "grad": False, "fixed": (4,)}

SAMPLES = [
    Sample(s.NonZero(), _SPARSE, grad=False),
    Sample(s.NonZero(), np.array([[True, False], [True, True]]), id="bool"),
    Sample(s.NonZero(), np.zeros((3, 4), np.float32), id="nothing", grad=False),
    Sample(s.NonZero(), np.float32(7), id="scalar", grad=False),
    Sample(s.Compress(axis=1), normal(3, 5, 4), _CONDITION),
    Sample(s.Compress(axis=-2), normal(3, 7, 4), _CONDITION, id="short condition"),
    Sample(s.Compress(), normal(3, 4), np.array([False, True, True]), id="flat"),
    Sample(s.Compress(axis=0), normal(5, 3), np.zeros(5, bool), id="nothing"),
    Sample(s.Unique(), spread(2, 4)),
    Sample(s.Unique(), _REPEATED, id="repeated", grad=False),
    Sample(s.Unique(sorted=0), _REPEATED, id="repeated, unsorted", grad=False),
    Sample(s.Unique(axis=0), _ROWS, id="rows", grad=False),
    Sample(s.Unique(axis=1, sorted=0), _ROWS.T.copy(), id="columns, unsorted", grad=False),
    Sample(s.NonMaxSuppression(), _CORNERS, _SCORES, *_LIMITS, **_BOXES),
    Sample(s.NonMaxSuppression(1), _CENTERS, _SCORES, *_LIMITS, id="centers", **_BOXES),
    Sample(s.NonMaxSuppression(), _CORNERS, _SCORES, *_LIMITS[:2], id="no threshold", **_BOXES),
    Sample(s.NonMaxSuppression(), _CORNERS, _SCORES, id="nothing", **_BOXES),
]

_T, _B = TensorType(DType.F32, (3, 5)), TensorType(DType.F32, (2, 9, 4))
FAILURES = [
    Failure(s.Compress(axis=1), _T, TensorType(DType.BOOL, (6,)), code="NN0205", words="6|5"),
    Failure(s.Compress(), _T, _T, code="NN0203"),
    Failure(s.Compress(axis=2), _T, TensorType(DType.BOOL, (3,)), code="NN0210"),
    Failure(s.Unique(axis=2), _T, code="NN0210"),
    Failure(s.NonMaxSuppression(), _B, _B, code="NN0205", words="number of boxes"),
    Failure(s.NonMaxSuppression(), _T, _B, code="NN0204"),
]
