"""Samples of attention and rotary positions."""

from __future__ import annotations

from typing import Any

from nncomp.ops.attention import Attention
from nncomp.ops.rotary import RotaryEmbedding
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, ints, normal, picks

# N, heads, T, S, d, e
_Q, _K, _V = normal(3, 4, 5, 8), normal(3, 4, 7, 8), normal(3, 4, 7, 6)
_SQUARE = (_Q, normal(3, 4, 5, 8, seed=1), normal(3, 4, 5, 6))
_PAST = (normal(3, 4, 2, 8), normal(3, 4, 2, 6))
_FEW = (normal(3, 2, 7, 8), normal(3, 2, 7, 6))
_FLAT = (normal(3, 5, 32), normal(3, 7, 32), normal(3, 7, 24))
_HEADS = {"q_num_heads": 4, "kv_num_heads": 4}
_MASK = normal(5, 7)
_SEEN = picks(3, 3, 1, 5, 7) > 0
_SEEN[1, 0, 2] = False  # a query that sees nothing
_FIRST: dict[str, Any] = {"second": False}

_X = normal(3, 4, 5, 8)
_ANGLES = (normal(9, 4), normal(9, 4, seed=1))
_PLACES = picks(9, 3, 5)
_ROTARY: dict[str, Any] = {"known": (), "fixed": (4, 8)}

SAMPLES = [
    Sample(Attention(), _Q, _K, _V),
    Sample(Attention(is_causal=1), *_SQUARE, id="causal", **_FIRST),
    Sample(Attention(**_HEADS), *_FLAT, id="flat", fixed=(24, 32), **_FIRST),
    Sample(Attention(), _Q, *_FEW, id="shared keys", fixed=(2, 4), **_FIRST),
    Sample(Attention(), _Q, _K, _V, _MASK, id="mask", **_FIRST),
    Sample(Attention(), _Q, _K, _V, _SEEN, id="bool mask", **_FIRST),
    Sample(Attention(), _Q, _K, _V, normal(5, 3), id="short mask", ort=False, **_FIRST),
    Sample(Attention(is_causal=1), *_SQUARE, None, *_PAST, id="past", **_FIRST),
    Sample(Attention(scale=0.3, softcap=1.2), _Q, _K, _V, id="softcap", **_FIRST),
    *(
        Sample(Attention(softcap=1.2, qk_matmul_output_mode=mode), _Q, _K, _V, _MASK, id=f"{mode}")
        for mode in (1, 2, 3)
    ),
    Sample(Attention(softmax_precision=11), _Q, _K, _V, id="precision", **_FIRST),
    # onnxruntime has not heard of windows yet
    Sample(Attention(left_window_size=2), *_SQUARE, id="left", ort=False, **_FIRST),
    Sample(
        Attention(left_window_size=1, right_window_size=1),
        *(*_SQUARE, None, *_PAST),
        id="window, past",
        ort=False,
        **_FIRST,
    ),
    Sample(
        Attention(is_causal=1),
        *(*_SQUARE, None, None, None, ints(5, 3, 4)),
        id="lengths",
        known=(),
        **_FIRST,
    ),
    Sample(RotaryEmbedding(), _X, *_ANGLES, _PLACES, **_ROTARY),
    Sample(RotaryEmbedding(interleaved=1), _X, *_ANGLES, _PLACES, id="interleaved", **_ROTARY),
    Sample(
        RotaryEmbedding(num_heads=4),
        *(normal(3, 5, 32), *_ANGLES, _PLACES),
        id="flat",
        known=(),
        fixed=(4, 8, 32),
    ),
    Sample(
        RotaryEmbedding(rotary_embedding_dim=6),
        *(_X, normal(3, 5, 3), normal(3, 5, 3, seed=1)),
        id="part",
        known=(),
        static=(0, 1, 2),
    ),
]

_T = TensorType(DType.F32, (3, 4, 5, 8))
_F = TensorType(DType.F32, (3, 5, 32))
FAILURES = [
    Failure(
        Attention(), _T, _T, TensorType(DType.F32, (3, 4, 6, 8)), code="NN0205", words="length"
    ),
    Failure(Attention(), _F, _F, _F, code="NN0702", words="q_num_heads"),
    Failure(Attention(q_num_heads=5, kv_num_heads=5), _F, _F, _F, code="NN0205", words="5 heads"),
    Failure(Attention(), _T, _T, _T, None, _T, code="NN0702", words="past_value"),
    Failure(
        Attention(),
        *(_T, TensorType(DType.F32, (3, 3, 5, 8)), TensorType(DType.F32, (3, 3, 5, 8))),
        code="NN0205",
        words="share",
    ),
    Failure(Attention(qk_matmul_output_mode=4), _T, _T, _T, code="NN0208"),
    Failure(RotaryEmbedding(rotary_embedding_dim=3), _T, _T, _T, code="NN0205", words="pairs"),
    Failure(RotaryEmbedding(), _F, _F, _F, code="NN0702", words="num_heads"),
]
