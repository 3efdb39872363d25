"""Samples of activation functions."""

from __future__ import annotations

import numpy as np

from nncomp.ops import activation as a
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, normal, spread, uniform

_WIDE = np.float32([-100, -20, -3, -0.5, 0.5, 3, 20, 100])

SAMPLES = [
    Sample(a.Relu(), spread(2, 3)),
    Sample(a.ReluGrad(), normal(2, 3), spread(2, 3)),
    Sample(a.Sigmoid(), normal(2, 3)),
    Sample(a.Sigmoid(), _WIDE, id="wide"),
    Sample(a.Sigmoid(), np.float32(0.7), id="scalar"),
    Sample(a.Tanh(), normal(2, 3)),
    Sample(a.LeakyRelu(), spread(2, 3)),
    Sample(a.LeakyRelu(alpha=0.2), spread(2, 3), id="alpha"),
    Sample(a.Elu(), spread(2, 3)),
    Sample(a.Elu(alpha=0.7), spread(2, 3), id="alpha"),
    Sample(a.Selu(), spread(2, 3)),
    Sample(a.Selu(alpha=1.2, gamma=0.9), spread(2, 3), id="parameters"),
    Sample(a.PRelu(), spread(2, 3), uniform(0.1, 0.4, 3)),
    Sample(a.PRelu(), spread(2, 3, 5), uniform(0.1, 0.4, 3, 1), id="channels"),
    Sample(a.HardSigmoid(), spread(3, 5, step=0.6)),
    Sample(a.HardSigmoid(alpha=0.3, beta=0.4), spread(3, 5), id="parameters"),
    Sample(a.HardSwish(), spread(3, 5, step=0.65)),
    Sample(a.Softplus(), normal(2, 3)),
    Sample(a.Softplus(), _WIDE, id="wide"),
    Sample(a.Softsign(), spread(2, 3)),
    Sample(a.Gelu(), normal(2, 3)),
    Sample(a.Gelu(approximate="tanh"), normal(2, 3), id="tanh"),
    Sample(a.Mish(), normal(2, 3, 5)),
    Sample(a.Softmax(), normal(2, 3, 5)),
    Sample(a.Softmax(axis=1), normal(2, 3, 5), id="inner axis"),
    Sample(a.Softmax(axis=-3), 50 * normal(2, 3, 5), id="large"),
    Sample(a.LogSoftmax(), normal(2, 3, 5)),
    Sample(a.LogSoftmax(axis=0), 50 * normal(2, 3, 5), id="large"),
]

FAILURES = [
    Failure(a.Softmax(axis=2), TensorType(DType.F32, (2, 3)), code="NN0210", words="axis 2"),
    Failure(a.Gelu(approximate="fast"), TensorType(DType.F32, (2,)), code="NN0208", words="fast"),
    Failure(
        a.PRelu(),
        TensorType(DType.F32, (2, 1)),
        TensorType(DType.F32, (3,)),
        code="NN0207",
        words="slope",
    ),
]
