"""Samples of reductions."""

from __future__ import annotations

import numpy as np

from nncomp.ops import reduction as r
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, ints, scalar, spread, uniform

_X = spread(2, 3, 5)
_POSITIVE = uniform(0.5, 2, 2, 3, 5)
_ZEROS = np.where(uniform(0, 1, 2, 3, 5) < 0.2, np.float32(0), uniform(-2, 2, 2, 3, 5, seed=1))
_REDUCTIONS = (
    *(r.ReduceSum, r.ReduceMean, r.ReduceMax, r.ReduceMin, r.ReduceProd, r.ReduceSumSquare),
    *(r.ReduceL1, r.ReduceL2, r.ReduceLogSum, r.ReduceLogSumExp),
)
# onnxruntime gives their operand back when no axis is reduced; ONNX says that squares, absolute
# values and logarithms are taken all the same
_ONLY_REDUCED = (r.ReduceSumSquare, r.ReduceL1, r.ReduceL2, r.ReduceLogSum)


def _operand(op: type[r.Reduction]) -> np.ndarray:
    return _POSITIVE if op in (r.ReduceLogSum, r.ReduceProd) else _X


SAMPLES = [
    sample
    for op in _REDUCTIONS
    for sample in (
        Sample(op(), _operand(op), ints(1)),
        Sample(op(keepdims=0), _operand(op), ints(-1, 0), id="axes"),
        Sample(op(), _operand(op), id="all"),
        Sample(op(keepdims=0), _operand(op), id="to a scalar"),
        Sample(op(), _operand(op), ints(), id="no axes: all"),
        Sample(
            op(noop_with_empty_axes=1),
            _operand(op),
            id="no axes: none",
            ort=op not in _ONLY_REDUCED,
        ),
    )
]
SAMPLES += [
    Sample(r.ReduceProd(), np.float32([[2, 0, 3], [0, 5, 0]]), ints(1), id="zeros", second=False),
    Sample(r.ReduceSum(keepdims=0), np.arange(6).reshape(2, 3), ints(0), id="integers"),
    Sample(r.ReduceMean(), np.int32([[-5, 3, 1], [5, -3, 0]]), ints(1), id="truncates", grad=False),
    Sample(r.ReduceMax(keepdims=0), np.array([[True, False]] * 3), ints(0), id="bool"),
    Sample(r.ReduceMax(), np.arange(6, dtype=np.int32).reshape(2, 3), ints(1), id="integers"),
    Sample(r.ReduceLogSumExp(), 100 * _X, ints(2), id="large", second=False),
    Sample(r.ArgMax(), _X),
    Sample(r.ArgMax(axis=-1, keepdims=0), _X, id="last axis"),
    Sample(r.ArgMax(axis=1, keepdims=0), np.float32([[1, 3, 3, 2]]), id="first", grad=False),
    Sample(
        r.ArgMax(axis=1, select_last_index=1),
        np.float32([[1, 3, 3, 2], [4, 4, 0, 0]]),
        id="last",
        grad=False,
    ),
    Sample(r.ArgMin(axis=1, keepdims=0), _X),
    Sample(r.ArgMin(axis=-1, select_last_index=1), np.float32([[1, 1, 3]]), id="last", grad=False),
    Sample(r.CumProd(), _X, scalar(1)),
    Sample(r.CumProd(exclusive=1), _ZEROS, scalar(-1), id="exclusive, zeros"),
    Sample(r.CumProd(reverse=1), _ZEROS, scalar(0), id="reverse, zeros"),
    Sample(r.CumProd(exclusive=1, reverse=1), _ZEROS, scalar(2), id="both, zeros"),
    Sample(r.CumProd(), np.int32([[2, 3, 5], [0, 7, 4]]), scalar(1), id="i32"),
    Sample(r.CumSum(), _X, scalar(1)),
    Sample(r.CumSum(exclusive=1), _X, scalar(-1), id="exclusive"),
    Sample(r.CumSum(reverse=1), _X, scalar(0), id="reverse"),
    Sample(r.CumSum(exclusive=1, reverse=1), _X, scalar(2), id="both"),
]

_T = TensorType(DType.F32, (2, 3))


def _axes(*axes: int) -> TensorType:
    return TensorType(DType.I64, (len(axes),), axes)


FAILURES = [
    Failure(r.ReduceSum(), _T, _axes(2), code="NN0210", words="axis 2"),
    Failure(r.ReduceSum(), _T, _axes(1, -1), code="NN0210", words="twice"),
    Failure(r.ReduceSum(), _T, TensorType(DType.I64, (1,)), code="NN0212", words="axes"),
    Failure(r.ReduceLogSum(), _T.with_dtype(DType.I64), code="NN0203"),
    Failure(r.ArgMax(axis=2), _T, code="NN0210"),
]
