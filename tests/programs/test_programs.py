"""Whole programs, of each kind that the language is meant for: they compile, NumPy and onnxruntime
agree at several sizes, and what trains trains, on both alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nncomp
from nncomp.dims import substitute
from nncomp.driver.programs import load_program
from nncomp.ir.graph import Value
from nncomp.types import Array

FILES = sorted(Path(__file__).parent.glob("*.nn"))
FIXED = {"H": 8, "W": 8}  # sizes that a stride halves
STEPS = 30


def drawn(inputs: dict[str, Value], size: int) -> dict[str, Array]:
    """An array for each input, every symbol of the size."""
    rng = np.random.default_rng(size)
    found: dict[str, Array] = {}
    for name, value in inputs.items():
        shape = []
        for dim in value.shape:
            symbols = set() if isinstance(dim, int) else dim.symbols()
            shape.append(substitute(dim, {s: FIXED.get(s.name, size) for s in symbols}))
        if value.type.dtype.is_float:
            array = rng.normal(size=shape)
        else:
            array = rng.integers(0, 2 if size > 1 else 1, shape)
        found[name] = np.asarray(array).astype(value.type.dtype.numpy)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_backends_agree_at_every_size(path: Path) -> None:
    for chosen in {(), load_program(path).optional}:
        model = nncomp.load(path, with_inputs=chosen)
        graphs = {None: model.graph, **model.program.entries}
        for entry, graph in graphs.items():
            for size in (1, 3, 7) if graph.outputs else ():
                needed = {v.name: v for v in graph.inputs if v.name not in graph.defaults}
                inputs = drawn(needed, size)
                expected = model.run(inputs, entry=entry, backend="numpy")
                for name, array in model.run(inputs, entry=entry).items():
                    assert array.shape == expected[name].shape
                    scale = np.abs(expected[name]).max(initial=1e-3)
                    assert np.abs(array - expected[name]).max(initial=0) <= 1e-4 * scale, name


TRAINED = [path for path in FILES if "train {" in path.read_text("utf-8")]


@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_what_trains_trains(path: Path) -> None:
    for chosen in {(), load_program(path).optional}:
        curves = []
        for backend in ("numpy", "onnx"):
            model = nncomp.load(path, with_inputs=chosen)
            step = model.training_step(backend=backend)  # type: ignore[arg-type]
            graph = next(iter(model.program.train.values())).step
            batch = drawn({v.name: v for v in graph.inputs if v.name in step.inputs}, 4)
            if "weight" in batch:
                batch["weight"] = np.abs(batch["weight"])
            curves.append([step(**batch)["loss"] for _ in range(STEPS)])
        np.testing.assert_allclose(curves[0], curves[1], rtol=1e-2)
        assert curves[0][-1] < curves[0][0]


def test_a_forward_product_is_the_formula() -> None:
    model = nncomp.load(Path(__file__).parent / "jvp.nn")
    results = model(**drawn({v.name: v for v in model.graph.inputs}, 3))
    np.testing.assert_allclose(results["t"], results["e"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(results["along"], results["twice"], rtol=1e-4, atol=1e-6)


def test_a_convolution_by_fourier_transforms_is_the_sum() -> None:
    model = nncomp.load(Path(__file__).parent / "hyena.nn")
    for size in (1, 3, 7):
        graph = model.program.entries["compared"]
        inputs = drawn({v.name: v for v in graph.inputs}, size)
        results = model.run(inputs, entry="compared")
        np.testing.assert_allclose(results["transformed"], results["direct"], rtol=1e-4, atol=1e-5)
