"""The loop in docs/step_graph.md trains as StepSession does."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx

from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.session import StepSession
from nncomp.dims import new_dim
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Parameter, Value
from nncomp.ops.conversion import Cast
from nncomp.ops.elementwise import Add, Mul, Sub
from nncomp.ops.reduction import ReduceMean
from nncomp.types import DType, TensorType

PAGE = Path(__file__).parents[2] / "docs" / "step_graph.md"


def model() -> onnx.ModelProto:
    batch = new_dim("N")
    image = Value(TensorType(DType.F32, (batch, 3)), "image")
    label = Value(TensorType(DType.I64, (batch,)), "label")
    lr = Value(TensorType(DType.F32, ()), "lr")
    step = Value(TensorType(DType.I64, ()), "step")
    weight = Value(TensorType(DType.F32, (3,)), "weight")
    b = Builder()
    gap = b(Sub(), b(ReduceMean(keepdims=0), b(Cast(DType.F32), label)), weight)
    loss = b(ReduceMean(keepdims=0), b(Add(), b(Mul(), gap, gap), b(ReduceMean(), image)))
    late = b(Add(), b(Mul(), lr, gap), b(Cast(DType.F32), step))
    return emit(
        Graph(
            "step",
            (image, label, lr, step),
            (Parameter("net.weight", weight, "param"),),
            tuple(b.nodes),
            {"loss": loss},
            {"net.weight": b(Add(), weight, late)},
            {"lr": 0.5},
        ).replace(b.nodes)
    )


def test_the_loop_in_the_documentation(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    step = model()
    onnx.save(step, "lenet5.train.onnx")
    start = {"net.weight": np.array([1, 2, 3], np.float32)}
    np.savez("initial.npz", **start)
    rng = np.random.default_rng(0)
    batches = [(rng.random((4 + i, 3), np.float32), rng.integers(0, 9, 4 + i)) for i in range(5)]
    code, _ = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    scope = {"batches": batches}
    exec(code, scope)
    session = StepSession(step, start)
    losses = [session.step({"image": x, "label": y})["loss"] for x, y in batches]
    printed = [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    np.testing.assert_allclose(printed, losses, rtol=1e-6)
    np.testing.assert_array_equal(scope["state"]["net.weight"], session.state()["net.weight"])
