"""Learners that share each batch, synchronised at every step or rarely."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncomp
from nncomp.cli import main
from nncomp.driver.compiling import compiled_step, initial_values
from nncomp.driver.learners import NumpyLearner
from nncomp.errors import CompileError
from nncomp.training.workers import OWN, Workers, divided, mean
from nncomp.weights import load_weights
from tests.lower.programs import program

MODEL = """
from std import Linear, SGD, Adam
model M {{
  input x: f64[N, 3]
  output y = x |> Linear(4) as first |> tanh |> Linear(1) as last
  train {{
    input target: f64[N, 1]
    minimize mse_loss(y, target) by {}
  }}
}}"""
RNG = np.random.default_rng(0)
BATCHES = [{"x": RNG.normal(size=(12, 3)), "target": RNG.normal(size=(12, 1))} for _ in range(12)]


def learners(count: int, rule: str) -> list[NumpyLearner]:
    found = program(MODEL.format(rule))
    step = compiled_step(found.train["train"])
    state = initial_values(found, seed=3)
    return [NumpyLearner(step, state, seed=i) for i in range(count)]


def largest_difference(a: dict[str, Any], b: dict[str, Any]) -> float:
    assert a.keys() == b.keys()
    return max(float(np.abs(a[path] - b[path]).max()) for path in a)


@pytest.mark.parametrize("rule", ["SGD(lr=0.1)", "SGD(lr=0.1, momentum=0.9, nesterov=true)"])
@pytest.mark.parametrize("count", [2, 3])
def test_data_parallel_steps_are_those_of_the_whole_batch(rule: str, count: int) -> None:
    (alone,) = learners(1, rule)
    together = Workers(learners(count, rule))
    for batch in BATCHES:
        one, several = alone.step(batch), together.step(batch)
        assert abs(one["loss"] - several["loss"]) < 1e-12
    assert largest_difference(alone.state(), together.state()) < 1e-12
    assert together.steps == len(BATCHES)
    assert abs(alone.evaluate(BATCHES[0])["loss"] - together.evaluate(BATCHES[0])["loss"]) < 1e-12


def test_rare_synchronisation_averages_runs_of_their_own() -> None:
    """Local SGD (Stich, 2019, algorithm 1), with Adam for the local steps."""
    rule, every = "Adam(lr=0.01)", 5
    together, apart = Workers(learners(3, rule), every), learners(3, rule)
    for number, batch in enumerate(BATCHES, 1):
        together.step(batch)
        for learner, part in zip(apart, divided(batch, 3), strict=True):
            learner.step(part)
        if number % every == 0:
            common = mean([learner.state() for learner in apart])
            for learner in apart:
                learner.restore(common, number)
            assert largest_difference(together.state(), common) == 0
        else:
            own = {p: a for p, a in together.state().items() if p.startswith(f"{OWN}1.")}
            assert (
                largest_difference(
                    {path.removeprefix(f"{OWN}1."): a for path, a in own.items()}, apart[1].state()
                )
                == 0
            )


def test_a_checkpoint_between_synchronisations_goes_on_to_the_same_numbers() -> None:
    rule = "Adam(lr=0.01)"
    first = Workers(learners(3, rule), every=5)
    for batch in BATCHES[:7]:
        first.step(batch)
    second = Workers(learners(3, rule), every=5)
    second.restore(first.state(), first.steps)
    for batch in BATCHES[7:]:
        assert first.step(batch) == second.step(batch)
    assert largest_difference(first.state(), second.state()) == 0


def test_another_state_is_that_of_all_workers() -> None:
    workers = Workers(learners(2, "SGD(lr=0.1)"), every=5)
    workers.step(BATCHES[0])
    other = learners(1, "SGD(lr=0.1)")[0].state()
    workers.restore({**workers.state(), **other}, 4)
    assert workers.steps == 4
    assert largest_difference(workers.state(), other) == 0


def test_a_batch_is_shared_out() -> None:
    batch = {"x": np.arange(7), "y": np.arange(7) * 2}
    parts = divided(batch, 3)
    assert sorted(len(part["x"]) for part in parts) == [2, 2, 3]
    np.testing.assert_array_equal(np.concatenate([part["x"] for part in parts]), batch["x"])
    few = divided({"x": np.arange(2)}, 3)
    assert [part["x"].tolist() for part in few] == [[0], [1], [0]]


def test_a_worker_that_fails_takes_all_back() -> None:
    workers = Workers(learners(2, "SGD(lr=0.1)"))
    before = workers.state()
    with pytest.raises(Exception, match=r"broadcast|shape|size"):
        workers.step({"x": BATCHES[0]["x"], "target": BATCHES[0]["target"][:7]})
    assert workers.steps == 0
    assert largest_difference(workers.state(), before) == 0


def test_samples_that_belong_together_are_not_shared_out(tmp_path: Path) -> None:
    club = nncomp.load(Path(__file__).resolve().parents[2] / "models" / "gcn.nn")
    with pytest.raises(CompileError, match=r"NN0501.*workers cannot share out `adjacency"):
        club.train("networkx:karate", tmp_path, workers=2, batch_size=34, epochs=1)


def test_the_command(tmp_path: Path) -> None:
    """In onnxruntime, stopped and gone on with."""
    (tmp_path / "m.nn").write_text(
        MODEL.format("Adam(lr=0.01)").replace("f64", "f32"), encoding="utf-8"
    )
    np.savez(
        tmp_path / "d.npz", x=BATCHES[0]["x"].astype("f"), target=BATCHES[0]["target"].astype("f")
    )
    command = ["train", f"{tmp_path}/m.nn", "--data", f"{tmp_path}/d.npz", "--batch-size", "4"]
    command += ["--workers", "2", "--sync-every", "3"]
    assert main([*command, "--epochs", "4", "-o", f"{tmp_path}/whole"]) == 0
    assert main([*command, "--epochs", "2", "-o", f"{tmp_path}/parts"]) == 0
    assert main([*command, "--epochs", "4", "-o", f"{tmp_path}/parts", "--resume"]) == 0
    whole, parts = (
        load_weights(tmp_path / name / "last.safetensors") for name in ("whole", "parts")
    )
    for path, array in whole.items():
        np.testing.assert_array_equal(parts[path], array)
