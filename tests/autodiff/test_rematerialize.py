"""Rematerialisation: the same numbers from less memory, for any sizes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nncomp
from nncomp.autodiff.rematerialize import Memory, Rematerialized, rematerialize
from nncomp.driver.compiling import compiled_step
from nncomp.errors import CompileError
from nncomp.ir.graph import RECOMPUTED, Graph
from nncomp.ir.verify import verify
from tests.lower.programs import program

CHAIN = """
from std import Linear
from std.optim import Momentum

model Chain(layers: int = 24, width: int = 64) {
  input x: f32[N, width]
  h = x
  for i in range(layers) { h = h |> Linear(width) |> tanh |> drop(0.2) }
  output h
  train { minimize mean(h * h) by Momentum(lr=0.5) }
}
"""
DENSE = """
from std import BatchNorm, Conv, Linear
from std.optim import Adam

model Dense {
  input x: f32[N, 3, 8, 8]
  features = x
  for i in range(8) {
    fresh = features |> BatchNorm() |> relu |> Conv(8, 3, pad=1)
    features = concat([features, fresh], axis=1)
  }
  logits = features |> global_avg_pool |> flatten |> Linear(5)
  output logits
  train {
    input label: i64[N]
    minimize cross_entropy(logits, label) by Adam(lr=1e-3)
  }
}
"""
KIB = 1024


def step_of(text: str) -> Graph:
    (section,) = program(text).train.values()
    return compiled_step(section).step


def rematerialized(text: str, memory: Memory) -> Rematerialized:
    step = step_of(text)
    return rematerialize(step, memory, [step.outputs["loss"]])


def saved(text: str, budget: int, batch: int) -> Rematerialized:
    found = rematerialized(text, Memory(budget, {"N": batch}))
    verify(found.graph)
    assert found.peak <= budget
    return found


def test_a_chain_keeps_the_root_of_its_layers() -> None:
    """24 equal layers: about 5 ends of segments and the 5 layers of one, besides temporaries."""
    text = CHAIN.replace("|> drop(0.2)", "")
    layer = 4096 * 64 * 4
    found = saved(text, 14 * layer, 4096)
    assert found.before > 24 * layer
    forward = [n for n in step_of(text).nodes if n.op.name in ("Gemm", "MatMul", "Tanh")]
    assert 0 < found.recomputed < len(forward)


def test_no_more_than_needed_is_recomputed() -> None:
    layer = 4096 * 64 * 4
    counts = [saved(CHAIN, budget * layer, 4096).recomputed for budget in (1000, 60, 45)]
    assert counts[0] == 0 < counts[1] <= counts[2]


@pytest.mark.parametrize(("text", "batch", "budget"), [(CHAIN, 512, 5), (DENSE, 64, 8)])
@pytest.mark.parametrize("backend", ["numpy", "onnx"])
def test_training_is_the_same(
    tmp_path: Path, text: str, batch: int, budget: int, backend: nncomp.Backend
) -> None:
    """Random bits too, and at other sizes than those of the budget."""
    file = tmp_path / "net.nn"
    file.write_text(text)
    rng = np.random.default_rng(0)
    runs = []
    for limit in (None, budget * 2**20):
        step = nncomp.load(file).training_step(
            backend=backend, memory_budget=limit, sizes={"N": batch}
        )
        losses = []
        rng = np.random.default_rng(0)
        for size in (3, 7, 5):
            given = {"x": rng.normal(size=(size, *((64,) if text is CHAIN else (3, 8, 8))))}
            if text is DENSE:
                given["label"] = rng.integers(0, 5, size)
            given["x"] = given["x"].astype(np.float32)
            losses.append(step(**given))
        runs.append((losses, step.parameters))
    for plain, again in zip(*(losses for losses, _ in runs), strict=True):
        assert plain == pytest.approx(again, rel=1e-6)
    for path, array in runs[0][1].items():
        np.testing.assert_allclose(runs[1][1][path], array, rtol=1e-5, atol=1e-7)


def test_copies_tell_where_they_come_from() -> None:
    found = saved(CHAIN, 50 * 4096 * 64 * 4, 4096)
    copies = [
        n for n in found.graph.nodes if any(s.pass_name == RECOMPUTED for s in n.origin.history)
    ]
    assert len(copies) == found.recomputed
    assert all(n.origin.spans for n in copies)


@pytest.mark.parametrize(
    ("budget", "sizes", "words"),
    [
        (64 * KIB, {"N": 4096}, ["0.1 MiB", "at least"]),
        (2**30, {}, ["`N`", "not given"]),
        (2**30, {"M": 3}, ["`M`", "open are: `N`"]),
    ],
)
def test_refusals(budget: int, sizes: dict[str, int], words: list[str]) -> None:
    with pytest.raises(CompileError) as caught:
        rematerialized(CHAIN, Memory(budget, sizes))
    (found,) = caught.value.diagnostics
    assert found.code == "NN0405"
    for word in words:
        assert word in found.message


RESIDENT = """
import resource, sys
import numpy as np
import nncomp

budget = int(sys.argv[2]) or None
step = nncomp.load(sys.argv[1], width=256).training_step(memory_budget=budget, sizes={"N": 4096})
x = np.ones((4096, 256), np.float32)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(2):
    step(x=x)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_resident_memory_falls(tmp_path: Path) -> None:
    """By 40 % and more: what onnxruntime really takes, not what is reckoned."""
    file = tmp_path / "chain.nn"
    file.write_text(CHAIN.replace("|> drop(0.2)", ""))
    taken = []
    for budget in (0, 56 * 2**20):
        command = [sys.executable, "-c", RESIDENT, str(file), str(budget)]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        taken.append(int(run.stdout))
    assert taken[1] <= 0.6 * taken[0]
