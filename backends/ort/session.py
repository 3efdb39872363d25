"""Running models in onnxruntime: `Session` for a model without state, `StepSession` for one with.

onnxruntime is imported when the first session is opened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from nncomp.backends.ort.blocked.processor import require_processor
from nncomp.backends.ort.checks import InputType, check_arrays, input_type
from nncomp.backends.ort.external import openable
from nncomp.backends.ort.manifest import OUTPUTS_KEY
from nncomp.backends.ort.obligations import read_obligations
from nncomp.backends.ort.runtime import (
    Device,
    fallbacks,
    model_bytes,
    open_session,
    runtime_errors,
)
from nncomp.backends.ort.step import StepSession
from nncomp.errors import error
from nncomp.types import Array, SequenceType

__all__ = ["Device", "Session", "StepSession"]


class Session:
    """A model ready to run.

    model: a ModelProto, its bytes, or the path of its file
    device: "cpu" or "cuda", which fails where CUDA is not available (NN0602)
    optimize: whether onnxruntime's own optimiser may work on it
    threads: for one operator, None for one a core; tf32: allow TF32 on CUDA
    """

    def __init__(
        self,
        model: onnx.ModelProto | bytes | str | Path,
        device: Device = "cpu",
        optimize: bool = True,
        threads: int | None = None,
        *,
        tf32: bool = False,
    ) -> None:
        proto = model if isinstance(model, onnx.ModelProto) else load_proto(model_bytes(model))
        require_processor(proto, device)
        self.device = device
        self.inputs: dict[str, InputType | SequenceType] = _input_types(proto)
        self._obligations = read_obligations(proto)
        self._written = [value.name for value in proto.graph.output]
        renamed = _renamed(proto)
        self.outputs = [renamed.get(name, name) for name in self._written]
        with openable(model) as source:
            self._session = open_session(
                source, device=device, optimize=optimize, threads=threads, tf32=tf32
            )

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Array]:
        """The outputs by name. CompileError NN0503 if an input does not fit, NN0209 if an
        obligation does not hold, NN0604 if onnxruntime fails."""
        arrays = check_arrays(inputs, self.inputs)
        shapes = {n: a.shape for n, a in arrays.items() if not isinstance(a, list)}
        self._obligations.check(shapes)
        with runtime_errors():
            results = self._session.run(self._written, arrays)
        return dict(zip(self.outputs, results, strict=True))

    def fallbacks(self) -> list[str]:
        """On CUDA, the nodes that run on the CPU nevertheless."""
        return fallbacks(self._session) if self.device == "cuda" else []


def load_proto(source: bytes | Path) -> onnx.ModelProto:
    """The model without external data; CompileError NN0604 if it is no ONNX model."""
    try:
        if isinstance(source, Path):
            return onnx.load(source, load_external_data=False)
        return onnx.load_from_string(source)
    except Exception:  # protobuf's own exceptions differ between its implementations
        raise error("NN0604", "this is not an ONNX model") from None


def _input_types(proto: onnx.ModelProto) -> dict[str, InputType | SequenceType]:
    initial = {tensor.name for tensor in proto.graph.initializer}
    return {v.name: input_type(v) for v in proto.graph.input if v.name not in initial}


def _renamed(proto: onnx.ModelProto) -> dict[str, str]:
    """Names of outputs in the source that are not those in the model."""
    for entry in proto.metadata_props:
        if entry.key == OUTPUTS_KEY:
            try:
                found = json.loads(entry.value)
            except ValueError:
                return {}
            return found if isinstance(found, dict) else {}
    return {}
