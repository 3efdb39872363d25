"""Raw operators: `onnx.Conv(x, w, strides=[2, 2])`, with ONNX's names and defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from nncomp.dims import Dim, new_dim
from nncomp.errors import did_you_mean
from nncomp.ir.builder import weak_dtype
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Value
from nncomp.ir.op import Data, Op
from nncomp.lower import tensors
from nncomp.lower.context import Context
from nncomp.lower.values import Arguments, Results, describe
from nncomp.types import DType, SequenceType, TensorType

# What the annotation of an attribute admits, and how an error calls that. Others admit anything.
_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "int": (int, "an int"),
    "float": ((int, float), "a number"),
    "str": (str, "a string"),
    "DType": (DType, "a dtype"),
    "Ints": (tuple, "a list of ints"),
    "tuple[int, ...]": (tuple, "a list of ints"),
    "tuple[float, ...]": (tuple, "a list of numbers"),
    "tuple[str, ...]": (tuple, "a list of strings"),
    "tuple[DimLike, ...]": (tuple, "a list of dims"),
    "Data": (Data, "a constant"),
}
_TYPE, _TYPES = "TensorType | None", "tuple[TensorType, ...]"
_ITEMS: dict[str, type | tuple[type, ...]] = {
    "a list of ints": int,
    "a list of numbers": (int, float),
    "a list of strings": str,
    "a list of dims": (int, Dim),
}


def apply_raw(ctx: Context, cls: type[Op], arguments: Arguments) -> Value | Results:
    """The operator's result, or all of them. Operands are positional or named, attributes named;
    an operator that has no operands takes its attributes by position too."""
    formal = cls.operands()
    fields = {f.name: f for f in dataclasses.fields(cls)}
    positional, keywords = arguments.values, arguments.keywords
    if not formal:
        keywords = {**dict(zip(fields, positional, strict=False)), **keywords}
        positional = positional[len(fields) :]
    operands: list[Any] = positional
    attributes: dict[str, Any] = {}
    names = [o.name for o in formal]
    for key, value in keywords.items():
        if key in fields:
            attributes[key] = _attribute(ctx, cls, fields[key], value)
        elif key in names:
            at = names.index(key)
            operands += [None] * (at + 1 - len(operands))
            if operands[at] is not None:
                raise ctx.fail("NN0202", f"`{key}` of {cls.__name__} is given twice")
            operands[at] = value
        else:
            near = did_you_mean(key, [*fields, *names])
            raise ctx.fail("NN0202", f"{cls.__name__} has no attribute `{key}`", help=near)
    missing = [f for f in fields.values() if f.name not in attributes and _is_required(f)]
    if missing:
        raise ctx.fail("NN0202", f"{cls.__name__} lacks its attribute `{missing[0].name}`")
    if formal and formal[-1].variadic and not formal[-1].optional:
        repeated = operands[len(formal) - 1 :]
        if not repeated or any(value is None for value in repeated):
            raise ctx.fail("NN0702", f"{cls.__name__} lacks an operand `{formal[-1].name}`")
    try:
        op = cls(**attributes)
    except (ValueError, TypeError) as failure:
        raise ctx.fail("NN0208", f"{cls.__name__}: {failure}") from None
    dtype = weak_dtype(operands)
    if dtype in (None, DType.BOOL) and not all(isinstance(v, bool | Value) for v in operands):
        is_size = dtype is None and any(isinstance(v, Dim) for v in operands)
        whole = is_size and not any(isinstance(v, float) for v in operands)
        # a number beside a mask is no truth value; sizes among themselves are whole numbers
        dtype = DType.I64 if whole else ctx.frame.float_dtype
    results = ctx.b.multi(op, *(_operand(ctx, v, dtype or DType.BOOL) for v in operands))
    return results[0] if len(results) == 1 else Results(results)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _operand(ctx: Context, value: Any, dtype: DType) -> Value | None:
    return None if value is None else tensors.as_tensor(ctx, value, dtype)


def _attribute(ctx: Context, cls: type[Op], field: dataclasses.Field[Any], value: Any) -> Any:
    """The value as the attribute's type asks for it."""
    annotation = str(field.type)
    if annotation == _TYPES:
        items = value if isinstance(value, (list, tuple)) else (value,)
        return tuple(_type(ctx, cls, field.name, item) for item in items)
    if annotation == _TYPE:
        return None if value is None else _type(ctx, cls, field.name, value)
    kind, called = _KINDS.get(annotation.removesuffix(" | None"), (object, ""))
    if value is None and (annotation == "Ints" or annotation.endswith("| None")):
        return None
    if isinstance(value, bool):
        value = int(value)
    if kind is Data and isinstance(value, Value) and value.node is not None:
        op = value.node.op
        value = op.value if isinstance(op, Constant) else value
    elif isinstance(value, (list, tuple)):
        value = _tuple(value)
    items = value if isinstance(value, tuple) else (value,)
    unknown = next((v for v in items if isinstance(v, (Value, Dim))), None)
    of = _ITEMS.get(called)
    if unknown is not None and not (of is not None and isinstance(unknown, of)):
        raise ctx.fail(
            "NN0212",
            f"`{field.name}` of {cls.__name__} must be known while compiling, "
            f"this {'holds' if isinstance(value, tuple) else 'is'} {describe(unknown)}",
        )
    wrong = [value] if not isinstance(value, kind) else []
    if not wrong and of is not None:
        wrong = [v for v in items if not isinstance(v, of)]
    if wrong:
        what = f"`{field.name}` of {cls.__name__}"
        raise ctx.fail("NN0201", f"{what} must be {called}, not {describe(wrong[0])}")
    return float(value) if called == "a number" else value


def _tuple(value: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(_tuple(v) if isinstance(v, (list, tuple)) else v for v in value)


def _type(ctx: Context, cls: type[Op], name: str, item: Any) -> TensorType:
    """A type of a result, which no type in the grammar states: `(f32, ["N", 3])`, and for a
    sequence `("sequence", f32, ["N", none])`, or `none` where not even the rank is known."""
    parts = item if isinstance(item, tuple) else ()
    sequence = len(parts) == 3 and parts[0] == "sequence"
    dtype, dims = parts[1:] if sequence else parts if len(parts) == 2 else (None, None)
    listed = isinstance(dims, (list, tuple))
    sizes: list[Any] = [*dims] if listed else []
    names = ctx.frame.names
    for size in sizes:  # a name that has no value is that of a size which only a run tells
        if isinstance(size, str) and size.isidentifier() and size not in names:
            names[size] = new_dim(size)
    sizes = [names.get(size) if isinstance(size, str) else size for size in sizes]
    known = all(_is_size(d) or (sequence and d is None) for d in sizes)
    known &= listed or (sequence and dims is None)
    if not isinstance(dtype, DType) or not known:
        raise ctx.fail(
            "NN0201",
            f"`{name}` of {cls.__name__} must be a type, not {describe(item)}",
            help='a type is a dtype and a list of dims: `(f32, ["N", 3])`',
        )
    if sequence:
        return SequenceType(dtype, sizes=None if dims is None else tuple(sizes))
    return TensorType(dtype, tuple(sizes))


def _is_size(dim: Any) -> bool:
    whole = isinstance(dim, int) and not isinstance(dim, bool) and 0 <= dim < 2**63
    return whole or isinstance(dim, Dim)
