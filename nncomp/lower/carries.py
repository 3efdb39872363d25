"""Carries of a `scan` or `loop`, and the scope of a body."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from nncomp.dims import Dim, DimLike, Symbol, equal
from nncomp.errors import Diagnostic, Note, error
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.lower import tensors
from nncomp.lower.context import Context, Region
from nncomp.lower.signature import check, unbound
from nncomp.lower.values import Deferred, Results, describe
from nncomp.ops.control import plain
from nncomp.source import Span
from nncomp.syntax import ast
from nncomp.types import DType


@dataclass(frozen=True, eq=False)
class Carry:
    """A carry: its value before the first run, and the one that a run begins with.

    grows: for names of dims that may change, the symbol that stands for each inside
    """

    decl: ast.Carry
    first: Value
    inner: Value
    grows: dict[str, Symbol] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.decl.name.text


@contextmanager
def inside(ctx: Context, builder: Builder, region: Region | None) -> Iterator[None]:
    """Builds into `builder`, in a scope that begins with the names around."""
    outer, names = ctx.b, dict(ctx.frame.names)
    builder.origin = outer.origin
    ctx.b = builder
    if region is not None:
        ctx.regions.append(region)
    try:
        yield
    finally:
        ctx.b = outer
        if region is not None:
            ctx.regions.pop()
        ctx.frame.names.clear()
        ctx.frame.names.update(names)


def first_of(value: Any) -> Any:
    return value[0] if isinstance(value, Results) else value


def make_carry(ctx: Context, decl: ast.Carry, *, may_grow: bool = False) -> Carry:
    name, span = decl.name.text, decl.value.span
    value = first_of(ctx.evaluate(decl.value))
    fresh: dict[str, Symbol] = {}
    if decl.type is not None and may_grow:
        fresh = {
            d.name: Symbol(d.name, 0)
            for d in decl.type.dims or ()
            if isinstance(d, ast.Ref) and d.name != "_" and unbound(ctx, d)
        }
    with ctx.at(span):
        if decl.type is not None:
            value = check(ctx, decl.type, value, f"the carry `{name}`", span, asserts=True)
        if isinstance(value, Deferred):
            raise error(
                "NN0206",
                f"the shape of `{value.name}()` is not known here",
                span,
                help=f"give the carry a type: `{name}: float[…] = {span.text}`",
            )
        if not isinstance(value, Value):
            value = tensors.as_tensor(ctx, value, natural_dtype(ctx, value))
    shape = list(value.shape)
    if fresh:
        assert decl.type is not None
        for axis, dim in enumerate(decl.type.dims or ()):
            if isinstance(dim, ast.Ref) and dim.name in fresh:
                shape[axis] = fresh[dim.name].dim
    inner = Value(plain(value.type).with_shape(tuple(shape)), name)
    return Carry(decl, value, inner, fresh)


def natural_dtype(ctx: Context, value: Any) -> DType:
    """The dtype that a static number takes as a tensor."""
    if isinstance(value, bool):
        return DType.BOOL
    return DType.I64 if isinstance(value, (int, Dim)) else ctx.frame.float_dtype


def enter(ctx: Context, carries: Sequence[Carry]) -> None:
    """Binds the carries, and the dims that they may change, inside a body."""
    seen: dict[str, Span] = {}
    for carry in carries:
        name = carry.decl.name
        if name.text in seen:
            raise error(
                "NN0104",
                f"there are two carries `{name.text}`",
                name.span,
                notes=[Note("the other one", seen[name.text])],
            )
        seen[name.text] = name.span
        ctx.frame.names[name.text] = carry.inner
        ctx.frame.names.update((n, s.dim) for n, s in carry.grows.items())


def bind_grown(ctx: Context, carry: Carry, shape: Sequence[DimLike]) -> None:
    for axis, dim in enumerate(carry.inner.shape):
        symbol = dim.symbol if isinstance(dim, Dim) else None
        for name, grown in carry.grows.items():
            if grown is symbol:
                ctx.frame.names[name] = shape[axis]


def next_value(ctx: Context, carry: Carry) -> Value:
    """The carry's value at the end of a run, which must be of the carry's type."""
    value = first_of(ctx.frame.names.get(carry.name))
    inner, span = carry.inner, carry.decl.name.span
    if value is inner:
        ctx.store.warn(
            Diagnostic(
                "NN0321",
                f"the carry `{carry.name}` is never reassigned",
                span,
                help=f"read `{carry.decl.value.span.text}` directly, or assign `{carry.name} = …`",
                severity="warning",
            )
        )
        return carry.inner
    if isinstance(value, Deferred):
        with ctx.at(span):
            value = value.make(ctx, inner.type)
    elif _fills(value, inner):
        with ctx.at(span):
            value = tensors.as_tensor(ctx, value, inner.type.dtype)
    if not isinstance(value, Value):
        raise error("NN0201", f"the carry `{carry.name}` became {describe(value)}", span)
    free = [symbol.dim for symbol in carry.grows.values()]
    same: bool | None = value.type.dtype is inner.type.dtype and value.rank == inner.rank
    if same:
        known = [
            equal(a, b) for a, b in zip(value.shape, inner.shape, strict=True) if b not in free
        ]
        same = False if False in known else None if None in known else True
    if same:
        return value
    where = value.node.origin.spans if value.node is not None else ()
    raise error(
        "NN0320",
        f"the carry `{carry.name}` is {inner.type}, its next value is {value.type}"
        + (", not known to be equal" if same is None else ""),
        where[0] if where else span,
        notes=[Note("the carry is declared here", carry.decl.span)],
        help="a carry keeps its type; in a `loop`, a dim with a new name may grow",
    )


def _fills(value: Any, inner: Value) -> bool:
    """Whether a static number can be a carry's next value."""
    is_bool = isinstance(value, bool)
    fits = is_bool or isinstance(value, (int, float, Dim))
    return fits and not inner.rank and is_bool is (inner.type.dtype is DType.BOOL)
