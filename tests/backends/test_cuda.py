"""On a CUDA device: the same numbers as NumPy, and an honest word where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nncomp
from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import run
from nncomp.errors import CompileError
from tests.models import support

TOLERANCE = 1e-4  # of the largest value, with TF32 off
MODELS: list[tuple[str, str | None, dict[str, Any]]] = [
    ("lenet5.nn", None, {}),
    ("mlp.nn", None, {"widths": (48, 40), "batch_norm": True, "dropout": 0.3}),
    ("resnet.nn", "CifarResNet", {}),
]


def _device() -> bool:
    """Whether onnxruntime's CUDA provider loads here."""
    model = nncomp.load(support.MODELS / "mlp.nn")
    try:
        model.session(device="cuda")
    except CompileError as failure:
        if failure.diagnostics[0].code == "NN0602":
            return False
        raise
    return True


@pytest.fixture(scope="module")
def cuda() -> None:
    if not _device():
        pytest.skip("no CUDA device")


@pytest.mark.gpu
@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize(("file", "name", "settings"), MODELS)
def test_inference_agrees(file: str, name: str | None, settings: dict[str, Any]) -> None:
    model = nncomp.load(support.MODELS / file, name, **settings)
    session = model.session(device="cuda")
    print("on the CPU:", session.fallbacks() or "nothing")
    for size in (1, 3, 7):
        inputs = support.batch(model.program.graph, size)
        expected = model.run(inputs, backend="numpy")
        for output, value in session.run(inputs).items():
            assert support.difference(value, expected[output]) <= TOLERANCE


@pytest.mark.gpu
@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize(("file", "name", "settings"), MODELS)
def test_first_training_steps_agree(file: str, name: str | None, settings: dict[str, Any]) -> None:
    model = nncomp.load(support.MODELS / file, name, **settings)
    section = model.program.train["train"]
    inputs = support.batch(section.step, 7)
    state = dict(model.state)
    step = model.training_step(device="cuda")
    graph = expand_gradients(section.step)
    for number in range(3):
        loss = step(**inputs, lr=1e-3)["loss"]
        scalars = support.scalars(graph, number) | {"lr": np.float32(1e-3)}
        results = run(graph, {**inputs, **scalars}, support.own(graph, state))
        state.update(results.updates)
        assert abs(loss - results.outputs["loss"]) <= TOLERANCE * max(1.0, abs(loss))


def test_a_missing_device_is_a_coded_error() -> None:
    if _device():
        pytest.skip("there is a CUDA device")
    with pytest.raises(CompileError) as caught:
        nncomp.load(support.MODELS / "lenet5.nn").training_step(device="cuda")
    assert caught.value.diagnostics[0].code == "NN0602"
