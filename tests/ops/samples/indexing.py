"""Samples of gathering, scattering, sorting and filling."""

from __future__ import annotations

import numpy as np

from nncomp.ir.op import Data
from nncomp.ops import indexing as i
from nncomp.ops.filling import ConstantOfShape, Range
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, ints, normal, scalar, spread

_X = normal(5, 7)
_PLACES = np.array([[1, 0, 4], [2, -5, 1]])
_COLUMNS = np.array([[1, 0, 4], [2, -1, 5]])

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
            grad=False,
        )
        for reduction in ("mul", "max", "min")
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
    Sample(ConstantOfShape(), ints(2, 3)),
    Sample(ConstantOfShape(Data(np.array([7]))), ints(3), id="known"),
    Sample(ConstantOfShape(Data(np.float64([0.5]))), ints(), id="scalar"),
    Sample(Range(), scalar(0), scalar(5), scalar(1)),
    Sample(Range(), scalar(2), scalar(11), scalar(3), id="step"),
    Sample(Range(), scalar(7), scalar(0), scalar(-2), id="down"),
    Sample(Range(), scalar(7), scalar(0), scalar(2), id="empty"),
]

_T = TensorType(DType.F32, (2, 3))
_I = TensorType(DType.I64, (2,))


def _ints(*values: int) -> TensorType:
    return TensorType(DType.I64, (len(values),), values)


FAILURES = [
    Failure(i.Gather(), _T, _ints(2), code="NN0205", words="2"),
    Failure(i.Gather(axis=2), _T, _I, code="NN0210"),
    Failure(i.Gather(), _T, _T, code="NN0203", words="indices"),
    Failure(i.GatherElements(), _T, _I, code="NN0204"),
    Failure(i.ScatterElements(reduction="or"), _T, _T, _T, code="NN0208"),
    Failure(i.TopK(), _T, _ints(4), code="NN0205", words="4 of 3"),
    Failure(i.OneHot(), _I, TensorType(DType.I64, ()), _T, code="NN0212"),
    Failure(ConstantOfShape(), _ints(2, -1), code="NN0205"),
    Failure(Range(), _T, _T, _T, code="NN0204"),
]
