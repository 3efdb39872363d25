"""Gradients of whole networks, first and second order, against torch in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from nncomp.dims import new_dim
from nncomp.ir.graph import Value
from nncomp.ops.activation import Elu, Relu, Tanh
from nncomp.ops.conv import Conv, ConvTranspose
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.elementwise_math import Exp
from nncomp.ops.linear import Gemm
from nncomp.ops.loss import SoftmaxCrossEntropyLoss
from nncomp.ops.normalization import LayerNormalization
from nncomp.ops.normalization_batch import BatchNormTraining
from nncomp.ops.pooling import GlobalAveragePool
from nncomp.ops.pooling_average import AveragePool
from nncomp.ops.pooling_max import MaxPool
from nncomp.ops.reduction import ReduceMean, ReduceSum
from nncomp.ops.shape import Flatten
from nncomp.types import Array, DType
from tests.autodiff.support import Net, expanded, named, randoms, values

N, H = new_dim("N"), new_dim("H")
RTOL = 1e-9

Tensors = Sequence[torch.Tensor]


def assert_same(found: Sequence[Array], wanted: Sequence[torch.Tensor]) -> None:
    """Equal up to 1e-9 of each gradient's largest number."""
    for a, b in zip(found, wanted, strict=True):
        array = b.detach().numpy()
        scale = float(np.abs(array).max()) or 1.0
        np.testing.assert_allclose(a, array, rtol=0, atol=RTOL * scale)


def residual_net(net: Net, v: Sequence[Value], label: Value) -> Value:
    x, w1, g1, b1, w2, g2, b2, w3, fc, bias = v
    pad = (1, 1, 1, 1)
    y = net(Conv(pads=pad), x, w1)
    y = net(Relu(), net.b.multi(BatchNormTraining(), y, g1, b1)[0])
    y = net(MaxPool(kernel_shape=(3, 3), strides=(2, 2), pads=pad), y)
    skip = net(Conv(strides=(2, 2)), y, w3)
    y = net(Conv(pads=pad, strides=(2, 2), group=2), y, w2)
    y = net.b.multi(BatchNormTraining(), y, g2, b2)[0]
    y = net(Relu(), net(Add(), y, skip))
    y = net(Flatten(), net(GlobalAveragePool(), y))
    y = net(Gemm(transB=1), y, fc, bias)
    return net(SoftmaxCrossEntropyLoss(), y, label)


def torch_residual_net(v: Tensors, label: torch.Tensor) -> torch.Tensor:
    x, w1, g1, b1, w2, g2, b2, w3, fc, bias = v
    y = F.relu(F.batch_norm(F.conv2d(x, w1, padding=1), None, None, g1, b1, training=True))
    y = F.max_pool2d(y, 3, 2, 1)
    skip = F.conv2d(y, w3, stride=2)
    y = F.conv2d(y, w2, padding=1, stride=2, groups=2)
    y = F.relu(F.batch_norm(y, None, None, g2, b2, training=True) + skip)
    return F.cross_entropy(F.linear(y.mean((2, 3)), fc, bias), label)


def test_residual_net_with_symbolic_batch_and_height() -> None:
    net = Net()
    weights = [(4, 3, 3, 3), (4,), (4,), (6, 2, 3, 3), (6,), (6,), (6, 4, 1, 1), (5, 6), (5,)]
    v = [net.input(N, 3, H, 9), *(net.input(*shape) for shape in weights)]
    label = net.input(N, dtype=DType.I64)
    loss = residual_net(net, v, label)
    graph = expanded(net.graph(loss, *net.grad(loss, *v)))
    for batch, height in ((2, 11), (3, 8)):
        arrays = randoms((batch, 3, height, 9), *weights)
        labels = np.arange(batch) * 2 % 5
        found = values(graph, named([*arrays, labels]))
        tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
        wanted = torch_residual_net(tensors, torch.tensor(labels))
        assert_same(found, [wanted, *torch.autograd.grad(wanted, tensors)])


def test_average_pool_and_transposed_conv() -> None:
    net = Net()
    shapes = [(2, 4, 7, 9), (4, 3, 3, 2), (3,)]
    v = [net.input(*shape) for shape in shapes]
    y = net(AveragePool(kernel_shape=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1)), v[0])
    y = net(ConvTranspose(strides=(2, 2)), net(Elu(), y), v[1], v[2])
    loss = net(ReduceMean(keepdims=0), net(Mul(), y, y))
    found = values(expanded(net.graph(*net.grad(loss, *v))), named(randoms(*shapes)))
    x, w, b = (torch.tensor(a, requires_grad=True) for a in randoms(*shapes))
    z = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
    z = F.conv_transpose2d(F.elu(z), w, b, stride=2)
    assert_same(found, torch.autograd.grad((z * z).mean(), (x, w, b)))


def conv_square(net: Net, x: Value, w: Value) -> Value:
    y = net(Tanh(), net(Conv(strides=(2, 1), pads=(1, 0, 1, 1)), x, w))
    return net(ReduceSum(keepdims=0), net(Mul(), y, y))


def conv_pool(net: Net, x: Value, w: Value) -> Value:
    y = net(MaxPool(kernel_shape=(2, 2), strides=(2, 2)), net(Tanh(), net(Conv(), x, w)))
    y = net(AveragePool(kernel_shape=(2, 2)), y)
    return net(ReduceSum(keepdims=0), net(Exp(), y))


def batch_norm(net: Net, x: Value, w: Value) -> Value:
    scale = net(ReduceMean(keepdims=0), w, net.b.ints(1, 2, 3))
    y = net.b.multi(BatchNormTraining(), net(Conv(), x, w), scale, scale)[0]
    return net(ReduceSum(keepdims=0), net(Mul(), y, net(Tanh(), y)))


def layer_norm(net: Net, x: Value, w: Value) -> Value:
    scale = net(ReduceMean(keepdims=0), w)
    y = net.b.multi(LayerNormalization(axis=1), net(Conv(), x, w), scale)[0]
    return net(ReduceSum(keepdims=0), net(Mul(), y, net(Exp(), y)))


def torch_conv_square(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    y = torch.tanh(F.conv2d(F.pad(x, (0, 1, 1, 1)), w, stride=(2, 1)))
    return (y * y).sum()


def torch_conv_pool(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    y = F.max_pool2d(torch.tanh(F.conv2d(x, w)), 2, 2)
    return torch.exp(F.avg_pool2d(y, 2, 1)).sum()


def torch_batch_norm(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    scale = w.mean((1, 2, 3))
    y = F.batch_norm(F.conv2d(x, w), None, None, scale, scale, training=True)
    return (y * torch.tanh(y)).sum()


def torch_layer_norm(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    y = F.conv2d(x, w)
    y = F.layer_norm(y, y.shape[1:]) * w.mean()
    return (y * torch.exp(y)).sum()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (conv_square, torch_conv_square),
        (conv_pool, torch_conv_pool),
        (batch_norm, torch_batch_norm),
        (layer_norm, torch_layer_norm),
    ],
)
def test_second_order(
    ours: Callable[[Net, Value, Value], Value],
    theirs: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> None:
    """The gradient of |∂loss/∂x|² with respect to x and w, as in a gradient penalty."""
    net = Net()
    shapes = [(2, 3, 7, 8), (4, 3, 3, 2)]
    x, w = (net.input(*shape) for shape in shapes)
    (dx,) = net.grad(ours(net, x, w), x)
    penalty = net(ReduceSum(keepdims=0), net(Mul(), dx, dx))
    found = values(expanded(net.graph(penalty, *net.grad(penalty, x, w))), named(randoms(*shapes)))
    tx, tw = (torch.tensor(a, requires_grad=True) for a in randoms(*shapes))
    (tdx,) = torch.autograd.grad(theirs(tx, tw), tx, create_graph=True)
    wanted = (tdx * tdx).sum()
    assert_same(found, [wanted, *torch.autograd.grad(wanted, (tx, tw))])
