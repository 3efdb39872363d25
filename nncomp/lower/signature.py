"""Types in signatures: checking values against them and binding the dims that they name."""

from __future__ import annotations

import re
from dataclasses import field
from typing import Any

from nncomp.dims import Dim, DimLike, Symbol, equal
from nncomp.errors import CompileError, Note, error
from nncomp.ir.graph import Value
from nncomp.ir.obligation import Comparison, compared
from nncomp.ir.sizes import sources
from nncomp.lower.context import Context
from nncomp.lower.declared_types import (
    declared_type,
    is_tensor_type,
    require_dim,
    sequence_type,
    unbound,
)
from nncomp.lower.static_types import DTYPES, check_static, item_type, no_dtype
from nncomp.lower.tensors import as_tensor
from nncomp.lower.values import Deferred, Results, describe
from nncomp.ops.shape import reshaped
from nncomp.records import record
from nncomp.source import Span
from nncomp.syntax import ast
from nncomp.types import DType, SequenceType, Shape, is_container

_CONVERTED = {"float": "f32", "int": "i64"}
_NO_ROWS = "labels are numbers of classes: `cast(…, i64)`, or `argmax(…, axis=1)` of one-hot rows"

_SQUEEZE = "one has an axis of size 1 more: `squeeze(…, -1)` takes it away"


def check(
    ctx: Context,
    type_: ast.TypeExpr | None,
    value: Any,
    what: str,
    span: Span,
    *,
    asserts: bool = False,
) -> Any:
    """The value as the type asks for it (an int as a float, `zeros()` as a tensor), or an error.

    Binds dims that the type names in the current frame.
    asserts: the type is the author's claim, so dims that merely may differ are left to the run,
        and the value has the dims that are claimed
    """
    if isinstance(value, Results):
        value = value[0]
    if type_ is None or (value is None and type_.optional):
        return value
    if type_.name.text == "list" and isinstance(value, (list, tuple)) and type_.dims is not None:
        item = item_type(type_)
        return [check(ctx, item, v, f"each item of {what}", span, asserts=asserts) for v in value]
    if type_.name.text == "sequence":
        return _check_sequence(ctx, type_, value, what, span)
    if not is_tensor_type(type_):
        return check_static(type_, value, what, span)
    if isinstance(value, Deferred):
        for pattern in type_.dims or ():
            part = pattern.value if isinstance(pattern, ast.Splice) else pattern
            if part is None or unbound(ctx, part):
                raise error(
                    "NN0206",
                    f"the shape of `{value.name}()` is not known here",
                    span,
                    help=f"`{value.name}([…])`",
                )
        return value.make(ctx, declared_type(ctx, type_))
    if isinstance(value, (bool, int, float, Dim)):
        return _number_as_tensor(ctx, type_, value, what, span)
    if not isinstance(value, Value) or is_container(value.type):
        hint = f"write it without quotes: {value}" if _is_number(value) else None
        found = f"{what} must be a tensor, this is {describe(value)}"
        raise error("NN0201", found, span, help=hint)
    _check_dtype(ctx, type_, value, what, span)
    claim = _Claim(type_, value, what, span, asserts)
    shape = _bind_dims(ctx, claim)
    if all(equal(a, b) is True for a, b in zip(shape, value.shape, strict=True)):
        return value
    with ctx.at(span):
        return reshaped(ctx.b, value, shape)


def _check_sequence(ctx: Context, type_: ast.TypeExpr, value: Any, what: str, span: Span) -> Value:
    """The sequence, whose tensors may have the sizes that the type says as far as is known."""
    wanted = sequence_type(ctx, type_)
    if not isinstance(value, Value) or not isinstance(value.type, SequenceType):
        raise error("NN0201", f"{what} must be a sequence, this is {describe(value)}", span)
    found = value.type
    pairs = zip(wanted.sizes or (), found.sizes or (), strict=False)
    same_rank = wanted.sizes is None or found.sizes is None or len(wanted.sizes) == len(found.sizes)
    apart = any(a is not None and b is not None and equal(a, b) is False for a, b in pairs)
    if found.dtype is not wanted.dtype or ((apart or not same_rank) and not found.empty):
        code = "NN0203" if found.dtype is not wanted.dtype else "NN0205" if apart else "NN0204"
        raise error(
            code,
            f"{what} must be {_spelt(type_)}, this is {found}",
            span,
            notes=_came_from(value),
        )
    return value


def _number_as_tensor(
    ctx: Context, type_: ast.TypeExpr, value: Any, what: str, span: Span
) -> Value:
    name = type_.name.text
    dtype = ctx.frame.float_dtype if name == "float" else DTYPES.get(name, DType.F32)
    if type_.dims or (isinstance(value, float) and not dtype.is_float):
        raise error("NN0201", f"{what} must be {_spelt(type_)}, this is {describe(value)}", span)
    return as_tensor(ctx, value, dtype)


def item_dims(type_: ast.TypeExpr | None) -> tuple[ast.Expr, ...]:
    """The dims of a type; of lists, of what they hold at last."""
    while type_ is not None and type_.name.text in ("list", "sequence") and type_.dims is not None:
        type_ = item_type(type_)
    return () if type_ is None or type_.dims is None else type_.dims


def _spelt(type_: ast.TypeExpr) -> str:
    return f"`{type_.span.text}`"


def _is_number(value: Any) -> bool:
    """Whether it is a text that says a number."""
    return isinstance(value, str) and re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", value) is not None


def _check_dtype(ctx: Context, type_: ast.TypeExpr, value: Value, what: str, span: Span) -> None:
    name, dtype = type_.name.text, value.type.dtype
    if name == "float":
        fits = dtype.is_float
    elif name == "int":
        fits = dtype.is_int
    elif name == "any":
        fits = True
    elif name in DTYPES:
        fits = dtype is DTYPES[name]
    else:
        raise no_dtype(type_)
    if not fits:
        rows = value.type.dtype.is_float and value.rank > 1 and what.startswith("`label`")
        hint = f"convert it: `cast(…, {_CONVERTED.get(name, name)})`"
        raise error(
            "NN0203",
            f"{what} must be {_spelt(type_)}, this is {value.type}",
            span,
            f"dtype {dtype}, not {name}",
            notes=_came_from(value),
            help=_NO_ROWS if rows else hint,
        )


def _came_from(value: Value) -> list[Note]:
    if value.node is not None and value.node.origin.spans:
        return [Note(f"{value.type} was made here", value.node.origin.spans[0])]
    return []


@record
class _Claim:
    """That a value has a type. What it `asserts` and only a run can tell is left to the run: to an
    obligation, or where no input's shape tells, to the Reshape to the dims that are claimed. One
    size can be `measured` so, since a Reshape compares numbers of elements."""

    type: ast.TypeExpr
    value: Value
    what: str
    span: Span
    asserts: bool
    measured: list[Comparison] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.what} must be {_spelt(self.type)}, this is {self.value.type}"

    def error(self, code: str, label: str) -> CompileError:
        notes = [*_came_from(self.value), Note("the type is declared here", self.type.span)]
        return error(code, str(self), self.span, label, notes=notes, help=self._other_order())

    def _other_order(self) -> str | None:
        """Where the dims would fit if they were swapped: how to."""
        wanted, shape = self.type.dims or (), self.value.shape
        numbers = [d.value if isinstance(d, ast.Int) else None for d in wanted]
        known = [n for n in numbers if n is not None]
        if len(shape) != len(wanted) or len(set(shape)) != len(shape) or len(known) < 2:
            return None
        if any(n not in shape for n in known) or len(set(known)) != len(known):
            return None
        rest = (axis for axis, dim in enumerate(shape) if dim not in known)
        perm = [next(rest) if n is None else shape.index(n) for n in numbers]
        return f"the dims are there in another order: `transpose(…, perm={perm})`"

    def unknown(self, ctx: Context, comparison: Comparison) -> None:
        """Leaves the comparison to the run, or refuses it."""
        if not self.asserts:
            left, right = comparison.left, comparison.right
            raise error(
                "NN0206",
                f"{self}: {left} and {right} are not known to be equal",
                self.span,
                help="if they are, say so before: `name: type = …` is checked at each run",
            )
        known = sources(ctx.inputs.values())
        sizes = [d for d in (comparison.left, comparison.right) if isinstance(d, Dim)]
        if not self.measured and any(s not in known for d in sizes for s in d.symbols()):
            self.measured.append(comparison)
            return
        ctx.oblige((comparison,), (str(self),), self.span)


def _bind_dims(ctx: Context, claim: _Claim) -> list[DimLike]:
    """Binds the names of the type to the dims of the value; the dims as the type has them."""
    patterns, shape = claim.type.dims or (), claim.value.shape
    splices = [i for i, p in enumerate(patterns) if isinstance(p, ast.Splice)]
    if len(splices) > 1:
        raise error("NN0206", "a type can hold only one `...`", patterns[splices[1]].span)
    least = len(patterns) - len(splices)
    if len(shape) < least or (not splices and len(shape) != least):
        wanted = f"{'at least ' if splices else ''}{least}"
        raise claim.error("NN0204", f"{len(shape)} dimensions, not {wanted}")
    if not splices:
        return [_bind_dim(ctx, p, d, claim) for p, d in zip(patterns, shape, strict=True)]
    at, rest = splices[0], len(shape) - least
    splice = patterns[at]
    assert isinstance(splice, ast.Splice)
    inner = _bind_splice(ctx, splice, shape[at : at + rest], claim)
    before = zip(patterns[:at], shape[:at], strict=True)
    after = zip(patterns[at + 1 :], shape[at + rest :], strict=True)
    first = [_bind_dim(ctx, p, d, claim) for p, d in before]
    return first + inner + [_bind_dim(ctx, p, d, claim) for p, d in after]


def _bind_splice(ctx: Context, splice: ast.Splice, dims: Shape, claim: _Claim) -> list[DimLike]:
    if splice.value is None:
        return list(dims)
    if isinstance(splice.value, ast.Ref) and splice.value.name not in ctx.frame.names:
        ctx.frame.names[splice.value.name] = list(dims)
        return list(dims)
    bound = ctx.evaluate(splice.value)
    if not isinstance(bound, (list, tuple)):
        raise error(
            "NN0201",
            f"`...` follows a name or a list of dims, not {describe(bound)}",
            splice.span,
        )
    for item in bound:
        require_dim(item, splice.span)
    answer = compared("==", bound, dims)
    if answer is None or answer is False:
        unequal = [(d, b) for d, b in zip(dims, bound, strict=False) if equal(d, b) is False]
        raise error(
            "NN0205",
            f"{claim.what} has dims [{', '.join(map(str, dims))}] where "
            f"`{splice.value.span.text}` is [{', '.join(map(str, bound))}]",
            claim.span,
            "size {} where {} is needed".format(*unequal[0]) if unequal else "",
            notes=_came_from(claim.value),
            help=_SQUEEZE if [*bound, 1] == [*dims] or [*dims, 1] == [*bound] else None,
        )
    for (comparison,) in [] if answer is True else answer:
        claim.unknown(ctx, comparison)
    return list(bound)


def _bind_dim(ctx: Context, pattern: ast.Expr, dim: DimLike, claim: _Claim) -> DimLike:
    names = ctx.frame.names
    if isinstance(pattern, ast.Ref):
        if pattern.name == "_":
            return dim
        if pattern.name not in names:
            names[pattern.name] = dim
            return dim
    unknown = unbound(ctx, pattern)
    if unknown:
        solved = _solve(ctx, pattern, unknown[0], dim, claim) if len(unknown) == 1 else None
        if solved is None:
            raise claim.error(
                "NN0205" if len(unknown) == 1 and isinstance(dim, int) else "NN0206",
                f"size {dim} gives no {' or '.join(f'`{n}`' for n in unknown)} "
                f"with `{pattern.span.text}`",
            )
        names[unknown[0]] = solved
        sized: DimLike = ctx.evaluate(pattern)
        return sized
    expected: DimLike = ctx.evaluate(pattern)
    require_dim(expected, pattern.span)
    same = equal(expected, dim)
    if same is None:
        claim.unknown(ctx, Comparison(expected, "==", dim))
    elif not same:
        spelt = pattern.span.text
        known = f"{spelt} = {expected}" if spelt != str(expected) else spelt
        raise claim.error("NN0205", f"size {dim} where {known} is needed")
    return expected


def _solve(
    ctx: Context, pattern: ast.Expr, name: str, dim: DimLike, claim: _Claim
) -> DimLike | None:
    """The value of `name` for which the linear pattern equals the dim, or None."""
    symbol = Symbol(name)
    ctx.frame.names[name] = symbol.dim
    try:
        form = ctx.evaluate(pattern)
    finally:
        del ctx.frame.names[name]
    if not isinstance(form, Dim):
        return None
    factor = form.terms.get((symbol,), 0)
    rest = form - symbol.dim * factor
    if not factor or (isinstance(rest, Dim) and symbol in rest.symbols()):
        return None
    over = (dim - rest) % factor
    divides = equal(over, 0)
    if divides is None and claim.asserts:
        claim.unknown(ctx, Comparison(over, "==", 0))
    elif not divides:
        return None
    return (dim - rest) // factor
