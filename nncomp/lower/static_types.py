"""Types of static values: `int`, `float`, `str`, `fn`, `list[int]` …"""

from __future__ import annotations

from typing import Any

from nncomp.dims import Dim
from nncomp.errors import CompileError, error
from nncomp.ir.graph import Value
from nncomp.lower.elsewhere import dtype_help
from nncomp.lower.values import Builtin, Deferred, Factory, Function, Instance, RawOp, describe
from nncomp.source import Span
from nncomp.syntax import ast
from nncomp.types import DType

DTYPES = {dtype.value: dtype for dtype in DType}
_FITS: dict[str, tuple[type, ...]] = {  # a bool is no number
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "str": (str,),
    "dim": (int, Dim),
    "dtype": (DType,),
    "block": (Factory, Instance),
    "fn": (Function, Builtin, RawOp),
    "list": (list, tuple),
}


def is_type(type_: ast.TypeExpr) -> bool:
    """Whether there is a type of that name."""
    return type_.name.text in (*_FITS, *DTYPES, "any", "sequence")


def no_type(type_: ast.TypeExpr) -> CompileError:
    kind = type_.name.text
    return error(
        "NN0103",
        f"there is no type `{kind}`",
        type_.name.span,
        help=dtype_help(kind, [*_FITS, *DTYPES]),
    )


def no_dtype(type_: ast.TypeExpr) -> CompileError:
    name = type_.name.text
    near = dtype_help(name, ["float", "int", *DTYPES])
    return error("NN0103", f"there is no dtype `{name}`", type_.name.span, help=near)


def check_static(type_: ast.TypeExpr, value: Any, what: str, span: Span) -> Any:
    """The value as the type asks for it, or an error."""
    kind = type_.name.text
    if kind not in _FITS:
        if kind in DTYPES:
            raise error(
                "NN0201",
                f"`{kind}` alone is no type",
                type_.span,
                help=f"write `{kind}[]` for a scalar tensor, `{kind}[N, C]` for a matrix",
            )
        raise no_type(type_)
    if not isinstance(value, _FITS[kind]) or (isinstance(value, bool) and kind != "bool"):
        if kind == "fn" and isinstance(value, Deferred):  # `init=normal(std=0.02)`
            return Builtin(value.name, lambda ctx, args, named: value)
        if kind == "int" and isinstance(value, Dim):
            raise error(
                "NN0212",
                f"{what} must be known while compiling, this is {describe(value)}",
                span,
                help="give the dim a size in the type of the input",
            )
        message = f"{what} must be {_article(kind)}, this is {describe(value)}"
        hint = _initial(value) if kind == "fn" else None
        if kind == "list" and isinstance(value, Value):
            hint = "several tensors stand in brackets: `[a, b]`"
        raise error("NN0201", message, span, help=hint)
    if kind == "float":
        assert isinstance(value, int | float)
        return float(value)
    return value


def _initial(value: Any) -> str | None:
    """What to write for `init=0.1` or `init=normal([3])`."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"as an initial value, write `full({value})`"
    if isinstance(value, Value):
        return "an initial value has no shape of its own: `normal(std=0.02)`"
    return None


def item_type(type_: ast.TypeExpr) -> ast.TypeExpr:
    """`int` of `list[int]`, `list[int]` of `list[list[int]]`, `float[N]` of `list[float[N]]` and of
    `sequence[float[N]]`."""
    items = type_.dims or ()
    if len(items) == 1:
        item = items[0]
        if isinstance(item, ast.Ref):
            return ast.TypeExpr(item.span, ast.Name(item.span, item.name), None, False)
        if isinstance(item, ast.Index) and isinstance(item.value, ast.Ref):
            for dim in item.items:
                if isinstance(dim, ast.Slice):
                    message = f"`{dim.span.text}` is no dim"
                    raise error("NN0103", message, dim.span, help="a dim of any size is `_`")
            name = ast.Name(item.value.span, item.value.name)
            return ast.TypeExpr(item.span, name, item.items, False)
    raise error(
        "NN0103",
        f"`{type_.span.text}` is no type",
        type_.span,
        help="a list has one type of item: `list[int]`, `list[float[N]]`"
        if type_.name.text == "list"
        else "a sequence has tensors of one dtype: `sequence[f32[_, 3]]`",
    )


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
