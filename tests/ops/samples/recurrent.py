"""Samples of recurrent networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncomp.ops.recurrent import GRU, LSTM, RNN
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, normal

TIME, BATCH, WIDTH, HIDDEN = 5, 3, 2, 4


def _operands(gates: int, directions: int = 1, states: int = 1, layout: int = 0) -> list[Any]:
    """X, W, R, B, lengths (none), first states."""
    first = normal(directions, BATCH, HIDDEN)
    x = normal(TIME, BATCH, WIDTH)
    if layout:
        x, first = x.swapaxes(0, 1), first.swapaxes(0, 1)
    return [
        x,
        normal(directions, gates * HIDDEN, WIDTH) / 2,
        normal(directions, gates * HIDDEN, HIDDEN, seed=1) / 2,
        normal(directions, 2 * gates * HIDDEN, seed=2) / 2,
        None,
        *(first / (i + 1) for i in range(states)),
    ]


def _with_lengths(operands: list[Any]) -> list[Any]:
    return [*operands[:4], np.int32([3, 5, 2]), *operands[5:]]


# sizes of weights are known
_FIXED: dict[str, Any] = {
    "known": (),
    "static": (1, 2, 3),
    "fixed": (WIDTH, HIDDEN, 3 * HIDDEN),
    "second": False,
}
_BOTH = {"direction": "bidirectional"}
_PEEPHOLES = normal(1, 3 * HIDDEN) / 2

SAMPLES = [
    Sample(RNN(), *_operands(1), **(_FIXED | {"second": True})),
    Sample(RNN(), *_operands(1)[:3], id="least", **_FIXED),
    Sample(RNN(direction="reverse"), *_with_lengths(_operands(1)), id="reverse, lengths", **_FIXED),
    Sample(
        RNN((0.3,), None, ("LeakyRelu", "Tanh"), **_BOTH),
        *_operands(1, 2),
        id="both ways, functions",
        **_FIXED,
    ),
    *(
        Sample(RNN(activations=(name,)), *_operands(1), id=name, **(_FIXED | {"grad": False}))
        for name in ("ThresholdedRelu", "Affine", "ScaledTanh")
    ),
    Sample(GRU(hidden_size=HIDDEN), *_operands(3), **_FIXED),
    Sample(GRU(linear_before_reset=1), *_operands(3), id="linear", **_FIXED),
    Sample(GRU(**_BOTH), *_with_lengths(_operands(3, 2)), id="both ways, lengths", **_FIXED),
    Sample(
        GRU(layout=1),
        *_operands(3, layout=1),
        id="layout",
        **_FIXED,
    ),
    Sample(LSTM(), *_operands(4, states=2), **_FIXED),
    Sample(LSTM(), *_operands(4)[:3], id="least", **_FIXED),
    Sample(LSTM(input_forget=1), *_operands(4, states=2), _PEEPHOLES, id="coupled", **_FIXED),
    Sample(LSTM(), *_operands(4, states=2), _PEEPHOLES, id="peepholes", **_FIXED),
    Sample(
        LSTM(direction="reverse"),
        *_with_lengths(_operands(4, states=2)),
        _PEEPHOLES,
        id="reverse, lengths",
        **_FIXED,
    ),
    Sample(LSTM(layout=1), *_operands(4, states=2, layout=1), id="layout", **_FIXED),
    Sample(LSTM(clip=0.7), *_operands(4, states=2), id="clip", **(_FIXED | {"grad": False})),
    Sample(
        LSTM(
            (0.7, 0.4, 1.3),
            (0.4, 0.2),
            ("HardSigmoid", "Softsign", "Elu", "sigmoid", "Affine", "Softplus"),
            **_BOTH,
        ),
        *_operands(4, 2, states=2),
        id="functions",
        **(_FIXED | {"grad": False}),
    ),
]

_X = TensorType(DType.F32, (5, 3, 2))
_W, _R = TensorType(DType.F32, (1, 4, 2)), TensorType(DType.F32, (1, 4, 4))
FAILURES = [
    Failure(RNN(direction="back"), _X, _W, _R, code="NN0208", words="forward"),
    Failure(RNN(activations=("Sin",)), _X, _W, _R, code="NN0208", words="Sin|tanh"),
    Failure(RNN(activations=("Tanh", "Relu", "Relu")), _X, _W, _R, code="NN0208", words="1 act"),
    Failure(RNN(hidden_size=5), _X, _W, _R, code="NN0205", words="hidden_size"),
    Failure(LSTM(), _X, _W, _R, code="NN0205", words="16"),
    Failure(RNN(), _X, _W, _R, TensorType(DType.F32, (1, 9)), code="NN0205", words="9 is not 8"),
    Failure(RNN(), _X, _W, _R, None, TensorType(DType.I64, (3,)), code="NN0203", words="i32"),
]
