"""`nncomp train` and `nncomp tune` from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nncomp.cli import main
from nncomp.training.curves import draw_curves
from nncomp.training.log import read_log
from nncomp.training.plot import plot

MODEL = """from std import Linear
from std.optim import Adam

model M(width: int = 8) {
  input features: f32[N, 2]
  logits = features |> Linear(width) as hidden |> relu |> Linear(2) as head
  output logits
  train {
    input label: i64[N]
    metric right = accuracy(logits, label)
    minimize cross_entropy(logits, label) by Adam(lr=1e-2)
  }
}
"""


TRAIN = ("train", "m.nn", "--data", "points.csv", "-o", "run")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("m.nn").write_text(MODEL)
    x = np.random.default_rng(0).normal(size=(60, 2))
    rows = "".join(f"{a:.3f},{b:.3f},{'up' if a > b else 'down'}\n" for a, b in x)
    Path("points.csv").write_text(f"a,b,kind\n{rows}")
    return tmp_path


def test_every_option_of_training(capsys: pytest.CaptureFixture[str]) -> None:
    given = "train m.nn --data points.csv --label kind --columns b,a --split 60,20,20 --epochs 4"
    given += " --batch-size 8 --lr 0.02 --schedule one-cycle --warmup 2 --noise 0.1"
    given += " --intensity 0.1 --freeze head.bias --average 0.9 --accumulate 2 --tensorboard -o run"
    assert main([*given.split()]) == 0
    out = capsys.readouterr().out
    assert "points.csv: 36 to train, 12 to validate, 12 to test" in out
    assert "features: b, a; kind: the classes down 0, up 1; label: the array `kind`" in out
    log = read_log("run/log.jsonl")
    assert len([record for record in log if "epoch" in record]) == 4
    assert [record["samples"] for record in log[:5]] == [8, 8, 8, 8, 4]
    (events,) = Path("run/tensorboard").iterdir()
    content = events.read_bytes()
    for tag in (b"step/loss", b"train/right", b"validation/loss", b"lr"):
        assert tag in content


def test_training_without_a_test(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(
            [
                "train",
                "m.nn",
                "--data",
                "points.csv",
                "--split",
                "1,0,0",
                "--epochs",
                "2",
                "-o",
                "run",
            ]
        )
        == 0
    )
    captured = capsys.readouterr()
    assert "60 to train, 0 to validate, 0 to test" in captured.out
    assert "\nbest epoch: 2\n" in captured.out
    assert "validation" not in captured.err


@pytest.mark.parametrize(
    "given",
    [
        ["--split", "1,2"],
        ["--split", "0,1,1"],
        ["--split", "a,b,c"],
        ["--noise", "-1"],
        ["--shift", "-1"],
        ["--lr", "nan"],
        ["--average", "1"],
        ["--schedule", "sine"],
    ],
)
def test_options_that_are_misspelt(given: list[str]) -> None:
    with pytest.raises(SystemExit) as usage:
        main(["train", "m.nn", "--data", "points.csv", *given])
    assert usage.value.code == 2


def test_a_bad_line_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with Path("points.csv").open("a") as table:
        table.write("1,oops,up\n")
    assert main(["train", "m.nn", "--data", "points.csv"]) == 1
    assert (
        "error[NN0501]: line 62 of points.csv has `oops` in the column `b`"
        in capsys.readouterr().err
    )


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_an_interrupted_training_goes_on() -> None:
    given = [
        "train",
        "m.nn",
        "--data",
        "points.csv",
        "--batch-size",
        "4",
        "--epochs",
        "100000",
        "-o",
        "run",
    ]
    run = subprocess.Popen(
        [sys.executable, "-m", "nncomp", *given, "--epochs", "100000"],
        stderr=subprocess.PIPE,
        text=True,
    )
    log = Path("run/log.jsonl")
    while run.poll() is None and not (log.exists() and log.stat().st_size > 2000):
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "run/last.safetensors is where it stopped; --resume goes on\ninterrupted" in err
    records = read_log("run/log.jsonl")
    epoch = [record for record in records if "epoch" in record][-1]["epoch"]
    assert main([*given, "--epochs", f"{epoch + 1}", "--resume"]) == 0
    assert read_log("run/log.jsonl")[: len(records)] == records


def test_the_same_seed_gives_the_same_curve() -> None:
    """LeNet-5 as the demo trains it, shifted images and all: every loss, bit for bit."""
    lenet = Path(__file__).parents[2] / "models" / "lenet5.nn"
    command = ["train", str(lenet), "--data", "sklearn:digits", "--epochs", "1", "--shift", "1"]
    for seed, out in ((4, "one"), (4, "two"), (5, "three")):
        assert main([*command, "--seed", f"{seed}", "-o", out]) == 0
    one, two, three = (Path(out, "log.jsonl").read_bytes() for out in ("one", "two", "three"))
    assert len(read_log(Path("one", "log.jsonl"))) == 21  # a line a step, one for the epoch
    assert one == two != three


def test_curves_in_the_terminal() -> None:
    epochs = [
        {
            "epoch": i,
            "step": i,
            "train": {"loss": 2.0**-i, "right": i / 10},
            "validation": {"loss": 2.0 ** (-i / 2), "right": i / 20},
        }
        for i in range(1, 11)
    ]
    text = plot(epochs, width=20, height=4)
    loss, right = text.split("\n\n")
    assert loss.splitlines()[0] == (
        "loss (train 0.0009766, validation 0.03125, logarithmic; validation dotted)"
    )
    assert loss.splitlines()[1].startswith("   0.7071 ┤")
    assert loss.splitlines()[4].startswith("0.0009766 ┤")
    assert right.splitlines()[-1].split() == ["epoch", "1", "10"]
    assert len(right.splitlines()) == 6
    dots = [line.partition("┤")[2] for line in right.splitlines()[1:5]]
    assert dots[0][-1] != "\u2800"  # accuracy ends at the top
    assert dots[3][0] != "\u2800"  # and begins at the bottom
    assert plot([]) == ""
    without = [{**record, "validation": {}} for record in epochs]
    assert "validation" not in plot(without)
    assert draw_curves(without, "c")


def test_tuning(capsys: pytest.CaptureFixture[str]) -> None:
    given = "tune m.nn --data points.csv --search width=2|8 --search lr=1e-3..1e-1:log"
    given += " --trials 3 --epochs 2 --maximize right -o tuned"
    assert main(given.split()) == 0
    captured = capsys.readouterr()
    assert captured.err.count("trial ") == 3
    assert "best: trial " in captured.out
    for name in ("trial", "width", "lr", "right", "loss", "epochs"):
        assert name in captured.out
    lines = Path("tuned/trials.jsonl").read_text().splitlines()
    best = max(map(json.loads, lines[1:]), key=lambda trial: trial["value"])
    assert f"best: trial {best['number']} with width = {best['values']['width']}" in captured.out
    assert main([*given.replace("--trials 3", "--trials 4").split(), "--resume"]) == 0
    assert Path("tuned/trials.jsonl").read_text().splitlines()[:4] == lines
    assert main(["tune", "m.nn", "--data", "points.csv", "--search", "lr=3..1"]) == 1
    assert "error[NN0407]" in capsys.readouterr().err
