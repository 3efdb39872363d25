"""Models as graphs, with their counterparts in PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import run
from nncomp.ir.graph import Graph
from nncomp.lower.modules import read_source
from nncomp.lower.program import Program, lower
from nncomp.types import Array

MODELS = Path(__file__).resolve().parents[2] / "models"


@cache
def load(file: str, model: str | None = None, **settings: Any) -> Program:
    return lower(read_source(MODELS / file), model, settings)


def weights(program: Program, seed: int = 0) -> dict[str, Array]:
    """Initial values, with batch statistics that are not the trivial ones."""
    values = dict(run(program.initial, {"seed": np.int64(seed)}).outputs)
    rng = np.random.default_rng(seed)
    for path, value in values.items():
        if path.endswith("running_mean"):
            values[path] = rng.normal(0, 0.2, value.shape).astype(np.float32)
        elif path.endswith("running_var"):
            values[path] = rng.uniform(0.5, 2, value.shape).astype(np.float32)
    return values


def own(graph: Graph, values: Mapping[str, Array]) -> dict[str, Array]:
    """The values that belong to the graph's parameters."""
    return {p.path: values[p.path] for p in graph.parameters}


def batch(graph: Graph, size: int, seed: int = 1) -> dict[str, Array]:
    """Random inputs; class numbers below 10."""
    rng = np.random.default_rng(seed)
    found: dict[str, Array] = {}
    for value in graph.inputs:
        if value.name in graph.defaults:
            continue
        shape = [d if isinstance(d, int) else size for d in value.shape]
        if value.type.dtype.is_int:
            found[value.name] = rng.integers(0, 10, shape)
        else:
            found[value.name] = rng.standard_normal(shape).astype(np.float32)
    return found


def scalars(graph: Graph, step: int = 0) -> dict[str, Array]:
    """Hyperparameters at their defaults, step and seed."""
    given = {**graph.defaults, "step": step}
    return {
        v.name: np.asarray(given[v.name], v.type.dtype.numpy)
        for v in graph.inputs
        if v.name in graph.defaults
    }


def difference(a: Array, b: Array) -> float:
    """The largest difference over the largest value."""
    scale = float(np.abs(np.asarray(b, np.float64)).max()) or 1.0
    return float(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).max()) / scale


def gradient_graph(step: Graph) -> Graph:
    """The loss and its gradients by parameter path, from a step graph."""
    (grad,) = [node for node in step.nodes if node.op.name == "Grad"]
    paths = {p.value: p.path for p in step.parameters}
    outputs = {"loss": step.outputs["loss"]}
    for value, gradient in zip(grad.inputs[1:], grad.outputs, strict=True):
        assert value is not None
        outputs[paths[value]] = gradient
    return expand_gradients(replace(step, outputs=outputs, updates={}))


def onnx_gradients(graph: Graph, inputs: Mapping[str, Array], values: Mapping[str, Array]) -> Any:
    """The same through onnxruntime, parameters as inputs."""
    named = replace(graph, outputs={f"{name}.grad": v for name, v in graph.outputs.items()})
    session = Session(emit(legalize(named)), optimize=False)
    results = session.run({**inputs, **own(graph, values)})
    return {name.removesuffix(".grad"): value for name, value in results.items()}


# --- the same networks in PyTorch ------------------------------------------------------------


def _conv_norm(i: int, o: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(i, o, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(o)
    )


class _Residual(nn.Module):
    def __init__(self, i: int, channels: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        o = 4 * channels if bottleneck else channels
        if bottleneck:
            self.layers = nn.ModuleList(
                [
                    _conv_norm(i, channels, 1),
                    _conv_norm(channels, channels, 3, stride),
                    _conv_norm(channels, o, 1),
                ]
            )
        else:
            self.layers = nn.ModuleList([_conv_norm(i, o, 3, stride), _conv_norm(o, o, 3)])
        self.shortcut = _conv_norm(i, o, 1, stride) if i != o or stride > 1 else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for number, layer in enumerate(self.layers):
            y = layer(torch.relu(y) if number else y)
        skip = x if self.shortcut is None else self.shortcut(x)
        return torch.relu(y + skip)


def resnet(depth: int, classes: int = 1000) -> nn.Module:
    counts = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}[depth]
    layers: list[nn.Module] = [_conv_norm(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    before = 64
    for i, count in enumerate(counts):
        for j in range(count):
            width = 64 * 2**i
            layers.append(_Residual(before, width, 2 if i and not j else 1, depth >= 50))
            before = 4 * width if depth >= 50 else width
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes)]
    return nn.Sequential(*layers, *head)


def cifar_resnet() -> nn.Module:
    layers: list[nn.Module] = [_conv_norm(3, 16, 3), nn.ReLU()]
    before = 16
    for i, width in enumerate((16, 32, 64)):
        for j in range(3):
            layers.append(_Residual(before, width, 2 if i and not j else 1, False))
            before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def lenet() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)),
    )


def mlp() -> nn.Module:
    def layer(i: int, o: int) -> tuple[nn.Module, ...]:
        return nn.Linear(i, o), nn.BatchNorm1d(o), nn.ReLU()

    return nn.Sequential(*layer(64, 48), *layer(48, 40), nn.Linear(40, 10))


def with_weights(module: nn.Module, graph: Graph, values: Mapping[str, Array]) -> nn.Module:
    """The module with our weights; both sides declare parameters in the same order."""
    ours = {
        kind: [p.path for p in graph.parameters if p.kind == kind] for kind in ("param", "buffer")
    }
    theirs = {
        "param": list(module.parameters()),
        "buffer": [b for name, b in module.named_buffers() if "num_batches" not in name],
    }
    with torch.no_grad():
        for kind, paths in ours.items():
            for path, tensor in zip(paths, theirs[kind], strict=True):
                tensor.copy_(torch.from_numpy(np.array(values[path])))
    return module
