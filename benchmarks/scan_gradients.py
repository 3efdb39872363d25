"""What the gradient of a scan costs, by length: time to build, nodes, time and memory of a step.

    python benchmarks/scan_gradients.py [--lengths 64 128 256 512] [--rounds 7]

An LSTM of 32 units over 16 features, batch 8. Building is from text to ONNX, in process CPU time;
a step runs in onnxruntime. Time and memory of a step should grow as the length does: the last two
columns divide by it.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.step import StepSession
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.inspect.cost import cost
from nncomp.ir.graph import Graph
from nncomp.lower.program import Program, lower
from nncomp.passes.manager import optimize_step
from nncomp.source import SourceFile

MODEL = """
from std import LSTM
from std.optim import Adam

model M {{
  input x: f32[{length}, 8, 16]
  y = x |> LSTM(32) as net
  output y
  train {{ minimize mean(y * y) by Adam(lr=1e-3) }}
}}
"""


@dataclass
class Row:
    length: int
    build: float  # seconds of CPU
    nodes: int
    step: float  # seconds
    kept: int  # bytes that the step writes


def built(length: int) -> tuple[Program, Graph, object]:
    program = lower(SourceFile("lstm.nn", MODEL.format(length=length)))
    step = optimize_step(expand_gradients(program.train["train"].step), evaluate).graph
    return program, step, emit(legalize(step))


def measure(length: int, rounds: int) -> Row:
    builds = []
    for _ in range(rounds):
        start = time.process_time()
        program, step, proto = built(length)
        builds.append(time.process_time() - start)
    state = run(program.initial, {"seed": np.int64(0)}).outputs
    session = StepSession(proto, {p.path: state[p.path] for p in step.parameters})
    batch = {"x": np.random.default_rng(0).normal(size=(length, 8, 16)).astype(np.float32)}
    session.step(batch)
    steps = []
    for _ in range(rounds):
        start = time.perf_counter()
        session.step(batch)
        steps.append(time.perf_counter() - start)
    return Row(length, min(builds), len(step.nodes), min(steps), cost(step).written)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    print("length  build s  nodes  step ms  ms/length  written kB/length")
    for length in args.lengths:
        row = measure(length, args.rounds)
        print(
            f"{row.length:6}  {row.build:7.3f}  {row.nodes:5}  {1e3 * row.step:7.2f}"
            f"  {1e3 * row.step / length:9.4f}  {row.kept / 1e3 / length:17.2f}"
        )


if __name__ == "__main__":
    main()
