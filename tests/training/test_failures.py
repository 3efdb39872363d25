"""What goes wrong while a model is trained: what is said, and what is kept."""

from __future__ import annotations

import errno
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncomp
from nncomp.errors import CompileError
from nncomp.training.learner import Numbers
from nncomp.training.log import Record, read_log
from nncomp.training.trainer import BEST, LAST, LOG
from nncomp.weights import load_weights

HEAD = """from std import Linear
from std.optim import SGD

model M {
  input x: f32[N, 2]
  y = x |> Linear(1)
  output y
"""
FINE = """  train {
    input target: f32[N, 1]
    minimize mse_loss(y, target) by SGD(lr=0.1)
  }
}
"""
SAMPLES = {
    "x": np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32),
    "target": np.ones((40, 1), np.float32),
}


def model(folder: Path, body: str) -> nncomp.Model:
    (folder / "m.nn").write_text(HEAD + body)
    return nncomp.load(folder / "m.nn")


def refusal(found: nncomp.Model, data: Any, folder: Path, **options: Any) -> nncomp.Diagnostic:
    with pytest.raises(CompileError) as failure:
        found.train(data, folder / "run", **{"batch_size": 8, "lr": 0.1, **options})
    return failure.value.diagnostics[0]


NANS = [
    ("minimize mean(log(y)) by SGD(lr=0.1)", "Log made the first NaN", "log(y)"),
    ("minimize mean(exp(1000 * y)) by SGD(lr=0.1)", "Exp made the first infinity", "exp(1000 * y)"),
    (
        "z = exp(1e4 * abs(y))\n    minimize mean(z / (1 + z)) by SGD(lr=0.1)",
        "Exp made the first infinity",
        "exp(1e4 * abs(y))",
    ),
    (
        "minimize mean(sqrt(y - y)) by SGD(lr=0.1)",
        "the gradient made the first",
        "sqrt(y - y)",
    ),
    (
        "s = softmax(where(x > 9, x, -1 / zeros([])))\n    minimize mean(s * y) by SGD(lr=0.1)",
        "made the first NaN",
        "softmax",
    ),
]


@pytest.mark.parametrize(("body", "message", "marked"), NANS)
@pytest.mark.parametrize("backend", ["onnx", "numpy"])
def test_the_operator_that_made_the_first_nan_is_named(
    tmp_path: Path, body: str, message: str, marked: str, backend: str
) -> None:
    found = model(tmp_path, f"  train {{\n    {body}\n  }}\n}}\n")
    diagnostic = refusal(found, {"x": SAMPLES["x"]}, tmp_path, backend=backend)
    assert diagnostic.code == "NN0404"
    assert re.match(r"the loss became (nan|-?inf) in ", diagnostic.message)
    assert message in diagnostic.message
    assert diagnostic.span is not None
    text = diagnostic.render()
    assert marked in text
    assert "m.nn" in text


def test_a_rate_too_high_is_traced_to_the_step_that_overflowed(tmp_path: Path) -> None:
    """The loss is finite in that step; the parameters after it are not."""
    diagnostic = refusal(model(tmp_path, FINE), SAMPLES, tmp_path, lr=1e38)
    assert "the loss became inf in step 2" in diagnostic.message
    assert "Mul of `sgd.linear.weight` made the first infinity" in diagnostic.message
    assert diagnostic.span is not None
    assert diagnostic.span.text == "SGD(lr=0.1)"
    assert "lower learning rate than lr = 1e+38" in (diagnostic.help or "")


def test_what_was_trained_before_a_nan_is_kept(tmp_path: Path) -> None:
    found = model(tmp_path, FINE)
    message = refusal(found, SAMPLES, tmp_path, lr=50.0, epochs=50).message
    step = int(re.search(r"in step (\d+)", message)[1])  # type: ignore[index]
    assert step > 5
    state = load_weights(tmp_path / "run" / LAST)
    assert all(np.isfinite(array).all() for array in state.values())
    assert [r["step"] for r in read_log(tmp_path / "run" / LOG) if "epoch" not in r] == [
        *range(1, step)
    ]
    with pytest.raises(CompileError, match=rf"the loss became inf in step {step} "):
        found.train(SAMPLES, tmp_path / "run", resume=True, lr=50.0, batch_size=8, epochs=50)


def test_a_validation_that_is_not_finite_is_traced_too(tmp_path: Path) -> None:
    body = "  train { minimize mean(log(x)) * mean(y * y) by SGD(lr=0.1) }\n}\n"
    diagnostic = refusal(
        model(tmp_path, body),
        {"x": np.abs(SAMPLES["x"]) + 1},
        tmp_path,
        validation={"x": np.zeros((3, 2), np.float32)},
    )
    assert "in the evaluation after step" in diagnostic.message
    assert "Log made the first infinity" in diagnostic.message


def endless(bad: dict[int, Any]) -> Any:
    """A function that makes the batches of an epoch; some batches, by number, are bad."""

    def make(epoch: int) -> Iterator[Any]:
        rng = np.random.default_rng(epoch)
        for i in range(10):
            x = rng.normal(size=(4, 2))
            good = {"x": x, "target": x[:, :1]}
            yield bad.get(10 * (epoch - 1) + i + 1, good)

    return make


@pytest.mark.parametrize(
    "bad",
    [
        {"x": np.full((4, 2), np.nan), "target": np.zeros((4, 1))},
        {"x": np.zeros((4, 3)), "target": np.zeros((4, 1))},
        {"x": np.zeros((4, 2))},
    ],
)
def test_a_bad_batch_leaves_what_was_trained(tmp_path: Path, bad: Any) -> None:
    """Resumed with good batches, the run is as if nothing had happened."""
    options: dict[str, Any] = {"epochs": 3, "lr": 0.01, "steps": 10, "batch_size": 4}
    whole = model(tmp_path, FINE).train(endless({}), tmp_path / "whole", **options)
    diagnostic = refusal(model(tmp_path, FINE), endless({17: bad}), tmp_path, **options)
    assert diagnostic.code == "NN0501"
    assert "batch 7 of epoch 2" in diagnostic.message
    resumed = model(tmp_path, FINE).train(endless({}), tmp_path / "run", resume=True, **options)
    assert resumed.outcome.records == whole.outcome.records
    for name in (LAST, BEST, LOG):
        ours, theirs = (tmp_path / folder / name for folder in ("run", "whole"))
        assert ours.read_bytes() == theirs.read_bytes()


def test_a_full_disk_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, written = model(tmp_path, FINE), [0]
    sync = os.fsync

    def full(handle: int) -> None:
        written[0] += 1
        if written[0] > 6:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    diagnostic = refusal(found, SAMPLES, tmp_path, epochs=5)
    assert diagnostic.code == "NN0001"
    assert "No space left on device" in diagnostic.message
    monkeypatch.undo()
    whole = model(tmp_path, FINE).train(SAMPLES, tmp_path / "whole", epochs=5, batch_size=8, lr=0.1)
    assert not [path for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]
    resumed = model(tmp_path, FINE).train(
        SAMPLES, tmp_path / "run", epochs=5, batch_size=8, lr=0.1, resume=True
    )
    assert resumed.outcome.records == whole.outcome.records
    assert (tmp_path / "run" / LAST).read_bytes() == (tmp_path / "whole" / LAST).read_bytes()


class Interrupting:
    """A reporter that interrupts the run at a step, as Ctrl-C does."""

    def __init__(self, at: int) -> None:
        self.at = at

    def start(self, done: int, total: int | None) -> None: ...

    def step(self, number: int, results: Numbers, samples: int) -> None:
        if number == self.at:
            os.kill(os.getpid(), signal.SIGINT)

    def epoch(self, record: Record) -> None: ...

    def finish(self) -> None: ...


@pytest.mark.parametrize("at", [1, 4, 5, 7])  # 4 steps are an epoch
def test_an_interrupt_leaves_a_checkpoint(tmp_path: Path, at: int) -> None:
    options: dict[str, Any] = {"epochs": 3, "batch_size": 7, "lr": 0.01}
    options |= {"noise": 0.1, "schedule": "cosine", "warmup": 3}
    whole = model(tmp_path, FINE).train(SAMPLES, tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        model(tmp_path, FINE).train(SAMPLES, tmp_path / "run", reporter=Interrupting(at), **options)
    assert [r["step"] for r in read_log(tmp_path / "run" / LOG) if "epoch" not in r][-1] == at
    resumed = model(tmp_path, FINE).train(SAMPLES, tmp_path / "run", resume=True, **options)
    assert resumed.outcome.records == whole.outcome.records
    for name in (LAST, BEST, LOG):
        ours, theirs = (tmp_path / folder / name for folder in ("run", "whole"))
        assert ours.read_bytes() == theirs.read_bytes()


def test_a_request_to_end_leaves_a_checkpoint(tmp_path: Path) -> None:
    """As systems that share machines make it; the process then ends as it would have."""
    ended: list[int] = []

    class Ending(Interrupting):
        def step(self, number: int, results: Numbers, samples: int) -> None:
            if number == self.at:
                os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, lambda number, frame: ended.append(number))
    try:
        with pytest.raises(KeyboardInterrupt):
            model(tmp_path, FINE).train(
                SAMPLES, tmp_path / "run", reporter=Ending(3), epochs=3, batch_size=7
            )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended == [signal.SIGTERM]
    assert [r["step"] for r in read_log(tmp_path / "run" / LOG)] == [1, 2, 3]
    assert (tmp_path / "run" / LAST).exists()


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    found, other = model(tmp_path, FINE), model(tmp_path, FINE)

    class Meanwhile(Interrupting):
        def epoch(self, record: Record) -> None:
            said = refusal(other, SAMPLES, tmp_path, epochs=1, resume=record["epoch"] > 1)
            assert (said.code, said.message) == (
                "NN0001",
                f"another run is writing into {tmp_path / 'run'}",
            )

    found.train(SAMPLES, tmp_path / "run", reporter=Meanwhile(0), epochs=2, batch_size=8)
    found.train(SAMPLES, tmp_path / "run", epochs=3, batch_size=8, resume=True)


def test_labels_out_of_range_are_found_before_training(tmp_path: Path) -> None:
    (tmp_path / "m.nn").write_text(
        """from std import Embedding, Linear
from std.optim import SGD

model M {
  input word: i64[N]
  logits = word |> Embedding(6, 4) |> Linear(3)
  train {
    input label: i64[N]
    input other: i64[N]
    loss = cross_entropy(logits, label, ignore=-1)
    minimize loss + mean(one_hot(other, 4)) * 0.0 by SGD(lr=0.1)
  }
}
"""
    )
    zeros = np.zeros(20, np.int64)
    for name, bad, takes in (
        ("word", 6, "-6 to 5"),
        ("label", 3, "0 to 2, or -1"),
        ("other", 4, "0 to 3"),
    ):
        spoilt = zeros.copy()
        spoilt[4] = bad
        data = {"word": zeros, "label": zeros, "other": zeros} | {name: spoilt}
        diagnostic = refusal(nncomp.load(tmp_path / "m.nn"), data, tmp_path)
        assert diagnostic.code == "NN0501"
        assert diagnostic.message == (
            f"`{name}[4]` of the data: {bad} for the input `{name}`, which takes {takes}"
        )
        assert not (tmp_path / "run").exists()


def test_a_run_goes_on_with_what_it_was_begun_with(tmp_path: Path) -> None:
    """Other optimisers, averages and sizes are told by what the checkpoint holds."""
    found = model(tmp_path, FINE)
    found.train(SAMPLES, tmp_path / "run", epochs=1, batch_size=8)
    before = (tmp_path / "run" / LAST).read_bytes()
    options: dict[str, Any] = {"epochs": 2, "resume": True}
    said = refusal(found, SAMPLES, tmp_path, average=0.9, **options)
    assert said.code == "NN0404"
    assert said.message.endswith(f"{LAST}: it lacks `ema.linear.bias.average`")
    (tmp_path / "m.nn").write_text((HEAD + FINE).replace("SGD", "Adam"))
    said = refusal(nncomp.load(tmp_path / "m.nn"), SAMPLES, tmp_path, **options)
    assert said.message.endswith("it lacks `adam.linear.bias.m`")
    wide = {"x": SAMPLES["x"], "target": np.ones((40, 3), np.float32)}
    text = (HEAD + FINE).replace("Linear(1)", "Linear(3)").replace("1]", "3]")
    (tmp_path / "m.nn").write_text(text)
    said = refusal(nncomp.load(tmp_path / "m.nn"), wide, tmp_path, **options)
    assert said.message.endswith("its `linear.bias` is f32[1], now it is f32[3]")
    assert (tmp_path / "run" / LAST).read_bytes() == before


def test_a_log_that_lacks_steps_of_the_epoch(tmp_path: Path) -> None:
    """How far an epoch has come is read from the log: without, batches would be taken twice."""
    x, target = SAMPLES["x"], SAMPLES["target"]
    good = [(x[:8], target[:8]), (x[8:16], target[8:16])]
    found = model(tmp_path, FINE)
    refusal(found, [*good, (x[:8], np.full((8, 1), np.nan, np.float32))], tmp_path, epochs=1)
    log = tmp_path / "run" / LOG
    log.write_text(log.read_text().splitlines(keepends=True)[0])
    said = refusal(found, [*good, good[0]], tmp_path, epochs=1, resume=True)
    assert said.message == f"cannot resume: {log} has 1 of the 2 steps from step 1 on"


def test_a_checkpoint_whose_counts_are_none(tmp_path: Path) -> None:
    found = model(tmp_path, FINE)
    found.train(SAMPLES, tmp_path / "run", epochs=1, batch_size=8)
    last = tmp_path / "run" / LAST
    for old, new in ((b'"batch\\": 0', b'"batch\\":-1'), (b'"step\\": 4', b'"step\\":{}')):
        data = last.read_bytes()
        assert old in data
        last.write_bytes(data.replace(old, new))
        said = refusal(found, SAMPLES, tmp_path, epochs=2, resume=True)
        assert said.message == f"{last} is not a checkpoint of a training run"
        last.write_bytes(data)
