"""What the training loop adds to the runs of its step: feeding, checks, log, progress bar.

    python benchmarks/training_loop.py [mlp lenet …] [--steps 400] [--rounds 5]

An epoch of the trainer on arrays, as `nncomp train` has it, with the progress bar drawn to nowhere.
Of the time from the first step's end to the last one's, what passes inside of onnxruntime's run is
the session's, and the loop's what is left. The shortest of some rounds stands in the table.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from pathlib import Path
from typing import Any

from parts.networks import NETWORKS
from rich.console import Console

from nncomp.driver.compiling import compiled_step, data_inputs, section_of
from nncomp.driver.learners import make_learner
from nncomp.training.data import DataSet
from nncomp.training.learner import Numbers
from nncomp.training.options import Options
from nncomp.training.progress import Bar
from nncomp.training.trainer import Trainer


class TimedBar(Bar):
    """Knows when the first step ended, and the last one."""

    first = last = 0.0

    def step(self, number: int, results: Numbers, samples: int) -> None:
        super().step(number, results, samples)
        self.last = time.perf_counter()
        self.first = self.first or self.last


class Timed:
    """A session whose runs are timed."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.seconds, self.runs = 0.0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run_with_iobinding(self, binding: Any) -> None:
        start = time.perf_counter()
        self._session.run_with_iobinding(binding)
        self.seconds += time.perf_counter() - start if self.runs else 0.0
        self.runs += 1


def measure(name: str, steps: int) -> tuple[float, float]:
    """Milliseconds of a step: inside of onnxruntime's run, and besides."""
    row = NETWORKS[name]
    model = row.load()
    _, section = section_of(model.program)
    inputs = data_inputs(section.step)
    samples = dict(zip(inputs, row.batch(row.size * steps), strict=True))
    data = DataSet("random numbers", samples, {}, {})
    learner: Any = make_learner(compiled_step(section), model.state)
    timed = learner._session._session = Timed(learner._session._session)
    bar = TimedBar(1, Console(file=io.StringIO(), force_terminal=True, width=100))
    with tempfile.TemporaryDirectory() as folder:
        options = Options(epochs=1, batch_size=row.size)
        Trainer(learner, data, options, Path(folder), bar).run()
    assert timed.runs == steps
    besides = bar.last - bar.first - timed.seconds
    return 1e3 * timed.seconds / (steps - 1), 1e3 * besides / (steps - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=["mlp", "lenet"], help=", ".join(NETWORKS))
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print(f"{'network':13} {'session, ms':>12} {'loop, ms':>9} {'share':>7}   goal 5.0 %")
    for name in args.networks:
        rounds = [measure(name, args.steps) for _ in range(args.rounds)]
        inside, besides = min(a for a, _ in rounds), min(b for _, b in rounds)
        share = 100 * besides / inside
        print(f"{name:13} {inside:12.3f} {besides:9.3f} {share:6.1f} %", flush=True)


if __name__ == "__main__":
    main()
