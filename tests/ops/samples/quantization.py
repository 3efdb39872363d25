"""Samples of quantised numbers."""

from __future__ import annotations

import numpy as np

from nncomp.ops import quantization as q
from nncomp.ops import quantized_products as p
from nncomp.types import Array, DType, TensorType
from tests.ops.sample import Failure, Sample, normal, picks, uniform

_X = 9 * normal(3, 4, 5)
_SCALE, _SCALES = np.float32(0.07), uniform(0.05, 0.2, 4)
_ZEROS = picks(20, 4).astype(np.uint8)
_BLOCKS, _BLOCK_ZEROS = uniform(0.05, 0.2, 3, 2, 5), picks(9, 3, 2, 5).astype(np.int8)
_KNOWN = {"known": ()}


def _bytes(*shape: int, dtype: type = np.uint8, seed: int = 0) -> Array:
    """Signed ones of 7 bits: where a processor lacks VNNI, onnxruntime adds two products of u8 and
    i8 in 16 bits, and larger ones saturate."""
    low, high = (0, 256) if dtype is np.uint8 else (-64, 64)
    return np.random.default_rng([seed, *shape]).integers(low, high, shape).astype(dtype)


_A, _B = _bytes(3, 4, 5), _bytes(5, 7, dtype=np.int8)
_S, _U, _I = np.float32(0.02), np.uint8(113), np.int8(-7)
_IMAGE, _WEIGHTS = _bytes(3, 4, 6, 7), _bytes(5, 4, 2, 3, dtype=np.int8)
_STATIC = {"static": (1,), "fixed": (4, 5), "known": ()}
_QSTATIC = {"static": (3, 4, 5, 8), "fixed": (4, 5), "known": ()}

SAMPLES = [
    Sample(q.QuantizeLinear(), _X, _SCALE, np.uint8(120)),
    Sample(q.QuantizeLinear(), _X, _SCALE, id="no zero"),
    Sample(q.QuantizeLinear(), _X, _SCALES, _ZEROS, id="axis"),
    Sample(q.QuantizeLinear(axis=-2), _X, _SCALES, np.int8([3, -5, 0, 9]), id="i8", **_KNOWN),
    Sample(q.QuantizeLinear(), 99 * _X, np.float32([0.01]), np.int16([77]), id="i16", **_KNOWN),
    Sample(q.QuantizeLinear(output_dtype=3), _X, _SCALE, id="output_dtype"),
    Sample(
        q.QuantizeLinear(block_size=2),
        *(_X, _BLOCKS, _BLOCK_ZEROS),
        id="blocks",
        fixed=(4, 2),
    ),
    Sample(q.QuantizeLinear(), np.float32([0.5, 1.5, 2.5, -0.5, 300]), np.float32(1), id="halves"),
    Sample(q.DequantizeLinear(), _bytes(3, 4, 5), _SCALE, np.uint8(120)),
    Sample(q.DequantizeLinear(), _bytes(3, 4, 5), _SCALES, _ZEROS, id="axis"),
    Sample(
        q.DequantizeLinear(block_size=2),
        *(_bytes(3, 4, 5, dtype=np.int8), _BLOCKS, _BLOCK_ZEROS),
        id="blocks",
        fixed=(4, 2),
    ),
    Sample(q.DequantizeLinear(), picks(999, 3, 4, 5).astype(np.int32), _SCALE, id="i32"),
    Sample(q.DynamicQuantizeLinear(), _X, grad=False),
    Sample(q.DynamicQuantizeLinear(), uniform(1, 5, 3, 4), id="positive", grad=False),
    Sample(p.MatMulInteger(), _A, _B),
    Sample(p.MatMulInteger(), _A, _B, np.uint8(12), np.int8(-5), id="zeros", **_KNOWN),
    Sample(
        p.MatMulInteger(),
        *(_bytes(4, 5), _bytes(5, 7), np.uint8(3), _bytes(7, seed=1)),
        id="columns",
    ),
    Sample(p.QLinearMatMul(), _A, _S, _U, _B, _S, _I, np.float32(0.9), np.uint8(90), **_KNOWN),
    Sample(
        p.QLinearMatMul(),
        *(_bytes(4, 5), _S, _U, _bytes(5, 7), uniform(0.01, 0.03, 7), _bytes(7, seed=1)),
        *(np.float32(0.7), np.uint8(128)),
        id="columns",
    ),
    Sample(
        p.ConvInteger(pads=(1, 0, 1, 2), strides=(1, 2)),
        *(_IMAGE, _bytes(5, 4, 2, 3), np.uint8(7)),
        **_STATIC,
    ),
    Sample(
        p.QLinearConv(pads=(1, 0, 1, 2)),
        *(_IMAGE, _S, _U, _WEIGHTS, uniform(0.01, 0.03, 5), np.zeros(5, np.int8)),
        *(np.float32(0.6), np.uint8(128), picks(999, 5).astype(np.int32)),
        **_QSTATIC,
    ),
    Sample(
        p.QLinearConv(),
        *(_IMAGE, _S, _U, _WEIGHTS, _S, _I, np.float32(0.6), np.uint8(128)),
        id="no bias",
        **_QSTATIC,
    ),
]

_T, _F = TensorType(DType.F32, (3, 4, 5)), TensorType(DType.F32, ())
_BYTE = TensorType(DType.U8, (3, 4, 5))
FAILURES = [
    Failure(q.QuantizeLinear(), _T, TensorType(DType.F32, (3,)), code="NN0205", words="3|4"),
    Failure(q.QuantizeLinear(output_dtype=1), _T, _F, code="NN0203", words="u8"),
    Failure(q.QuantizeLinear(output_dtype=27), _T, _F, code="NN0208", words="27"),
    Failure(q.QuantizeLinear(block_size=2), _T, _T, code="NN0205", words="blocks"),
    Failure(q.DequantizeLinear(), _T, _F, code="NN0203"),
    Failure(q.DynamicQuantizeLinear(), TensorType(DType.F64, (3,)), code="NN0203"),
    Failure(p.MatMulInteger(), _BYTE, _BYTE, code="NN0205"),
    Failure(p.MatMulInteger(), _T, _BYTE, code="NN0203", words="i8"),
]
