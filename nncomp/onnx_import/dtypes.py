"""Element types: ONNX's numbers and our own."""

from __future__ import annotations

import onnx

from nncomp.errors import error
from nncomp.source import Span
from nncomp.types import DType

_NUMBERS: dict[int, DType] = {
    onnx.TensorProto.FLOAT16: DType.F16,
    onnx.TensorProto.BFLOAT16: DType.BF16,
    onnx.TensorProto.FLOAT: DType.F32,
    onnx.TensorProto.DOUBLE: DType.F64,
    onnx.TensorProto.INT8: DType.I8,
    onnx.TensorProto.INT16: DType.I16,
    onnx.TensorProto.INT32: DType.I32,
    onnx.TensorProto.INT64: DType.I64,
    onnx.TensorProto.UINT8: DType.U8,
    onnx.TensorProto.UINT16: DType.U16,
    onnx.TensorProto.UINT32: DType.U32,
    onnx.TensorProto.UINT64: DType.U64,
    onnx.TensorProto.BOOL: DType.BOOL,
    onnx.TensorProto.STRING: DType.STRING,
    onnx.TensorProto.FLOAT8E4M3FN: DType.F8E4M3FN,
    onnx.TensorProto.FLOAT8E4M3FNUZ: DType.F8E4M3FNUZ,
    onnx.TensorProto.FLOAT8E5M2: DType.F8E5M2,
    onnx.TensorProto.FLOAT8E5M2FNUZ: DType.F8E5M2FNUZ,
    onnx.TensorProto.FLOAT8E8M0: DType.F8E8M0,
    onnx.TensorProto.FLOAT4E2M1: DType.F4E2M1,
    onnx.TensorProto.INT4: DType.I4,
    onnx.TensorProto.UINT4: DType.U4,
    onnx.TensorProto.INT2: DType.I2,
    onnx.TensorProto.UINT2: DType.U2,
}
ONNX_NUMBERS = {dtype: number for number, dtype in _NUMBERS.items()}


def dtype_of(number: int, what: str, span: Span | None = None) -> DType:
    """The element type that ONNX gives this number. CompileError NN0804 for one that the graph
    has not (complex numbers, floats of six bits)."""
    found = _NUMBERS.get(number)
    if found is None:
        raise error("NN0804", f"{what} has elements of the type {_name(number)}", span)
    return found


def _name(number: int) -> str:
    values = onnx.TensorProto.DataType.values()
    if number not in values or number == onnx.TensorProto.UNDEFINED:
        return f"number {number}, which ONNX does not define"
    return f"{onnx.TensorProto.DataType.Name(number).lower()}, which nncomp has not"
