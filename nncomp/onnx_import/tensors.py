"""Tensors of a model as arrays. No size is believed before the data are seen to have it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from nncomp.errors import CompileError, error
from nncomp.onnx_import.dtypes import dtype_of
from nncomp.onnx_import.external import Folder
from nncomp.source import Span
from nncomp.types import BITS, EIGHTS, Array, DType

MAX_SPARSE = 1 << 28
"""Bytes that a sparse tensor may take once it is dense."""

_TYPED: dict[DType, str] = {
    DType.F32: "float_data",
    DType.F64: "double_data",
    DType.I64: "int64_data",
    DType.U32: "uint64_data",
    DType.U64: "uint64_data",
}  # all others are kept in int32_data; 16-bit floats as their bits
_BITS: dict[DType, type[np.unsignedinteger[Any]]] = {
    **dict.fromkeys((DType.F16, DType.BF16), np.uint16),
    **dict.fromkeys((*EIGHTS, DType.F8E8M0), np.uint8),
}


class Tensors(Mapping[str, Array]):
    """Arrays by name, each read when it is asked for. CompileError as of `to_array`."""

    def __init__(self, readers: Mapping[str, Callable[[], Array]]) -> None:
        self._readers = readers

    def __getitem__(self, name: str) -> Array:
        return self._readers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)


def to_array(tensor: onnx.TensorProto, folder: Folder, span: Span | None = None) -> Array:
    """The tensor's numbers; read-only where they lie in the model.

    Raises CompileError: NN0801 where the data do not fit the shape, NN0802 for external data
    outside the model's folder, NN0804 for a type that the graph has not.
    """
    what = f"the tensor `{tensor.name}`" if tensor.name else "a tensor"
    dtype = dtype_of(tensor.data_type, what, span)
    shape = _shape(tensor.dims, what, span)
    count = math.prod(shape)
    if tensor.HasField("segment"):
        raise error("NN0804", f"{what} is one segment of a larger tensor", span)
    if dtype is DType.STRING:
        return _strings(tensor.string_data, shape, what, span)
    length = -(-count * BITS[dtype] // 8) if dtype in BITS else count * dtype.size
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raw: bytes | None = folder.read(tensor.external_data, length, what, span)
    else:
        raw = tensor.raw_data if tensor.HasField("raw_data") else None
    if raw is None and dtype in BITS:
        raw = _within(tensor.int32_data, np.dtype(np.uint8), what, span).tobytes()
    if raw is not None:
        if len(raw) != length:
            raise _misfit(what, f"{len(raw)} bytes", f"{length}", dtype, shape, span)
        if dtype in BITS:
            return unpacked(raw, dtype, count).reshape(shape)
        array: Array = np.frombuffer(raw, dtype.numpy.newbyteorder("<"))
        return array.astype(dtype.numpy, copy=False).reshape(shape)
    field = getattr(tensor, _TYPED.get(dtype, "int32_data"))
    if len(field) != count:
        raise _misfit(what, f"{len(field)} numbers", f"{count}", dtype, shape, span)
    if dtype in _BITS:
        bits = np.dtype(_BITS[dtype])
        return _within(field, bits, what, span).view(dtype.numpy).reshape(shape)
    return _within(field, dtype.numpy, what, span).reshape(shape)


def unpacked(data: bytes, dtype: DType, count: int) -> Array:
    """`count` elements of less than a byte, the first in the lowest bits."""
    bits = BITS[dtype]
    packed = np.frombuffer(data, np.uint8)
    places = np.arange(0, 8, bits, dtype=np.uint8)
    fields = (packed[:, None] >> places & ((1 << bits) - 1)).reshape(-1)[:count]
    if dtype in (DType.I4, DType.I2):  # the sign
        fields = np.where(fields >= 1 << (bits - 1), fields - (1 << bits), fields)
        return fields.astype(np.int8).astype(dtype.numpy)
    return fields.view(dtype.numpy) if dtype is DType.F4E2M1 else fields.astype(dtype.numpy)


def _strings(data: Sequence[bytes], shape: tuple[int, ...], what: str, span: Span | None) -> Array:
    if len(data) != math.prod(shape):
        takes = f"{math.prod(shape)}"
        raise _misfit(what, f"{len(data)} strings", takes, DType.STRING, shape, span)
    try:
        texts = [text.decode() for text in data]
    except UnicodeDecodeError:
        raise error("NN0801", f"{what} holds what is not UTF-8 text", span) from None
    return np.array([*texts, ""], object)[:-1].reshape(shape)  # never an array of characters


def _within(field: Sequence[float], dtype: np.dtype[Any], what: str, span: Span | None) -> Array:
    """The numbers as an array; NN0801 if one does not fit."""
    if dtype.kind not in "iu":
        return np.array(field, dtype)
    numbers = np.array(field, np.uint64 if dtype.itemsize == 8 and dtype.kind == "u" else np.int64)
    array = numbers.astype(dtype)
    if not np.array_equal(array.astype(numbers.dtype), numbers):
        raise error("NN0801", f"{what} has numbers that do not fit into {dtype}", span)
    return array


def to_dense(sparse: onnx.SparseTensorProto, folder: Folder, span: Span | None = None) -> Array:
    """A sparse tensor with its zeros. Raises as `to_array`; NN0008 beyond MAX_SPARSE bytes."""
    values = to_array(sparse.values, folder, span)
    places = to_array(sparse.indices, folder, span)
    what = f"the sparse tensor `{sparse.values.name}`"
    shape = _shape(sparse.dims, what, span)
    count = math.prod(shape)
    if count * values.dtype.itemsize > MAX_SPARSE:
        raise error("NN0008", f"{what} would take over {MAX_SPARSE >> 20} MiB once dense", span)
    if values.ndim != 1 or places.dtype != np.int64 or places.ndim not in (1, 2):
        raise error("NN0801", f"{what} has values {values.shape} at {places.shape}", span)
    if places.ndim == 2:
        if places.shape[1] != len(shape):
            raise error("NN0801", f"{what} has {places.shape[1]} indices for {len(shape)} axes")
        inside = ((places >= 0) & (places < np.array(shape))).all()
        places = places @ np.array([math.prod(shape[i + 1 :]) for i in range(len(shape))], np.int64)
    else:
        inside = ((places >= 0) & (places < count)).all()
    if len(places) != len(values) or not inside:
        raise error("NN0801", f"{what} has indices that do not fit its shape {list(shape)}", span)
    dense = np.zeros(count, values.dtype)
    dense[places] = values
    return dense.reshape(shape)


def _shape(dims: Sequence[int], what: str, span: Span | None) -> tuple[int, ...]:
    shape = tuple(dims)
    if any(d < 0 for d in shape) or len(shape) > 64:
        raise error("NN0801", f"{what} has the shape {list(shape)[:65]}", span)
    return shape


def _misfit(
    what: str, has: str, wants: str, dtype: DType, shape: tuple[int, ...], span: Span | None
) -> CompileError:
    return error("NN0801", f"{what} holds {has}, {dtype}{list(shape)} takes {wants}", span)
