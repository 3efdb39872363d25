"""Samples of linear attention and of causal convolution."""

from __future__ import annotations

from typing import Any

from nncomp.ops.attention_linear import CausalConvWithState, LinearAttention
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, normal, uniform

# N = 3, T = 5, 2 states for 4 heads, d = 7, e = 6
_Q, _K, _V = normal(3, 5, 28), normal(3, 5, 14), normal(3, 5, 12)
_PAST = normal(3, 2, 7, 6)
_DECAY, _DECAYS = uniform(-1, 0, 3, 5, 2), uniform(-1, 0, 3, 5, 14)
_BETA = uniform(0, 0.4, 3, 5, 2)
_FIXED: dict[str, Any] = {"fixed": (2, 6, 7, 12, 14, 28), "second": False}


def _attention(rule: str) -> LinearAttention:
    return LinearAttention(kv_num_heads=2, q_num_heads=4, update_rule=rule)


_X, _W = normal(3, 4, 7), normal(4, 1, 5)
_STATIC: dict[str, Any] = {"static": (1, 2), "fixed": (4,)}

SAMPLES = [
    Sample(_attention("linear"), _Q, _K, _V, **_FIXED),
    Sample(_attention("gated"), _Q, _K, _V, _PAST, _DECAY, id="gated", **_FIXED),
    Sample(_attention("gated"), _Q, _K, _V, None, _DECAYS, id="gates of numbers", **_FIXED),
    Sample(_attention("delta"), _Q, _K, _V, _PAST, None, _BETA, id="delta", **_FIXED),
    Sample(
        LinearAttention(2, 4, scale=0.3),
        *(_Q, _K, _V, _PAST, _DECAYS, _BETA[:, :, :1]),
        id="both",
        **_FIXED,
    ),
    Sample(CausalConvWithState(), _X, _W, **_STATIC),
    Sample(
        CausalConvWithState("silu"),
        *(_X, _W, normal(4), normal(3, 4, 4)),
        id="state",
        **_STATIC,
    ),
]

_T, _F = TensorType(DType.F32, (3, 5, 14)), TensorType(DType.F32, (3, 4, 7))
_O = LinearAttention(2, 2, update_rule="linear")
FAILURES = [
    Failure(LinearAttention(2, 3), _T, _T, _T, code="NN0208", words="share"),
    Failure(LinearAttention(2, 2), _T, _T, _T, code="NN0702", words="decay"),
    Failure(LinearAttention(2, 2, update_rule="none"), _T, _T, _T, code="NN0208", words="gated"),
    Failure(_O, _T, _T, _T, None, _T, code="NN0702", words="has no decay"),
    Failure(_O, _T, TensorType(DType.F32, (3, 4, 14)), _T, code="NN0205"),
    Failure(CausalConvWithState("relu"), _F, _F, code="NN0208", words="silu"),
    Failure(CausalConvWithState(), _F, TensorType(DType.F32, (5, 1, 2)), code="NN0205"),
]
