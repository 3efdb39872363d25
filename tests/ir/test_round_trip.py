"""What is printed lowers to the same graph again: its text is the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Value
from nncomp.ir.text import to_text
from nncomp.ir.verify import verify
from nncomp.lower.program import lower
from nncomp.ops.activation import Relu
from nncomp.ops.elementwise import Clip, Mul
from nncomp.ops.fused import FusedConv
from nncomp.ops.pooling_max import MaxPool
from nncomp.source import SourceFile
from nncomp.types import DType, TensorType
from tests.ir.graphs import lenet, resnet

MODELS = Path(__file__).parents[2] / "models"


def assert_comes_back(graph: Graph) -> None:
    printed = to_text(graph)
    back = lower(SourceFile("printed.nn", printed.text)).graph
    verify(back)
    assert to_text(back).text == printed.text


def odd() -> Graph:
    """Optional operands, several results, an own operator, written constants."""
    x = Value(TensorType(DType.F32, (2, 3, 8, 8)), "x")
    w = Value(TensorType(DType.F32, (4, 3, 1, 1)), "w")
    z = Value(TensorType(DType.F32, (2, 4, 8, 8)), "z")
    b = Builder()
    y = b(FusedConv(activation="LeakyRelu", activation_params=(0.1,)), x, w, None, z)
    y = b(Clip(), y, None, float("inf"))
    y = b(Mul(), y, b.constant(np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8)))
    y, where = b.multi(MaxPool(kernel_shape=(2, 2)), b(Relu(), y))
    return Graph("Odd", (x, w, z), (), tuple(b.nodes), {"y": y, "where": where})


@pytest.mark.parametrize("graph", [lenet(), resnet((1, 2), 8, 32), odd()], ids=lambda g: g.name)
def test_graphs(graph: Graph) -> None:
    assert_comes_back(graph)


@pytest.mark.parametrize("name", ["lenet5", "mlp"])
def test_models_and_their_training_steps(name: str) -> None:
    path = MODELS / f"{name}.nn"
    program = lower(SourceFile(path.name, path.read_text("utf-8")))
    steps = [section.step for section in program.train.values()]
    assert steps
    for graph in [program.graph, *steps, program.initial]:
        assert_comes_back(graph)
