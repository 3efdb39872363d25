"""Published sizes; NumPy = onnxruntime before and after each pass; = PyTorch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.ir.bind import bind
from nncomp.passes.manager import optimize, pipeline, run_passes
from tests.models import support

PUBLISHED = [
    ("lenet5.nn", {}, 61_706),
    ("resnet.nn", {"depth": 18}, 11_689_512),
    ("resnet.nn", {"depth": 34}, 21_797_672),
    ("resnet.nn", {"depth": 50}, 25_557_032),
    ("resnet.nn", {"depth": 101}, 44_549_160),
    ("resnet.nn", {"depth": 152}, 60_192_808),
]


@pytest.mark.parametrize(("file", "settings", "count"), PUBLISHED)
def test_published_parameter_counts(file: str, settings: dict[str, Any], count: int) -> None:
    parameters = support.load(file, **settings).graph.parameters
    assert count == sum(
        math.prod(p.value.type.static_shape) for p in parameters if p.kind == "param"
    )


RESNET_50 = 121
"""Nodes: one fewer than other optimisers leave of PyTorch's export (benchmarks/README.md)."""


def test_resnet_50_has_no_more_nodes_than_others_leave_of_the_export() -> None:
    program = support.load("resnet.nn", depth=50)
    bound = bind(program.graph, support.own(program.graph, support.weights(program)))
    assert len(emit(legalize(optimize(bound, 2, evaluate).graph)).graph.node) <= RESNET_50


CASES: list[tuple[str, str, str | None, dict[str, Any], Callable[[], nn.Module]]] = [
    ("lenet", "lenet5.nn", None, {}, support.lenet),
    ("mlp", "mlp.nn", None, {"widths": [48, 40], "batch_norm": True}, support.mlp),
    ("resnet20", "resnet.nn", "CifarResNet", {}, support.cifar_resnet),
    ("resnet18", "resnet.nn", None, {"depth": 18}, lambda: support.resnet(18)),
]
IDS = [case[0] for case in CASES]


def _load(file: str, model: str | None, settings: dict[str, Any]) -> Any:
    frozen = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    return support.load(file, model, **frozen)


@pytest.mark.parametrize(("name", "file", "model", "settings", "peer"), CASES, ids=IDS)
def test_numpy_onnxruntime_and_torch_agree(
    name: str, file: str, model: str | None, settings: dict[str, Any], peer: Any
) -> None:
    """One `.onnx` serves batches of 1, 3 and 7, with onnxruntime's optimiser off and on."""
    program = _load(file, model, settings)
    values = support.own(program.graph, support.weights(program))
    bound = bind(program.graph, values)
    optimized = optimize(bound, 2, evaluate).graph
    proto = emit(legalize(optimized))
    sessions = [Session(proto, optimize=False), Session(proto)]
    module = support.with_weights(peer(), program.graph, values).eval()
    for size in (1, 3, 7) if name != "resnet18" else (1, 3):
        inputs = support.batch(program.graph, size)
        expected = run(bound, inputs).outputs["logits"]
        assert support.difference(run(optimized, inputs).outputs["logits"], expected) <= 1e-5
        for session in sessions:
            assert support.difference(session.run(inputs)["logits"], expected) <= 1e-5
        with torch.no_grad():
            theirs = module(torch.from_numpy(next(iter(inputs.values())))).numpy()
        assert support.difference(expected, theirs) <= 1e-5


@pytest.mark.parametrize(("name", "file", "model", "settings", "peer"), CASES[:3], ids=IDS[:3])
def test_every_pass_keeps_the_answer(
    name: str, file: str, model: str | None, settings: dict[str, Any], peer: Any
) -> None:
    """By NumPy and by onnxruntime, its optimiser off and on, for batches of 1, 3 and 7."""
    program = _load(file, model, settings)
    bound = bind(program.graph, support.own(program.graph, support.weights(program)))
    batches = [support.batch(program.graph, size) for size in (1, 3, 7)]
    expected = [run(bound, inputs).outputs["logits"] for inputs in batches]
    for count in range(1, len(pipeline(2)) + 1):
        graph = run_passes(bound, pipeline(2)[:count], evaluate).graph
        proto = emit(legalize(graph))
        sessions = [Session(proto, optimize=False), Session(proto)]
        for inputs, wanted in zip(batches, expected, strict=True):
            assert support.difference(run(graph, inputs).outputs["logits"], wanted) <= 1e-5
            for session in sessions:
                assert support.difference(session.run(inputs)["logits"], wanted) <= 1e-5


def test_resnet50_is_fully_fused() -> None:
    program = support.load("resnet.nn", depth=50)
    bound = bind(program.graph, support.own(program.graph, support.weights(program)))
    optimized = optimize(bound, 2, evaluate).graph
    counts = Counter(node.op.name for node in optimized.nodes if node.op.name != "Constant")
    assert counts["BatchNormalization"] == counts["Relu"] == 0
    assert counts["FusedConv"] == 49
    assert counts["Conv"] == 4  # the shortcuts have no activation of their own
    proto = emit(legalize(optimized))
    assert len(proto.graph.node) <= 122
    inputs = support.batch(program.graph, 1)
    expected = run(bound, inputs).outputs["logits"]
    assert (
        support.difference(Session(proto, optimize=False).run(inputs)["logits"], expected) <= 1e-5
    )


def test_level_one_changes_no_bit() -> None:
    program = support.load("resnet.nn", "CifarResNet")
    bound = bind(program.graph, support.own(program.graph, support.weights(program)))
    inputs = support.batch(program.graph, 3)
    before = run(bound, inputs).outputs["logits"]
    after = run(optimize(bound, 1, evaluate).graph, inputs).outputs["logits"]
    assert np.array_equal(before, after)
