"""Importing in tests: from ONNX's own text form, and results beside onnxruntime's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.errors import CompileError, Diagnostic
from nncomp.ir.verify import verify
from nncomp.onnx_import.importer import Imported, import_model
from nncomp.onnx_import.reading import parse_model
from nncomp.types import Array


def parsed(text: str, opset: int = 17, ir_version: int = 8) -> onnx.ModelProto:
    """A model of ONNX's text form, such as `f (float[N] x) => (float[N] y) { y = Relu(x) }`."""
    return onnx.parser.parse_model(
        f'<ir_version: {ir_version}, opset_import: ["" : {opset}, "local" : 1]>\n{text}'
    )


def imported(
    model: onnx.ModelProto | str, opset: int = 17, known: Mapping[str, Array] | None = None
) -> Imported:
    """The model as a graph that the verifier accepts."""
    proto = parsed(model, opset) if isinstance(model, str) else model
    found = import_model(parse_model(proto.SerializeToString(), "model.onnx"), evaluate, known)
    verify(found.graph)
    return found


def in_numpy(model: Imported, **inputs: Any) -> dict[str, Array]:
    """The outputs of an imported model in NumPy, by name."""
    return run(model.graph, inputs, model.weights).outputs


def agrees(model: onnx.ModelProto | str, opset: int = 17, **inputs: Array) -> Imported:
    """Asserts that the imported model gives what onnxruntime gives for the file itself."""
    proto = parsed(model, opset) if isinstance(model, str) else model
    found = imported(proto)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    expected = session.run(None, inputs)
    for array, wanted in zip(in_numpy(found, **inputs).values(), expected, strict=True):
        assert array.dtype == wanted.dtype
        np.testing.assert_allclose(array, wanted, rtol=1e-5, atol=1e-6)
    return found


def refused(model: onnx.ModelProto | bytes | str, opset: int = 17) -> Diagnostic:
    """The error of importing it."""
    proto = parsed(model, opset) if isinstance(model, str) else model
    data = proto if isinstance(proto, bytes) else proto.SerializeToString()
    with pytest.raises(CompileError) as failure:
        import_model(parse_model(data, "model.onnx"), evaluate)
    return failure.value.diagnostics[0]


def normal(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def outputs_of(path: Path, x: Array) -> Array:
    """The first result of a model of one input, from onnxruntime."""
    session = onnxruntime.InferenceSession(path)
    found: Array = session.run(None, {session.get_inputs()[0].name: x})[0]
    return found
