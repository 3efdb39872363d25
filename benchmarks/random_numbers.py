"""Random numbers of the counter-based stream beside onnxruntime's own generators.

    python benchmarks/random_numbers.py [--count 1000000] [--rounds 30] [--threads 2]

Both sides draw the same number of float32 in turn; the table gives the shortest time of each, in
nanoseconds a number, and their ratio. RandomUniform and RandomNormal use one thread, and their
numbers are not those of another provider; ours are the same bits everywhere. The NumPy backend is
shown beside NumPy's generator.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

from nncomp.backends.ort.emit import to_bytes
from nncomp.backends.reference.interpreter import evaluate
from nncomp.driver.compiling import onnx_model
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Value
from nncomp.ops.random import Random
from nncomp.types import DType, TensorType

PEERS = {"uniform": "RandomUniform", "normal": "RandomNormal"}
SCALARS = {"seed": np.array(1), "step": np.array(2)}


def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def ours(distribution: str, count: int, threads: int) -> Callable[[], object]:
    b = Builder()
    seed, step = (Value(TensorType(DType.I64, ()), name) for name in SCALARS)
    y = b(Random(site=3, distribution=distribution), seed, step, b.ints(count))
    graph = Graph("draw", (seed, step), (), tuple(b.nodes), {"y": y})
    found = session(to_bytes(onnx_model(graph)), threads)
    return lambda: found.run(None, SCALARS)


def theirs(distribution: str, count: int, threads: int) -> Callable[[], object]:
    node = helper.make_node(PEERS[distribution], [], ["y"], shape=[count], seed=1.0)
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [count])
    model = helper.make_model(
        helper.make_graph([node], "draw", [], [output]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    found = session(model.SerializeToString(), threads)
    return lambda: found.run(None, {})


def best(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The shortest time of each, in seconds; all take turns."""
    times = dict.fromkeys(functions, float("inf"))
    for _ in range(rounds + 3):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name] = min(times[name], time.perf_counter() - start)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    print(f"{'':8} {'backend':12} {'ours ns':>8} {'theirs ns':>10} {'ratio':>6}")
    for kind in PEERS:
        own = {"uniform": rng.random, "normal": rng.standard_normal}[kind]
        operands = (*SCALARS.values(), np.array([args.count]))
        op = Random(site=3, distribution=kind)
        times = best(
            {
                "ours": ours(kind, args.count, args.threads),
                "theirs": theirs(kind, args.count, args.threads),
                "numpy": lambda op=op, operands=operands: evaluate(op, operands),  # type: ignore
                "generator": lambda own=own: own(args.count, np.float32),  # type: ignore
            },
            args.rounds,
        )
        for backend, a, b in (("onnxruntime", "ours", "theirs"), ("NumPy", "numpy", "generator")):
            mine, peer = (1e9 * times[name] / args.count for name in (a, b))
            print(f"{kind:8} {backend:12} {mine:8.2f} {peer:10.2f} {mine / peer:6.2f}")


if __name__ == "__main__":
    main()
