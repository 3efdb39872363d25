"""Imported models as `.nn`: the same outputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.decompile.source import Source
from nncomp.driver.decompiling import source_of
from nncomp.ir.verify import verify
from nncomp.lower.program import lower
from nncomp.onnx_import.importer import Imported, import_model
from nncomp.onnx_import.reading import OnnxFile, parse_model
from nncomp.source import SourceFile
from nncomp.syntax import format_source
from nncomp.types import Array, tensors_of
from nncomp.weights import load_weights, save_weights
from tests.onnx_import.support import parsed


def assert_same_outputs(
    imported: Imported, file: OnnxFile, inputs: Mapping[str, Array], folder: Path
) -> Source:
    """Writes the model and reads it again: canonical, and the same outputs from NumPy."""
    source = source_of(imported, file)
    assert format_source(SourceFile("again.nn", source.text)) == source.text
    graph = lower(SourceFile("model.nn", source.text)).graph
    verify(graph)
    save_weights(folder / "model.safetensors", source.weights)
    weights = load_weights(folder / "model.safetensors")
    assert {p.path for p in graph.parameters} == set(weights)
    arrays = {value.name: inputs[value.name] for value in imported.graph.inputs}
    expected = run(expand_gradients(imported.graph), arrays, imported.weights).outputs
    given = dict(zip((value.name for value in graph.inputs), arrays.values(), strict=True))
    found = run(expand_gradients(graph), given, weights).outputs
    draws = any(not node.op.pure for node in imported.graph.nodes)  # random numbers without a seed
    pairs = zip(tensors_of(found).values(), tensors_of(expected).values(), strict=True)
    for array, wanted in pairs:
        assert (array.dtype, array.shape) == (wanted.dtype, wanted.shape)
        if draws:
            continue
        np.testing.assert_array_equal(array, wanted)
    return source


def source(text: str, **weights: tuple[int, ...]) -> Source:
    """The model of ONNX's text form as `.nn`; weights of these shapes, `__` in names for a dot."""
    proto = parsed(text)
    rng = np.random.default_rng(0)
    for name, shape in weights.items():
        array = rng.normal(size=shape).astype(np.float32)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array, name.replace("__", ".")))
    for node in proto.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = name.replace("__", ".")
    file = parse_model(proto.SerializeToString(), "net.onnx")
    found = source_of(import_model(file, evaluate), file)
    assert found.structured
    return found


def body(found: Source) -> str:
    """The text without the title."""
    return "".join(line for line in found.text.splitlines(True) if not line.startswith('"""'))
