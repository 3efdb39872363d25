"""Functions of the compiler: static arithmetic, lists, operators.

All else that every file sees is the standard library, written in `.nn`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from nncomp import dims
from nncomp.dims import Dim, DimLike
from nncomp.errors import did_you_mean
from nncomp.ir.graph import Value
from nncomp.ir.op import Op
from nncomp.ir.opaque import Opaque
from nncomp.lower import calls, indexing, tensors
from nncomp.lower.axes import AXES
from nncomp.lower.clipping import CLIPPING
from nncomp.lower.context import Context
from nncomp.lower.declared_types import require_dim
from nncomp.lower.derivatives import DERIVATIVES
from nncomp.lower.filling import FILLS
from nncomp.lower.initializers import INITIALIZERS
from nncomp.lower.trees import TREES
from nncomp.lower.values import (
    Argument,
    Arguments,
    Builtin,
    Deferred,
    Factory,
    Function,
    Namespace,
    RawOp,
    describe,
    is_static_number,
)
from nncomp.ops import REGISTRY
from nncomp.syntax import ast
from nncomp.types import DType, SequenceType

MAX_RANGE = 100_000

# --- elementwise mathematics, on static numbers and on tensors ------------------------------

_MATH: dict[str, tuple[Callable[[float], float], str]] = {
    "sqrt": (math.sqrt, "Sqrt"),
    "exp": (math.exp, "Exp"),
    "log": (math.log, "Log"),
    "sin": (math.sin, "Sin"),
    "cos": (math.cos, "Cos"),
    "tanh": (math.tanh, "Tanh"),
    "erf": (math.erf, "Erf"),
    "floor": (math.floor, "Floor"),
    "ceil": (math.ceil, "Ceil"),
    "abs": (abs, "Abs"),
}


def _elementwise(name: str) -> Builtin:
    static, operator = _MATH[name]

    def call(ctx: Context, args: list[Any], named: dict[str, Any]) -> Any:
        (x,) = ctx.exactly(name, args, named, 1)
        if isinstance(x, Value):
            return ctx.b(tensors.op(operator), x)
        if isinstance(x, Deferred):
            return Deferred(name, lambda c, t: c.b(tensors.op(operator), x.make(c, t)))
        if isinstance(x, Dim):
            return ctx.b(tensors.op(operator), tensors.as_tensor(ctx, x, ctx.frame.float_dtype))
        if isinstance(x, bool) or not isinstance(x, (int, float)):
            raise ctx.fail("NN0201", f"`{name}` takes a number or a tensor, not {describe(x)}")
        try:
            return static(x)
        except (ValueError, OverflowError):
            raise ctx.fail("NN0211", f"{name}({x}) is not a finite number") from None

    return Builtin(name, call)


# --- static values ---------------------------------------------------------------------------


def _len(ctx: Context, args: list[Any], named: dict[str, Any]) -> Any:
    (x,) = ctx.exactly("len", args, named, 1)
    if isinstance(x, Value) and isinstance(x.type, SequenceType):
        return ctx.b(tensors.op("SequenceLength"), x)
    if isinstance(x, Value) and x.rank:
        return x.shape[0]
    if not isinstance(x, (list, tuple, str, dict)):
        raise ctx.fail("NN0201", f"`len` takes a list, not {describe(x)}")
    return len(x)


def _range(ctx: Context, args: list[Any], named: dict[str, Any]) -> list[int]:
    if named or not 1 <= len(args) <= 3:
        raise ctx.fail("NN0202", "`range` takes a stop, or start, stop and step")
    for value in args:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ctx.fail(
                "NN0212",
                f"`range` takes ints, not {describe(value)}",
                help="`scan` runs along an axis of any size; `arange` makes a tensor of numbers"
                if isinstance(value, Dim)
                else None,
            )
    if len(args) == 3 and args[2] == 0:
        raise ctx.fail("NN0208", "the step of `range` cannot be 0")
    items = range(*args)
    if items[:MAX_RANGE] != items:
        raise ctx.fail("NN0004", f"a range of more than {MAX_RANGE:,} is too long")
    ctx.expansion.look_through(len(items), ctx.span)
    return list(items)


def _lists(ctx: Context, name: str, args: list[Any], named: dict[str, Any]) -> list[list[Any]]:
    if named or not args:
        raise ctx.fail("NN0202", f"`{name}` takes lists")
    for value in args:
        if not isinstance(value, (list, tuple)):
            raise ctx.fail("NN0201", f"`{name}` takes lists, not {describe(value)}")
    return [list(value) for value in args]


def _zip(ctx: Context, args: list[Any], named: dict[str, Any]) -> list[Any]:
    args = [indexing.unpack(ctx, v) if isinstance(v, Value) else v for v in args]
    lists = _lists(ctx, "zip", args, named)
    sizes = sorted({len(items) for items in lists})
    if len(sizes) > 1:
        raise ctx.fail("NN0202", f"`zip` needs lists of one length, these have {sizes}")
    return list(zip(*lists, strict=True))


def _enumerate(ctx: Context, args: list[Any], named: dict[str, Any]) -> list[Any]:
    (items,) = _lists(ctx, "enumerate", ctx.exactly("enumerate", args, named, 1), {})
    return list(enumerate(items))


def _reversed(ctx: Context, args: list[Any], named: dict[str, Any]) -> list[Any]:
    (items,) = _lists(ctx, "reversed", ctx.exactly("reversed", args, named, 1), {})
    return items[::-1]


def _is_list(ctx: Context, args: list[Any], named: dict[str, Any]) -> bool:
    return isinstance(ctx.exactly("is_list", args, named, 1)[0], (list, tuple))


def _is_tensor(ctx: Context, args: list[Any], named: dict[str, Any]) -> bool:
    return isinstance(ctx.exactly("is_tensor", args, named, 1)[0], Value)


def _is_float(ctx: Context, args: list[Any], named: dict[str, Any]) -> bool:
    (x,) = ctx.exactly("is_float", args, named, 1)
    return x.type.dtype.is_float if isinstance(x, Value) else isinstance(x, float)


def _fold(ctx: Context, name: str, symbol: str, start: int, args: list[Any]) -> Any:
    (items,) = _lists(ctx, name, args, {})
    result: Any = start
    for number, item in enumerate(items):
        result = item if number == 0 else tensors.binary(ctx, symbol, result, item)
    return result


def _prod(ctx: Context, args: list[Any], named: dict[str, Any]) -> Any:
    return _fold(ctx, "prod", "*", 1, ctx.exactly("prod", args, named, 1))


def _total(ctx: Context, args: list[Any], named: dict[str, Any]) -> Any:
    return _fold(ctx, "total", "+", 0, ctx.exactly("total", args, named, 1))


def _extremum(name: str, pick: Callable[[DimLike, DimLike], DimLike]) -> Builtin:
    """`min`, `max` of static numbers; of tensors it is the standard library's reduction."""

    def call(ctx: Context, args: list[Any], named: dict[str, Any]) -> Any:
        items = list(args[0]) if len(args) == 1 and isinstance(args[0], (list, tuple)) else args
        if named or not items or not all(is_static_number(v) for v in items):
            short = name.removeprefix("static_")
            raise ctx.fail(
                "NN0201",
                f"`{short}` takes static numbers or one tensor",
                help=f"for elements of two tensors: `{short}imum(a, b)`",
            )
        result = items[0]
        for item in items[1:]:
            if isinstance(result, Dim) or isinstance(item, Dim):
                result = pick(result, item)
            else:
                result = (min if name == "static_min" else max)(result, item)
        return result

    return Builtin(name, call)


def _to_int(ctx: Context, args: list[Any], named: dict[str, Any]) -> Any:
    (x,) = ctx.exactly("int", args, named, 1)
    if isinstance(x, (int, float)) and math.isfinite(x):
        if abs(x) >= 2**64:
            raise ctx.fail("NN0005", f"{x} does not fit into 64 bits")
        return int(x)
    if isinstance(x, Dim):
        return x
    raise ctx.fail("NN0201", f"`int` takes a static number, not {describe(x)}")


def _to_float(ctx: Context, args: list[Any], named: dict[str, Any]) -> Any:
    (x,) = ctx.exactly("float", args, named, 1)
    if isinstance(x, (int, float)):
        return float(x)
    if isinstance(x, (Dim, Value)):
        value = tensors.as_tensor(ctx, x, ctx.frame.float_dtype)
        return tensors.cast(ctx, value, ctx.frame.float_dtype)
    raise ctx.fail("NN0201", f"`float` takes a number or a tensor, not {describe(x)}")


def _partial(ctx: Context, args: list[Any], named: dict[str, Any]) -> Factory | Builtin:
    if len(args) != 1 or not isinstance(args[0], Factory | Function):
        raise ctx.fail("NN0202", "`partial` takes a block or fn, then named arguments")
    bound = args[0]
    decl = bound.decl
    taken = decl.parameters if isinstance(decl, ast.FnDecl) else decl.hyperparameters
    formals = [f.name.text for f in taken]
    for key in named:
        if key not in formals:
            what = "argument" if isinstance(decl, ast.FnDecl) else "hyperparameter"
            raise ctx.fail(
                "NN0202",
                f"`{decl.name.text}` has no {what} `{key}`",
                help=did_you_mean(key, formals) or f"it has {', '.join(formals) or 'none'}",
            )
    if isinstance(bound, Factory):
        return Factory(bound.decl, bound.module, {**bound.given, **named})
    return _partial_function(bound, named)


def _partial_function(function: Function, bound: dict[str, Any]) -> Builtin:
    def call(ctx: Context, args: list[Any], named: dict[str, Any]) -> Any:
        span = ctx.span or function.decl.span
        given = {name: Argument(value, span) for name, value in {**bound, **named}.items()}
        positional = [Argument(value, span) for value in args]
        return calls.apply(ctx, function, Arguments(positional, given), span)

    return Builtin(function.decl.name.text, call)


# --- tensors ---------------------------------------------------------------------------------


def _cast(ctx: Context, args: list[Any], named: dict[str, Any]) -> Value:
    x, dtype = ctx.exactly("cast", args, named, 2)
    if not isinstance(dtype, DType):
        raise ctx.fail("NN0201", f"`cast` takes a tensor and a dtype, not {describe(dtype)}")
    return tensors.cast(ctx, tensors.as_tensor(ctx, x, dtype), dtype)


def _reshape(ctx: Context, args: list[Any], named: dict[str, Any]) -> Value:
    x, shape = ctx.exactly("reshape", args, named, 2)
    if not isinstance(x, Value) or not isinstance(shape, (list, tuple)):
        raise ctx.fail("NN0201", "`reshape` takes a tensor and a list of dims")
    for dim in shape:
        require_dim(dim, ctx.span)
    return ctx.b(tensors.op("Reshape"), x, ctx.b.dims(list(shape)))


def _operators(name: str, domain: str) -> Namespace:
    def lookup(operator: str) -> RawOp | None:
        cls: type[Op] | None = Opaque if operator == "Opaque" else REGISTRY.get(operator)
        return RawOp(cls) if cls is not None and cls.domain == domain else None

    def names() -> list[str]:
        return [n for n, cls in REGISTRY.items() if cls.domain == domain]

    return Namespace(name, lookup, names)


BUILTINS: dict[str, Any] = {
    "pi": math.pi,
    "inf": math.inf,
    "nan": math.nan,
    "onnx": _operators("onnx", ""),
    "nncomp": _operators("nncomp", "nncomp"),
    **{name: _elementwise(name) for name in _MATH},
    **FILLS,
    "static_min": _extremum("static_min", dims.minimum),
    "static_max": _extremum("static_max", dims.maximum),
    **{
        builtin.name: builtin
        for builtin in (
            *AXES,
            *CLIPPING,
            *DERIVATIVES,
            *INITIALIZERS,
            *TREES,
            Builtin("len", _len),
            Builtin("range", _range),
            Builtin("zip", _zip),
            Builtin("enumerate", _enumerate),
            Builtin("reversed", _reversed),
            Builtin("is_list", _is_list),
            Builtin("is_tensor", _is_tensor),
            Builtin("is_float", _is_float),
            Builtin("prod", _prod),
            Builtin("total", _total),
            Builtin("int", _to_int),
            Builtin("float", _to_float),
            Builtin("partial", _partial),
            Builtin("cast", _cast),
            Builtin("reshape", _reshape),
        )
    },
}
