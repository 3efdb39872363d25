"""Kills training runs at random moments, resumes them, and compares what they leave.

    python killing.py FOLDER KILLS SEED

One process compiles; each run is a fork of it, so that a start costs little. Prints how many of
the kills fell into a run that had a checkpoint already.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

import numpy as np

from nncomp.driver.compiling import compiled_step, data_inputs, initial_values
from nncomp.driver.learners import make_learner
from nncomp.driver.programs import load_program
from nncomp.source import SourceFile
from nncomp.training.data import load_data
from nncomp.training.log import read_log
from nncomp.training.options import Options
from nncomp.training.trainer import BEST, LAST, LOG, Trainer
from nncomp.weights import load_weights

MODEL = """
from std import BatchNorm, Dropout, Linear
from std.optim import Adam

model Tiny {
  input x: f32[N, 4]
  logits = x |> Linear(6) |> BatchNorm() |> relu |> Dropout(0.2) |> Linear(3)
  output logits
  train {
    input label: i64[N]
    minimize cross_entropy(logits, label) by Adam(lr=1e-2)
  }
}
"""
FILES = (LAST, BEST, LOG)


class Runs:
    """Runs of one training, each in a process of its own."""

    def __init__(self) -> None:
        program = load_program(SourceFile("tiny.nn", MODEL))
        section = program.train["train"]
        self.step = compiled_step(section)
        self.state = initial_values(program, seed=1)
        self.data = load_data("sklearn:iris", data_inputs(section.step))
        self.options = Options(
            epochs=6,
            batch_size=16,
            rates={"lr": 1e-2},
            noise=0.1,
            schedule="cosine",
            checkpoint_seconds=0.0,
        )

    def start(self, folder: Path) -> int:
        """The process of a run that goes on from the folder's checkpoint, if there is one."""
        sys.stdout.flush()
        process = os.fork()
        if process:
            return process
        try:
            learner = make_learner(self.step, self.state, seed=self.options.seed, threads=1)
            resume = (folder / LAST).exists()
            Trainer(learner, self.data, self.options, folder).run(resume)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)


def ended(process: int) -> bool:
    """Whether the process has ended; it must have ended well."""
    found, status = os.waitpid(process, os.WNOHANG)
    if found and status:
        raise SystemExit(f"a run ended with status {status}")
    return bool(found)


def contents(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


def main(root: Path, kills: int, seed: int) -> None:
    rng, runs = random.Random(seed), Runs()
    began = time.monotonic()
    process = runs.start(root / "whole")
    while not ended(process):
        time.sleep(0.001)
    lifetime = time.monotonic() - began
    expected = contents(root / "whole")
    done = resumed = finished = 0
    while done < kills:
        folder = root / f"{finished}"
        process = runs.start(folder)
        until = time.monotonic() + rng.uniform(0, lifetime)
        while time.monotonic() < until and not (over := ended(process)):
            time.sleep(0.0005)
        if over:
            assert contents(folder) == expected, f"{folder} differs from a run never stopped"
            finished += 1
            continue
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        done += 1
        resumed += (folder / LAST).exists()
        for name in (LAST, BEST):
            if (folder / name).exists():
                assert all(np.isfinite(a).all() for a in load_weights(folder / name).values())
        if (folder / LOG).exists():
            read_log(folder / LOG)
    folder = root / f"{finished}"
    process = runs.start(folder)
    while not ended(process):
        time.sleep(0.001)
    assert contents(folder) == expected, f"{folder} differs from a run never stopped"
    print(f"{done} kills, {resumed} with a checkpoint, {finished + 1} runs finished")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
