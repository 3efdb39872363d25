"""Samples of Fourier transforms and windows."""

from __future__ import annotations

import numpy as np

from nncomp.ops import signal as s
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, normal, scalar

_REAL, _COMPLEX = normal(3, 7, 5, 1), normal(3, 7, 5, 2)
_AXIS = scalar(1)
_FIXED = {"fixed": (2,)}
_HALF = normal(3, 5, 4, 2)

SAMPLES = [
    Sample(s.DFT(), _REAL),
    Sample(s.DFT(), _COMPLEX, None, _AXIS, id="complex", **_FIXED),
    Sample(s.DFT(), _COMPLEX, scalar(10), _AXIS, id="longer", **_FIXED),
    Sample(s.DFT(), _REAL, scalar(4), _AXIS, id="shorter"),
    Sample(s.DFT(onesided=1), _REAL, None, _AXIS, id="onesided"),
    Sample(s.DFT(onesided=1), _REAL, scalar(8), _AXIS, id="onesided, longer"),
    Sample(s.DFT(onesided=1), _REAL, scalar(6), _AXIS, id="onesided, shorter"),
    Sample(s.DFT(inverse=1), _COMPLEX, None, _AXIS, id="inverse", **_FIXED),
    Sample(s.DFT(inverse=1), _COMPLEX, scalar(9), scalar(-2), id="inverse, longer", **_FIXED),
    *(
        Sample(
            s.DFT(inverse=1, onesided=1),
            *(_HALF, size and scalar(size), _AXIS),
            id=f"inverse, onesided, {size}",
            ort=False,  # onnxruntime refuses it
            **_FIXED,
        )
        for size in (None, 9, 7, 5, 12)
    ),
    Sample(s.STFT(), normal(3, 17, 1), scalar(4), normal(8)),
    Sample(s.STFT(), normal(3, 17, 1), scalar(3), None, scalar(6), id="no window"),
    Sample(s.STFT(onesided=0), normal(3, 17, 2), scalar(4), normal(8), id="complex", **_FIXED),
    Sample(
        s.STFT(),
        *(normal(3, 17), scalar(5), normal(7), scalar(7)),
        id="odd",
        ort=False,  # onnxruntime wants a third axis
        static=(2,),
    ),
    *(
        Sample(op(periodic=periodic), scalar(size), id=f"{periodic}, {size}")
        for op in (s.HannWindow, s.HammingWindow, s.BlackmanWindow)
        for periodic in (0, 1)
        for size in (10, 7)
    ),
    Sample(s.HannWindow(output_datatype=11), scalar(6), id="f64"),
    Sample(
        s.MelWeightMatrix(),
        *(scalar(8), scalar(32), scalar(8192), np.float32(0), np.float32(4096)),
        grad=False,
    ),
    Sample(
        s.MelWeightMatrix(output_datatype=11),
        *(scalar(5), scalar(17), scalar(8000), np.float32(125), np.float32(3500)),
        id="f64",
        grad=False,
    ),
]

_T, _C = TensorType(DType.F32, (3, 7, 1)), TensorType(DType.F32, (3, 7, 2))
_LAST = TensorType(DType.I64, (), (2,))
FAILURES = [
    Failure(s.DFT(), TensorType(DType.F32, (3, 7)), code="NN0204"),
    Failure(s.DFT(onesided=1), _C, code="NN0205", words="real"),
    Failure(s.DFT(inverse=1, onesided=1), _T, code="NN0205", words="complex"),
    Failure(s.DFT(), _T, None, _LAST, code="NN0210"),
    Failure(s.DFT(), _T, TensorType(DType.I64, ()), code="NN0212", words="dft_length"),
    Failure(s.STFT(), _T, TensorType(DType.I64, (), (0,)), code="NN0208"),
    Failure(s.STFT(), _T, _LAST, TensorType(DType.F32, (8,)), code="NN0205", words="8"),
    Failure(s.HannWindow(output_datatype=99), _LAST, code="NN0208", words="99"),
    Failure(s.HannWindow(), TensorType(DType.I64, (3, 7, 1)), code="NN0204"),
    Failure(s.HannWindow(), TensorType(DType.F32, ()), code="NN0203"),
]
