"""Random graphs in PyTorch, node by node, where it has the operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from nncomp.dims import substitute
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Graph, Node, Value
from nncomp.types import Array, DType
from tests.random_graphs.generator import BATCH

Tensor = torch.Tensor


class InexpressibleError(Exception):
    """PyTorch has no such operator, or not with these attributes."""


def run(graph: Graph, arrays: Mapping[str, Array]) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss, and the inputs as leaves. Raises InexpressibleError."""
    leaves = {name: torch.tensor(a, requires_grad=True) for name, a in arrays.items()}
    known: dict[Value, Any] = {v: leaves[v.name] for v in graph.inputs}
    for node in graph.nodes:
        if not all(v in known for v in node.operands):  # a second result that torch has not
            raise InexpressibleError(node.op.name)
        operands = [None if v is None else known[v] for v in node.inputs]
        found = _call(node, operands)
        known.update(
            zip(node.outputs, found if isinstance(found, tuple) else (found,), strict=False)
        )
    (loss,) = graph.outputs.values()
    return known[loss], leaves


def _call(node: Node, operands: list[Any]) -> Any:
    op = node.op
    if isinstance(op, Constant):
        return torch.tensor(op.value.array)
    if isinstance(op, Dims):
        symbols = {s for d in op.dims if not isinstance(d, int) for s in d.symbols()}
        return torch.tensor([substitute(d, dict.fromkeys(symbols, BATCH)) for d in op.dims])
    if op.name not in CALLS:
        raise InexpressibleError(op.name)
    return CALLS[op.name](op, *operands)


def _ints(x: Tensor) -> list[int]:
    return [int(i) for i in x]


def _axes(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def call(op: Any, x: Tensor, axes: Tensor) -> Tensor:
        return function(x, dim=_ints(axes), keepdim=bool(op.keepdims))

    return call


def _slice(op: Any, x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor, steps: Tensor) -> Tensor:
    for start, end, axis, step in zip(*map(_ints, (starts, ends, axes, steps)), strict=True):
        places = range(x.shape[axis])[start:end:step]
        x = x.index_select(axis, torch.tensor(list(places)))
    return x


def _pad(op: Any, x: Tensor, pads: Tensor) -> Tensor:
    if op.mode != "constant":
        raise InexpressibleError(op.mode)
    given, rank = _ints(pads), x.dim()
    pairs = [p for axis in reversed(range(rank)) for p in (given[axis], given[axis + rank])]
    return F.pad(x, pairs)


def _gather(op: Any, x: Tensor, indices: Tensor) -> Tensor:
    axis, size = op.axis % x.dim(), x.shape[op.axis]
    flat = x.index_select(axis, indices.reshape(-1) % size)
    return flat.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def _tuples(x: Tensor, indices: Tensor) -> tuple[Tensor, ...]:
    return tuple(column % size for column, size in zip(indices.unbind(-1), x.shape, strict=False))


def _conv(op: Any, x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
    n = x.dim() - 2
    pads = op.pads or (0,) * (2 * n)
    pairs = [p for axis in reversed(range(n)) for p in (pads[axis], pads[axis + n])]
    convolve = F.conv1d if n == 1 else F.conv2d
    strides, dilations = op.strides or (1,) * n, op.dilations or (1,) * n
    return convolve(F.pad(x, pairs), w, bias, strides, 0, dilations, op.group)


def _conv_transpose(op: Any, x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
    n = x.dim() - 2
    convolve = F.conv_transpose1d if n == 1 else F.conv_transpose2d
    zeros = (0,) * n
    return convolve(x, w, bias, op.strides, zeros, zeros, op.group, (1,) * n)


def _max_pool(op: Any, x: Tensor) -> Tensor:
    n = x.dim() - 2
    pads = op.pads or (0,) * (2 * n)
    pairs = [p for axis in reversed(range(n)) for p in (pads[axis], pads[axis + n])]
    pool = F.max_pool1d if n == 1 else F.max_pool2d
    return pool(F.pad(x, pairs, value=float("-inf")), op.kernel_shape, op.strides)


def _gemm(op: Any, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    a, b = (a.T if op.transA else a), (b.T if op.transB else b)
    y = op.alpha * (a @ b)
    return y if c is None else y + op.beta * c


def _layer_norm(op: Any, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.layer_norm(x, x.shape[op.axis :], scale, bias, op.epsilon)


def _batch_norm(op: Any, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    return F.batch_norm(x, None, None, scale, bias, training=True, eps=op.epsilon)


def _batch_norm_inference(
    op: Any, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor
) -> Tensor:
    shape = (-1, *(1,) * (x.dim() - 2))
    scale, bias, mean, var = (v.reshape(shape) for v in (scale, bias, mean, var))
    return (x - mean) * torch.rsqrt(var + op.epsilon) * scale + bias


def _clip(op: Any, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    return torch.clamp(x, low, high)


def _expand(op: Any, x: Tensor, shape: Tensor) -> Tensor:
    return x.expand(torch.broadcast_shapes(x.shape, torch.Size(_ints(shape))))


def _cumsum(op: Any, x: Tensor, axis: Tensor) -> Tensor:
    y = x.flip(int(axis)) if op.reverse else x
    total = y.cumsum(int(axis)) - (y if op.exclusive else 0)
    return total.flip(int(axis)) if op.reverse else total


def _cumprod(op: Any, x: Tensor, axis: Tensor) -> Tensor:
    place = int(axis)
    x = x.flip(place) if op.reverse else x
    if op.exclusive:
        first = torch.ones_like(x.narrow(place, 0, 1))
        x = torch.cat([first, x.narrow(place, 0, x.shape[place] - 1)], place)
    y = x.cumprod(place)
    return y.flip(place) if op.reverse else y


def _arg(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda op, x: function(x, dim=op.axis, keepdim=bool(op.keepdims))


def _cast(op: Any, x: Tensor) -> Tensor:
    return x.to({DType.F64: torch.float64, DType.I32: torch.int32}[op.to])


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """An operator whose attributes do not matter."""
    return lambda op, *operands: function(*operands)


CALLS: dict[str, Callable[..., Any]] = {
    **{n: _plain(getattr(torch, n.lower())) for n in ("Sin", "Cos", "Tan", "Exp", "Log", "Sqrt")},
    **{n: _plain(getattr(torch, n.lower())) for n in ("Atan", "Asinh", "Sinh", "Cosh")},
    **{n: _plain(getattr(torch, n.lower())) for n in ("Asin", "Acos", "Acosh", "Atanh")},
    **{n: _plain(getattr(torch, n.lower())) for n in ("Erf", "Tanh", "Sigmoid", "Neg", "Abs")},
    **{n: _plain(getattr(torch, n.lower())) for n in ("Floor", "Ceil", "Round", "Sign")},
    **{n: _plain(getattr(torch, n.lower())) for n in ("Reciprocal", "Add", "Sub", "Mul", "Div")},
    **{n: _plain(getattr(F, n.lower())) for n in ("Relu", "Softplus", "Softsign", "Mish")},
    "Pow": _plain(torch.pow),
    "Max": _plain(torch.maximum),
    "Min": _plain(torch.minimum),
    "Less": _plain(torch.lt),
    "Greater": _plain(torch.gt),
    "Where": _plain(torch.where),
    "Identity": _plain(lambda x: x),
    "MatMul": _plain(torch.matmul),
    "HardSwish": _plain(F.hardswish),
    "Sum": _plain(lambda *xs: sum(xs[1:], xs[0])),
    "Mean": _plain(lambda *xs: sum(xs[1:], xs[0]) / len(xs)),
    "CumProd": _cumprod,
    "Det": _plain(torch.linalg.det),
    "CastLike": lambda op, x, like: x.to(like.dtype),
    "Trilu": lambda op, x, k=0: (torch.triu if op.upper else torch.tril)(x, int(k)),
    "NegativeLogLikelihoodLoss": lambda op, x, y: F.nll_loss(x, y, reduction=op.reduction),
    "Selu": lambda op, x: op.gamma * torch.where(x > 0, x, op.alpha * torch.expm1(x)),
    "Elu": lambda op, x: F.elu(x, op.alpha),
    # not F.celu: its gradient rounds 1 / alpha to float32, whatever x is
    "Celu": lambda op, x: op.alpha * F.elu(x / op.alpha),
    "Swish": lambda op, x: x * torch.sigmoid(op.alpha * x),
    "SwiGLU": lambda op, x, y: x * torch.sigmoid(op.alpha * x) * y,
    "Shrink": lambda op, x: torch.where(x.abs() > op.lambd, x - op.bias * x.sgn(), 0 * x),
    "ThresholdedRelu": lambda op, x: F.threshold(x, op.alpha, 0.0),
    "LeakyRelu": lambda op, x: F.leaky_relu(x, op.alpha),
    "PRelu": lambda op, x, slope: torch.where(x > 0, x, slope * x),
    "HardSigmoid": lambda op, x: torch.clamp(op.alpha * x + op.beta, 0, 1),
    "Gelu": lambda op, x: F.gelu(x, approximate=op.approximate),
    "Clip": _clip,
    "Cast": _cast,
    "Softmax": lambda op, x: F.softmax(x, op.axis),
    "LogSoftmax": lambda op, x: F.log_softmax(x, op.axis),
    "CumSum": _cumsum,
    "ReduceSum": lambda op, x, axes=None: (
        x.sum() if axes is None else x.sum(_ints(axes), keepdim=bool(op.keepdims))
    ),
    "ReduceMean": _axes(torch.mean),
    "ReduceMax": _axes(torch.amax),
    "ReduceMin": _axes(torch.amin),
    "ReduceLogSumExp": _axes(torch.logsumexp),
    "ReduceSumSquare": _axes(lambda x, **k: (x * x).sum(**k)),
    "ReduceL1": _axes(lambda x, **k: x.abs().sum(**k)),
    "ReduceL2": _axes(lambda x, **k: (x * x).sum(**k).sqrt()),
    "ReduceLogSum": _axes(lambda x, **k: x.sum(**k).log()),
    "ArgMax": _arg(torch.argmax),
    "ArgMin": _arg(torch.argmin),
    "TopK": lambda op, x, k: tuple(x.topk(int(k), op.axis, bool(op.largest))),
    "Transpose": lambda op, x: x.permute(op.perm),
    "Flatten": lambda op, x: x.reshape(x.shape[: op.axis].numel(), -1),
    "Reshape": lambda op, x, shape: x.reshape(_ints(shape)),
    "Squeeze": lambda op, x, axes: x.squeeze(_ints(axes)),
    "Unsqueeze": lambda op, x, axes: x.unsqueeze(int(axes[0])),
    "Expand": _expand,
    "Tile": lambda op, x, repeats: x.repeat(_ints(repeats)),
    "Slice": _slice,
    "Pad": _pad,
    "Concat": lambda op, *xs: torch.cat(xs, op.axis),
    "Split": lambda op, x, sizes: tuple(x.split(_ints(sizes), op.axis)),
    "Gather": _gather,
    "GatherElements": lambda op, x, i: x.gather(op.axis, i % x.shape[op.axis]),
    "ScatterElements": lambda op, x, i, u: x.scatter_add(op.axis, i % x.shape[op.axis], u),
    "GatherND": lambda op, x, i: x[_tuples(x, i)],
    "ScatterND": lambda op, x, i, u: x.index_put(_tuples(x, i), u, accumulate=True),
    "Gemm": _gemm,
    "Einsum": lambda op, *xs: torch.einsum(op.equation, *xs),
    "Conv": _conv,
    "FusedConv": lambda op, *xs: torch.tanh(_conv(op, *xs)),
    "ConvTranspose": _conv_transpose,
    "MaxPool": lambda op, x: _max_pool(op, x),
    "GlobalAveragePool": lambda op, x: x.mean(tuple(range(2, x.dim())), keepdim=True),
    "GlobalMaxPool": lambda op, x: x.amax(tuple(range(2, x.dim())), keepdim=True),
    "LayerNormalization": _layer_norm,
    "InstanceNormalization": lambda op, x, s, b: F.instance_norm(
        x, None, None, s, b, True, 0, 1e-5
    ),
    "GroupNormalization": lambda op, x, s, b: F.group_norm(x, op.num_groups, s, b, op.epsilon),
    "RMSNormalization": lambda op, x, s: F.rms_norm(x, x.shape[op.axis :], s, op.epsilon),
    "BatchNormTraining": _batch_norm,
    "BatchNormalization": _batch_norm_inference,
    "LRN": lambda op, x: F.local_response_norm(x, op.size, op.alpha, op.beta, op.bias),
    "SoftmaxCrossEntropyLoss": lambda op, x, y: F.cross_entropy(x, y, reduction=op.reduction),
}
