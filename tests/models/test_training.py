"""Gradients and training steps of whole models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.step import StepSession
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.ir.graph import Graph
from nncomp.passes.manager import optimize_step
from nncomp.passes.retype import retype
from nncomp.types import Array, DType
from tests.models import support

CASES: list[tuple[str, str, str | None, dict[str, Any], Callable[[], nn.Module]]] = [
    ("lenet", "lenet5.nn", None, {}, support.lenet),
    ("mlp", "mlp.nn", None, {"widths": (48, 40), "batch_norm": True}, support.mlp),
    ("resnet20", "resnet.nn", "CifarResNet", {}, support.cifar_resnet),
]
IDS = [case[0] for case in CASES]


def _torch_gradients(
    module: nn.Module, inputs: Mapping[str, Array], dtype: torch.dtype
) -> list[Array]:
    module = module.to(dtype).train()
    x = next(torch.from_numpy(v).to(dtype) for k, v in inputs.items() if k != "label")
    loss = nn.functional.cross_entropy(module(x), torch.from_numpy(inputs["label"]))
    parameters = list(module.parameters())
    return [loss.detach().numpy(), *(g.numpy() for g in torch.autograd.grad(loss, parameters))]


@pytest.mark.parametrize(("name", "file", "model", "settings", "peer"), CASES, ids=IDS)
def test_gradients_equal_torch(
    name: str, file: str, model: str | None, settings: dict[str, Any], peer: Any
) -> None:
    """NumPy float64 = torch float64; onnxruntime's float32 error ≤ 2 × torch float32's own."""
    program = support.load(file, model, **settings)
    step = program.train["train"].step
    values = support.weights(program)
    graph = support.gradient_graph(step)
    wide = retype(graph, {DType.F32: DType.F64})
    learnt = [p.path for p in program.graph.parameters if p.kind == "param"]
    for size in (3, 7) if "batch_norm" in settings or name == "resnet20" else (1, 3, 7):
        inputs = support.batch(step, size)
        numbers = {k: np.asarray(v, _wide(v)) for k, v in support.scalars(graph).items()}
        exact = run(
            wide,
            {k: np.asarray(v, _wide(v)) for k, v in inputs.items()} | numbers,
            {k: np.asarray(v, _wide(v)) for k, v in support.own(graph, values).items()},
        ).outputs
        narrow = support.onnx_gradients(graph, {**inputs, **support.scalars(graph)}, values)

        def module(values: Mapping[str, Array] = values) -> nn.Module:
            return support.with_weights(peer(), program.graph, values)

        expected = _torch_gradients(module(), inputs, torch.float64)
        single = _torch_gradients(module(), inputs, torch.float32)
        ours, theirs = 0.0, 0.0
        scale = max(float(np.abs(e).max()) for e in expected[1:])
        for path, wanted, rough in zip(["loss", *learnt], expected, single, strict=True):
            within = 1e-9 * max(scale, float(np.abs(wanted).max()))
            assert np.abs(exact[path] - wanted).max() <= within, path
            ours = max(ours, float(np.abs(narrow[path] - wanted).max()))
            theirs = max(theirs, float(np.abs(rough - wanted).max()))
        assert ours <= 2 * theirs, f"error {ours:.2e}, torch's {theirs:.2e}"


def _wide(value: Array) -> np.dtype[Any]:
    return np.dtype(np.float64) if value.dtype == np.float32 else value.dtype


def _numpy_steps(graph: Graph, inputs: Mapping[str, Array], values: Mapping[str, Array]) -> Any:
    state = support.own(graph, values)
    losses = []
    for number in range(5):
        results = run(graph, {**inputs, **support.scalars(graph, number)}, state)
        state.update(results.updates)
        losses.append(float(results.outputs["loss"]))
    return losses


@pytest.mark.parametrize(("name", "file", "model", "settings", "peer"), CASES, ids=IDS)
def test_first_five_steps(
    name: str, file: str, model: str | None, settings: dict[str, Any], peer: Any
) -> None:
    """NumPy and onnxruntime train alike; the same seed gives the same losses bit for bit."""
    program = support.load(file, model, **settings)
    step = program.train["train"].step
    values = support.weights(program)
    inputs = support.batch(step, 7)
    graph = optimize_step(expand_gradients(step), evaluate=evaluate).graph
    proto = emit(legalize(graph))
    rates = {"lr": 1e-4}  # so that a ReLU that rounding switches, a few in a step, moves no digit
    curves = []
    for _ in range(2):
        session = StepSession(proto, support.own(graph, values))
        curves.append([session.step(inputs, **rates)["loss"] for _ in range(5)])
    assert curves[0] == curves[1]
    slow = _slow(graph, rates)
    assert np.allclose(_numpy_steps(slow, inputs, values), curves[0], rtol=1e-6, atol=1e-6)


def _slow(graph: Graph, rates: Mapping[str, float]) -> Graph:
    from dataclasses import replace

    return replace(graph, defaults={**graph.defaults, **rates})
