"""The types that declarations state: of inputs, parameters, results and sequences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nncomp.dims import Dim, DimLike, new_dim
from nncomp.errors import error
from nncomp.lower.context import Context
from nncomp.lower.static_types import DTYPES, check_static, item_type, no_dtype
from nncomp.lower.values import describe
from nncomp.source import Span
from nncomp.syntax import ast
from nncomp.types import DType, SequenceType, TensorType

_ANY_SIZE = "a dim of any size has a name: `f32[N, 8]`"
_WHOLE = "`//` divides ints, and gives one"


def is_tensor_type(type_: ast.TypeExpr) -> bool:
    return type_.dims is not None and type_.name.text not in ("list", "sequence")


def declared_type(ctx: Context, type_: ast.TypeExpr) -> TensorType:
    """The type that a declaration states; all its names must have values."""
    name = type_.name.text
    if type_.dims is None:
        check_static(type_, object(), "it", type_.span)
    if name in ("float", "int"):
        dtype = ctx.frame.float_dtype if name == "float" else DType.I64
    elif name in DTYPES:
        dtype = DTYPES[name]
    else:
        raise no_dtype(type_)
    return TensorType(dtype, tuple(dims_of(ctx, type_.dims or ())))


def dims_of(ctx: Context, exprs: tuple[ast.Expr, ...]) -> list[DimLike]:
    dims: list[DimLike] = []
    for expr in exprs:
        if isinstance(expr, ast.Splice):
            items = ctx.evaluate(expr.value) if expr.value is not None else None
            if not isinstance(items, (list, tuple)):
                raise error("NN0206", "only a list of dims can be spliced", expr.span)
        else:
            items = [ctx.evaluate(expr)]
        for item in items:
            require_dim(item, expr.span)
            if isinstance(item, int) and item >= 2**63:
                raise error("NN0005", f"the dim {item} does not fit into 63 bits", expr.span)
            if isinstance(item, int) and item < 0:
                raise error(
                    "NN0205", f"a dim cannot be negative, this is {item}", expr.span, help=_ANY_SIZE
                )
            dims.append(item)
    return dims


def input_type(ctx: Context, type_: ast.TypeExpr) -> TensorType:
    """The type of a model's input: names without a value become fresh symbolic dims."""
    if type_.name.text == "sequence":
        found = sequence_type(ctx, type_)
        if any(isinstance(size, Dim) for size in found.sizes or ()):
            message = "the sizes in the type of an input that is a sequence are numbers or `_`"
            raise error("NN0206", message, type_.span)
        return found
    if not is_tensor_type(type_):
        raise error(
            "NN0201",
            f"an input must be a tensor, `{type_.span.text}` is none",
            type_.span,
            help="write `f32[]` for a scalar; `--set` gives static values",
        )
    declared_type(
        ctx, replace(type_, dims=())
    )  # before dims come into being: is there such a dtype?
    for dim in type_.dims or ():
        if isinstance(dim, ast.Splice):
            raise error("NN0206", "an input's number of dimensions must be fixed", dim.span)
        for name in unbound(ctx, dim):
            ctx.frame.names[name] = new_dim(name)
    return declared_type(ctx, type_)


def sequence_type(ctx: Context, type_: ast.TypeExpr) -> SequenceType:
    """The type `sequence[f32[_, 3]]`: sizes are known, or `_` where each tensor has its own;
    `sequence[f32[...]]` says nothing of the number of dimensions."""
    item = item_type(type_)
    dims = item.dims or ()
    inner = declared_type(ctx, replace(item, dims=None if item.dims is None else ()))
    if len(dims) == 1 and isinstance(dims[0], ast.Splice) and dims[0].value is None:
        return SequenceType(inner.dtype)
    sizes: list[DimLike | None] = []
    for dim in dims:
        own = isinstance(dim, ast.Ref) and dim.name == "_"
        if not own and unbound(ctx, dim):
            raise error(
                "NN0206",
                f"`{dim.span.text}` is no one size of all tensors of a sequence",
                dim.span,
                help="write `_` where each has its own",
            )
        sizes.append(None if own else dims_of(ctx, (dim,))[0])
    return SequenceType(inner.dtype, sizes=tuple(sizes))


def require_dim(value: Any, span: Span | None) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, Dim)):
        hint = _ANY_SIZE if value is None else _WHOLE if isinstance(value, float) else None
        raise error("NN0201", f"a dim must be an int, this is {describe(value)}", span, help=hint)


def unbound(ctx: Context, expr: ast.Expr) -> list[str]:
    """Names in a dim expression that have no value yet."""
    found: list[str] = []
    pending: list[ast.Expr] = [expr]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Ref):
            # a fn, block or model of the file is no size, so its name is free for a dim
            constant = isinstance(ctx.frame.module.names.get(node.name), (int, Dim))
            known = node.name in ctx.frame.names or constant
            if not known and node.name not in found:
                found.append(node.name)
        elif isinstance(node, ast.Binary):
            pending += [node.left, node.right]
        elif isinstance(node, ast.Unary):
            pending.append(node.operand)
    return found
