"""Samples of arithmetic and functions of one tensor."""

from __future__ import annotations

import numpy as np

from nncomp.ops import elementwise as e
from nncomp.ops import elementwise_math as m
from nncomp.ops import trigonometry as t
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, ints, normal, spread, uniform

I32 = np.int32


def whole(*values: int, dtype: type = I32) -> np.ndarray:
    """A column of whole numbers, not known while compiling."""
    return np.array(values, dtype).reshape(-1, 1)


SAMPLES = [
    Sample(e.Add(), normal(2, 3), normal(2, 3, seed=1)),
    Sample(e.Add(), normal(2, 3, 5), normal(3, 1), id="broadcast"),
    Sample(e.Add(), normal(1, 3), normal(2, 1), id="both ways"),
    Sample(e.Add(), normal(), normal(2, 3), id="scalar"),
    Sample(e.Add(), whole(250, 7, dtype=np.uint64), np.array([[2**64 - 1]], np.uint64), id="wraps"),
    Sample(e.Add(), ints(2, 3), ints(5, 7), id="known"),
    Sample(e.Sub(), normal(2, 3), normal(3)),
    Sample(e.Sub(), ints(2, 3), ints(5), id="known"),
    Sample(e.Mul(), normal(2, 3), normal(2, 1)),
    Sample(e.Mul(), whole(2**33, 3, dtype=np.uint64), whole(2**40 + 5, 9, dtype=np.uint64)),
    Sample(e.Mul(), ints(2, 3), ints(5, 7), id="known"),
    Sample(e.Div(), normal(2, 3), uniform(0.5, 2, 3)),
    Sample(e.Div(), whole(7, -7, 7, -7, 6), whole(2, 2, -2, -2, -3), id="truncates"),
    Sample(e.Div(), ints(7, -7, 7), ints(2, 2, -2), id="known"),
    Sample(e.Div(), whole(7, 2**63, dtype=np.uint64), np.array([[4]], np.uint64), id="unsigned"),
    Sample(e.Mod(), whole(7, -7, 7, -7), whole(3, 3, -3, -3), id="divisor's sign"),
    Sample(e.Mod(fmod=1), whole(7, -7, 7, -7), whole(3, 3, -3, -3), id="dividend's sign"),
    Sample(e.Mod(fmod=1), spread(2, 3), uniform(0.8, 1.1, 3), id="floats"),
    Sample(e.Mod(), spread(2, 3), uniform(0.8, 1.1, 3), id="floats, divisor's sign"),
    Sample(e.Mod(), ints(7, -7, 9), ints(3, 3, 4), id="known"),
    Sample(e.Neg(), normal(2, 3)),
    Sample(e.Min(), spread(2, 3), spread(2, 3, seed=1) + 0.1),
    Sample(e.Min(), ints(2, 9), ints(5, 7), id="known"),
    Sample(e.Max(), spread(2, 3), spread(3, seed=1) + 0.1, spread(2, 1, seed=2) + 0.05, id="three"),
    Sample(e.Max(), spread(2, 3), id="one"),
    Sample(e.Max(), ints(2, 9), ints(5, 7), id="known"),
    Sample(e.Sum(), normal(2, 3), normal(3), normal(2, 1)),
    Sample(e.Sum(), normal(2, 3), id="one"),
    Sample(e.Mean(), normal(2, 3), normal(3), normal(2, 1)),
    Sample(e.Clip(), spread(3, 5), np.float32(-1), np.float32(0.8)),
    Sample(e.Clip(), spread(3, 5), None, np.float32(0.8), id="above"),
    Sample(e.Clip(), spread(3, 5), np.float32(-1), id="below"),
    Sample(e.Clip(), spread(3, 5), id="not at all"),
    Sample(m.Abs(), spread(2, 3)),
    Sample(m.Abs(), whole(3, -4, 0), id="integers"),
    Sample(m.Sign(), spread(2, 3)),
    Sample(m.Sign(), whole(3, -4, 0), id="integers"),
    Sample(m.Sqrt(), uniform(0.5, 2, 2, 3)),
    Sample(m.Reciprocal(), uniform(0.5, 2, 2, 3)),
    Sample(m.Exp(), normal(2, 3)),
    Sample(m.Log(), uniform(0.5, 2, 2, 3)),
    Sample(t.Sin(), normal(2, 3)),
    Sample(t.Cos(), normal(2, 3)),
    Sample(t.Tan(), uniform(-1, 1, 2, 3)),
    Sample(t.Asin(), uniform(-0.9, 0.9, 2, 3)),
    Sample(t.Acos(), uniform(-0.9, 0.9, 2, 3)),
    Sample(t.Atan(), 3 * normal(2, 3)),
    Sample(t.Sinh(), normal(2, 3)),
    Sample(t.Cosh(), normal(2, 3)),
    Sample(t.Asinh(), 3 * normal(2, 3)),
    Sample(t.Acosh(), uniform(1.2, 9, 2, 3)),
    Sample(t.Atanh(), uniform(-0.9, 0.9, 2, 3)),
    Sample(t.Acosh(), np.float32([0.5, 1, 1e8]), id="ends", grad=False),
    Sample(t.Atanh(), np.float32([-2, -1, 0, 1]), id="ends", grad=False),
    Sample(m.Erf(), np.linspace(-5, 5, 41, dtype=np.float32)),
    Sample(m.Erf(), np.float32(0.3), id="scalar"),
    Sample(m.Floor(), spread(3, 5, step=0.3)),
    Sample(m.Ceil(), spread(3, 5, step=0.3)),
    Sample(m.Round(), spread(3, 5, step=0.3)),
    Sample(m.Round(), np.float32([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]), id="halves", grad=False),
    Sample(m.Pow(), uniform(0.5, 2, 2, 3), normal(3)),
    Sample(m.Pow(), normal(2, 3), np.array([[2.0]], np.float32), id="square", grad=(0,)),
    Sample(m.Pow(), uniform(0.5, 2, 2, 3), np.array([[0.5]], np.float32), id="root", grad=(0,)),
    Sample(m.Pow(), normal(2, 3), whole(2, 3), id="integer exponent"),
    Sample(m.Pow(), whole(2, -3), whole(5, 3), id="integers"),
]

_A = TensorType(DType.F32, (2, 3))
FAILURES = [
    Failure(e.Add(), _A, TensorType(DType.F32, (2, 4)), code="NN0207", words="3|4|left|right"),
    Failure(e.Add(), _A, TensorType(DType.F64, (2, 3)), code="NN0203", words="f32|f64"),
    Failure(e.Add(), TensorType(DType.BOOL, ()), TensorType(DType.BOOL, ()), code="NN0203"),
    Failure(e.Clip(), _A, TensorType(DType.F32, (3,)), code="NN0204"),
    Failure(m.Sqrt(), TensorType(DType.I64, (2,)), code="NN0203", words="i64[2]"),
]
