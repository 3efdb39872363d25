"""Networks that the language was not made for: = PyTorch, outputs and gradients; they learn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from nncomp.backends.reference.interpreter import run
from nncomp.driver.model import Model
from nncomp.ir.bind import bind
from nncomp.lower.program import Program, lower
from nncomp.passes.retype import retype
from nncomp.source import SourceFile
from nncomp.types import Array, DType
from tests.models import support, support_programs
from tests.models.agreement import count, drawn
from tests.models.support_programs import Peer
from tests.models.test_structures import steps

RNG = np.random.default_rng(0)

BOTTLENECKS = """
model Bottlenecks {
  input x: f32[N, 16, H, W]
  output y = x |> Bottleneck(4, 1, 2) as first |> Bottleneck(5, 2, 4) as second
  train {
    input target: f32[N, 20, y.shape[2], y.shape[3]]
    minimize mse_loss(y, target) by SGD(lr=0.1)
  }
}
"""


def normal(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def numbers(below: int, *shape: int) -> Array:
    return RNG.integers(0, below, shape)


@dataclass(frozen=True)
class Case:
    """labels: inputs of the training step only; exact: literals in a loss are float32"""

    file: str
    peer: Peer
    inputs: dict[str, Array]
    labels: dict[str, Array] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    model: str | None = None
    lr: float = 1e-2
    exact: float = 1e-9

    @property
    def program(self) -> Program:
        if self.model is None:
            return support.load(self.file, **self.settings)
        text = (support.MODELS / self.file).read_text("utf-8") + BOTTLENECKS
        return lower(SourceFile(str(support.MODELS / "bottlenecks.nn"), text), self.model)


CASES: dict[str, Case] = {
    "capsnet": Case(
        "capsnet.nn",
        support_programs.capsnet,
        {"image": normal(3, 1, 28, 28)},
        {"label": numbers(10, 3)},
        {"channels": 8, "capsules": 2},
        lr=1e-3,
        exact=1e-7,
    ),
    "ntm": Case(
        "ntm.nn",
        support_programs.ntm,
        {"x": numbers(2, 3, 5, 3).astype(np.float32)},
        settings={"bits": 3, "rows": 6, "width": 4, "hidden": 8},
    ),
    "mamba": Case(
        "mamba.nn",
        support_programs.mamba,
        {"tokens": numbers(11, 3, 7)},
        settings={"layers": 2, "width": 20, "state": 3, "vocabulary": 11},
    ),
    "senet": Case(
        "senet.nn",
        support_programs.senet,
        {"x": normal(3, 16, 7, 6)},
        {"target": normal(3, 20, 4, 3)},
        model="Bottlenecks",
    ),
    # with positive features and weights of -1000 there is no noise
    "moe": Case(
        "moe.nn",
        support_programs.moe,
        {"x": np.abs(normal(7, 9)) + 0.1},
        {"label": numbers(10, 7)},
        {"features": 9, "hidden": 5},
        exact=1e-7,
    ),
    "wavenet": Case(
        "wavenet.nn",
        support_programs.wavenet,
        {"x": numbers(11, 3, 20)},
        settings={"channels": 5, "skip": 6, "symbols": 11, "stacks": 2, "layers": 3},
    ),
}


def values_of(program: Program) -> dict[str, Array]:
    step = program.train["train"].step
    values = drawn(step)
    if "gate.noise.weight" in values:
        values["gate.noise.weight"] = np.full_like(values["gate.noise.weight"], -1000)
    return values


def wide(arrays: dict[str, Array]) -> dict[str, Array]:
    return {k: v.astype(np.float64) if v.dtype == np.float32 else v for k, v in arrays.items()}


def tensors(arrays: dict[str, Array]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


@pytest.mark.parametrize("name", CASES)
def test_outputs_equal_torch(name: str) -> None:
    case = CASES[name]
    program = case.program
    values = values_of(program)
    ours = run(bind(program.graph, support.own(program.graph, values)), case.inputs).outputs
    with torch.no_grad():
        theirs = case.peer(tensors(values), tensors(case.inputs))
    assert ours.keys() == theirs.keys() - {"loss"}
    for output, value in ours.items():
        assert support.difference(value, theirs[output].numpy()) <= 1e-5, output


@pytest.mark.parametrize("name", CASES)
def test_gradients_equal_torch(name: str) -> None:
    """In float64; onnxruntime's to 1e-4 of the largest."""
    case = CASES[name]
    program = case.program
    step = program.train["train"].step
    graph = support.gradient_graph(step)
    values = values_of(program)
    inputs = {**case.inputs, **case.labels}
    scalars = support.scalars(graph)
    exact = run(
        retype(graph, {DType.F32: DType.F64}),
        wide({**inputs, **scalars}),
        wide(support.own(graph, values)),
    ).outputs
    narrow = support.onnx_gradients(graph, {**inputs, **scalars}, values)
    learnt = [path for path in exact if path != "loss" and path != "gate.noise.weight"]
    leaves = tensors(wide(values))
    for path in learnt:
        leaves[path].requires_grad_()
    loss = case.peer(leaves, tensors(wide(inputs)))["loss"]
    expected = torch.autograd.grad(loss, [leaves[path] for path in learnt])
    assert np.isclose(exact["loss"], loss.item(), rtol=case.exact)
    scale = max(float(g.abs().max()) for g in expected)
    for path, gradient in zip(learnt, expected, strict=True):
        assert np.abs(exact[path] - gradient.numpy()).max() <= case.exact * scale, path
        assert np.abs(narrow[path] - gradient.numpy()).max() <= 1e-4 * scale, path


@pytest.mark.parametrize("name", CASES)
def test_training_lowers_the_loss(name: str) -> None:
    case = CASES[name]
    losses = steps(case.program, {**case.inputs, **case.labels}, 15, lr=case.lr)
    assert losses[-1] < 0.98 * losses[0]


@pytest.mark.parametrize(
    ("file", "expected"),
    [("capsnet.nn", 8_215_568), ("mamba.nn", 129_135_360), ("senet.nn", 28_088_024)],
)
def test_published_parameter_counts(file: str, expected: int) -> None:
    assert count(support.load(file)) == expected


def _outputs(name: str, **inputs: Array) -> dict[str, Array]:
    program = CASES[name].program
    graph = bind(program.graph, support.own(program.graph, values_of(program)))
    return run(graph, inputs).outputs


def test_capsules_are_shorter_than_one() -> None:
    logits = _outputs("capsnet", image=100 * normal(3, 1, 28, 28))["logits"]
    assert (logits > 0).all()
    assert (logits < 1).all()


def test_the_weights_of_heads_add_up_to_one() -> None:
    results = _outputs("ntm", x=normal(3, 7, 3))
    for name in ("reading", "writing"):
        assert results[name].shape == (3, 14, 6)
        assert np.allclose(results[name].sum(axis=2), 1, atol=1e-5)


def test_k_experts_have_a_say() -> None:
    gates = _outputs("moe", x=normal(20, 9))["gates"]
    assert ((gates > 0).sum(axis=1) == 2).all()
    assert np.allclose(gates.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", ["wavenet", "mamba"])
def test_nothing_comes_from_the_future(name: str) -> None:
    (key,) = CASES[name].inputs
    x = numbers(11, 1, 40)
    changed = x.copy()
    changed[0, 25] = (x[0, 25] + 1) % 11
    axis = 1 if name == "wavenet" else 2  # of the symbols
    before, after = (_outputs(name, **{key: v})["logits"] for v in (x, changed))
    moved = np.abs(before - after).max(axis=axis)[0] > 0
    assert not moved[:25].any()
    assert moved[25]


def test_the_receptive_field_of_wavenet() -> None:
    """1 + the sum of the dilations: 15 samples with two stacks of 1, 2 and 4."""
    x = numbers(11, 1, 40)
    changed = x.copy()
    changed[0, 10] = (x[0, 10] + 1) % 11
    before, after = (_outputs("wavenet", x=v)["logits"] for v in (x, changed))
    assert np.flatnonzero(np.abs(before - after).max(axis=1)[0]).tolist() == list(range(10, 25))


def test_a_turing_machine_learns_to_repeat() -> None:
    """Short strings of three bits, which it has to keep in its memory."""
    settings = {"bits": 3, "rows": 8, "width": 6, "hidden": 24}
    step = Model(support.MODELS / "ntm.nn", settings=settings).training_step()
    rng = np.random.default_rng(0)
    found = [
        step(x=rng.integers(0, 2, (32, 1 + i % 3, 3)).astype("f"), lr=1e-2) for i in range(300)
    ]
    assert np.mean([r["accuracy"] for r in found[:10]]) < 0.7
    assert np.mean([r["accuracy"] for r in found[-30:]]) > 0.9


@pytest.mark.slow
def test_mamba_equals_hugging_face() -> None:
    import transformers  # heavy: only where it is needed

    config = transformers.MambaConfig(
        vocab_size=11, hidden_size=20, state_size=3, num_hidden_layers=2, residual_in_fp32=False
    )
    module = transformers.MambaForCausalLM(config).eval()
    values = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    del values["lm_head.weight"]  # the embedding once more
    graph = bind(CASES["mamba"].program.graph, values)
    for size in ((1, 3), (3, 7), (7, 1)):
        tokens = numbers(11, *size)
        with torch.no_grad():
            theirs = module(torch.from_numpy(tokens)).logits.numpy()
        assert support.difference(run(graph, {"tokens": tokens}).outputs["logits"], theirs) <= 1e-4
