"""Operators of the language on tensors: arithmetic with weak literals, comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nncomp.dims import Dim, DimLike
from nncomp.ir.graph import Value
from nncomp.ir.op import Data, Op
from nncomp.lower.context import Context
from nncomp.lower.trees import combine
from nncomp.lower.values import (
    MAX_ITEMS,
    Deferred,
    Instance,
    Results,
    Tree,
    describe,
    is_static_number,
    items_in,
)
from nncomp.ops import REGISTRY
from nncomp.types import NARROW_FLOATS, NARROW_INTS, Array, DType, TensorType


def op(name: str, **attributes: Any) -> Op:
    """The operator of that name with attributes."""
    return REGISTRY[name](**attributes)


def as_tensor(ctx: Context, value: Any, dtype: DType) -> Value:
    """A static number as a rank-0 tensor; a symbolic dim is computed when the graph runs."""
    if isinstance(value, Results):
        return value[0]
    if isinstance(value, Value):
        return value
    if isinstance(value, Dim):
        scalar = ctx.b(op("Squeeze"), ctx.b.dims([value]), ctx.b.ints(0))
        return scalar if dtype is DType.I64 else cast(ctx, scalar, dtype)
    if isinstance(value, (bool, int, float)):
        return number(ctx, value, dtype)
    if isinstance(value, str) and dtype is DType.STRING:
        return ctx.b.constant(np.array(value, object))
    if isinstance(value, (list, tuple)):
        return tensor_of(ctx, value)
    raise ctx.fail("NN0201", f"a tensor is needed here, this is {describe(value)}")


def require_length(ctx: Context, *values: Any) -> None:
    """Raises NN0009 for lists and texts that are too long together, with all that is in them."""
    count = items_in(*values)
    if count > MAX_ITEMS:
        raise ctx.fail("NN0009", f"lists and texts end at {MAX_ITEMS:,} items")
    ctx.expansion.look_through(count, ctx.span)


def number(ctx: Context, value: float, dtype: DType) -> Value:
    """A static number as a constant of that dtype, which must hold it."""
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise ctx.fail("NN0005", f"{value} does not fit into {dtype}")
    key = (repr(value), dtype)
    if key not in ctx.numbers:
        ctx.numbers[key] = Data(_converted(ctx, np.asarray(value), dtype))
    return ctx.b.constant(ctx.numbers[key])


def tensor_of(ctx: Context, value: Sequence[Any], dtype: DType | None = None) -> Value:
    """A (nested) list of numbers, dims or tensors as one tensor."""
    require_length(ctx, value)
    if any(isinstance(v, Dim) for v in value) and all(isinstance(v, (int, Dim)) for v in value):
        return cast(ctx, ctx.b.dims(value), dtype or DType.I64)
    first = next((v for v in value if isinstance(v, Value)), None)
    if first is not None:
        items = [as_tensor(ctx, v, first.type.dtype) for v in value]
        rows = [ctx.b(op("Unsqueeze"), item, ctx.b.ints(0)) for item in items]
        return cast(ctx, ctx.b(op("Concat", axis=0), *rows), dtype or first.type.dtype)
    try:
        array = np.asarray(value)
        natural = {"f": DType.F32, "i": DType.I64, "u": DType.U64, "b": DType.BOOL}
        dtype = dtype or natural[array.dtype.kind]
    except (ValueError, KeyError):
        raise ctx.fail(
            "NN0201", "a list that stands for a tensor must hold numbers in rows of one length"
        ) from None
    return ctx.b.constant(_converted(ctx, array, dtype))


def _converted(ctx: Context, array: Array, dtype: DType) -> Array:
    """The numbers as that dtype, if it holds them."""
    if dtype is DType.STRING and array.dtype.kind in "UO":
        return array.astype(object)
    if array.dtype.kind not in "fiub" or dtype is DType.STRING:
        raise ctx.fail("NN0201", "a tensor is made of numbers or bools, a `string` one of texts")
    whole = dtype.is_int or dtype in NARROW_INTS
    if whole and array.dtype.kind == "f" and array.size:
        some = describe(array.reshape(-1)[0].item())
        raise ctx.fail("NN0203", f"{some} would be rounded to {dtype}", help="round it: `int(…)`")
    with np.errstate(over="ignore"):
        converted = array.astype(dtype.numpy)
    if whole:
        fits = converted.astype(np.int64 if dtype in NARROW_INTS else dtype.numpy).tolist() == (
            array.tolist()
        )
    elif dtype in NARROW_FLOATS:
        low, high = map(float, dtype.limits)
        finite = array[np.isfinite(array)]
        fits = bool(((low <= finite) & (finite <= high)).all())
    else:
        fits = bool((np.isinf(converted.astype(np.float64)) == np.isinf(array)).all())
    if not fits:
        which = array.item() if array.ndim == 0 else "a number of the list"
        raise ctx.fail("NN0005", f"{which} does not fit into {dtype}")
    return converted


def filled(ctx: Context, value: float, type_: TensorType) -> Value:
    """A tensor of that type with the one value everywhere."""
    fill = number(ctx, value, type_.dtype)
    return fill if not type_.rank else ctx.b(op("Expand"), fill, ctx.b.dims(type_.shape))


def cast(ctx: Context, value: Value, dtype: DType) -> Value:
    return value if value.type.dtype is dtype else ctx.b(op("Cast", to=dtype), value)


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": lambda a, b: a**b,
}
_TENSOR_OPS = {"+": "Add", "-": "Sub", "*": "Mul", "/": "Div", "**": "Pow"}
_VERBS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "**": "raise"}
_COMPARISONS = {
    "==": "Equal",
    "<": "Less",
    "<=": "LessOrEqual",
    ">": "Greater",
    ">=": "GreaterOrEqual",
}
MAX_INT_BITS = 64


def binary(ctx: Context, symbol: str, left: Any, right: Any) -> Any:
    """`left symbol right` for arithmetic. Raises ZeroDivisionError, for static numbers."""
    left, right = _first(left), _first(right)
    if isinstance(left, Tree) or isinstance(right, Tree):
        return combine(ctx, symbol, left, right, binary)
    if isinstance(left, Value) or isinstance(right, Value):
        if isinstance(left, Deferred) or isinstance(right, Deferred):
            name = left.name if isinstance(left, Deferred) else right.name
            raise ctx.fail(
                "NN0206", f"the shape of `{name}()` is not known here", help=f"`{name}([…])`"
            )
        return _tensor_binary(ctx, symbol, left, right)
    if isinstance(left, Deferred) or isinstance(right, Deferred):
        return _deferred_binary(symbol, left, right)
    return _static_binary(ctx, symbol, left, right)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, Results) else value


def _deferred_binary(symbol: str, left: Any, right: Any) -> Deferred:
    name = left.name if isinstance(left, Deferred) else right.name

    def make(ctx: Context, type_: Any) -> Value:
        sides = [v.make(ctx, type_) if isinstance(v, Deferred) else v for v in (left, right)]
        result = binary(ctx, symbol, *sides)
        assert isinstance(result, Value)
        return result

    return Deferred(name, make)


def _static_binary(ctx: Context, symbol: str, left: Any, right: Any) -> Any:
    numbers = symbol != "@" and is_static_number(left) and is_static_number(right)
    sequences = isinstance(left, (list, tuple, str)) and type(left) is type(right)
    repeats = symbol == "*" and isinstance(left, list) and isinstance(right, int)
    if not (numbers or (sequences and symbol == "+") or repeats):
        wrong = next((v for v in (left, right) if not is_static_number(v)), left)
        hint = None
        if symbol == "@":
            hint = "`@` is the matrix product of tensors; numbers are multiplied by `*`"
        if isinstance(wrong, Instance):
            hint = "an instance is not a tensor: apply it to one"
        raise ctx.fail(
            "NN0201",
            f"`{symbol}` does not take {describe(left)} and {describe(right)}",
            help=hint,
        )
    if isinstance(left, Dim) or isinstance(right, Dim):
        return _dim_binary(ctx, symbol, left, right)
    try:
        if repeats and len(left) * right > MAX_ITEMS:
            raise OverflowError
        value = _power(left, right) if symbol == "**" else _ARITHMETIC[symbol](left, right)
    except (OverflowError, ValueError):
        raise ctx.fail("NN0005", f"{left} {symbol} {right} is too large") from None
    if isinstance(value, (list, tuple, str)):
        require_length(ctx, value)
    if isinstance(value, complex):
        raise ctx.fail("NN0211", f"{left} {symbol} {right} is not a real number")
    if isinstance(value, int) and value.bit_length() > MAX_INT_BITS:
        raise ctx.fail("NN0005", f"{left} {symbol} {right} does not fit into 64 bits")
    return value


def _power(base: float, exponent: float) -> Any:
    whole = isinstance(base, int) and isinstance(exponent, int) and abs(base) > 1
    if whole and int(base).bit_length() * exponent > 2 * MAX_INT_BITS:
        raise OverflowError
    return base**exponent


def _dim_binary(ctx: Context, symbol: str, left: Any, right: Any) -> Any:
    if isinstance(left, float) or isinstance(right, float) or symbol == "/":
        # a float that depends on a run-time size is a rank-0 tensor
        dtype = ctx.frame.float_dtype
        return _tensor_binary(
            ctx, symbol, as_tensor(ctx, left, dtype), as_tensor(ctx, right, dtype)
        )
    if symbol == "**":
        if isinstance(right, int) and 0 <= right <= 8:
            result: DimLike = 1
            for _ in range(right):
                result = result * left
            return result
        base = f"({left})" if " " in f"{left}" else left
        raise ctx.fail("NN0206", f"`{base} ** {right}` is no dim")
    return _ARITHMETIC[symbol](left, right)


def _operands(ctx: Context, symbol: str, left: Any, right: Any) -> tuple[Value, Value]:
    """Both sides as tensors of one dtype; a static number takes the tensor's."""
    if isinstance(left, Value) and isinstance(right, Value):
        return left, right
    tensor = left if isinstance(left, Value) else right
    number = right if tensor is left else left
    assert isinstance(tensor, Value)
    dtype = tensor.type.dtype
    if isinstance(number, list):
        number = tensor_of(ctx, number, dtype)
    elif not isinstance(number, (bool, int, float, Dim)):
        raise ctx.fail(
            "NN0201",
            f"`{symbol}` does not take {describe(left)} and {describe(right)}",
            help="apply the instance to a tensor first" if isinstance(number, Instance) else None,
        )
    elif isinstance(number, float) and not dtype.is_float:
        raise ctx.fail(
            "NN0203",
            f"`{symbol}` would round {describe(number)} to {dtype}",
            f"{tensor.type} and a float",
            help="convert the tensor first: `cast(…, f32)`",
        )
    elif dtype is DType.BOOL and not isinstance(number, bool):
        raise ctx.fail(
            "NN0203",
            f"`{symbol}` does not take {tensor.type} and {describe(number)}",
            help="convert the tensor first: `cast(…, f32)` or `cast(…, i64)`",
        )
    other = as_tensor(ctx, number, dtype)
    return (tensor, other) if tensor is left else (other, tensor)


def _tensor_binary(ctx: Context, symbol: str, left: Any, right: Any) -> Value:
    if symbol == "**" and isinstance(left, Value) and right in (1, 2) and left.type.dtype.is_float:
        return left if right == 1 else ctx.b(op("Mul"), left, left)
    if symbol == "@":
        if not (isinstance(left, Value) and isinstance(right, Value)):
            raise ctx.fail("NN0201", "`@` multiplies tensors, not numbers", help="use `*`")
        return ctx.b(op("MatMul"), left, right)
    a, b = _operands(ctx, symbol, left, right)
    if a.type.dtype is not b.type.dtype:
        raise ctx.fail(
            "NN0203",
            f"cannot {_VERBS.get(symbol, 'combine')} {a.type} and {b.type}",
            f"dtype {a.type.dtype} (left) is not {b.type.dtype} (right)",
            help=_convert(a, b),
        )
    if a.type.dtype is DType.BOOL:
        raise ctx.fail(
            "NN0203",
            f"cannot {_VERBS.get(symbol, 'combine')} bool tensors",
            help="use `and`, `or`, `not`, or convert with `cast(…, f32)`",
        )
    if symbol in _TENSOR_OPS:
        if symbol == "/" and a.type.dtype.is_int:
            raise ctx.fail(
                "NN0203",
                f"`/` of integers ({a.type} and {b.type}) has no integer answer",
                help="use `//`, or `cast` to a float first",
            )
        return ctx.b(op(_TENSOR_OPS[symbol]), a, b)
    if a.type.dtype.is_float:
        quotient = ctx.b(op("Floor"), ctx.b(op("Div"), a, b))
        if symbol == "//":
            return quotient
        return ctx.b(op("Sub"), a, ctx.b(op("Mul"), quotient, b))
    rest = ctx.b(op("Mod"), a, b)
    return rest if symbol == "%" else ctx.b(op("Div"), ctx.b(op("Sub"), a, rest), b)


def _convert(a: Value, b: Value) -> str:
    """To the side that holds more: floats before ints before bools, else the left one."""
    kinds = [(v.type.dtype.is_float, v.type.dtype.is_int) for v in (a, b)]
    return f"convert one side: `cast(…, {(b if kinds[1] > kinds[0] else a).type.dtype})`"


def compare(ctx: Context, symbol: str, left: Any, right: Any) -> Value:
    """A comparison of which one side at least is a tensor."""
    a, b = _operands(ctx, symbol, left, right)
    if a.type.dtype is not b.type.dtype:
        raise ctx.fail(
            "NN0203",
            f"cannot compare {a.type} and {b.type}",
            f"dtype {a.type.dtype} (left) is not {b.type.dtype} (right)",
            help=_convert(a, b),
        )
    same = ctx.b(op(_COMPARISONS["==" if symbol == "!=" else symbol]), a, b)
    return ctx.b(op("Not"), same) if symbol == "!=" else same


def negate(ctx: Context, value: Value) -> Value:
    if value.type.dtype is DType.BOOL:
        raise ctx.fail("NN0203", "cannot negate a bool tensor", help="use `not`")
    return ctx.b(op("Neg"), value)


def logical(ctx: Context, symbol: str, values: Sequence[Any]) -> Value:
    """`and`, `or`, `not` on tensors."""
    tensors = []
    for value in values:
        tensor = as_tensor(ctx, value, DType.BOOL)
        if tensor.type.dtype is not DType.BOOL:
            raise ctx.fail("NN0203", f"`{symbol}` takes bool tensors, this is {tensor.type}")
        tensors.append(tensor)
    return ctx.b(op({"and": "And", "or": "Or", "not": "Not"}[symbol]), *tensors)
