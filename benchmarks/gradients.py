"""Times of gradients in onnxruntime beside torch's own operators, in one run, on the shapes of
LeNet-5 and ResNet-20 (batch 64), ResNet-50 (batch 16) and GPT-2 (1,024 tokens).

    python benchmarks/gradients.py [--threads 2] [--rounds 15] [--only TEXT] [--all-bodies] [--best]

Contestants take turns within each round, so that what slows the machine slows all of them; the
table gives medians (on a busy machine, look at `--best`). The chosen body is marked by `*`.
OMP_WAIT_POLICY=PASSIVE keeps torch's waiting threads from taking onnxruntime's cores; without it
both are slower and less steady. With one thread, CPU time is taken: steady on a busy machine.

Columns: torch's time; nncomp's ratio to it; the ratios, best and worst, that the best formula in
standard operators had to torch when formulas were compared by hand, another day; nncomp's ratio to
the best of those formulas written by hand, for a known batch, and timed in this run
(`parts/formulas.py`), once when ours serves any batch and once when it knows the batch too; the
ratio to torch of the target `onnxruntime-cpu`, for convolutions and batch norm, with the batch
known and with the reordering of operands and result. A row holds if nncomp takes at most 1.2 times
as long as the formula by hand; "known" if it does so when both know the batch.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import onnx
import torch
from parts.formulas import by_hand
from parts.gradient_cases import Case, all_cases

from nncomp.autodiff.reverse import gradients
from nncomp.backends.ort.blocked.processor import block_size
from nncomp.backends.ort.bodies import BODIES
from nncomp.backends.ort.bodies.body import Body, Target
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import choose_body, legalize
from nncomp.backends.ort.runtime import open_session
from nncomp.backends.reference.interpreter import evaluate
from nncomp.dims import DimLike, new_dim
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ops.conv_grad import ConvInputGrad, ConvWeightGrad
from nncomp.ops.indexing import GatherGrad
from nncomp.ops.normalization_batch import BatchNormTraining
from nncomp.passes.manager import optimize_step
from nncomp.types import Array, DType, TensorType

SLACK = 1.2
TOLERANCE = 1e-4  # of the largest number, between formulas
BLOCKED = (ConvWeightGrad, ConvInputGrad, BatchNormTraining)

Run = Callable[[], list[Array]]


@dataclass
class Contest:
    """Who takes part in a row. ours: nncomp's bodies, of which `chosen` is the one it takes;
    known: nncomp with a known batch; hand: formulas written by hand; blocked: the target
    `onnxruntime-cpu`"""

    chosen: str
    ours: dict[str, Run] = field(default_factory=dict)
    known: dict[str, Run] = field(default_factory=dict)
    hand: dict[str, Run] = field(default_factory=dict)
    blocked: dict[str, Run] = field(default_factory=dict)


def graph_of(case: Case, batch: DimLike | None) -> tuple[Graph, Node]:
    """The gradient with that batch, or the arrays' own; and the node that has bodies."""
    values = []
    for i, array in enumerate(case.inputs):
        known = isinstance(case.op, GatherGrad)  # ids: how many there are decides
        shape: tuple[DimLike, ...] = array.shape
        if i in case.batched and not known and batch is not None:
            shape = (batch, *array.shape[1:])
        values.append(Value(TensorType(DType.of(array), shape), f"x{i}"))
    b = Builder()
    operands = list(values)
    if case.both_ways and operands[-1].rank == operands[0].rank:
        *operands, dy = operands
    else:
        dy = None
    if case.shape is not None:
        of_batch = batch is not None and not isinstance(case.op, ConvWeightGrad | GatherGrad)
        operands.append(b.dims((batch, *case.shape[1:]) if of_batch else case.shape))
    results = b.multi(case.op, *operands)
    node = next(n for n in b.nodes if n.op is case.op)
    if case.both_ways:
        wrt = [v for v in operands if v.type.dtype.is_float]
        found = gradients(b, results[0], wrt, dy)
        results = (results[0], *(v for v in found if v is not None))
    outputs = {f"y{i}": value for i, value in enumerate(results)}
    graph = Graph("gradient", tuple(values), (), tuple(b.nodes), outputs)
    if case.both_ways:
        graph = optimize_step(graph, evaluate).graph
    return graph, node


def prepare(case: Case, threads: int, all_bodies: bool) -> Contest:
    feeds = {f"x{i}": array for i, array in enumerate(case.inputs)}
    graph, node = graph_of(case, new_dim("N"))
    chosen = choose_body(node, Target())
    candidates: list[Body | None] = [chosen]
    if all_bodies and not case.both_ways:
        candidates = [x for x in BODIES.get(type(case.op), ()) if not x.refuses(node, Target())]
        candidates.append(None)
    contest = Contest(_name(chosen))
    for body in candidates:

        def choose(other: Node, target: Target, body: Body | None = body) -> Body | None:
            return body if other.op is node.op else choose_body(other, target)

        lowered = legalize(graph, Target(), choose=choose)
        contest.ours[_name(body)] = _runner(emit(lowered), feeds, threads)
    alike = legalize(graph_of(case, None)[0], Target())
    contest.known["batch"] = _runner(emit(alike), feeds, threads)
    for name, model in by_hand(case.op, case.inputs, case.shape):
        contest.hand[name] = _runner(model, feeds, threads)
    if isinstance(case.op, BLOCKED):
        lowered = legalize(graph_of(case, None)[0], Target(block=block_size()))
        contest.blocked["blocked"] = _runner(emit(lowered), feeds, threads)
    _require_agreement(case, contest)
    return contest


def _runner(model: onnx.ModelProto, feeds: dict[str, Array], threads: int) -> Run:
    """Onnxruntime itself, without the checks of nncomp's sessions (20 µs a call)."""
    session = open_session(
        model.SerializeToString(), device="cpu", optimize=True, threads=threads, tf32=False
    )
    return lambda: session.run(None, feeds)


def _name(body: Body | None) -> str:
    return body.name if body else "decompose"


def _require_agreement(case: Case, contest: Contest) -> None:
    wanted = contest.ours[contest.chosen]()
    for name, run in (contest.ours | contest.known | contest.hand | contest.blocked).items():
        found = run()
        for i, (mine, theirs) in enumerate(zip(wanted, found, strict=True)):
            apart = np.abs(mine - theirs).max() / np.abs(mine).max()
            assert apart <= TOLERANCE, (case.name, name, i, apart)


def measure(
    contestants: Mapping[str, Callable[[], object]],
    rounds: int,
    best: bool,
    clock: Callable[[], float],
) -> dict[str, float]:
    """Median (or least) milliseconds of each contestant."""
    middle = min if best else statistics.median
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for run in contestants.values():
        run(), run()
    for _ in range(rounds):
        for name, run in contestants.items():
            run()
            start = clock()
            run()
            times[name].append(clock() - start)
    return {name: middle(values) * 1e3 for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--all-bodies", action="store_true", help="also those not chosen")
    parser.add_argument("--best", action="store_true", help="least instead of median times")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    clock = time.process_time if args.threads == 1 else time.perf_counter
    policy = os.environ["OMP_WAIT_POLICY"]
    print(f"{args.threads} threads, {args.rounds} rounds, OMP_WAIT_POLICY={policy}")
    print(
        f"{'':46} {'torch':>9} {'ratio':>6} {'table':>9} {'/ hand':>6} {'known':>6} {'':6} "
        f"{'target':>6}"
    )
    held = held_known = rows = 0
    for case in all_cases():
        if args.only not in case.name:
            continue
        contest = prepare(case, args.threads, args.all_bodies)
        contestants: dict[str, Callable[[], object]] = {"torch": case.torch}
        for kind in ("ours", "known", "hand", "blocked"):
            named = getattr(contest, kind).items()
            contestants |= {f"{kind} {name}": run for name, run in named}
        times = measure(contestants, args.rounds, args.best, clock)
        base, ours = times["torch"], times[f"ours {contest.chosen}"]
        by_hand_best = min(t for name, t in times.items() if name.startswith("hand "))
        to_hand, known = ours / by_hand_best, times["known batch"] / by_hand_best
        blocked = times.get("blocked blocked")
        best, worst = case.goal
        table = f"{best}" if best == worst else f"{best}-{worst}"
        verdict = "holds" if to_hand <= SLACK else "known" if known <= SLACK else "short"
        target = f"{blocked / base:6.2f}" if blocked else f"{'':6}"
        print(
            f"{case.name:46} {base:6.2f} ms {ours / base:6.2f} {table:>9} {to_hand:6.2f}"
            f" {known:6.2f} {verdict}  {target}  {_each(times, contest.chosen)}",
            flush=True,
        )
        rows += 1
        held += to_hand <= SLACK
        held_known += min(to_hand, known) <= SLACK
    print(f"{held} of {rows} hold for any batch, {held_known} with a known one")


def _each(times: Mapping[str, float], chosen: str) -> str:
    """Every formula's ratio to torch."""
    parts = []
    for name, t in times.items():
        kind, _, formula = name.partition(" ")
        if kind == "ours":
            parts.append(f"{'*' if formula == chosen else ''}{formula} {t / times['torch']:.2f}")
        elif kind == "hand":
            parts.append(f"by hand: {formula} {t / times['torch']:.2f}")
    return ", ".join(parts)


if __name__ == "__main__":
    main()
