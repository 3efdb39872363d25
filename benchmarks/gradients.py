"""Times of gradients in onnxruntime beside torch's own operators, in one run, on the shapes of
LeNet-5 and ResNet-20 (batch 64), ResNet-50 (batch 16) and GPT-2 (1,024 tokens).

    python benchmarks/gradients.py [--threads 2] [--rounds 15] [--only TEXT] [--all-bodies] [--best]

Contestants take turns within each round, so that what slows the machine slows all of them; the
table gives medians (on a busy machine, look at `--best`). The chosen body is marked by `*`.
OMP_WAIT_POLICY=PASSIVE keeps torch's waiting threads from taking onnxruntime's cores; without it
both are slower and less steady. With one thread, CPU time is taken: steady on a busy machine.

A row's goal is 1.2 times the best ratio to torch that any formula in standard operators had when
formulas were compared by hand; where it was measured on several shapes, there are two ratios, the
best of them and the worst. A row holds if it is within the goal of the best, holds partly if it is
within that of the worst, else falls short.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

from nncomp.autodiff.reverse import gradients
from nncomp.backends.ort.bodies import BODIES
from nncomp.backends.ort.bodies.body import Body, Target
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import choose_body, legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import evaluate
from nncomp.dims import DimLike, new_dim
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.op import Op
from nncomp.ops.activation import ReluGrad
from nncomp.ops.conv_grad import ConvInputGrad, ConvWeightGrad
from nncomp.ops.indexing import GatherGrad
from nncomp.ops.loss import SoftmaxCrossEntropyLoss
from nncomp.ops.normalization import LayerNormalization
from nncomp.ops.normalization_batch import BatchNormTraining
from nncomp.ops.pooling_average import AveragePoolGrad
from nncomp.ops.pooling_max import MaxPoolGrad
from nncomp.passes.manager import optimize_step
from nncomp.types import Array, DType, TensorType

aten = torch.ops.aten
RNG = np.random.default_rng(0)
SLACK = 1.2


@dataclass
class Case:
    """One gradient at one shape.

    torch: the same by torch's own operator
    goal: best and worst ratio to torch that the best formula had
    shape: the operand that says the result's shape, None where the operator has none
    batched: the inputs whose first axis is the symbolic batch
    both_ways: the operator and its gradient with respect to the floating operands; the last input
        is the gradient of its first result, if that is no scalar
    """

    name: str
    op: Op
    inputs: list[Array]
    torch: Callable[[], object]
    goal: tuple[float, float]
    shape: tuple[int, ...] | None = None
    batched: tuple[int, ...] = (0,)
    both_ways: bool = False
    contestants: dict[str, Callable[[], object]] = field(default_factory=dict)


def floats(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


CONVOLUTIONS = [
    # batch, in, out, size, kernel, stride, pad; goals of the weights' and the input's gradient
    ("LeNet-5", 64, 1, 6, 28, 5, 1, 2, (1.6, 1.6), None),
    ("LeNet-5", 64, 6, 16, 14, 5, 1, 0, (1.6, 1.6), (1.1, 1.4)),
    ("ResNet-20", 64, 3, 16, 32, 3, 1, 1, (1.6, 1.6), None),
    ("ResNet-20", 64, 16, 16, 32, 3, 1, 1, (1.35, 1.95), (1.1, 1.4)),
    ("ResNet-20", 64, 16, 32, 32, 3, 2, 1, (0.87, 1.7), (0.97, 0.97)),
    ("ResNet-20", 64, 16, 32, 32, 1, 2, 0, (1.1, 1.3), (0.57, 0.57)),
    ("ResNet-20", 64, 32, 32, 16, 3, 1, 1, (1.35, 1.74), (1.1, 1.4)),
    ("ResNet-20", 64, 32, 64, 16, 3, 2, 1, (0.87, 1.7), (0.97, 0.97)),
    ("ResNet-20", 64, 64, 64, 8, 3, 1, 1, (1.4, 1.4), (1.1, 1.4)),
    ("ResNet-50", 16, 3, 64, 224, 7, 2, 3, (1.6, 1.7), None),
    ("ResNet-50", 16, 64, 64, 56, 3, 1, 1, (1.04, 1.4), (1.1, 1.4)),
    ("ResNet-50", 16, 64, 256, 56, 1, 1, 0, (0.87, 1.07), (1.1, 1.4)),
    ("ResNet-50", 16, 128, 128, 56, 3, 2, 1, (0.87, 1.0), (0.97, 0.97)),
    ("ResNet-50", 16, 256, 512, 56, 1, 2, 0, (1.1, 1.3), (0.57, 0.57)),
    ("ResNet-50", 16, 128, 128, 28, 3, 1, 1, (1.04, 1.04), (1.1, 1.4)),
    ("ResNet-50", 16, 256, 256, 14, 3, 1, 1, (1.03, 1.03), (1.1, 1.4)),
    ("ResNet-50", 16, 512, 512, 7, 3, 1, 1, (1.0, 1.0), (1.1, 1.4)),
]


def conv_cases() -> Iterator[Case]:
    for network, n, c, k, size, r, s, p, weights_goal, input_goal in CONVOLUTIONS:
        x, w = floats(n, c, size, size), floats(k, c, r, r)
        out = (size + 2 * p - r) // s + 1
        dy = floats(n, k, out, out)
        tx, tw, tdy = map(torch.from_numpy, (x, w, dy))
        kw = {"pads": (p,) * 4, "strides": (s, s)}
        label = f"{network} {c}->{k} {size}² {r}×{r} s{s}"

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
            f"{label} weights",
            ConvWeightGrad(**kw),
            [x, dy],
            backward((False, True, False)),
            weights_goal,
            w.shape,
            (0, 1),
        )
        if input_goal:
            yield Case(
                f"{label} input",
                ConvInputGrad(**kw),
                [dy, w],
                backward((True, False, False)),
                input_goal,
                x.shape,
            )


def image_cases() -> Iterator[Case]:
    for network, n, c, size in [
        ("ResNet-20", 64, 16, 32),
        ("ResNet-20", 64, 64, 8),
        ("ResNet-50", 16, 64, 56),
        ("ResNet-50", 16, 256, 14),
    ]:
        x, dy = floats(n, c, size, size), floats(n, c, size, size)
        y, vector = np.maximum(x, 0), np.abs(floats(c)) + 1
        tx, tdy, ty, tv = map(torch.from_numpy, (x, dy, y, vector))
        label = f"{network} {c}·{size}²"
        yield Case(
            f"{label} relu",
            ReluGrad(),
            [dy, y],
            lambda a=tdy, y=ty: aten.threshold_backward(a, y, 0),
            (1.2, 1.2),
            None,
            (0, 1),
        )

        def batch_norm(
            x: torch.Tensor = tx, dy: torch.Tensor = tdy, v: torch.Tensor = tv
        ) -> object:
            y, mean, inv_std = aten.native_batch_norm(x, v, v, None, None, True, 0.1, 1e-5)
            back = aten.native_batch_norm_backward(
                dy, x, v, None, None, mean, inv_std, True, 1e-5, [True, True, True]
            )
            return y, back

        yield Case(
            f"{label} batch norm, both ways",
            BatchNormTraining(),
            [x, vector, vector, dy],
            batch_norm,
            (0.7, 0.7),
            None,
            (0, 3),
            both_ways=True,
        )
    for network, n, c, size, k, s, p in [
        ("LeNet-5", 64, 6, 28, 2, 2, 0),
        ("LeNet-5", 64, 16, 10, 2, 2, 0),
        ("ResNet-50", 16, 64, 112, 3, 2, 1),
    ]:
        yield from pooling_cases(floats(n, c, size, size), k, s, p, f"{network} {c}·{size}²")


def pooling_cases(x: Array, k: int, s: int, p: int, label: str) -> Iterator[Case]:
    tx = torch.from_numpy(x)
    args = ([k, k], [s, s], [p, p])
    ty, tindices = aten.max_pool2d_with_indices(tx, *args)
    tdy = torch.randn_like(ty)
    plane = np.arange(x.shape[0] * x.shape[1]).reshape(x.shape[0], x.shape[1], 1, 1)
    indices = tindices.numpy() + plane * x.shape[2] * x.shape[3]
    kw = {"kernel_shape": (k, k), "strides": (s, s), "pads": (p,) * 4}
    yield Case(
        f"{label} max pool {k}×{k} s{s}",
        MaxPoolGrad(**kw),
        [tdy.numpy(), indices],
        lambda: aten.max_pool2d_with_indices_backward(tdy, tx, *args, [1, 1], False, tindices),
        (0.7, 0.8) if k <= s else (1.1, 1.1),
        x.shape,
        (0, 1),
    )
    if k <= s:
        yield Case(
            f"{label} average pool {k}×{k} s{s}",
            AveragePoolGrad(**kw, count_include_pad=1),
            [tdy.numpy()],
            lambda: aten.avg_pool2d_backward(tdy, tx, *args, False, True, None),
            (0.12, 0.19),
            x.shape,
            (0,),
        )


def row_cases() -> Iterator[Case]:
    """Rows of numbers: cross-entropy, layer norm, embeddings."""
    for label, n, classes in [
        ("LeNet-5 64·10", 64, 10),
        ("ResNet-50 16·1000", 16, 1000),
        ("GPT-2 256·50257", 256, 50257),
    ]:
        logits, labels = floats(n, classes), RNG.integers(0, classes, n)
        tl, ti = torch.from_numpy(logits), torch.from_numpy(labels)

        def cross_entropy(x: torch.Tensor = tl, y: torch.Tensor = ti) -> object:
            logs = aten._log_softmax(x, 1, False)
            loss, weight = aten.nll_loss_forward(logs, y, None, 1, -100)
            d = aten.nll_loss_backward(torch.ones(()), logs, y, None, 1, -100, weight)
            return loss, aten._log_softmax_backward_data(d, logs, 1, torch.float32)

        yield Case(
            f"{label} cross-entropy, both ways",
            SoftmaxCrossEntropyLoss(),
            [logits, labels],
            cross_entropy,
            (0.08, 0.25),
            None,
            (0, 1),
            both_ways=True,
        )
    x, dy, scale, bias = floats(8, 128, 768), floats(8, 128, 768), floats(768), floats(768)
    tx, tdy, ts, tb = map(torch.from_numpy, (x, dy, scale, bias))

    def layer_norm() -> object:
        y, mean, inv_std = aten.native_layer_norm(tx, [768], ts, tb, 1e-5)
        back = aten.native_layer_norm_backward(
            tdy, tx, [768], mean, inv_std, ts, tb, [True, True, True]
        )
        return y, back

    yield Case(
        "GPT-2 1024·768 layer norm, both ways",
        LayerNormalization(),
        [x, scale, bias, dy],
        layer_norm,
        (1.9, 2.7),
        None,
        (0, 3),
        both_ways=True,
    )
    for label, count, places, width, goal in [
        ("GPT-2 50257·768, 1024 ids", 1024, 50257, 768, (0.63, 0.70)),
        ("GPT-2 1024·768, 1024 ids", 1024, 1024, 768, (1.95, 5.4)),
        ("characters 65·384, 1024 ids", 1024, 65, 384, (1.95, 5.4)),
        ("5000·256, 8192 ids", 8192, 5000, 256, (1.95, 5.4)),
    ]:
        rows, ids = floats(count, width), RNG.integers(0, places, count)
        trows, tids = torch.from_numpy(rows), torch.from_numpy(ids)
        yield Case(
            f"{label} embedding",
            GatherGrad(),
            [rows, ids],
            lambda r=trows, i=tids, n=places: aten.embedding_dense_backward(r, i, n, -1, False),
            goal,
            (places, width),
            (0, 1),
        )


def prepare(case: Case, threads: int, all_bodies: bool) -> str:
    """Fills in the contestants; the name of the chosen body."""
    batch = new_dim("N")
    values, feeds = [], {}
    for i, array in enumerate(case.inputs):
        known = isinstance(case.op, GatherGrad)  # ids: how many there are decides
        shape: tuple[DimLike, ...] = array.shape
        if i in case.batched and not known:
            shape = (batch, *array.shape[1:])
        values.append(Value(TensorType(DType.of(array), shape), f"x{i}"))
        feeds[f"x{i}"] = array
    b = Builder()
    operands = list(values)
    if case.both_ways and operands[-1].rank == operands[0].rank:
        *operands, dy = operands
    else:
        dy = None
    if case.shape is not None:
        of_batch = not isinstance(case.op, ConvWeightGrad | GatherGrad)
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
    chosen = choose_body(node, Target())
    candidates: list[Body | None] = [chosen]
    if all_bodies and not case.both_ways:
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


def verdict(ratio: float, goal: tuple[float, float]) -> str:
    best, worst = goal
    held = "holds" if ratio <= SLACK * best else "partly" if ratio <= SLACK * worst else "short"
    return f"{f'{best}' if best == worst else f'{best}-{worst}':>9}  {held:6}"


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
    print(f"{'':46} {'torch':>8}  {'ratio':>5}  {'table':>9}")
    held: Counter[str] = Counter()
    for case in itertools.chain(conv_cases(), image_cases(), row_cases()):
        if args.only not in case.name:
            continue
        chosen = prepare(case, args.threads, args.all_bodies)
        times = measure(case, args.rounds, args.best, clock)
        base = times.pop("torch")
        ratios = "  ".join(
            f"{'*' if name == chosen else ''}{name} {t / base:.2f}" for name, t in times.items()
        )
        judged = verdict(times[chosen] / base, case.goal)
        held[judged.split()[-1]] += 1
        print(
            f"{case.name:46} {base:5.2f} ms  {times[chosen] / base:5.2f}  {judged} {ratios}",
            flush=True,
        )
    print(", ".join(f"{count} {word}" for word, count in held.items()))


if __name__ == "__main__":
    main()
