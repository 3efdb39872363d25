"""Weights by path: safetensors and npz files, and their fit with a model's parameters."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Collection, Iterable, Mapping
from mmap import mmap
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from nncomp.errors import CompileError, error
from nncomp.files import PathLike, is_checkpoint, mapped_beyond, read_bytes, write_atomic
from nncomp.ir.bind import disagreements
from nncomp.ir.graph import Parameter
from nncomp.misfits import remedies
from nncomp.renaming import Rename, renamed, rules_of
from nncomp.types import Array, DType

Weights = Mapping[str, Array]

_SAFETENSORS: dict[str, np.dtype[Any]] = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "I64": np.dtype(np.int64),
    "U64": np.dtype(np.uint64),
    "I32": np.dtype(np.int32),
    "U32": np.dtype(np.uint32),
    "I16": np.dtype(np.int16),
    "U16": np.dtype(np.uint16),
    "I8": np.dtype(np.int8),
    "U8": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
}
_MAX_UNPACKED = 16 << 30  # bytes of an npz
_METADATA = "nncomp"  # one key: the library writes several in no fixed order


def load_weights(path: PathLike, rename: Rename | None = None) -> dict[str, Array]:
    """The arrays of a `.safetensors` or `.npz` file by name.

    rename: replacements by pattern, `{"^bert[.]": ""}`, or a JSON file of them; see
        `nncomp.renaming`
    Raises CompileError NN0001, NN0502.
    """
    arrays = load_with_metadata(path)[0]
    return arrays if rename is None else renamed(arrays, rules_of(rename))


def load_with_metadata(path: PathLike) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays of a file and what `save_weights` noted beside them ({} for an npz)."""
    data = read_bytes(path)
    if is_checkpoint(data):
        raise error(
            "NN0502",
            f"cannot use {path}: it is a checkpoint of PyTorch's, which only PyTorch can read",
            help="save its tensors as safetensors: "
            '`safetensors.torch.save_file(network.state_dict(), "weights.safetensors")`',
        )
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _load_npz(path, data), {}
    return _load_safetensors(path, data)


def save_weights(
    path: PathLike, weights: Weights, metadata: Mapping[str, Any] | None = None
) -> None:
    """Writes `.npz` if the path ends so, else safetensors; atomically, the same bytes each time.

    metadata: what JSON can hold; kept in safetensors only
    """
    if Path(path).suffix == ".npz":
        write_atomic(path, npz_bytes(weights))
        return
    from safetensors.numpy import save

    arrays = {name: np.asarray(array, order="C") for name, array in weights.items()}
    notes = {_METADATA: json.dumps(metadata, sort_keys=True)} if metadata else None
    write_atomic(path, save(arrays, notes))


def npy_bytes(array: Array) -> bytes:
    """The array as an npy file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array, order="C"), allow_pickle=False)
    return buffer.getvalue()


def npz_bytes(arrays: Weights) -> bytes:
    """The arrays as an npz archive, without times in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), npy_bytes(array))
    return buffer.getvalue()


def load_array(path: PathLike, held: int | None = None) -> Array:
    """The array of a `.npy` file. Raises CompileError NN0001, NN0503.

    held: a file of more bytes is mapped into memory and read where the array is looked at; nobody
        may shorten it meanwhile
    """
    data = read_bytes(path) if held is None else mapped_beyond(path, held)
    if data[:6] != np.lib.format.MAGIC_PREFIX:
        what = "an archive (.npz?), not one array" if data[:2] == b"PK" else "no .npy file"
        raise error("NN0503", f"cannot use {path}: it is {what}", help="write it with `numpy.save`")
    return _parse_npy(data, f"{path}", "NN0503")


def load_sequence(path: PathLike) -> list[Array]:
    """The arrays of an `.npz` file in their order, for an input that is a sequence. Raises
    CompileError NN0001, NN0502, NN0503."""
    data = read_bytes(path)
    if not data.startswith(b"PK"):
        help = "write its arrays with `numpy.savez(path, *arrays)`"
        raise error("NN0503", f"cannot use {path} as a sequence: it is no .npz file", help=help)
    return [*_load_npz(path, data).values()]


def fit(
    weights: Weights,
    parameters: Iterable[Parameter],
    known: Collection[str] = (),
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Array]:
    """The weights for each of the parameters, by path, in the parameters' dtypes.

    A narrower dtype of the same kind is widened; nothing is rounded.
    known: paths that may be there without being wanted (an optimiser's state)
    settings: the values of the model's hyperparameters, of which another may be suggested
    Raises CompileError NN0502 that says what would make them fit, and lists everything missing,
    unknown or of a wrong type.
    """
    parameters = list(parameters)
    wanted = {parameter.path: parameter.value.type for parameter in parameters}
    fitted = {
        path: _widened(array, wanted[path].dtype) if path in wanted else array
        for path, array in weights.items()
        if path in wanted or path not in known
    }
    found = disagreements(parameters, fitted)
    if found:
        raise CompileError(*remedies(wanted, fitted, settings or {}), *found)
    return fitted


def describe(array: Array) -> str:
    """`f32[3, 4]`, or NumPy's dtype name where nncomp has none."""
    try:
        dtype = str(DType.of(array))
    except KeyError:
        dtype = str(array.dtype)
    return f"{dtype}[{', '.join(map(str, array.shape))}]"


def _widened(array: Array, target: DType) -> Array:
    """The array in a wider dtype of the same kind; itself if that would round or not fit."""
    source = next((dtype for dtype in DType if dtype.numpy == array.dtype), None)
    if source is None or source.is_float != target.is_float or source.size >= target.size:
        return array
    if not np.can_cast(source.numpy, target.numpy, "safe"):
        return array
    return array.astype(target.numpy)


def _load_safetensors(path: PathLike, data: bytes) -> tuple[dict[str, Array], dict[str, Any]]:
    from safetensors import SafetensorError, deserialize

    try:
        arrays = {}
        for name, tensor in deserialize(data):  # type: ignore[no-untyped-call]
            if tensor["dtype"] not in _SAFETENSORS:
                raise _unusable(path, f"`{name}` has the dtype {tensor['dtype']}")
            flat = np.frombuffer(tensor["data"], _SAFETENSORS[tensor["dtype"]])
            arrays[name] = flat.reshape(tensor["shape"])
        length = int.from_bytes(data[:8], "little")
        notes = json.loads(data[8 : 8 + length]).get("__metadata__", {})
        metadata = json.loads(notes.get(_METADATA, "{}"))
    except (SafetensorError, ValueError, RecursionError) as failure:
        raise _unusable(path, str(failure)) from None
    return arrays, metadata if isinstance(metadata, dict) else {}


def _load_npz(path: PathLike, data: bytes) -> dict[str, Array]:
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(member.file_size for member in archive.infolist()) > _MAX_UNPACKED:
                raise error("NN0008", f"{path} unpacks to more than {_MAX_UNPACKED >> 30} GiB")
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                arrays[name] = _parse_npy(archive.read(member), f"{path}: {name}", "NN0502")
    except _BROKEN_ZIP as failure:
        raise _unusable(path, str(failure)) from None
    return arrays


_BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,  # an unknown compression
    RuntimeError,  # encrypted
    EOFError,
    OSError,
)


_LONGEST_HEADER = 1 << 16  # bytes; NumPy's own limit is below


def _parse_npy(data: bytes | mmap, name: str, code: str) -> Array:
    """An npy file's array; its size is checked against the data before anything is allocated."""
    stream = io.BytesIO(data[:_LONGEST_HEADER])
    try:
        version = np.lib.format.read_magic(stream)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise ValueError(f"npy version {version} is not supported")
        shape, fortran, dtype = read(stream)
        if dtype.hasobject:
            raise ValueError("it holds Python objects")
        flat = np.frombuffer(data, np.uint8, offset=stream.tell())
        count = 1
        for size in shape:
            count *= size
        if count * dtype.itemsize != flat.size:
            raise ValueError(f"{flat.size} bytes do not make {dtype}{list(shape)}")
        array = flat.view(dtype).reshape(shape, order="F" if fortran else "C")
        return array.astype(dtype.newbyteorder("="), copy=False)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as failure:
        raise error(code, f"cannot use {name}: {failure}") from None


def _unusable(path: PathLike, reason: str) -> CompileError:
    return error(
        "NN0502",
        f"cannot use {path}: {reason}",
        help="a .safetensors file is needed, or an .npz file without pickled objects",
    )
