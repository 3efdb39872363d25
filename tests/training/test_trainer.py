"""The training loop over a small real model, on both backends."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from nncomp.driver.compiling import Step, compiled_step, data_inputs, initial_values, section_of
from nncomp.driver.learners import make_learner
from nncomp.driver.programs import load_program
from nncomp.errors import CompileError
from nncomp.source import SourceFile
from nncomp.training.checkpoint import Progress
from nncomp.training.curves import draw_curves
from nncomp.training.data import DataSet, batches, load_data
from nncomp.training.log import read_log
from nncomp.training.options import Options
from nncomp.training.results import losses
from nncomp.training.trainer import BEST, LAST, LOG, Outcome, Trainer
from nncomp.types import Array

MODEL = """
from std import BatchNorm, Dropout, Linear
from std.optim import Adam

model Small(classes: int = 10) {
  input x: f32[N, 64]
  logits = x |> Linear(16, use_bias=false) |> BatchNorm() |> relu |> Dropout(0.2) |> Linear(classes)
  output logits
  train {
    input label: i64[N]
    metric accuracy = mean(argmax(logits, axis=1) == label)
    minimize cross_entropy(logits, label) by Adam(lr=1e-2)
  }
}
"""


class Setting:
    """The model compiled, its first state, and its data."""

    def __init__(self) -> None:
        program = load_program(SourceFile("small.nn", MODEL))
        _, section = section_of(program)
        self.step: Step = compiled_step(section)
        self.state: dict[str, Array] = initial_values(program, seed=5)
        self.data: DataSet = load_data("sklearn:digits", data_inputs(section.step))

    def trainer(
        self, folder: Path, backend: str = "onnx", data: DataSet | None = None, **options: object
    ) -> Trainer:
        defaults: dict[str, object] = {"epochs": 3, "batch_size": 100, "rates": {"lr": 1e-2}}
        chosen = Options(**defaults | options)  # type: ignore[arg-type]
        learner = make_learner(self.step, self.state, seed=chosen.seed, backend=backend)
        return Trainer(learner, data or self.data, chosen, folder)


@pytest.fixture(scope="module")
def setting() -> Setting:
    return Setting()


@pytest.fixture(scope="module")
def outcome(setting: Setting, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    folder = tmp_path_factory.mktemp("run")
    return setting.trainer(folder, epochs=6).run(), folder


def test_it_learns(outcome: tuple[Outcome, Path]) -> None:
    assert outcome[0].test["accuracy"] > 0.85
    assert outcome[0].records[-1]["train"]["loss"] < outcome[0].records[0]["loss"] / 3


def test_the_log_is_what_happened(outcome: tuple[Outcome, Path]) -> None:
    found, folder = outcome
    assert read_log(folder / LOG) == found.records
    assert [r["step"] for r in found.records if "epoch" not in r] == list(range(1, 6 * 13 + 1))
    epochs = [r for r in found.records if "epoch" in r]
    assert [r["epoch"] for r in epochs] == list(range(1, 7))
    best = min(epochs, key=lambda r: r["validation"]["loss"])
    assert best["epoch"] == found.best_epoch


def test_same_seed_same_curve(
    setting: Setting, outcome: tuple[Outcome, Path], tmp_path: Path
) -> None:
    setting.trainer(tmp_path, epochs=6).run()
    for name in (LOG, LAST, BEST):
        assert (tmp_path / name).read_bytes() == (outcome[1] / name).read_bytes()
    other = setting.trainer(tmp_path, epochs=1, seed=1).run()
    assert other.records[0] != outcome[0].records[0]


def test_resumed_is_as_never_stopped(
    setting: Setting, outcome: tuple[Outcome, Path], tmp_path: Path
) -> None:
    setting.trainer(tmp_path, epochs=2).run()
    with (tmp_path / LOG).open("a") as log:  # a run that was killed while writing
        log.write('{"step": 27, "loss": 1.0}\n{"step": 28, "lo')
    found = setting.trainer(tmp_path, epochs=6).run(resume=True)
    assert found.test == outcome[0].test
    for name in (LOG, LAST, BEST):
        assert (tmp_path / name).read_bytes() == (outcome[1] / name).read_bytes()


def test_a_run_killed_between_the_log_and_the_checkpoint(
    setting: Setting, outcome: tuple[Outcome, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last checkpoint is that of the epoch's last step; the log has the epoch already."""
    import nncomp.training.trainer as trainer

    save = trainer.save_checkpoint

    def killed(path: Path, state: dict[str, Array], progress: Progress) -> None:
        if path.name == LAST and progress.epoch == 2 and not progress.batch:
            raise KeyboardInterrupt
        save(path, state, progress)

    monkeypatch.setattr(trainer, "save_checkpoint", killed)
    with pytest.raises(KeyboardInterrupt):
        setting.trainer(tmp_path, epochs=6, checkpoint_seconds=0.0).run()
    assert [r["epoch"] for r in read_log(tmp_path / LOG) if "epoch" in r] == [1, 2]
    monkeypatch.undo()
    found = setting.trainer(tmp_path, epochs=6).run(resume=True)
    assert found.records == outcome[0].records
    for name in (LOG, LAST, BEST):
        assert (tmp_path / name).read_bytes() == (outcome[1] / name).read_bytes()


def test_another_run_is_not_resumed(setting: Setting, tmp_path: Path) -> None:
    setting.trainer(tmp_path, epochs=1).run()
    with pytest.raises(CompileError, match=r"NN0404.*its seed was 0, now it is 3"):
        setting.trainer(tmp_path, seed=3).run(resume=True)
    with pytest.raises(CompileError, match="NN0001"):
        setting.trainer(tmp_path / "elsewhere").run(resume=True)


def test_numpy_and_onnxruntime_take_the_same_steps(setting: Setting) -> None:
    learners = [
        make_learner(setting.step, setting.state, seed=2, backend=b) for b in ("onnx", "numpy")
    ]
    for batch, _ in zip(batches(setting.data.train, 32), range(5), strict=False):
        a, b = (learner.step(batch, lr=1e-2) for learner in learners)
        assert a == pytest.approx(b, rel=1e-6)
    a, b = (learner.evaluate(setting.data.validation) for learner in learners)
    assert a == pytest.approx(b, rel=1e-5)


def test_evaluation_changes_nothing(setting: Setting) -> None:
    for backend in ("onnx", "numpy"):
        learner = make_learner(setting.step, setting.state, backend=backend)
        before = learner.state()
        first = learner.evaluate(setting.data.test)
        assert learner.evaluate(setting.data.test) == first
        assert learner.steps == 0
        for path, array in learner.state().items():
            np.testing.assert_array_equal(array, before[path])


def test_data_that_is_not_finite_is_named(setting: Setting, tmp_path: Path) -> None:
    spoilt = {
        name: np.full_like(a, np.nan) if a.dtype.kind == "f" else a
        for name, a in setting.data.train.items()
    }
    data = dataclasses.replace(setting.data, train=spoilt)
    trainer = setting.trainer(tmp_path, data=data)
    with pytest.raises(CompileError, match=r"NN0404[^`]*the data is at fault: `\w+` has values"):
        trainer.run()


def test_a_loss_that_is_not_finite_stops_the_run(setting: Setting, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match=r"NN0404.*the loss became") as failure:
        setting.trainer(tmp_path, rates={"lr": 1e38}).run()
    assert "lower learning rate" in (failure.value.diagnostics[0].help or "")


def test_patience_ends_a_run_early(setting: Setting, tmp_path: Path) -> None:
    found = setting.trainer(tmp_path, epochs=30, patience=1, rates={"lr": 0.0}).run()
    assert found.records[-1]["epoch"] < 30


def test_cosine_takes_the_rate_to_zero(setting: Setting, tmp_path: Path) -> None:
    found = setting.trainer(tmp_path, schedule="cosine", epochs=2).run()
    rates = [r["lr"] for r in found.records if "epoch" in r]
    assert rates[0] == pytest.approx(1e-2 * (1 + math.cos(math.pi * 12 / 26)) / 2)
    assert rates[1] < 2e-4


def test_losses_are_told_from_metrics() -> None:
    assert losses(["loss", "accuracy", "loss_2", "loss_scale"]) == ["loss", "loss_2"]


def test_curves_are_a_picture(outcome: tuple[Outcome, Path], tmp_path: Path) -> None:
    drawn = [
        [path.read_bytes() for path in draw_curves(outcome[0].records, tmp_path / name, "a title")]
        for name in ("c", "again")
    ]
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}.{form}" for name in ("c", "again") for form in ("png", "svg")
    }
    assert drawn[0] == drawn[1]
    assert drawn[0][0].startswith(b"\x89PNG")
    assert drawn[0][1].rstrip().endswith(b"</svg>")
    with pytest.raises(CompileError, match="no complete epoch"):
        draw_curves([], tmp_path / "d")


def test_a_file_that_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(json.dumps([1]) + "\n")
    with pytest.raises(CompileError, match=r"line 1 of .* is not of a training log"):
        read_log(tmp_path / "x")
