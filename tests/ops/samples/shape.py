"""Samples of operators that change shapes."""

from __future__ import annotations

import numpy as np

from nncomp.dims import new_dim
from nncomp.ops import shape as s
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, ints, normal

_X = normal(2, 3, 5)

SAMPLES = [
    Sample(s.Reshape(), _X, ints(5, 3, 2), sizes=(1,)),
    Sample(s.Reshape(), _X, ints(-1, 5), id="-1", sizes=(1,)),
    Sample(s.Reshape(), _X, ints(0, 15), id="0 copies"),
    Sample(s.Reshape(), _X, ints(0, -1), id="0 and -1"),
    Sample(s.Reshape(allowzero=1), normal(0, 3), ints(3, 0), id="allowzero", grad=False),
    Sample(s.Reshape(), np.float32([[7]]), ints(), id="to a scalar"),
    Sample(s.Reshape(), ints(7), ints(), id="known"),
    Sample(s.Transpose(), _X),
    Sample(s.Transpose((1, 2, 0)), _X, id="perm"),
    Sample(s.Transpose(), normal(), id="scalar"),
    Sample(s.Flatten(), _X),
    Sample(s.Flatten(axis=0), _X, id="row"),
    Sample(s.Flatten(axis=-1), _X, id="negative axis"),
    Sample(s.Flatten(axis=3), _X, id="column"),
    Sample(s.Squeeze(), normal(2, 1, 3, 1), ints(-1, 1)),
    Sample(s.Squeeze(), normal(2, 1, 3, 1), ints(1), id="one of two"),
    Sample(s.Squeeze(), np.float32([[[2]]]), id="all"),
    Sample(s.Squeeze(), ints(7), ints(0), id="known"),
    Sample(s.Unsqueeze(), normal(2, 3), ints(0, -1)),
    Sample(s.Unsqueeze(), normal(2, 3), ints(2, 1), id="unordered"),
    Sample(s.Unsqueeze(), np.array(7), ints(0), id="known"),
    Sample(s.Expand(), normal(3, 1), ints(2, 3, 5), sizes=(1,)),
    Sample(s.Expand(), normal(2, 3), ints(3), id="shorter", sizes=(1,)),
    Sample(s.Expand(), normal(2, 3), ints(5, 1, 1), id="both ways"),
    Sample(s.Reshape(), _X, ints(-1, 5), id="measured", known=(), static=(1,)),
    Sample(
        s.Expand(), normal(3, 1), ints(2, 3, 5), id="measured", known=(), static=(1,), grad=False
    ),
    Sample(
        s.Expand(), normal(2, 3), ints(3), id="shorter, measured", known=(), static=(1,), grad=False
    ),
    Sample(s.Shape(), _X),
    Sample(s.Shape(start=1), _X, id="start"),
    Sample(s.Shape(start=-2, end=-1), _X, id="negative"),
    Sample(s.Shape(start=-9, end=9), _X, id="clamped"),
    Sample(s.Shape(start=2, end=1), _X, id="empty"),
    Sample(s.Size(), _X),
]

_T = TensorType(DType.F32, (2, 3, 5))
_N = TensorType(DType.F32, (new_dim("N"), 3))


def _ints(*values: int) -> TensorType:
    return TensorType(DType.I64, (len(values),), values)


FAILURES = [
    Failure(s.Reshape(), _T, _ints(2, 16), code="NN0205", words="30|32"),
    Failure(s.Reshape(), _T, _ints(-1, 4), code="NN0205", words="divide by 4"),
    Failure(s.Reshape(), _T, _ints(-1, -1), code="NN0208"),
    Failure(s.Reshape(), _T, _ints(2, -2), code="NN0205"),
    Failure(s.Reshape(), _T, _ints(1, 2, 3, 0), code="NN0210"),
    Failure(s.Reshape(), _T, TensorType(DType.I64, _N.shape[:1]), code="NN0212", words="how many"),
    Failure(s.Transpose((0, 1)), _T, code="NN0210", words="permutation"),
    Failure(s.Flatten(axis=4), _T, code="NN0210"),
    Failure(s.Squeeze(), _T, _ints(1), code="NN0205", words="3|not 1"),
    Failure(s.Squeeze(), _N, code="NN0206", words="N"),
    Failure(s.Unsqueeze(), _T, _ints(0, 0), code="NN0210", words="twice"),
    Failure(s.Expand(), _T, _ints(4), code="NN0207"),
]
