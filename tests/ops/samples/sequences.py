"""Samples of operators on sequences."""

from __future__ import annotations

import numpy as np

from nncomp.ops.sequences import ReverseSequence, TensorScatter
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, ints, normal

_TIME_FIRST, _LENGTHS = normal(5, 3, 2), ints(5, 1, 3)
_CACHE, _NEW = normal(2, 3, 7, 4), normal(2, 3, 5, 4)

SAMPLES = [
    Sample(ReverseSequence(), _TIME_FIRST, _LENGTHS, known=()),
    Sample(
        ReverseSequence(batch_axis=0, time_axis=1),
        *(normal(3, 5), ints(2, 5, 4)),
        id="batch first",
        known=(),
    ),
    Sample(ReverseSequence(), np.arange(15).reshape(5, 3), _LENGTHS, id="i64", known=()),
    Sample(TensorScatter(), _CACHE, _NEW, ints(1, 2), known=()),
    Sample(TensorScatter(mode="circular"), _CACHE, _NEW, ints(6, 4), id="circular", known=()),
    Sample(TensorScatter(), _CACHE, _NEW, id="from the beginning"),
    Sample(TensorScatter(axis=1), normal(2, 7, 4), normal(2, 3, 4), ints(4, 0), id="1", known=()),
]

_T, _L = TensorType(DType.F32, (5, 3, 2)), TensorType(DType.I64, (3,))
FAILURES = [
    Failure(ReverseSequence(batch_axis=2), _T, _L, code="NN0208", words="0 and 1"),
    Failure(ReverseSequence(), _T, TensorType(DType.I64, (4,)), code="NN0205", words="4|3"),
    Failure(ReverseSequence(), _T, TensorType(DType.I32, (3,)), code="NN0204"),
    Failure(TensorScatter(axis=0), _T, _T, code="NN0210"),
    Failure(TensorScatter(mode="round"), _T, _T, code="NN0208", words="circular"),
    Failure(TensorScatter(), _T, TensorType(DType.F32, (5, 4, 2)), code="NN0205"),
    Failure(TensorScatter(), _T, TensorType(DType.F32, (4, 3, 2)), code="NN0205", words="4, not 5"),
]
