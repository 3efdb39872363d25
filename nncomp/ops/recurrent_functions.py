"""The activations that recurrent networks of ONNX name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import InferError
from nncomp.ops import activation as a
from nncomp.ops.elementwise import Add, Mul

Function = Callable[[Builder, Value], Value]


def _affine(b: Builder, x: Value, alpha: float, beta: float) -> Value:
    return b(Add(), b(Mul(), x, alpha), beta)


def _scaled_tanh(b: Builder, x: Value, alpha: float, beta: float) -> Value:
    return b(Mul(), b(a.Tanh(), b(Mul(), x, beta)), alpha)


# name: the function of x, alpha, beta; and the defaults of those that it has
_FUNCTIONS: dict[str, tuple[Callable[..., Value], tuple[float, ...]]] = {
    "relu": (lambda b, x: b(a.Relu(), x), ()),
    "tanh": (lambda b, x: b(a.Tanh(), x), ()),
    "sigmoid": (lambda b, x: b(a.Sigmoid(), x), ()),
    "softsign": (lambda b, x: b(a.Softsign(), x), ()),
    "softplus": (lambda b, x: b(a.Softplus(), x), ()),
    "leakyrelu": (lambda b, x, alpha: b(a.LeakyRelu(alpha), x), (0.01,)),
    "thresholdedrelu": (lambda b, x, alpha: b(a.ThresholdedRelu(alpha), x), (1.0,)),
    "elu": (lambda b, x, alpha: b(a.Elu(alpha), x), (1.0,)),
    "affine": (_affine, (1.0, 0.0)),
    "scaledtanh": (_scaled_tanh, (1.0, 1.0)),
    "hardsigmoid": (lambda b, x, alpha, beta: b(a.HardSigmoid(alpha, beta), x), (0.2, 0.5)),
}


def function_of(name: str, given: Sequence[Iterator[float]]) -> Function:
    """The activation of that name, whatever its case. It takes what it needs of the alphas and
    betas that are given, and its defaults where there are none left."""
    parameters = parameters_of(name, given)
    make, _ = _FUNCTIONS[name.lower()]
    return lambda b, x: make(b, x, *parameters)


def parameters_of(name: str, given: Sequence[Iterator[float]]) -> list[float]:
    """The alpha and the beta, if it has them, that an activation takes of those given."""
    if name.lower() not in _FUNCTIONS:
        known = ", ".join(_FUNCTIONS)
        raise InferError("NN0208", f"there is no activation {name}; there are {known}")
    _, defaults = _FUNCTIONS[name.lower()]
    return [next(numbers, default) for numbers, default in zip(given, defaults, strict=False)]
