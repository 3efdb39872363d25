"""Whole training steps (forward, backward, update) beside PyTorch's, in one run.

    python benchmarks/training.py [mlp lenet …] [--rounds 40] [--target onnxruntime-cpu]
    python benchmarks/training.py lenet plain-resnet8 --onnxsim

For each network all sides take the same steps on the same batch from the same weights, in turn:
ours, and PyTorch as it is by default, with a fused optimiser and images channels-last, and
compiled. The table gives medians, the ratio of ours to the best of PyTorch's (below 1: ours is
faster), that of the shortest times, which other work on the machine disturbs least, and the range
of the ratios round by round without the outermost tenths. The losses of the first steps are
compared, so that nothing is timed that does not train.
With `--onnxsim` the peer is onnxsim's `compile_training_loop`, which has onnxruntime below, too.

Threads that wait spin under OMP_WAIT_POLICY=ACTIVE: PyTorch's then take a core from whoever comes
next in the same process. So that policy is measured with each side in processes of its own, four
of each in turn, since the machine's speed may change within minutes. `--one-thread` takes the
processor's time of one thread on either side: the figure for a machine on which other things run.

`--products` adds what matrix products and convolutions alone take of our step, by onnxruntime's
profile: `bound`, the shortest such time over PyTorch's shortest, is a ratio of minima that no graph
of these products can be better than.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from parts.networks import NETWORKS, Network, learnt

POLICIES = ("PASSIVE", "ACTIVE")
OURS, ONNXSIM = "ours", "onnxsim"
PYTORCH = ("eager", "fused", "compile")
HEAD = f"{'ratio':>6} {'minima':>6} {'goal':>5} {'bound':>5}  {'pairs':9} best peer"
_WARM_UP, _COMPARED = 4, 2
_TURNS = 4  # processes of each side, under ACTIVE


def our_step(row: Network, target: Any, threads: int, batch: list[Any]) -> Callable[[], float]:
    model = row.load()
    size = None if target == "onnx" else row.size
    step = model.training_step(target=target, batch_size=size, threads=threads)
    feed = dict(zip(model.program.train["train"].step.inputs, batch, strict=False))
    named = {value.name: array for value, array in feed.items()}
    return lambda: float(step(**named)["loss"])


def sides(
    name: str, wanted: Sequence[str], target: Any, threads: int
) -> dict[str, Callable[[], float]]:
    """What takes a step, by side."""
    row = NETWORKS[name]
    batch, weights = row.batch(), learnt(row.load())
    found: dict[str, Callable[[], float]] = {}
    for side in wanted:
        if side == OURS:
            found[side] = our_step(row, target, threads, batch)
        elif side == ONNXSIM:
            from parts.onnxsim_step import onnxsim_step

            found[side] = onnxsim_step(row, weights, batch)
        else:
            from parts.torch_networks import torch_step

            found[side] = torch_step(name, row, side, weights, batch)
    return found


def measure(
    name: str,
    wanted: Sequence[str],
    rounds: int,
    target: Any,
    *,
    one_thread: bool = False,
    products: bool = False,
) -> dict[str, Any]:
    """Milliseconds of each step, all sides in turn; and the losses of the first steps.

    products: those that our step's products take, too
    """
    threads = 1 if one_thread else os.cpu_count() or 1
    clock = time.process_time if one_thread else time.perf_counter
    if set(wanted) & set(PYTORCH):
        import torch

        torch.set_num_threads(threads)
    steps = sides(name, wanted, target, threads)
    losses = {side: [step() for _ in range(_WARM_UP)] for side, step in steps.items()}
    times: dict[str, list[float]] = {side: [] for side in steps}
    for _ in range(rounds):
        for side, step in steps.items():
            start = clock()
            step()
            times[side].append(1e3 * (clock() - start))
    found: dict[str, Any] = {"losses": losses, "times": times}
    if products and OURS in wanted:
        from parts.products import products_of

        row = NETWORKS[name]
        found["products"] = {OURS: products_of(row, target, threads, row.batch(), rounds)}
    return found


def require_alike(name: str, losses: dict[str, list[float]]) -> None:
    """The first losses are as near to each other as PyTorch's modes are among themselves, and
    2e-3 of them; later steps drift apart."""
    for ours, *peers in list(zip(*losses.values(), strict=True))[:_COMPARED]:
        allowed = 2e-3 * max(1.0, abs(ours)) + max(peers) - min(peers)
        near = min(abs(ours - peer) for peer in peers) <= allowed
        assert near, f"{name} does not train alike: {losses}"


def in_turn(name: str, wanted: Sequence[str], policy: str, args: argparse.Namespace) -> Any:
    """What `measure` finds, each side in processes of its own; of the products the shortest."""
    turns = [child(name, [s], policy, args, args.rounds // _TURNS) for s in (*wanted,) * _TURNS]
    found: dict[str, Any] = {"losses": {}, "times": {}, "products": {}}
    for turn in turns:
        found["losses"] |= turn["losses"]
        for side, times in turn["times"].items():
            found["times"].setdefault(side, []).extend(times)
        for side, spent in turn.get("products", {}).items():
            found["products"][side] = min(spent, found["products"].get(side, spent))
    return found


def child(
    name: str, wanted: Sequence[str], policy: str, args: argparse.Namespace, rounds: int
) -> Any:
    command = [sys.executable, __file__, name, "--child", ",".join(wanted)]
    command += ["--rounds", str(rounds), "--target", args.target]
    command += ["--one-thread"] * args.one_thread + ["--products"] * args.products
    environment = {**os.environ, "OMP_WAIT_POLICY": policy}
    result = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout.splitlines()[-1])


def report(name: str, policy: str, args: argparse.Namespace) -> str:
    wanted = (OURS, ONNXSIM) if args.onnxsim else (OURS, *args.modes)
    if policy == "PASSIVE":
        found = child(name, wanted, policy, args, args.rounds)
    else:
        found = in_turn(name, wanted, policy, args)
    require_alike(name, found["losses"])
    times = found["times"]
    medians = {side: statistics.median(row) for side, row in times.items()}
    best = min((s for s in medians if s != OURS), key=medians.__getitem__)
    peers = [row for side, row in times.items() if side != OURS]
    ratios = sorted(a / b for a, b in zip(times[OURS], times[best], strict=True))
    low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
    cells = " ".join(f"{medians[side]:9.2f}" for side in wanted)
    row = NETWORKS[name]
    goal = row.goal if args.target == "onnx" else row.target_goal
    allowed = f"{goal:5.2f}" if goal and not args.onnxsim else "     "
    ratio, least = medians[OURS] / medians[best], min(times[OURS]) / min(map(min, peers))
    spent = found.get("products", {}).get(OURS)
    bound = "     " if spent is None else f"{spent / min(map(min, peers)):5.2f}"
    pairs = f"{low:.2f}–{high:.2f}"
    row_ = f"{name:13} {policy:8} {cells} {ratio:6.2f} {least:6.2f} {allowed} {bound}"
    return f"{row_}  {pairs:9} {best}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", help=", ".join(NETWORKS))
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--target", default="onnx", help="onnx (default) or onnxruntime-cpu")
    parser.add_argument("--modes", nargs="+", default=PYTORCH, choices=PYTORCH)
    parser.add_argument("--policies", nargs="+", default=POLICIES, choices=POLICIES)
    parser.add_argument("--onnxsim", action="store_true", help="onnxsim as the peer")
    parser.add_argument("--one-thread", action="store_true", help="processor time of one thread")
    parser.add_argument("--products", action="store_true", help="what products take of our step")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        name, wanted = args.networks[0], args.child.split(",")
        found = measure(
            *(name, wanted, args.rounds, args.target),
            one_thread=args.one_thread,
            products=args.products,
        )
        print(json.dumps(found))
        return
    names = args.networks or [
        n for n, row in NETWORKS.items() if (row.goal if args.target == "onnx" else row.target_goal)
    ]
    peers = (ONNXSIM,) if args.onnxsim else args.modes
    cells = " ".join(f"{side:>9}" for side in (OURS, *peers))
    print(f"{'network':13} {'policy':8} {cells} {HEAD}")
    for name in names:
        for policy in args.policies[:1] if args.one_thread else args.policies:
            print(report(name, policy, args), flush=True)


if __name__ == "__main__":
    main()
