"""Samples of losses and random numbers."""

from __future__ import annotations

import numpy as np

from nncomp.ops.loss import NegativeLogLikelihoodLoss as Likelihood
from nncomp.ops.loss import SoftmaxCrossEntropyLoss as Loss
from nncomp.ops.random import Random
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, ints, normal, picks, scalar, uniform

_SCORES, _LABELS = normal(7, 3), picks(3, 7)
_IMAGE, _CLASSES = normal(2, 3, 5, 4), picks(3, 2, 5, 4)
_IGNORED = np.where(picks(4, 7) == 0, -100, _LABELS)
_WEIGHTS = uniform(0.5, 1.5, 3)

SAMPLES = [
    *(
        Sample(Loss(reduction=reduction), _SCORES, _LABELS, id=reduction, known=(), grad=(0,))
        for reduction in ("mean", "sum", "none")
    ),
    *(
        Sample(
            Loss(reduction=reduction, ignore_index=-100),
            *(_SCORES, _IGNORED, _WEIGHTS),
            id=f"{reduction}, weights, ignored",
            known=(),
            grad=(0,),
        )
        for reduction in ("mean", "sum", "none")
    ),
    Sample(Loss(), _IMAGE, _CLASSES, id="image", grad=(0,)),
    Sample(Loss(reduction="none"), _IMAGE, _CLASSES, _WEIGHTS, id="image, weights", grad=(0,)),
    Sample(Loss(), _SCORES, _LABELS.astype(np.int32), id="i32", known=(), grad=(0,)),
    *(
        Sample(
            Likelihood(reduction=reduction, ignore_index=-100),
            *(_SCORES, _IGNORED, _WEIGHTS),
            id=f"{reduction}, weights, ignored",
            known=(),
        )
        for reduction in ("mean", "sum", "none")
    ),
    Sample(Likelihood(), _SCORES, _LABELS, known=()),
    Sample(Likelihood(reduction="none"), _IMAGE, _CLASSES, _WEIGHTS, id="image"),
    Sample(Random(site=3), scalar(42), scalar(7), ints(5, 3), known=(2,)),
    Sample(Random(site=3), scalar(-1), scalar(0), ints(5), id="negative seed", known=(2,)),
    Sample(Random(site=3), scalar(2), scalar(0), ints(), id="scalar", known=(2,)),
    Sample(Random(site=1, distribution="normal"), scalar(4), scalar(9), ints(5, 3), known=(2,)),
]

_T = TensorType(DType.F32, (7, 3))
_I = TensorType(DType.I64, (7,))
_STEP = TensorType(DType.I64, ())
FAILURES = [
    Failure(Loss(), _T, TensorType(DType.I64, (6,)), code="NN0205", words="6|7"),
    Failure(Loss(), _T, TensorType(DType.I64, (7, 1)), code="NN0204"),
    Failure(Loss(), _T, _T, code="NN0203"),
    Failure(Loss(), _T, _I, TensorType(DType.F32, (4,)), code="NN0205", words="4 weights|3"),
    Failure(Loss(reduction="all"), _T, _I, code="NN0208"),
    Failure(Random(0, "cauchy"), _STEP, _STEP, _I, code="NN0208", words="cauchy"),
    Failure(Random(0), _T, _STEP, _I, code="NN0201", words="seed"),
]
