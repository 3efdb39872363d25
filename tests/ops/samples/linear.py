"""Samples of matrix products."""

from __future__ import annotations

import numpy as np

from nncomp.ops.einsum import Einsum
from nncomp.ops.linear import Gemm, MatMul
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, normal

_A, _B = normal(2, 3), normal(3, 5)

SAMPLES = [
    Sample(Einsum("ij,jk->ik"), _A, _B),
    Sample(Einsum("bhqd,bhkd->bhqk"), normal(2, 3, 5, 7), normal(2, 3, 4, 7), id="heads"),
    Sample(Einsum("ijk,iab->jakb"), normal(2, 3, 5), normal(2, 4, 7), id="outer mean"),
    Sample(Einsum("i,jk->kij"), normal(2), normal(3, 5), id="outer"),
    Sample(Einsum("ij,kj,kl->il"), normal(2, 3), normal(5, 3), normal(5, 7), id="three"),
    Sample(Einsum("iij->j"), normal(3, 3, 5), id="diagonal"),
    Sample(Einsum("...ij,...jk"), normal(7, 2, 3), normal(7, 3, 5), id="dots"),
    Sample(Einsum("ijk->i"), normal(2, 3, 5), id="sum"),
    Sample(Einsum("ij,ij->"), normal(2, 3), normal(2, 3, seed=1), id="dot"),
    Sample(MatMul(), _A, _B),
    Sample(MatMul(), normal(3), _B, id="row"),
    Sample(MatMul(), _A, normal(3), id="column"),
    Sample(MatMul(), normal(3), normal(3, seed=1), id="dot"),
    Sample(MatMul(), normal(7, 2, 3), _B, id="batch times matrix"),
    Sample(MatMul(), _A, normal(7, 3, 5), id="matrix times batch"),
    Sample(MatMul(), normal(7, 2, 3), normal(7, 3, 5), id="batches"),
    Sample(MatMul(), normal(4, 1, 2, 3), normal(7, 3, 5), id="batches broadcast"),
    Sample(MatMul(), normal(7, 2, 3), normal(3), id="batch times column"),
    Sample(MatMul(), normal(3), normal(7, 3, 5), id="row times batch"),
    Sample(MatMul(), np.arange(6).reshape(2, 3), np.arange(15).reshape(3, 5), id="integers"),
    *(
        Sample(
            Gemm(alpha=alpha, beta=beta, transA=trans_a, transB=trans_b),
            _A.T if trans_a else _A,
            _B.T if trans_b else _B,
            normal(5),
            id=f"{trans_a}{trans_b}",
        )
        for trans_a, trans_b, alpha, beta in (
            (0, 0, 1.0, 1.0),
            (0, 1, 0.5, 1.0),
            (1, 0, 1.0, 2.0),
            (1, 1, 2.0, 0.5),
        )
    ),
    Sample(Gemm(alpha=0.5), _A, _B, id="without C"),
    Sample(Gemm(), _A, _B, normal(2, 1), id="column C"),
    Sample(Gemm(), _A, _B, normal(), id="scalar C"),
]


def _t(*shape: int) -> TensorType:
    return TensorType(DType.F32, shape)


FAILURES = [
    Failure(MatMul(), _t(2, 3), _t(4, 5), code="NN0205", words="3|4|f32[2, 3]"),
    Failure(MatMul(), _t(), _t(4, 5), code="NN0204"),
    Failure(MatMul(), _t(2, 4, 3), _t(7, 3, 5), code="NN0207"),
    Failure(Gemm(), _t(2, 3), _t(5, 3), code="NN0205"),
    Failure(Gemm(), _t(2, 3), _t(3, 5), _t(4), code="NN0207"),
    Failure(Gemm(), _t(7, 2, 3), _t(3, 5), code="NN0204"),
]
