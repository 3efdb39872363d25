"""Operators that one kernel computes and that ONNX writes as several."""

from __future__ import annotations

from collections.abc import Callable

from nncomp.dims import equal
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import InferError, Op, operator
from nncomp.ops.activation import Elu, HardSigmoid, HardSwish, LeakyRelu, Relu, Sigmoid, Tanh
from nncomp.ops.conv import Conv
from nncomp.ops.convolution import Convolution
from nncomp.ops.elementwise import Add, Clip, Mul
from nncomp.ops.rules import same_dtype
from nncomp.ops.windows import out_of_range
from nncomp.types import TensorType

Activation = Callable[..., Value]


def _swish(b: Builder, x: Value, alpha: float = 1.0) -> Value:
    return b(Mul(), x, b(Sigmoid(), x if alpha == 1.0 else b(Mul(), x, alpha)))


# name: fewest and most parameters, body on (builder, x, *parameters)
ACTIVATIONS: dict[str, tuple[int, int, Activation]] = {
    "Relu": (0, 0, lambda b, x: b(Relu(), x)),
    "Sigmoid": (0, 0, lambda b, x: b(Sigmoid(), x)),
    "Tanh": (0, 0, lambda b, x: b(Tanh(), x)),
    "LeakyRelu": (0, 1, lambda b, x, *p: b(LeakyRelu(*p), x)),
    "Clip": (2, 2, lambda b, x, low, high: b(Clip(), x, low, high)),
    "HardSigmoid": (0, 2, lambda b, x, *p: b(HardSigmoid(*p), x)),
    "HardSwish": (0, 0, lambda b, x: b(HardSwish(), x)),
    "Swish": (0, 1, _swish),
    "Elu": (0, 1, lambda b, x, *p: b(Elu(*p), x)),
}


@operator
class FusedConv(Convolution):
    """Y = activation(conv(X, W) + B + Z), with Conv's attributes.

    X, W, B: as Conv's; Z: a tensor of Y's shape (a residual branch)
    activation: "" for none, or a name in ACTIVATIONS, with ONNX's meaning and defaults
    activation_params: its attributes in ONNX's order (alpha, beta); Clip's are min and max
    """

    signature = "X, W, B?, Z? -> Y"
    domain = "nncomp"
    activation: str = ""
    activation_params: tuple[float, ...] = ()

    def infer(
        self,
        x: TensorType,
        w: TensorType,
        b: TensorType | None = None,
        z: TensorType | None = None,
    ) -> TensorType:
        self._check_activation()
        y = self.infer_forward(x, w, b)
        if z is not None:
            same_dtype(x, z)
            if z.rank != y.rank or not all(map(equal, z.shape, y.shape)):
                raise InferError(
                    "NN0207", f"the added tensor {z} is not of the result's type {y}", operand=3
                )
        return y

    def _check_activation(self) -> None:
        if not self.activation:
            fewest, most = 0, 0
        elif self.activation in ACTIVATIONS:
            fewest, most, _ = ACTIVATIONS[self.activation]
        else:
            out_of_range(
                f'activation="{self.activation}" cannot be fused',
                "one of " + ", ".join(ACTIVATIONS),
            )
        if not fewest <= len(self.activation_params) <= most:
            out_of_range(
                f'activation="{self.activation}" takes {fewest} to {most} parameters, '
                f"not {len(self.activation_params)}"
            )

    def decompose(
        self,
        b: Builder,
        x: Value,
        w: Value,
        bias: Value | None = None,
        z: Value | None = None,
    ) -> Value:
        conv = Conv(
            auto_pad=self.auto_pad,
            dilations=self.dilations,
            group=self.group,
            kernel_shape=self.kernel_shape,
            pads=self.pads,
            strides=self.strides,
        )
        y = b(conv, x, w, bias)
        if z is not None:
            y = b(Add(), y, z)
        if self.activation:
            y = ACTIVATIONS[self.activation][2](b, y, *self.activation_params)
        return y


OPS: tuple[type[Op], ...] = (FusedConv,)
