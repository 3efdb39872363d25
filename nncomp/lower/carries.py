"""Carries of a `scan` or `loop`, and the scope of a body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from typing import Any

from nncomp.dims import Dim, DimLike, Symbol, equal
from nncomp.errors import Diagnostic, Note, error
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.lower import tensors
from nncomp.lower.context import Context, Region
from nncomp.lower.declared_types import sequence_type, unbound
from nncomp.lower.signature import check, item_dims
from nncomp.lower.sites import nodes
from nncomp.lower.values import Deferred, Results, describe
from nncomp.ops.control import joined, plain
from nncomp.records import record
from nncomp.syntax import ast
from nncomp.types import DType, SequenceType, is_container


@record
class Carry:
    """A carried tensor: its value before the first run, and the one that a run begins with.

    grows: for names of dims that may change, the symbol that stands for each inside
    whole, place: of a list or tuple of tensors, its first value, and the indices of this one in it
    """

    decl: ast.Carry
    first: Value
    inner: Value
    grows: Mapping[str, Symbol] = field(default_factory=dict)
    whole: Any = None
    place: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        return ".".join(map(str, (self.decl.name.text, *self.place)))


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


def make_carries(
    ctx: Context, decls: Sequence[ast.Carry], *, may_grow: bool = False
) -> list[Carry]:
    """The carried tensors in order, those of a list or tuple one by one. A dim name that has no
    value yet stands for one size, in all carries that name it."""
    growing: dict[str, Symbol] = {}
    return [carry for decl in decls for carry in _carries(ctx, decl, growing, may_grow)]


def _carries(
    ctx: Context, decl: ast.Carry, growing: dict[str, Symbol], may_grow: bool
) -> Iterator[Carry]:
    span = decl.value.span
    whole = first_of(ctx.evaluate(decl.value))
    dims = [d for d in item_dims(decl.type) if isinstance(d, ast.Ref) and d.name != "_"]
    if may_grow:
        growing.update((d.name, Symbol(d.name, 0)) for d in dims if unbound(ctx, d))
    if decl.type is not None:
        what = f"the carry `{decl.name.text}`"
        with ctx.at(span):
            whole = check(ctx, decl.type, whole, what, span, asserts=True)
    grows = {d.name: growing[d.name] for d in dims if d.name in growing}
    for place, value in _leaves(whole):
        yield _carry(ctx, decl, first_of(value), grows, whole, place)


def _leaves(value: Any, place: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    """The tensors of nested lists and tuples; a list of mere numbers is a tensor itself."""
    if isinstance(value, (list, tuple)) and not isinstance(value, Results) and _holds_tensor(value):
        for number, item in enumerate(value):
            yield from _leaves(item, (*place, number))
    else:
        yield place, value


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_holds_tensor, value))
    return isinstance(value, (Value, Deferred))


def _carry(
    ctx: Context,
    decl: ast.Carry,
    value: Any,
    grows: Mapping[str, Symbol],
    whole: Any,
    place: tuple[int, ...],
) -> Carry:
    span = decl.value.span
    if isinstance(value, Deferred):
        raise error(
            "NN0206",
            f"the shape of `{value.name}()` is not known here",
            span,
            help=f"give the carry a type: `{decl.name.text}: float[…] = {span.text}`",
        )
    if not isinstance(value, Value):
        with ctx.at(span):
            value = tensors.as_tensor(ctx, value, natural_dtype(ctx, value))
    if isinstance(value.type, SequenceType):
        type_ = decl.type if decl.type is not None and decl.type.name.text == "sequence" else None
        inner = Value(value.type if type_ is None else sequence_type(ctx, type_))
    else:
        shape = list(value.shape)
        for axis, dim in enumerate(item_dims(decl.type)):
            if isinstance(dim, ast.Ref) and dim.name in grows:
                shape[axis] = grows[dim.name].dim
        inner = Value(plain(value.type).with_shape(tuple(shape)))
    carry = Carry(decl, value, inner, grows, whole, place)
    inner.name = carry.name
    return carry


def natural_dtype(ctx: Context, value: Any) -> DType:
    """The dtype that a static number takes as a tensor."""
    if isinstance(value, bool):
        return DType.BOOL
    return DType.I64 if isinstance(value, (int, Dim)) else ctx.frame.float_dtype


def enter(ctx: Context, carries: Sequence[Carry]) -> None:
    """Binds the carries, and the dims that they may change, inside a body."""
    seen: dict[str, ast.Carry] = {}
    for carry in carries:
        name = carry.decl.name
        if seen.setdefault(name.text, carry.decl) is not carry.decl:
            raise error(
                "NN0104",
                f"there are two carries `{name.text}`",
                name.span,
                notes=[Note("the other one", seen[name.text].name.span)],
            )
        ctx.frame.names.update((n, s.dim) for n, s in carry.grows.items())
    bind_carries(ctx, carries, [carry.inner for carry in carries])


def bind_carries(ctx: Context, carries: Sequence[Carry], values: Sequence[Value]) -> list[Any]:
    """Gives the names of the carries their values; these, one for each name."""
    found = {carry.decl.name.text: carry.whole for carry in carries}
    for carry, value in zip(carries, values, strict=True):
        root = carry.decl.name.text
        found[root] = _replaced(found[root], carry.place, value)
    ctx.frame.names.update(found)
    return list(found.values())


def _replaced(whole: Any, place: tuple[int, ...], value: Value) -> Any:
    if not place:
        return value
    items = list(whole)
    items[place[0]] = _replaced(items[place[0]], place[1:], value)
    return type(whole)(items)


def _at(carry: Carry, value: Any) -> Any:
    """What stands at the carry's place in the next value of its name."""
    whole = carry.whole
    for number in carry.place:
        value = first_of(value)
        if not isinstance(value, (list, tuple)) or len(value) != len(whole):
            raise error(
                "NN0320",
                f"the carry `{carry.decl.name.text}` holds {describe(whole)}, "
                f"its next value {describe(value)}",
                carry.decl.name.span,
                help="a carry keeps its type; what grows is collected with `yield`",
            )
        value, whole = value[number], whole[number]
    return first_of(value)


def bind_grown(ctx: Context, carry: Carry, shape: Sequence[DimLike]) -> None:
    for axis, dim in enumerate(carry.inner.shape):
        symbol = dim.symbol if isinstance(dim, Dim) else None
        for name, grown in carry.grows.items():
            if grown is symbol:
                ctx.frame.names[name] = shape[axis]


def warn_of_lost(ctx: Context, expr: ast.Scan | ast.Loop) -> None:
    """A warning for each name that the body reads and then assigns, as a carry is: what it has
    assigned is gone in the next run."""
    own = {carry.name.text for carry in expr.carries}
    if isinstance(expr, ast.Scan):
        targets = [n for item in expr.inputs for n in nodes(item.target)]
        own |= {n.name.text for n in targets if isinstance(n, ast.NameTarget)}
    read: set[str] = set()
    for statement in expr.body:
        inside = list(nodes(statement))
        read |= {node.name for node in inside if isinstance(node, ast.Ref)}
        assigned = [node for node in inside if isinstance(node, ast.Assign)]
        for target in (n for node in assigned for n in nodes(node.target)):
            if not isinstance(target, ast.NameTarget) or target.name.text in own:
                continue
            name = target.name.text
            own.add(name)
            outside = ctx.frame.names.get(name)
            if name in read and isinstance(outside, (Value, Deferred, int, float)):
                ctx.store.warn(
                    Diagnostic(
                        "NN0324",
                        f"`{name}` is read and assigned here, but is no carry: each run begins "
                        "with its value outside",
                        target.span,
                        help=f"if runs build on one another: `{_kind(expr)} ({name} = {name}) …`",
                        severity="warning",
                    )
                )


def _kind(expr: ast.Scan | ast.Loop) -> str:
    return "scan" if isinstance(expr, ast.Scan) else "loop"


def next_value(ctx: Context, carry: Carry) -> Value:
    """The carry's value at the end of a run, which must be of the carry's type."""
    value = _at(carry, ctx.frame.names.get(carry.decl.name.text))
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
    if is_container(value.type) or is_container(inner.type):
        return _next_sequence(carry, value)
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
        help="a carry keeps its type; in a `loop`, a dim with a new name may grow, "
        "in a `scan`, `yield` collects",
    )


def _next_sequence(carry: Carry, value: Value) -> Value:
    """The sequence at the end of a run, whose tensors fit into the carry's type."""
    wider = joined(carry.inner.type, value.type)
    if wider == carry.inner.type:
        return value
    where = value.node.origin.spans if value.node is not None else ()
    help = None
    if isinstance(wider, SequenceType) and wider.sizes is not None:
        sizes = (d if isinstance(d, int) else None for d in wider.sizes)
        wider = SequenceType(wider.dtype, sizes=tuple(sizes))
        help = f"give the carry the type of both: `{wider}`"
    raise error(
        "NN0320",
        f"the carry `{carry.name}` is {carry.inner.type}, its next value is {value.type}",
        where[0] if where else carry.decl.name.span,
        notes=[Note("the carry is declared here", carry.decl.span)],
        help=help,
    )


def _fills(value: Any, inner: Value) -> bool:
    """Whether a static number can be a carry's next value."""
    is_bool = isinstance(value, bool)
    fits = is_bool or isinstance(value, (int, float, Dim))
    return fits and not inner.rank and is_bool is (inner.type.dtype is DType.BOOL)
