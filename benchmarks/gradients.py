"""Times of gradient bodies in onnxruntime beside torch's own operators, in one run.

    python benchmarks/gradients.py [--threads 2] [--rounds 15] [--only TEXT] [--all-bodies] [--best]

Contestants take turns within each round, so that what slows the machine slows all of them; the
table gives medians (on a busy machine, look at `--best`). The chosen body is marked by `*`.
OMP_WAIT_POLICY=PASSIVE keeps torch's waiting threads from taking onnxruntime's cores; without it
both are slower and less steady. With one thread, CPU time is taken: steady on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

from nncomp.backends.ort.bodies import BODIES
from nncomp.backends.ort.bodies.body import Body, Target
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import choose_body, legalize
from nncomp.backends.ort.session import Session
from nncomp.dims import new_dim
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.op import Op
from nncomp.ops.activation import ReluGrad
from nncomp.ops.conv_grad import ConvInputGrad, ConvWeightGrad
from nncomp.ops.indexing import GatherGrad
from nncomp.ops.normalization_batch import BatchNormGrad, BatchNormTraining
from nncomp.ops.pooling_average import AveragePoolGrad
from nncomp.ops.pooling_max import MaxPoolGrad
from nncomp.types import Array, DType, TensorType

aten = torch.ops.aten
RNG = np.random.default_rng(0)


@dataclass
class Case:
    """One gradient at one shape.

    torch: the same by torch's own operator
    shape: the operand that says the result's shape, None where the operator has none
    batched: the inputs whose first axis is the symbolic batch
    """

    name: str
    op: Op
    inputs: list[Array]
    torch: Callable[[], object]
    shape: tuple[int, ...] | None = None
    batched: tuple[int, ...] = (0,)
    contestants: dict[str, Callable[[], object]] = field(default_factory=dict)


def floats(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def conv_cases() -> Iterator[Case]:
    # batch, in, out, size, kernel, stride, pad
    for n, c, k, size, r, s, p in [
        (64, 1, 6, 28, 5, 1, 2),
        (64, 6, 16, 14, 5, 1, 0),
        (64, 3, 16, 32, 3, 1, 1),
        (64, 16, 16, 32, 3, 1, 1),
        (64, 16, 32, 32, 3, 2, 1),
        (64, 32, 32, 16, 3, 1, 1),
        (64, 32, 64, 16, 3, 2, 1),
        (64, 64, 64, 8, 3, 1, 1),
        (64, 16, 32, 32, 1, 2, 0),
        (16, 64, 64, 28, 1, 1, 0),
        (16, 128, 128, 28, 3, 1, 1),
    ]:
        x, w = floats(n, c, size, size), floats(k, c, r, r)
        out = (size + 2 * p - r) // s + 1
        dy = floats(n, k, out, out)
        tx, tw, tdy = map(torch.from_numpy, (x, w, dy))
        kw = {"pads": (p,) * 4, "strides": (s, s)}
        label = f"{c}->{k} {size}² {r}×{r} s{s} b{n}"

        def backward(
            mask: tuple[bool, bool, bool],
            args: tuple[torch.Tensor, ...] = (tdy, tx, tw),
            s: int = s,
            p: int = p,
        ) -> Callable[[], object]:
            return lambda: aten.convolution_backward(
                *args, None, [s, s], [p, p], [1, 1], False, [0, 0], 1, mask
            )

        yield Case(
            f"conv weights {label}",
            ConvWeightGrad(**kw),
            [x, dy],
            backward((False, True, False)),
            w.shape,
            (0, 1),
        )
        if c > 1:
            yield Case(
                f"conv input {label}",
                ConvInputGrad(**kw),
                [dy, w],
                backward((True, False, False)),
                x.shape,
            )


def other_cases() -> Iterator[Case]:
    for n, c, size in [(64, 16, 32), (64, 64, 8)]:
        x, dy = floats(n, c, size, size), floats(n, c, size, size)
        y, vector = np.maximum(x, 0), np.abs(floats(c)) + 1
        tx, tdy, ty, tv = map(torch.from_numpy, (x, dy, y, vector))
        label = f"{c}·{size}² b{n}"
        yield Case(
            f"relu {label}",
            ReluGrad(),
            [dy, y],
            lambda a=tdy, y=ty: aten.threshold_backward(a, y, 0),
            None,
            (0, 1),
        )
        yield Case(
            f"batch norm forward {label}",
            BatchNormTraining(),
            [x, vector, vector],
            lambda x=tx, v=tv: aten.native_batch_norm(x, v, v, None, None, True, 0.1, 1e-5),
        )
        yield Case(
            f"batch norm backward {label}",
            BatchNormGrad(),
            [dy, x, vector, vector, vector],
            lambda x=tx, a=tdy, v=tv: aten.native_batch_norm_backward(
                a, x, v, None, None, v, v, True, 1e-5, [True, True, True]
            ),
            None,
            (0, 1),
        )
        for k, s, p in [(2, 2, 0), (3, 2, 1)]:
            yield from pooling_cases(x, k, s, p, f"{k}×{k} s{s} {label}")
    rows, ids = floats(8192, 256), RNG.integers(0, 5000, 8192)
    trows, tids = torch.from_numpy(rows), torch.from_numpy(ids)
    yield Case(
        "embedding 5000·256, 8192 ids",
        GatherGrad(),
        [rows, ids],
        lambda: aten.embedding_dense_backward(trows, tids, 5000, -1, False),
        (5000, 256),
        (0, 1),
    )


def pooling_cases(x: Array, k: int, s: int, p: int, label: str) -> Iterator[Case]:
    tx = torch.from_numpy(x)
    args = ([k, k], [s, s], [p, p])
    ty, tindices = aten.max_pool2d_with_indices(tx, *args)
    tdy = torch.randn_like(ty)
    plane = np.arange(x.shape[0] * x.shape[1]).reshape(x.shape[0], x.shape[1], 1, 1)
    indices = tindices.numpy() + plane * x.shape[2] * x.shape[3]
    kw = {"kernel_shape": (k, k), "strides": (s, s), "pads": (p,) * 4}
    yield Case(
        f"max pool {label}",
        MaxPoolGrad(**kw),
        [tdy.numpy(), indices],
        lambda: aten.max_pool2d_with_indices_backward(tdy, tx, *args, [1, 1], False, tindices),
        x.shape,
        (0, 1),
    )
    yield Case(
        f"average pool {label}",
        AveragePoolGrad(**kw, count_include_pad=1),
        [tdy.numpy()],
        lambda: aten.avg_pool2d_backward(tdy, tx, *args, False, True, None),
        x.shape,
        (0,),
    )


def prepare(case: Case, threads: int, all_bodies: bool) -> str:
    """Fills in the contestants; the name of the chosen body."""
    batch = new_dim("N")
    values, feeds = [], {}
    for i, array in enumerate(case.inputs):
        shape = (batch, *array.shape[1:]) if i in case.batched else array.shape
        values.append(Value(TensorType(DType.of(array), shape), f"x{i}"))
        feeds[f"x{i}"] = array
    b = Builder()
    operands = list(values)
    if case.shape is not None:
        of_batch = not isinstance(case.op, ConvWeightGrad | GatherGrad)
        operands.append(b.dims((batch, *case.shape[1:]) if of_batch else case.shape))
    results = b.multi(case.op, *operands)
    node = next(n for n in b.nodes if n.op is case.op)
    outputs = {f"y{i}": value for i, value in enumerate(results)}
    graph = Graph("gradient", tuple(values), (), tuple(b.nodes), outputs)
    chosen = choose_body(node, Target())
    candidates: list[Body | None] = [chosen]
    if all_bodies:
        candidates = [x for x in BODIES.get(type(case.op), ()) if not x.refuses(node, Target())]
        candidates.append(None)
    for body in candidates:

        def choose(other: Node, target: Target, body: Body | None = body) -> Body | None:
            return body if other.op is node.op else choose_body(other, target)

        lowered = legalize(graph, Target(), choose=choose)
        session = Session(emit(lowered), threads=threads)
        name = body.name if body else "decompose"
        case.contestants[name] = lambda session=session: session.run(feeds)
    return chosen.name if chosen else "decompose"


def measure(case: Case, rounds: int, best: bool, clock: Callable[[], float]) -> dict[str, float]:
    """Median (or least) milliseconds of each contestant."""
    middle = min if best else statistics.median
    runs = {"torch": case.torch, **case.contestants}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(), run()
    for _ in range(rounds):
        for name, run in runs.items():
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
    print(f"{args.threads} threads, {args.rounds} rounds, OMP_WAIT_POLICY={policy}; ratio to torch")
    for case in [*conv_cases(), *other_cases()]:
        if args.only not in case.name:
            continue
        chosen = prepare(case, args.threads, args.all_bodies)
        times = measure(case, args.rounds, args.best, clock)
        base = times.pop("torch")
        ratios = "  ".join(
            f"{'*' if name == chosen else ''}{name} {t / base:.2f}" for name, t in times.items()
        )
        print(f"{case.name:42} torch {base:7.2f} ms  {ratios}", flush=True)


if __name__ == "__main__":
    main()
