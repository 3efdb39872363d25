"""Functions that make tensors without operands: `zeros`, `ones`, `full`, `uniform`, `normal`.

Without a shape they are deferred: `param weight: float[3] = zeros()` gives them its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nncomp.dims import Dim, DimLike
from nncomp.ir.graph import Value
from nncomp.lower import tensors
from nncomp.lower.context import Context
from nncomp.lower.elsewhere import surplus_help
from nncomp.lower.values import Builtin, Deferred, describe
from nncomp.types import DType, TensorType


def _constant_fill(name: str, value: float) -> Builtin:
    def call(ctx: Context, args: list[Any], named: dict[str, Any]) -> Any:
        shape, rest = _shape_argument(ctx, name, args, named)
        dtype = named.get("dtype")
        if rest or set(named) - {"shape", "dtype"}:
            raise ctx.fail("NN0202", f"`{name}` takes a shape and a dtype", help=surplus_help(name))

        def make(ctx: Context, type_: TensorType) -> Value:
            return tensors.filled(ctx, value, type_)

        return _deferred(ctx, name, make, shape, dtype)

    return Builtin(name, call)


def _full(ctx: Context, args: list[Any], named: dict[str, Any]) -> Any:
    shape, rest = _shape_argument(ctx, "full", args, named)
    values = [*rest, *(v for k, v in named.items() if k not in ("shape", "dtype"))]
    if set(named) - {"shape", "dtype", "value"}:
        values = []
    if len(values) != 1 or isinstance(values[0], bool) or not isinstance(values[0], (int, float)):
        raise ctx.fail("NN0202", "`full` takes a shape and a number")
    value = values[0]
    return _deferred(
        ctx, "full", lambda ctx, t: tensors.filled(ctx, value, t), shape, named.get("dtype")
    )


def _random(name: str, distribution: str, formals: tuple[tuple[str, float], ...]) -> Builtin:
    """`uniform(low, high)`, `normal(mean, std)`: shape first if given, else deferred."""

    def call(ctx: Context, args: list[Any], named: dict[str, Any]) -> Any:
        shape, rest = _shape_argument(ctx, name, args, named)
        if len(rest) > len(formals):
            raise ctx.fail(
                "NN0202", f"`{name}` takes a shape, {' and '.join(f for f, _ in formals)}"
            )
        values = dict(formals)
        values.update(zip(values, rest, strict=False))
        for key, value in named.items():
            if key in values:
                values[key] = value
            elif key not in ("shape", "dtype"):
                raise ctx.fail("NN0202", f"`{name}` has no argument `{key}`")

        def make(ctx: Context, type_: TensorType) -> Value:
            seed, step, site = ctx.stream()
            drawn = ctx.b(
                tensors.op("Random", site=site, distribution=distribution),
                seed,
                step,
                ctx.b.dims(type_.shape),
            )
            drawn = tensors.cast(ctx, drawn, type_.dtype)
            first, second = values.values()
            if distribution == "uniform":
                offset, scale = first, tensors.binary(ctx, "-", second, first)
            else:
                offset, scale = first, second
            if scale != 1:
                drawn = tensors.binary(ctx, "*", drawn, scale)
            if offset != 0:
                drawn = tensors.binary(ctx, "+", drawn, offset)
            return drawn

        return _deferred(ctx, name, make, shape, named.get("dtype"))

    return Builtin(name, call)


def _shape_argument(
    ctx: Context, name: str, args: list[Any], named: dict[str, Any]
) -> tuple[list[DimLike] | None, list[Any]]:
    """The shape, given first or by name, and the other positional arguments."""
    shape = named.get("shape")
    if args and isinstance(args[0], (list, tuple)):
        shape, args = args[0], args[1:]
    dtype = named.get("dtype")
    if dtype is not None and not isinstance(dtype, DType):
        raise ctx.fail("NN0201", f"the dtype of `{name}` cannot be {describe(dtype)}")
    if shape is None:
        return None, args
    if not isinstance(shape, (list, tuple)):
        raise ctx.fail("NN0201", f"the shape of `{name}` is a list of dims, not {describe(shape)}")
    for dim in shape:
        if isinstance(dim, bool) or not isinstance(dim, (int, Dim)):
            raise ctx.fail("NN0201", f"a dim of `{name}` must be an int, not {describe(dim)}")
        if isinstance(dim, int) and dim < 0:
            raise ctx.fail("NN0205", f"a dim cannot be negative, this is {dim}")
    return list(shape), args


def _deferred(
    ctx: Context,
    name: str,
    make: Callable[[Context, TensorType], Value],
    shape: list[DimLike] | None,
    dtype: DType | None,
) -> Any:
    if shape is None:
        return Deferred(name, make)
    return make(ctx, TensorType(dtype or ctx.frame.float_dtype, tuple(shape)))


FILLS: dict[str, Builtin] = {
    "zeros": _constant_fill("zeros", 0),
    "ones": _constant_fill("ones", 1),
    "full": Builtin("full", _full),
    "uniform": _random("uniform", "uniform", (("low", 0.0), ("high", 1.0))),
    "normal": _random("normal", "normal", (("mean", 0.0), ("std", 1.0))),
}
