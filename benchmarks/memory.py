"""Peak memory of training steps beside PyTorch's, each side in a process of its own.

    python benchmarks/memory.py [resnet20 …] [--batch 256] [--steps 6] [--budget 0.5]

Resident memory at its peak while steps are taken, over what the process holds with its libraries
loaded and before the network is built; and the median time of a step. `budget` trains with
`memory_budget` at that share of what the step's activations take without one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from parts.networks import NETWORKS, Network, learnt

SIDES = ("eager", "ours", "budget")
_MIB = 2**20


def resident(peak: bool = False) -> int:
    """Bytes of this process in memory, now or at the most since `forget_peak`."""
    key = "VmHWM:" if peak else "VmRSS:"
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    raise AssertionError(key)


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def our_step(row: Network, size: int, share: float | None) -> Callable[[], float]:
    from nncomp.autodiff.rematerialize import Memory
    from nncomp.driver.compiling import compiled_step, section_of

    model = row.load()
    budget = None
    if share is not None:
        section = section_of(model.program)[1]
        memory = compiled_step(section, Memory(2**60, {"N": size})).memory
        assert memory is not None
        budget = int(share * memory.before)
    step = model.training_step(memory_budget=budget, sizes={"N": size} if budget else None)
    names = [value.name for value in model.program.train["train"].step.inputs]
    feed = dict(zip(names, row.batch(size), strict=False))
    return lambda: float(step(**feed)["loss"])


def measure(name: str, side: str, size: int, steps: int, share: float) -> dict[str, float]:
    row = NETWORKS[name]
    import onnxruntime  # noqa: F401 - libraries are loaded before

    if side == "eager":
        from parts.torch_networks import torch_step
    before = resident()
    forget_peak()
    if side == "eager":
        step = torch_step(name, row, "eager", learnt(row.load()), row.batch(size))
    else:
        step = our_step(row, size, share if side == "budget" else None)
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return {
        "peak": (resident(peak=True) - before) / _MIB,
        "ms": 1e3 * statistics.median(times[1:]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=["resnet20"], help=", ".join(NETWORKS))
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--budget", type=float, default=0.5, help="share of the activations")
    parser.add_argument("--child", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        found = measure(args.networks[0], args.child, args.batch, args.steps, args.budget)
        print(json.dumps(found))
        return
    print(f"{'network':13} {'side':8} {'peak, MiB':>10} {'ratio':>6} {'ms':>9} {'ratio':>6}")
    for name in args.networks:
        peers: dict[str, dict[str, float]] = {}
        for side in SIDES:
            command = [sys.executable, __file__, name, "--child", side]
            command += ["--batch", str(args.batch), "--steps", str(args.steps)]
            command += ["--budget", str(args.budget)]
            environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
            result = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
            found = peers[side] = json.loads(result.stdout.splitlines()[-1])
            # memory is held against PyTorch's, the price of a budget against ours without one
            ratio = found["peak"] / peers["eager"]["peak"]
            slower = found["ms"] / peers["ours" if side == "budget" else "eager"]["ms"]
            cells = f"{found['peak']:10.0f} {ratio:6.2f} {found['ms']:9.1f} {slower:6.2f}"
            print(f"{name:13} {side:8} {cells}", flush=True)


if __name__ == "__main__":
    main()
