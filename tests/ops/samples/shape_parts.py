"""Samples of joining, splitting, slicing, padding and repeating."""

from __future__ import annotations

import numpy as np

from nncomp.dims import new_dim
from nncomp.ops.shape_joining import Concat, Split, Tile
from nncomp.ops.shape_slicing import CenterCropPad, Pad, Slice
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, ints, normal

_X = normal(5, 7)
_FAR = 2**63 - 1

SAMPLES = [
    Sample(Concat(axis=0), normal(2, 3), normal(5, 3)),
    Sample(CenterCropPad(), normal(5, 7, 8), ints(2, 10, 8)),
    Sample(CenterCropPad(axes=(-1, 0)), normal(5, 7, 8), ints(11, 4), id="axes"),
    Sample(CenterCropPad(), normal(3, 8), ints(8, 3), id="dims", sizes=(1,)),
    Sample(CenterCropPad((1,)), np.arange(12).reshape(3, 4), ints(1), id="i64"),
    Sample(Concat(axis=-1), normal(2, 3), normal(2, 5), normal(2, 7), id="three"),
    Sample(Concat(axis=0), normal(2, 3), id="one"),
    Sample(Concat(axis=0), ints(2, 3), ints(5), id="known"),
    Sample(Split(axis=1), _X, ints(2, 5), static=(0,)),
    Sample(Split(axis=1), _X, ints(2, 5), id="measured", known=(), static=(0, 1), grad=False),
    Sample(Split(axis=-2, num_outputs=2), _X, id="uneven"),
    Sample(Split(num_outputs=5), _X, id="even"),
    Sample(Split(), ints(2, 3, 5), ints(1, 2), id="known"),
    Sample(Slice(), _X, ints(1, 2), ints(4, 5)),
    Sample(Slice(), _X, ints(-3), ints(_FAR), ints(1), id="from the end"),
    Sample(Slice(), _X, ints(1), ints(-1), ints(-1), ints(2), id="step"),
    Sample(Slice(), _X, ints(0), ints(7), ints(1), ints(3), id="step that leaves a rest"),
    Sample(Slice(), _X, ints(-1), ints(-_FAR), ints(0), ints(-1), id="reversed"),
    Sample(Slice(), _X, ints(5, 3), ints(0, 0), ints(1, 0), ints(-2, -1), id="backwards"),
    Sample(Slice(), _X, ints(-99, 2), ints(99, 99), ints(0, 1), id="clamped"),
    Sample(Slice(), _X, ints(3), ints(3), ints(1), id="empty", grad=False),
    Sample(Slice(), _X, ints(2), ints(7), ints(1), id="symbolic end", sizes=(2,)),
    Sample(Slice(), ints(2, 3, 5, 7), ints(3), ints(0), ints(0), ints(-2), id="known"),
    Sample(Pad(), _X, ints(1, 0, 2, 3)),
    Sample(Pad(), _X, ints(1, 2), np.float32(0.5), ints(-1), id="value and axes"),
    Sample(Pad(), _X, ints(-1, 2, 1, -3), id="negative"),
    Sample(Pad(), _X, ints(1, 0, 2, 3), id="measured", known=(), static=(1,), grad=False),
    Sample(
        *(Pad(), _X, ints(1, 2), None, ints(1)),
        id="axis measured",
        known=(3,),
        static=(1,),
        grad=False,
    ),
    Sample(Tile(), normal(2, 3), ints(5, 2), id="measured", known=(), static=(1,), grad=False),
    Sample(Pad(mode="reflect"), _X, ints(1, 0, 2, 3), id="reflect"),
    Sample(Pad(mode="edge"), _X, ints(1, 2), None, ints(1), id="edge"),
    Sample(Pad(mode="wrap"), _X, ints(2, 0, 1, 3), id="wrap"),
    Sample(Tile(), normal(2, 3), ints(5, 1)),
    Sample(Tile(), normal(2, 3), ints(2, 3), id="both"),
    Sample(Tile(), ints(2, 3), ints(2), id="known"),
]


def _t(*shape: int) -> TensorType:
    return TensorType(DType.F32, shape)


def _ints(*values: int) -> TensorType:
    return TensorType(DType.I64, (len(values),), values)


_N = TensorType(DType.F32, (new_dim("N"), 3))
FAILURES = [
    Failure(Concat(axis=0), _t(2, 3), _t(2, 4), code="NN0205", words="3|4|axis 1"),
    Failure(Concat(axis=2), _t(2, 3), code="NN0210"),
    Failure(Concat(axis=0), _t(2, 3), _t(2), code="NN0204"),
    Failure(Split(), _t(5), _ints(2, 2), code="NN0205", words="5|[2, 2]"),
    Failure(Split(), _t(5), code="NN0208"),
    Failure(Split(num_outputs=4), _t(5), code="NN0205"),
    Failure(Slice(), _t(5), _ints(0), _ints(1, 2), code="NN0204"),
    Failure(Slice(), _t(5), _ints(0), _ints(1), _ints(1), code="NN0210"),
    Failure(Slice(), _t(5), _ints(0), _ints(1), None, _ints(0), code="NN0208"),
    Failure(Slice(), _t(5), TensorType(DType.I64, ()), _ints(1), code="NN0204", words="vectors"),
    Failure(Pad(), _t(5), _ints(1), code="NN0204", words="2 pads"),
    Failure(Pad(), _t(5), _ints(-3, -3), code="NN0205"),
    Failure(Pad(mode="reflect"), _t(3), _ints(3, 0), code="NN0205", words="reflect"),
    Failure(Pad(mode="mirror"), _t(3), _ints(1, 0), code="NN0208", words="mirror"),
    Failure(Tile(), _t(2, 3), _ints(2), code="NN0204"),
]
