"""The gradients that `gradients.py` times, at the shapes of four networks, with torch's own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from nncomp.ir.op import Op
from nncomp.ops.activation import ReluGrad
from nncomp.ops.conv_grad import ConvInputGrad, ConvWeightGrad
from nncomp.ops.indexing import GatherGrad
from nncomp.ops.loss import SoftmaxCrossEntropyLoss
from nncomp.ops.normalization import LayerNormalization
from nncomp.ops.normalization_batch import BatchNormTraining
from nncomp.ops.pooling_average import AveragePoolGrad
from nncomp.ops.pooling_max import MaxPoolGrad
from nncomp.types import Array

aten = torch.ops.aten
RNG = np.random.default_rng(0)


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


def all_cases() -> Iterator[Case]:
    yield from itertools.chain(conv_cases(), image_cases(), row_cases())
