"""Models of the repository: built without passes, imported, the same outputs bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import nncomp
from nncomp.dims import Symbol, substitute
from nncomp.ir.graph import Value
from nncomp.types import Array

MODELS = sorted((Path(__file__).parents[2] / "models").glob("*.nn"))
LARGE = {"alexnet", "bert", "evoformer", "googlenet", "gpt", "mamba", "transformer", "unet", "vgg"}

SIZES = {"music": {"T": 60}}  # what its convolutions and pooling leave something of


def sample(value: Value, sizes: dict[str, int], rng: np.random.Generator) -> Array:
    """An input: normal numbers, or indices that are small enough for every table."""
    symbols = sorted(
        {s for d in value.shape if not isinstance(d, int) for s in d.symbols()}, key=_order
    )
    known = {s: sizes.setdefault(s.name, 2 + len(sizes)) for s in symbols}
    shape = [substitute(d, known) for d in value.shape]
    numpy = value.type.dtype.numpy
    if value.type.dtype.is_float:
        return rng.normal(size=shape).astype(numpy)
    return rng.integers(0, 2, shape).astype(numpy)


def _order(symbol: Symbol) -> str:
    return symbol.name


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=[pytest.mark.slow] if p.stem in LARGE else []) for p in MODELS],
    ids=lambda p: p.stem,
)
def test_round_trip(path: Path, tmp_path: Path) -> None:
    model = nncomp.load(path)
    target = tmp_path / "model.onnx"
    model.build(target, level=0)
    again = nncomp.load(target)
    assert again.program.warnings == ()
    rng, sizes = np.random.default_rng(0), dict(SIZES.get(path.stem, {}))
    inputs = {v.name: sample(v, sizes, rng) for v in model.graph.inputs}
    inputs = {name: array for name, array in inputs.items() if name not in model.graph.defaults}
    expected = model.run(inputs, backend="numpy", level=0)
    given = {**_defaults(model), **inputs, **model.state}
    wanted = {name: given[name] for name in again.inputs}
    found = again.run(wanted, backend="numpy", level=0)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
    optimised = again.run(wanted, backend="numpy")
    for name, array in expected.items():
        if array.dtype.kind == "f":
            scale = np.abs(array).max(initial=1)
            np.testing.assert_allclose(optimised[name] / scale, array / scale, atol=1e-5)


def _defaults(model: nncomp.Model) -> dict[str, Array]:
    types = {v.name: v.type.dtype.numpy for v in model.graph.inputs}
    return {name: np.array(v, types[name]) for name, v in model.graph.defaults.items()}


def test_names_and_metadata_are_kept(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "models" / "lenet5.nn"
    nncomp.load(source).build(tmp_path / "a.onnx", level=0)
    proto = onnx.load(tmp_path / "a.onnx")
    onnx.helper.set_model_props(proto, {"author": "LeCun"})
    onnx.save(proto, tmp_path / "a.onnx")
    model = nncomp.load(tmp_path / "a.onnx")
    assert {p.path for p in model.graph.parameters} >= {"conv1.weight", "fc3.bias"}
    assert {node.origin.scope for node in model.graph.nodes} >= {"conv1", "fc1"}
    model.build(tmp_path / "b.onnx")
    props = {p.key: p.value for p in onnx.load(tmp_path / "b.onnx").metadata_props}
    assert props["author"] == "LeCun"
