"""The reports of `nncomp inspect`, against figures by definition and those of PyTorch."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from nncomp.cli import main
from nncomp.driver.compiling import state_of
from nncomp.driver.probing import (
    activation_report,
    activations_on,
    batch_of,
    gradient_report,
    gradients_on,
)
from nncomp.driver.programs import load_program
from nncomp.driver.reporting import inspected
from nncomp.errors import CompileError
from nncomp.inspect.gradients import Gradients, Steps, gradient_tables
from nncomp.inspect.machines import MACHINES, machine_of
from nncomp.inspect.memory import memory
from nncomp.inspect.receptive import receptive_fields
from nncomp.inspect.tables import Table, print_table
from nncomp.lower.program import Program
from nncomp.source import SourceFile
from nncomp.training.sources import Reading
from tests.ir.graphs import lenet, resnet

ROOT = Path(__file__).resolve().parent.parent.parent
LENET = str(ROOT / "models" / "lenet5.nn")


def program_of(text: str) -> Program:
    return load_program(SourceFile("m.nn", text))


def printed(table: Table) -> str:
    console = Console(file=io.StringIO(), width=160)
    print_table(table, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["inspect", *arguments]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


# --- machines ------------------------------------------------------------------------------------


def test_the_roofline_of_one_product(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """[64, 256] times [256, 512]: 2·64·256·512 operations, 4·(64·256 + 256·512 + 64·512) bytes."""
    path = tmp_path / "product.nn"
    path.write_text(
        "model M {\n  input x: f32[N, 256]\n  param w: f32[256, 512] = ones()\n"
        "  output y = x @ w\n}\n"
    )
    flops, moved = 2 * 64 * 256 * 512, 4 * (64 * 256 + 256 * 512 + 64 * 512)
    for machine, seconds, bound in (
        ("flops=1e12,bandwidth=1e9", moved / 1e9, "memory"),
        ("flops=1M,bandwidth=1T", flops / 1e6, "compute"),
    ):
        arguments = (str(path), "--batch-size", "64", "--by", "operator", "--machine", machine)
        report = json.loads(run(capsys, *arguments, "--format", "json"))
        product = next(r for r in report["operators"] if r["operator"] == "MatMul")
        assert product["flops"] == flops
        assert product["bytes"] == moved
        assert product["seconds"] == pytest.approx(seconds)
        assert product["bound"] == bound
        assert product["intensity"] == pytest.approx(flops / moved)
        assert "a run at best: " in run(capsys, *arguments)


def test_machines() -> None:
    for name, machine in MACHINES.items():
        assert machine_of(name) is machine
        assert machine.source
    assert machine_of("flops=19.5T,bandwidth=2039G").ridge == pytest.approx(MACHINES["a100"].ridge)


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("h10", "NN0103", "did you mean `h100`?"),
        ("flops=3T", "NN0103", "bandwidth="),
        ("flops=0,bandwidth=1", "NN0005", "19.5T"),
        ("flops=1e999,bandwidth=1", "NN0005", "19.5T"),
    ],
)
def test_no_such_machine(text: str, code: str, said: str) -> None:
    with pytest.raises(CompileError) as caught:
        machine_of(text)
    assert caught.value.diagnostics[0].code == code
    assert said in str(caught.value)


# --- memory --------------------------------------------------------------------------------------


def test_memory_of_a_chain() -> None:
    """x of 4·N·100 bytes, then 200, 300, 50: two are alive at a time."""
    text = (
        "from std import Linear\nmodel M {\n  input x: f32[N, 100]\n  output y = x |> Linear(200)"
        " |> Linear(300) |> Linear(50)\n}\n"
    )
    found = inspected(program_of(text), batch_size=7)
    held = memory(found.final, found.sizes)
    assert held.alive == tuple(28 * n for n in (100 + 200, 200 + 300, 300 + 50))
    assert held.peak == 28 * 500
    assert [size for _, size in held.held] == [28 * 300, 28 * 200]
    assert held.state == 4 * (100 * 200 + 200 + 200 * 300 + 300 + 300 * 50 + 50)
    report = found.memory()
    assert [row["bytes"] for row in report.to_json()["timeline"]] == list(held.alive)
    assert "peak: 13.7 KiB" in printed(report.shown[0])


def test_memory_keeps_what_a_skip_needs_and_no_copies_of_views() -> None:
    text = (
        "model M {\n  input x: f32[10]\n  a = exp(x)\n  b = reshape(a, [2, 5])\n"
        "  c = sin(b)\n  output y = reshape(cos(c), [10]) + a\n}\n"
    )
    found = inspected(program_of(text), level=0)
    held = memory(found.graph)
    assert held.alive == (80, 40, 80, 120, 80, 120)
    assert held.peak == 120


def test_memory_of_a_training_step(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--memory", "--batch-size", "8", "--format", "json")
    step = json.loads(run(capsys, LENET, "--train", *options))
    inference = json.loads(run(capsys, LENET, *options))
    assert step["memory"]["peak"] > 2 * inference["memory"]["peak"]
    assert inference["memory"]["peak"] == 8 * 4 * (6 * 28 * 28 + 6 * 14 * 14)


# --- receptive fields ----------------------------------------------------------------------------


def test_receptive_fields_of_a_temporal_network() -> None:
    """Two causal convolutions a level: 1 + 2·(k−1)·Σd (Bai et al., 2018)."""
    text = (
        "from std import Conv\nmodel M(k: int = 3) {\n  input x: f32[N, 4, T]\n"
        "  for d in [1, 2, 4, 8] {\n    for i in [0, 1] {\n"
        '      x = x |> Conv(4, k, pad=[((k - 1) * d, 0)], dilation=d) as "c{d}_{i}" |> relu\n'
        "    }\n  }\n  output x\n}\n"
    )
    for k in (2, 3, 5):
        program = load_program(SourceFile("m.nn", text), settings={"k": str(k)})
        last = receptive_fields(program.graph)[-1]
        assert last.sizes[-1] == 1 + 2 * (k - 1) * 15


def test_receptive_fields_with_strides() -> None:
    """LeNet-5: 5, 6, 14, 16; the stem of ResNet: 7, then 11 after pooling, at a stride of 4."""
    fields = [
        s.sizes for s in receptive_fields(lenet()) if s.node.op.name in ("Conv", "AveragePool")
    ]
    assert [sizes[-2:] for sizes in fields] == [[5, 5], [6, 6], [14, 14], [16, 16]]
    stem = [s for s in receptive_fields(resnet()) if s.node.op.name in ("Conv", "MaxPool")][:2]
    assert [s.sizes for s in stem] == [[7, 7], [11, 11]]
    assert [str(f.jump) for f in stem[1].fields[2:] if f] == ["4", "4"]


def test_receptive_field_of_wavenet() -> None:
    """Three stacks of dilations 1 to 512: 3·1023 + 1 samples, of tokens that an embedding maps."""
    program = load_program(ROOT / "models" / "wavenet.nn", kinds=())
    assert receptive_fields(program.graph)[-1].sizes == [3 * 1023 + 1]


def test_no_receptive_field_behind_what_is_not_known() -> None:
    text = (
        "from std import Conv\nmodel M {\n  input x: f32[N, 3, 8]\n"
        "  y = reshape(transpose(reshape(x, [N, 24])), [N, 3, 8])\n"
        "  output z = (x |> Conv(3, 3, pad=1)) + y\n}\n"
    )
    assert [s.node.op.name for s in receptive_fields(program_of(text).graph)] == ["Conv"]


def test_receptive_fields_seen_by_gradients() -> None:
    """The input pixels that one output pixel of a network with a skip depends on, by PyTorch."""
    text = (
        "from std import Conv\nmodel M {\n  input x: f32[1, 2, 41, 41]\n"
        "  y = x |> Conv(3, 5, stride=2) |> relu\n"
        "  z = y |> Conv(3, 3, pad=2, dilation=2) |> relu |> max_pool(2)\n"
        "  output out = z + avg_pool(y, 2)\n}\n"
    )
    last = receptive_fields(program_of(text).graph)[-1]
    torch.manual_seed(0)
    x = torch.rand(1, 2, 41, 41, requires_grad=True)
    y = torch.relu(torch.nn.Conv2d(2, 3, 5, stride=2)(x)) + 1e-3 * x.mean() * 0
    z = torch.nn.functional.avg_pool2d(torch.nn.Conv2d(3, 3, 3, padding=2, dilation=2)(y), 2)
    (z + torch.nn.functional.avg_pool2d(y, 2))[0, :, 4, 4].sum().backward()
    assert x.grad is not None
    rows = (x.grad.abs().sum((0, 1, 3)) > 0).nonzero().flatten()
    assert int(rows.max() - rows.min()) + 1 == last.sizes[0]


def test_no_receptive_field_beyond_what_mixes_all_places(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = "model M {\n  input x: f32[N, 3]\n  output y = exp(x)\n}\n"
    assert receptive_fields(program_of(text).graph) == []
    report = inspected(program_of(text)).receptive_field()
    assert "no convolution or pooling" in printed(report.shown[0])
    shown = run(capsys, LENET, "--receptive-field", "--format", "csv")
    assert [row["field"] for row in csv.DictReader(io.StringIO(shown))] == [
        "5×5",
        "6×6",
        "14×14",
        "16×16",
    ]


# --- on data -------------------------------------------------------------------------------------

RNN = """from std import Linear, RNN
from std.optim import SGD

model M {
  input x: f32[N, T, 3]
  states = transpose(x, [1, 0, 2]) |> RNN(5) as rnn
  output y = states[-1] |> Linear(2) as head

  train {
    input target: f32[N, 2]
    minimize mean((y - target) ** 2) by SGD(lr=0.1)
  }
}
"""


def test_gradients_agree_with_torch() -> None:
    """Of parameters, and of what goes into the state in each step of the scan."""
    program = program_of(RNN)
    state = state_of(program, None)
    rng = np.random.default_rng(0)
    data = {
        "x": rng.normal(size=(20, 9, 3)).astype(np.float32),
        "target": rng.normal(size=(20, 2)).astype(np.float32),
    }
    found = gradients_on(program, state, data, samples=8)
    batch = batch_of(program.train["train"].step, data, 8, Reading())
    w = {path: torch.tensor(array, requires_grad=True) for path, array in state.items()}
    x = torch.tensor(batch["x"]).transpose(0, 1)
    gates = x @ w["rnn.l0.weight_ih"].T + (w["rnn.l0.bias_ih"] + w["rnn.l0.bias_hh"])
    gates.retain_grad()
    h = torch.zeros(8, 5)
    for gate in gates:
        h = torch.tanh(gate + h @ w["rnn.l0.weight_hh"].T)
    y = h @ w["head.weight"].T + w["head.bias"]
    loss = ((y - torch.tensor(batch["target"])) ** 2).mean()
    loss.backward()
    assert found.samples == 8
    assert found.value == pytest.approx(loss.item(), rel=1e-5)
    (steps,) = found.steps
    assert gates.grad is not None
    assert list(steps.norms) == pytest.approx(gates.grad.square().sum((1, 2)).sqrt().tolist(), 1e-4)
    assert steps.name == "gates"
    norms: dict[str, float] = {}
    for path, value in w.items():
        assert value.grad is not None
        layer = path.rpartition(".")[0]
        norms[layer] = (norms.get(layer, 0.0) ** 2 + float(value.grad.square().sum())) ** 0.5
    assert {layer.name: layer.norm for layer in found.layers} == pytest.approx(norms, rel=1e-4)
    first, second = gradient_tables(found)
    assert "first layer: " in printed(first)
    assert "by step of the scan over gates in rnn.l0" in printed(second)
    report = gradient_report(program, state, data, samples=8).to_json()
    assert [row["norm"] for row in report["scan 0"]] == list(steps.norms)


def test_gradients_vanish_in_a_deep_net_of_sigmoids() -> None:
    """Ten layers: the first gets next to nothing; by ReLU and He's initial weights it gets its
    part (Glorot & Bengio, 2010)."""
    text = (
        "from std import Linear, he_normal\nfrom std.optim import SGD\n"
        "model M(plain: bool = true) {\n  input x: f32[N, 16]\n  y = x\n"
        "  for i in range(10) {\n"
        '    y = sigmoid(y |> Linear(16) as "a{i}") if plain\n'
        '      else relu(y |> Linear(16, init=he_normal) as "b{i}")\n  }\n'
        "  output z = y |> Linear(1) as head\n  train {\n    input target: f32[N, 1]\n"
        "    minimize mean((z - target) ** 2) by SGD(lr=0.1)\n  }\n}\n"
    )
    rng = np.random.default_rng(0)
    data = {
        "x": rng.normal(size=(99, 16)).astype(np.float32),
        "target": rng.normal(size=(99, 1)).astype(np.float32),
    }
    ratios = []
    for plain in ("true", "false"):
        program = load_program(SourceFile("m.nn", text), settings={"plain": plain})
        found = gradients_on(program, state_of(program, None), data)
        ratios.append(found.layers[0].mean / found.layers[-1].mean)
    assert ratios[0] < 1e-5
    assert ratios[1] > 1e-3


def test_long_scans_are_cut_for_people_alone() -> None:
    steps = Steps("rnn", "x", tuple(0.5**i for i in range(100, 0, -1)))
    (table,) = gradient_tables(Gradients("loss", 1.0, 8, (), (steps,)))[1:]
    assert len(table.to_json()) == 100
    lines = printed(table).splitlines()
    assert len(lines) < 60
    assert any("…" in line for line in lines)
    assert "first step: 1.58e-30 times that of the last" in lines[-1]


def test_activations() -> None:
    """A unit that never fires, one that always does, a saturated tanh, a number that is none."""
    text = (
        "model M {\n  input x: f32[N, 3]\n  a = relu(x * [-1.0, 1.0, 1.0] + [0.0, 0.0, 9.0])\n"
        "  b = tanh(x * 100.0)\n  c = log(x - 1.0)\n  output y = a + b + c\n}\n"
    )
    x = np.linspace(0.5, 1.5, 30, dtype=np.float32).reshape(10, 3)
    program = program_of(text)
    count, found = activations_on(program, {}, {"x": x}, samples=4)
    by_name = {a.operator: a for a in found}
    assert count == 4
    assert by_name["Relu"].dead == pytest.approx(1 / 3)
    assert by_name["Relu"].zeros == pytest.approx(1 / 3)
    assert by_name["Tanh"].saturated == 1
    assert by_name["Tanh"].dead is None
    assert by_name["Log"].bad > 0
    assert np.isfinite([by_name["Log"].mean, by_name["Log"].std]).all()
    text = printed(activation_report(program, {}, {"x": x}, samples=4).shown[0])
    assert "33.3 %" in text


def test_reports_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = (LENET, "--data", "sklearn:digits", "--samples", "16")
    shown = run(capsys, *arguments, "--gradients", "--activations", "--depth", "1")
    assert "on 16 samples" in shown
    assert "conv1" in shown
    rows = list(csv.DictReader(io.StringIO(run(capsys, *arguments, "--gradients", *CSV))))
    assert [row["layer"] for row in rows] == ["conv1", "conv2", "fc1", "fc2", "fc3"]
    assert all(float(row["norm"]) > 0 for row in rows)
    rows = list(csv.DictReader(io.StringIO(run(capsys, *arguments, "--activations", *CSV))))
    assert rows[1]["operator"] == "Tanh"
    rows = list(csv.DictReader(io.StringIO(run(capsys, LENET, *CSV))))
    assert [row["block"] for row in rows][-1] == "total"
    assert rows[0]["output"] == "f32[N, 6, 28, 28]"


CSV = ("--format", "csv")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gradients"], "--gradients needs --data"),
        (["--activations"], "--activations needs --data"),
        (["--data", "sklearn:digits"], "--data is for --gradients and --activations"),
        (["--layer", "conv1"], "--layer is for --filters"),
        (["--memory", "--receptive-field", "--format", "csv"], "ask for one report"),
    ],
)
def test_misspelt(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    with pytest.raises(SystemExit):
        main(["inspect", LENET, *arguments])
    assert said in capsys.readouterr().err


def test_a_size_of_no_dim(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", LENET, "--size", "T=3"]) == 1
    assert "has no dim `T`" in capsys.readouterr().err
