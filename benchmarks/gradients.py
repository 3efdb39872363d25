"""Times of gradient bodies in onnxruntime beside torch's own operators, in one run.

    python benchmarks/gradients.py [--threads 2] [--rounds 15] [--only TEXT] [--all-bodies]

Contestants take turns within each round, so that what slows the machine slows all of them; the
table gives medians. The chosen body is marked by `*`. OMP_WAIT_POLICY=PASSIVE keeps torch's
waiting threads from taking onnxruntime's cores; without it both are slower and less steady.
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
from nncomp.ir.graph import Graph, Value
from nncomp.ir.op import Op
from nncomp.ops.activation import ReluGrad
from nncomp.ops.conv_grad import ConvInputGrad, ConvWeightGrad
from nncomp.types import Array, DType, TensorType

aten = torch.ops.aten
RNG = np.random.default_rng(0)


@dataclass
class Case:
    """One gradient at one shape. `shape` is the operand that says the result's shape, None where
    the operator has none; a leading 0 in shapes stands for the symbolic batch."""

    name: str
    op: Op
    inputs: list[Array]
    torch: Callable[[], object]
    shape: tuple[int, ...] | None = None
    batch_axis: bool = True
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
            f"conv weights {label}", ConvWeightGrad(**kw), [x, dy],
            backward((False, True, False)), w.shape,
        )
        if c > 1:
            yield Case(
                f"conv input {label}", ConvInputGrad(**kw), [dy, w],
                backward((True, False, False)), x.shape,
            )


def other_cases() -> Iterator[Case]:
    dy, y = floats(64, 16, 32, 32), np.maximum(floats(64, 16, 32, 32), 0)
    tdy, ty = torch.from_numpy(dy), torch.from_numpy(y)
    yield Case("relu 16·32² b64", ReluGrad(), [dy, y], lambda: aten.threshold_backward(tdy, ty, 0))


def prepare(case: Case, threads: int, all_bodies: bool) -> str:
    """Fills in the contestants; the name of the chosen body."""
    batch = new_dim("N")
    values, feeds = [], {}
    for i, array in enumerate(case.inputs):
        is_weight = isinstance(case.op, ConvInputGrad) and i == 1
        shape = array.shape if is_weight else (batch, *array.shape[1:])
        values.append(Value(TensorType(DType.of(array), shape), f"x{i}"))
        feeds[f"x{i}"] = array
    b = Builder()
    operands = list(values)
    if case.shape is not None:
        of_input = isinstance(case.op, ConvInputGrad)
        operands.append(b.dims((batch, *case.shape[1:]) if of_input else case.shape))
    results = b.multi(case.op, *operands)
    node = b.nodes[-1]
    outputs = {f"y{i}": value for i, value in enumerate(results)}
    graph = Graph("gradient", tuple(values), (), tuple(b.nodes), outputs)
    chosen = choose_body(node, Target())
    candidates: list[Body | None] = [chosen]
    if all_bodies:
        candidates = [x for x in BODIES.get(type(case.op), ()) if not x.refuses(node, Target())]
        candidates.append(None)
    for body in candidates:
        lowered = legalize(graph, Target(), choose=lambda n, t, body=body: body)
        session = Session(emit(lowered), threads=threads)
        name = body.name if body else "decompose"
        case.contestants[name] = lambda session=session: session.run(feeds)
    return chosen.name if chosen else "decompose"


def measure(case: Case, rounds: int) -> dict[str, float]:
    """Median milliseconds of each contestant."""
    runs = {"torch": case.torch, **case.contestants}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for name, run in runs.items():
        run(), run()
    for _ in range(rounds):
        for name, run in runs.items():
            run()
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) * 1e3 for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--all-bodies", action="store_true", help="also those not chosen")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    policy = os.environ["OMP_WAIT_POLICY"]
    print(f"{args.threads} threads, {args.rounds} rounds, OMP_WAIT_POLICY={policy}; ratio to torch")
    for case in [*conv_cases(), *other_cases()]:
        if args.only not in case.name:
            continue
        chosen = prepare(case, args.threads, args.all_bodies)
        times = measure(case, args.rounds)
        base = times.pop("torch")
        ratios = "  ".join(
            f"{'*' if name == chosen else ''}{name} {t / base:.2f}" for name, t in times.items()
        )
        print(f"{case.name:42} torch {base:7.2f} ms  {ratios}", flush=True)


if __name__ == "__main__":
    main()
