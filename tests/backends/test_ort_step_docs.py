"""The loop in docs/step_graph.md trains as StepSession does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file, save_file

import nncomp
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.manifest import read_manifest
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
    save_file(start, "lenet5.init.safetensors")
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


GAN = """from std import Dropout, Linear
from std.optim import Adam

model GAN {
  G = Linear(2)
  D = Linear(1)

  entry sample {
    input z: f32[N, 4]
    output made = G(z)
  }

  train critic {
    input real: f32[N, 2]
    made = stop_gradient(normal([N, 4]) |> G)
    right = gan_discriminator_loss(real |> Dropout(0.5) |> D, made |> D)
    minimize right over D by Adam(lr=1e-2)
  }

  train generator {
    input like: f32[N, 2]
    made = normal([N, 4]) |> G
    minimize gan_generator_loss(made |> D, false) + mse_loss(made, like) over G by Adam(lr=1e-2)
  }
}
"""


def test_several_blocks_share_one_state(tmp_path):
    """As the page says: one dictionary, each graph's steps counted by themselves."""
    (tmp_path / "gan.nn").write_text(GAN)
    network = nncomp.load(tmp_path / "gan.nn")
    network.build(tmp_path / "gan.onnx", train=True)
    state = load_file(tmp_path / "gan.init.safetensors")
    batch = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)

    def run(which, step):
        path = tmp_path / f"gan.{which}.onnx"
        props = {p.key: p.value for p in onnx.load(path).metadata_props}
        manifest = json.loads(props["nncomp.step"])
        session = onnxruntime.InferenceSession(path)
        feeds = {entry["input"]: state[entry["path"]] for entry in manifest["state"]}
        hyper = manifest["hyperparameters"]
        assert list(hyper) == (["lr"] if "train" in which else [])  # the counters are none
        feeds |= {
            entry["input"]: np.array(entry["default"], np.float32) for entry in hyper.values()
        }
        feeds |= {entry["input"]: batch for entry in manifest["batch"].values()}
        feeds |= {manifest["step"]: np.array(step), manifest["seed"]: np.array(0)}
        names = [output.name for output in session.get_outputs()]
        results = dict(zip(names, session.run(None, feeds), strict=True))
        for entry in manifest["state"]:
            if "output" in entry:
                state[entry["path"]] = results[entry["output"]]
        return results[manifest["losses"]["loss"]]

    for step in range(3):
        for which, name in (("critic", "real"), ("generator", "like")):
            proto = onnx.load(tmp_path / f"gan.{which}.train.onnx")
            own = read_manifest(proto).state
            session = StepSession(proto, {path: state[path] for path in own})
            session.step_number = step
            wanted = session.step({name: batch})["loss"]
            np.testing.assert_allclose(run(f"{which}.train", step), wanted, rtol=1e-6)
            for path, array in session.state().items():
                np.testing.assert_array_equal(state[path], array)
    assert np.isfinite(run("critic.eval", 0))
