"""Weights outside the `.onnx` file, which holds at most 2 GiB.

The data file is named by the hash of its contents and written first, so that a model never
points at half a file, or at another model's.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import helper

from nncomp.backends.ort.runtime import model_bytes

THRESHOLD = 1 << 30  # bytes of weights above which they move out of a model
_ALIGNMENT = 4096  # of each tensor, so that it can be mapped into memory
_SMALLEST = 1024  # bytes of a tensor that is moved


@dataclass(frozen=True)
class ExternalData:
    """What belongs into the data file: `chunks()` in order."""

    name: str
    tensors: tuple[bytes, ...]

    def chunks(self) -> Iterator[bytes]:
        for data in self.tensors:
            yield data
            yield bytes(-len(data) % _ALIGNMENT)


def is_large(model: onnx.ModelProto) -> bool:
    """Whether the weights belong outside: told from their shapes, without serialising them."""
    weights: int = sum(
        math.prod(t.dims) * helper.tensor_dtype_to_np_dtype(t.data_type).itemsize
        for t in model.graph.initializer
    )
    return weights > THRESHOLD


def externalize(model: onnx.ModelProto, stem: str) -> ExternalData:
    """Moves the model's initializers out, in place; the file is `STEM.HASH.data` beside it."""
    large = [t for t in model.graph.initializer if len(t.raw_data) >= _SMALLEST]
    tensors = tuple(tensor.raw_data for tensor in large)
    digest = hashlib.sha256()
    for data in tensors:
        digest.update(data)
    name = f"{stem}.{digest.hexdigest()[:16]}.data"
    offset = 0
    for tensor, data in zip(large, tensors, strict=True):
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", name), ("offset", offset), ("length", len(data))):
            tensor.external_data.add(key=key, value=str(value))
        offset += len(data) + -len(data) % _ALIGNMENT
    return ExternalData(name, tensors)


@contextmanager
def openable(model: onnx.ModelProto | bytes | str | Path) -> Iterator[bytes | Path]:
    """What onnxruntime can open: a model too large for bytes is laid on disk meanwhile, its
    weights moved out of it."""
    if not isinstance(model, onnx.ModelProto) or not is_large(model):
        yield model_bytes(model)
        return
    with tempfile.TemporaryDirectory(prefix="nncomp.") as folder:
        external = externalize(model, "model")
        with open(Path(folder, external.name), "wb") as file:
            file.writelines(external.chunks())
        path = Path(folder, "model.onnx")
        path.write_bytes(model.SerializeToString(deterministic=True))
        yield path
