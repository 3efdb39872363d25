"""Samples of gathering, scattering, sorting and filling."""

from __future__ import annotations

import numpy as np

from nncomp.dims import Symbol
from nncomp.ir.op import Data
from nncomp.ops import indexing as i
from nncomp.ops import indexing_nd as nd
from nncomp.ops.filling import ConstantOfShape, Range
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, ints, normal, scalar, spread

_X = normal(5, 7)
_PLACES = np.array([[1, 0, 4], [2, -5, 1]])
_COLUMNS = np.array([[1, 0, 4], [2, -1, 5]])
_TUPLES = np.array(
    [
        [[1, 0], [4, -1], [0, 2], [3, 3]],
        [[-4, 4], [2, 6], [0, 0], [3, -3]],
        [[1, 1], [3, 0], [4, 0], [2, -6]],
    ]
)
_ZEROS = np.float32([1.5, 2, -1, 3])  # multiplied by the next, two of whose places have zeros
_SOME = np.float32([0, 2.5, -2, 0, 0])

SAMPLES = [
    Sample(i.Gather(), _X, _PLACES),
    Sample(i.Gather(axis=-1), _X, ints(6, 0, -2, 0), id="last axis", known=()),
    Sample(i.Gather(axis=1), _X, scalar(3), id="scalar", known=()),
    Sample(i.Gather(), ints(2, 3, 5), ints(2, 0), id="known"),
    Sample(i.Gather(), ints(2, 3, 5), scalar(-1), id="known scalar"),
    Sample(i.GatherGrad(), normal(2, 3, 7), _PLACES, ints(5, 7), sizes=(2,)),
    Sample(
        i.GatherGrad(axis=1), normal(5, 4), ints(6, 0, -2, 0), ints(5, 7), id="axis 1", known=(2,)
    ),
    Sample(i.GatherGrad(axis=1), normal(5), scalar(3), ints(5, 7), id="scalar", known=(2,)),
    Sample(i.GatherGrad(), normal(4), ints(3, 0, 3, 3), ints(5), id="vector", known=(2,)),
    Sample(i.GatherElements(axis=1), _X, _COLUMNS),
    Sample(i.GatherElements(), _X, _PLACES, id="axis 0"),
    Sample(i.ScatterElements(axis=1), _X, _COLUMNS, normal(2, 3)),
    Sample(
        i.ScatterElements(axis=-1, reduction="add"),
        _X,
        np.array([[1, 1, 4], [2, -5, 2]]),
        normal(2, 3),
        id="add",
    ),
    *(
        Sample(
            i.ScatterElements(axis=0, reduction=reduction),
            _X,
            np.array([[1, 1, 4], [1, 0, 4]]),
            normal(2, 3),
            id=reduction,
        )
        for reduction in ("mul", "max", "min")
    ),
    Sample(
        i.ScatterElements(reduction="mul"),
        *(_ZEROS, ints(1, 1, 0, 3, 3), _SOME),
        id="zeros",
        known=(),
        second=False,  # is of the updates that are not 0 only
    ),
    Sample(nd.GatherND(), normal(5, 7, 6), _TUPLES, fixed=(2,)),
    Sample(nd.GatherND(), _X, np.array([[[1], [-2], [1]], [[0], [4], [1]]]), id="rows"),
    Sample(nd.GatherND(), _X, np.array([1, -7]), id="one", known=(), fixed=(2,)),
    Sample(nd.GatherND(batch_dims=1), normal(3, 5, 7, 6), _TUPLES, id="batch", fixed=(2,)),
    Sample(nd.GatherND(batch_dims=2), normal(3, 4, 5, 7), _TUPLES, id="two batch axes", fixed=(2,)),
    Sample(nd.ScatterND(), normal(5, 7, 6), _TUPLES, normal(3, 4, 6), fixed=(2,)),
    *(
        Sample(
            nd.ScatterND(reduction),
            *(normal(5, 7, 6), _TUPLES[:, [0, 1, 2, 1, 0]], normal(3, 5, 6)),
            id=reduction,
            fixed=(2,),
        )
        for reduction in ("add", "mul", "max", "min")
    ),
    Sample(
        nd.ScatterND("mul"),
        *(_ZEROS, ints(1, 1, 0, 3, 3)[:, None], _SOME),
        id="zeros",
        second=False,  # as above
    ),
    Sample(
        nd.ScatterND("max"),
        *(ints(2, 8, 4), np.array([[0], [0]]), ints(5, 3)),
        id="integers",
        known=(),
    ),
    Sample(
        i.OneHot(), np.array([[0, 2, -1], [7, 1, -9]]), scalar(5), np.float32([-1, 2]), static=(2,)
    ),
    Sample(
        i.OneHot(axis=0),
        ints(0, 2),
        scalar(3),
        np.float32([0, 1]),
        id="first axis",
        known=(1,),
        static=(2,),
    ),
    Sample(i.TopK(), spread(5, 7), ints(3)),
    Sample(i.TopK(axis=0, largest=0), spread(5, 7), ints(2), id="smallest"),
    Sample(i.TopK(), np.float32([[1, 3, 3, 2, 3]]), ints(3), id="ties", grad=False),
    Sample(i.TopK(), spread(5, 7), ints(3), id="measured", known=(), static=(1,)),
    Sample(ConstantOfShape(), ints(2, 3), id="measured", known=(), static=(0,)),
    Sample(Range(), scalar(2), scalar(11), scalar(3), id="measured", known=()),
    Sample(Range(), np.float32(0.5), np.float32(3), np.float32(0.7), id="floats", grad=False),
    Sample(ConstantOfShape(), ints(2, 3)),
    Sample(ConstantOfShape(Data(np.array([7]))), ints(3), id="known"),
    Sample(ConstantOfShape(Data(np.float64([0.5]))), ints(), id="scalar"),
    Sample(Range(), scalar(0), scalar(5), scalar(1)),
    Sample(Range(), scalar(2), scalar(11), scalar(3), id="step"),
    Sample(Range(), scalar(7), scalar(0), scalar(-2), id="down"),
    Sample(Range(), scalar(7), scalar(0), scalar(2), id="empty"),
    Sample(
        Range(),
        *(np.float32(-1), np.float32(2), np.float32(0.7)),
        id="floats",
        known=(0, 1, 2),
        grad=False,
    ),
]

_T = TensorType(DType.F32, (2, 3))
_I = TensorType(DType.I64, (2,))
_J = TensorType(DType.I64, (4, 1))
_B = TensorType(DType.BOOL, (2, 3))
_N = Symbol("n").dim


def _ints(*values: int) -> TensorType:
    return TensorType(DType.I64, (len(values),), values)


FAILURES = [
    Failure(i.Gather(), _T, _ints(2), code="NN0205", words="2"),
    Failure(i.Gather(axis=2), _T, _I, code="NN0210"),
    Failure(i.Gather(), _T, _T, code="NN0203", words="indices"),
    Failure(i.GatherElements(), _T, _I, code="NN0204"),
    Failure(i.ScatterElements(reduction="or"), _T, _T, _T, code="NN0208"),
    Failure(i.ScatterElements(reduction="add"), _B, _T, _B, code="NN0203", words="numbers"),
    Failure(nd.GatherND(), _T, TensorType(DType.I32, (2, 1)), code="NN0203", words="i64|cast"),
    Failure(nd.GatherND(), _T, TensorType(DType.I64, ()), code="NN0204", words="tuples"),
    Failure(nd.GatherND(), _T, TensorType(DType.I64, (2, 3)), code="NN0205", words="tuples of 3"),
    Failure(nd.GatherND(), _T, TensorType(DType.I64, (2, _N)), code="NN0212", words="length n"),
    Failure(nd.GatherND(batch_dims=1), _T, _I, code="NN0210", words="1 batch axes"),
    Failure(
        nd.GatherND(batch_dims=1), _T, TensorType(DType.I64, (3, 1)), code="NN0205", words="axis 0"
    ),
    Failure(nd.ScatterND("or"), _T, _J, _T, code="NN0208", words="add, mul"),
    Failure(nd.ScatterND(), _T, _J, TensorType(DType.F32, (4,)), code="NN0204"),
    Failure(nd.ScatterND(), _T, _J, TensorType(DType.F32, (4, 2)), code="NN0205", words="not 3"),
    Failure(i.TopK(), _T, _ints(4), code="NN0205", words="4 of 3"),
    Failure(i.OneHot(), _I, TensorType(DType.I64, (2,)), _T, code="NN0204", words="one number"),
    Failure(i.TopK(), _T, TensorType(DType.I64, (2,)), code="NN0204", words="one number"),
    Failure(ConstantOfShape(), _ints(2, -1), code="NN0205"),
    Failure(Range(), _T, _T, _T, code="NN0204", words="scalar"),
    Failure(Range(), _I, _I, _I, code="NN0204"),
]
