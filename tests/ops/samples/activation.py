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
    Sample(a.Celu(), spread(2, 3)),
    Sample(a.Celu(alpha=0.7), spread(2, 3), id="alpha"),
    Sample(a.Celu(), spread(2, 3).astype(np.float16), id="half", tolerance=1e-3),
    Sample(a.ThresholdedRelu(), spread(3, 5, step=0.3)),
    Sample(a.ThresholdedRelu(alpha=-0.8), spread(3, 5, step=0.3), id="alpha"),
    Sample(a.Shrink(), spread(3, 5)),
    Sample(a.Shrink(bias=0.4, lambd=0.8), spread(3, 5), id="soft"),
    Sample(a.Shrink(bias=2.0, lambd=1.5), np.int32([-4, -1, 0, 1, 2, 7]), id="i32", known=()),
    Sample(a.Shrink(bias=1.0, lambd=1.5), np.uint8([0, 1, 2, 255]), id="u8"),
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
    Sample(a.Swish(), normal(2, 3)),
    Sample(a.Swish(alpha=1.7), normal(2, 3), id="alpha"),
    Sample(a.Swish(), _WIDE, id="wide"),
    Sample(a.SwiGLU(), normal(2, 3), normal(2, 3, seed=1)),
    Sample(a.SwiGLU(alpha=0.6), normal(2, 3), normal(2, 3, seed=1), id="alpha"),
    Sample(a.Softmax(), normal(2, 3, 5)),
    Sample(a.Softmax(axis=1), normal(2, 3, 5), id="inner axis"),
    Sample(a.Softmax(axis=-3), 50 * normal(2, 3, 5), id="large"),
    Sample(a.Hardmax(), normal(2, 3, 5)),
    Sample(a.Hardmax(axis=1), np.float32([[[1, 2], [3, 2], [3, 0]]]), id="ties", grad=False),
    Sample(a.LogSoftmax(), normal(2, 3, 5)),
    Sample(a.LogSoftmax(axis=0), 50 * normal(2, 3, 5), id="large"),
]

FAILURES = [
    Failure(a.Softmax(axis=2), TensorType(DType.F32, (2, 3)), code="NN0210", words="axis 2"),
    Failure(a.Gelu(approximate="fast"), TensorType(DType.F32, (2,)), code="NN0208", words="fast"),
    Failure(a.Celu(alpha=0.0), TensorType(DType.F32, (2,)), code="NN0208", words="alpha"),
    Failure(
        a.SwiGLU(),
        TensorType(DType.F32, (2, 3)),
        TensorType(DType.F32, (2, 1)),
        code="NN0207",
        words="3 is not 1",
    ),
    Failure(a.Hardmax(axis=2), TensorType(DType.F32, (2, 3)), code="NN0210", words="axis 2"),
    Failure(
        a.PRelu(),
        TensorType(DType.F32, (2, 1)),
        TensorType(DType.F32, (3,)),
        code="NN0207",
        words="slope",
    ),
]
