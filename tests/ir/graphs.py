"""Small graphs for the tests of the graph, its text form and what looks at it."""

from __future__ import annotations

from collections.abc import Sequence

from nncomp.dims import DimLike, new_dim
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Origin, Parameter, Value
from nncomp.ops.activation import Relu, Tanh
from nncomp.ops.conv import Conv
from nncomp.ops.elementwise import Add
from nncomp.ops.linear import Gemm
from nncomp.ops.normalization_batch import BatchNormalization
from nncomp.ops.pooling import GlobalAveragePool
from nncomp.ops.pooling_average import AveragePool
from nncomp.ops.pooling_max import MaxPool
from nncomp.ops.shape import Flatten
from nncomp.types import DType, TensorType


class Net:
    """Builds inference graphs as the standard library's layers do: one scope per instance."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.b = Builder()
        self.inputs: list[Value] = []
        self.parameters: list[Parameter] = []

    def input(self, name: str, *shape: DimLike, dtype: DType = DType.F32) -> Value:
        value = Value(TensorType(dtype, shape), name)
        self.inputs.append(value)
        return value

    def parameter(self, path: str, *shape: int, kind: str = "param") -> Value:
        value = Value(TensorType(DType.F32, shape), path)
        self.parameters.append(Parameter(path, value, kind))  # type: ignore[arg-type]
        return value

    def conv(
        self,
        x: Value,
        path: str,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        pad: int = 0,
        bias: bool = True,
    ) -> Value:
        into = x.shape[1]
        assert isinstance(into, int)
        weight = self.parameter(f"{path}.weight", channels, into, kernel, kernel)
        shift = self.parameter(f"{path}.bias", channels) if bias else None
        with self.b.at(Origin(scope=path)):
            op = Conv(strides=(stride,) * 2, pads=(pad,) * 4)
            return self.b(op, x, weight, shift)

    def batch_norm(self, x: Value, path: str) -> Value:
        channels = x.shape[1]
        assert isinstance(channels, int)
        kinds = {"weight": "param", "bias": "param", "mean": "buffer", "var": "buffer"}
        operands = [self.parameter(f"{path}.{n}", channels, kind=k) for n, k in kinds.items()]
        with self.b.at(Origin(scope=path)):
            return self.b(BatchNormalization(), x, *operands)

    def linear(self, x: Value, path: str, width: int) -> Value:
        into = x.shape[1]
        assert isinstance(into, int)
        weight = self.parameter(f"{path}.weight", width, into)
        bias = self.parameter(f"{path}.bias", width)
        with self.b.at(Origin(scope=path)):
            return self.b(Gemm(transB=1), x, weight, bias)

    def graph(self, **outputs: Value) -> Graph:
        inputs, parameters = tuple(self.inputs), tuple(self.parameters)
        return Graph(self.name, inputs, parameters, tuple(self.b.nodes), outputs)


def lenet() -> Graph:
    """LeNet-5 on 28×28 images: 61,706 parameters."""
    net = Net("LeNet5")
    x = net.input("image", new_dim("N"), 1, 28, 28)
    pool = AveragePool(kernel_shape=(2, 2), strides=(2, 2))
    x = net.b(pool, net.b(Tanh(), net.conv(x, "conv1", 6, 5, pad=2)))
    x = net.b(pool, net.b(Tanh(), net.conv(x, "conv2", 16, 5)))
    x = net.b(Flatten(), x)
    x = net.b(Tanh(), net.linear(x, "fc1", 120))
    x = net.b(Tanh(), net.linear(x, "fc2", 84))
    return net.graph(logits=net.linear(x, "fc3", 10))


def resnet(depths: Sequence[int] = (3, 4, 6, 3), width: int = 64, image: int = 224) -> Graph:
    """The bottleneck ResNet of He et al. (2015); ResNet-50 has 25,557,032 parameters."""
    net = Net(f"ResNet{3 * sum(depths) + 2}")
    relu = Relu()
    x = net.input("image", new_dim("N"), 3, image, image)
    x = net.conv(x, "conv1", width, 7, stride=2, pad=3, bias=False)
    x = net.b(relu, net.batch_norm(x, "bn1"))
    x = net.b(MaxPool(kernel_shape=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1)), x)
    for stage, depth in enumerate(depths):
        for index in range(depth):
            stride = 2 if stage and not index else 1
            x = _bottleneck(net, x, f"layer{stage + 1}.{index}", width << stage, stride)
    x = net.b(Flatten(), net.b(GlobalAveragePool(), x))
    return net.graph(logits=net.linear(x, "fc", 1000))


def _bottleneck(net: Net, x: Value, path: str, width: int, stride: int) -> Value:
    def conv_bn(x: Value, part: str, channels: int, kernel: int, stride: int = 1) -> Value:
        pad = kernel // 2
        conv = f"{path}.conv{part}"
        y = net.conv(x, conv, channels, kernel, stride=stride, pad=pad, bias=False)
        return net.batch_norm(y, f"{path}.bn{part}")

    with net.b.at(Origin(scope=path)):
        y = net.b(Relu(), conv_bn(x, "1", width, 1))
        y = net.b(Relu(), conv_bn(y, "2", width, 3, stride))
        y = conv_bn(y, "3", 4 * width, 1)
        skip = x if x.shape[1] == 4 * width else conv_bn(x, "_skip", 4 * width, 1, stride)
        return net.b(Relu(), net.b(Add(), y, skip))
