"""Initial values that depend on the whole shape of a parameter: `orthogonal`, `identity`, and any
fn of the shape by `shaped`.

The first two read the parameter as a matrix: its first axis by all others.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from nncomp.ir.graph import Value
from nncomp.lower import calls, tensors
from nncomp.lower.context import Context
from nncomp.lower.values import Argument, Arguments, Builtin, Deferred, Function, describe
from nncomp.ops.shape import reshaped
from nncomp.types import DType, TensorType

# 1.5^60 is 4e10: singular values from there on are 1 within rounding
_STEPS = 60


def _initializer(name: str, make: Any) -> Builtin:
    def call(ctx: Context, args: list[Any], named: dict[str, Any]) -> Deferred:
        """`gain` scales; `fan_in` and `fan_out`, which layers give, do not matter here."""
        if args or set(named) - {"gain", "fan_in", "fan_out"}:
            raise ctx.fail("NN0202", f"`{name}` takes a gain by name", help=f"`{name}(gain=2)`")
        gain = named.get("gain", 1.0)
        if isinstance(gain, bool) or not isinstance(gain, (int, float)):
            raise ctx.fail("NN0201", f"the gain of `{name}` cannot be {describe(gain)}")

        def deferred(ctx: Context, type_: TensorType) -> Value:
            if type_.rank < 2 or not type_.is_static:
                raise ctx.fail("NN0204", f"`{name}` gives matrices, this is {type_}")
            value: Value = make(ctx, type_, float(gain))
            return value

        return Deferred(name, deferred)

    return Builtin(name, call)


def _identity(ctx: Context, type_: TensorType, gain: float) -> Value:
    rows, *rest = type_.static_shape
    matrix = gain * np.eye(rows, prod(rest))
    return ctx.b.constant(matrix.astype(type_.dtype.numpy).reshape(type_.static_shape))


def _orthogonal(ctx: Context, type_: TensorType, gain: float) -> Value:
    """U Vᵀ of a normal matrix U S Vᵀ: uniform among matrices with orthonormal rows, or columns
    (Saxe et al., 2013). X ← 1.5 X - 0.5 X Xᵀ X takes every singular value in (0, 1] to 1."""
    b, op = ctx.b, tensors.op
    rows, *rest = type_.static_shape
    columns = prod(rest)
    seed, step, site = ctx.stream()
    shape = (min(rows, columns), max(rows, columns))
    x = b(op("Random", site=site, distribution="normal"), seed, step, b.dims(shape))
    x = b(op("Div"), x, b(op("ReduceL2", keepdims=0), x))
    for _ in range(_STEPS):
        squares = b(op("Gemm", transB=1), x, x)
        x = b(op("Sub"), b(op("Mul"), x, 1.5), b(op("Gemm", alpha=0.5), squares, x))
    x = x if rows <= columns else b(op("Transpose", perm=(1, 0)), x)
    x = x if type_.dtype is DType.F32 else b(op("Cast", to=type_.dtype), x)
    x = x if gain == 1 else b(op("Mul"), x, gain)
    return x if type_.rank == 2 else reshaped(b, x, type_.shape)


def _shaped(ctx: Context, args: list[Any], named: dict[str, Any]) -> Deferred:
    """`shaped(f, name=value)`: what the fn makes of the parameter's shape, a list of dims."""
    if len(args) != 1 or not isinstance(args[0], Function):
        raise ctx.fail("NN0202", "`shaped` takes a fn of a shape, then named arguments")
    function, span = args[0], ctx.span or args[0].decl.span

    def make(ctx: Context, type_: TensorType) -> Value:
        given = {name: Argument(value, span) for name, value in named.items()}
        shape = Argument(list(type_.shape), span)
        value = calls.apply(ctx, function, Arguments([shape], given), span)
        if not isinstance(value, Value) or value.shape != type_.shape:
            name = function.decl.name.text
            raise ctx.fail("NN0307", f"`{name}` is to give {type_}, this is {describe(value)}")
        return tensors.cast(ctx, value, type_.dtype)

    return Deferred("shaped", make)


INITIALIZERS: tuple[Builtin, ...] = (
    _initializer("orthogonal", _orthogonal),
    _initializer("identity", _identity),
    Builtin("shaped", _shaped),
)
