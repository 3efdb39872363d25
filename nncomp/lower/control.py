"""`scan`, `loop … while` and `cond`: bodies that stay in the graph, with a scope of their own.

A body sees the names around it; what it assigns is its own, but for the carries, which come out.
Instances in it belong to the block around, so their parameters exist once and are captured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nncomp.dims import Dim, Symbol, equal
from nncomp.errors import Note, error
from nncomp.ir.builder import Builder
from nncomp.ir.closure import close
from nncomp.ir.graph import Value
from nncomp.lower import tensors
from nncomp.lower.carries import (
    Carry,
    bind_carries,
    bind_grown,
    enter,
    first_of,
    inside,
    make_carries,
    natural_dtype,
    next_value,
    warn_of_lost,
)
from nncomp.lower.context import Context, Region
from nncomp.lower.store import SCALAR
from nncomp.lower.targets import bind
from nncomp.lower.values import Deferred, describe
from nncomp.ops.control import Loop
from nncomp.ops.control_building import BACKWARD, FORWARD, Element, State, Yield, add_if, add_scan
from nncomp.ops.elementwise import Add
from nncomp.ops.rules import normalize_axis
from nncomp.source import Span
from nncomp.syntax import ast
from nncomp.types import DType, TensorType

CONDITION = TensorType(DType.BOOL, ())


# --- scan --------------------------------------------------------------------------------------


def scan(ctx: Context, expr: ast.Scan) -> Any:
    """The tuple of what is yielded, stacked; the carries where nothing is."""
    carries = make_carries(ctx, expr.carries)
    warn_of_lost(ctx, expr)
    elements = [_element(ctx, item) for item in expr.inputs]
    _check_lengths(expr, elements)
    counter = Value(SCALAR, "iteration")
    region = Region("scan", ctx.frame, counter)
    newest = Symbol("_").serial
    inner = Builder()
    with inside(ctx, inner, region):
        for item, element in zip(expr.inputs, elements, strict=True):
            bind(ctx, item.target, element.inner, item.span)
        enter(ctx, carries)
        ctx.execute(ctx, expr.body)
        after = [next_value(ctx, carry) for carry in carries]
        yields = _yields(ctx, region, elements[0].direction)
        counts = any(counter in node.operands for node in inner.nodes)
        advanced = ctx.b(Add(), counter, ctx.b.constant(1, DType.I64)) if counts else None
    _require_result(expr, carries, yields)
    states = [State(c.first, c.inner, a) for c, a in zip(carries, after, strict=True)]
    with ctx.at(expr.span):
        if advanced is not None:
            states.append(State(ctx.b.constant(0, DType.I64), counter, advanced))
        local = _symbols_since(newest, inner)
        node = add_scan(ctx.b, inner.nodes, states, elements, yields, local=local)
    return _results(ctx, carries, node.outputs[: len(carries)], node.outputs[len(states) :])


def _element(ctx: Context, item: ast.ScanInput) -> Element:
    value = first_of(ctx.evaluate(item.value))
    span = item.value.span
    if not isinstance(value, Value) or not value.rank:
        raise error(
            "NN0201",
            f"`scan` goes over tensors with axes, this is {describe(value)}",
            span,
            help="over a static list, use `for`" if isinstance(value, (list, tuple)) else None,
        )
    axis = 0
    if item.axis is not None:
        axis = _axis(ctx, item.axis, value.rank)
    shape = value.shape[:axis] + value.shape[axis + 1 :]
    name = item.target.name.text if isinstance(item.target, ast.NameTarget) else "element"
    inner = Value(value.type.with_shape(shape), name)
    return Element(value, inner, axis, BACKWARD if item.reverse else FORWARD)


def _axis(ctx: Context, expr: ast.Expr, rank: int) -> int:
    axis = ctx.evaluate(expr)
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise error("NN0212", f"an axis is a static int, this is {describe(axis)}", expr.span)
    if not -rank <= axis < rank:
        raise error("NN0210", f"axis {axis} is out of range for {rank} dimensions", expr.span)
    return normalize_axis(axis, rank)


def _check_lengths(expr: ast.Scan, elements: Sequence[Element]) -> None:
    first = elements[0]
    length = first.tensor.shape[first.axis]
    for item, element in zip(expr.inputs[1:], elements[1:], strict=True):
        size = element.tensor.shape[element.axis]
        same = equal(length, size)
        if same:
            continue
        raise error(
            "NN0206" if same is None else "NN0205",
            f"`scan` goes over tensors of one length, these have {length} and {size}"
            + (" (not known to be equal)" if same is None else ""),
            item.value.span,
            f"{element.tensor.type}, {size} along axis {element.axis}",
            notes=[
                Note(
                    "the first one",
                    expr.inputs[0].value.span,
                    f"{first.tensor.type}, {length} along axis {first.axis}",
                )
            ],
        )


def _require_result(expr: ast.Scan, carries: Sequence[Carry], yields: Sequence[Yield]) -> None:
    if not carries and not yields:
        raise error(
            "NN0322",
            "this `scan` has no result: it neither carries nor yields anything",
            expr.span,
            help="end its body with `yield …`",
        )


# --- loop --------------------------------------------------------------------------------------


def loop(ctx: Context, expr: ast.Loop) -> Any:
    """The tuple of what is yielded, stacked; the carries where nothing is."""
    carries = make_carries(ctx, expr.carries, may_grow=True)
    warn_of_lost(ctx, expr)
    iteration, going = Value(SCALAR, "iteration"), Value(CONDITION, "going")
    with inside(ctx, ctx.b, None):
        bind_carries(ctx, carries, [c.first for c in carries])
        first = _condition(ctx, expr)
    region = Region("loop", ctx.frame, iteration)
    newest = Symbol("_").serial
    inner = Builder()
    with inside(ctx, inner, region):
        enter(ctx, carries)
        ctx.execute(ctx, expr.body)
        after = [next_value(ctx, carry) for carry in carries]
        yields = _yields(ctx, region, FORWARD)
        bind_carries(ctx, carries, after)
        for carry, value in zip(carries, after, strict=True):
            bind_grown(ctx, carry, value.shape)
        again = _condition(ctx, expr)
    for y in yields:
        if y.axis or y.direction:
            raise error(
                "NN0322", "a `loop` stacks what it yields along axis 0, in order", expr.span
            )
    grown = frozenset(s for carry in carries for s in carry.grows.values())
    local = _symbols_since(newest, inner) | grown
    outputs = {"condition": again}
    outputs |= {f"next.{n}": value for n, value in enumerate(after)}
    outputs |= {f"yield.{n}": y.value for n, y in enumerate(yields)}
    with ctx.at(expr.span):
        inputs = [iteration, going, *(c.inner for c in carries)]
        body, captured = close("loop", inputs, inner.nodes, outputs, outer=ctx.b, local=local)
        operands = [None, first, *(c.first for c in carries), *captured]
        names = (*(c.name for c in carries), *(y.name for y in yields))
        node = ctx.b.add(Loop(body), operands, names)
    for carry, value in zip(carries, node.outputs, strict=False):
        bind_grown(ctx, carry, value.shape)
    return _results(ctx, carries, node.outputs[: len(carries)], node.outputs[len(carries) :])


def _condition(ctx: Context, expr: ast.Loop) -> Value:
    value = first_of(ctx.evaluate(expr.condition))
    if isinstance(value, bool):
        raise error(
            "NN0212",
            f"the condition of a `loop` is always {str(value).lower()}",
            expr.condition.span,
            "does not depend on the carries",
            help="compare a carry: `loop (i = 0) while i < n`",
        )
    return _truth(value, expr.condition.span)


def _truth(value: Any, span: Span) -> Value:
    if not isinstance(value, Value) or value.type.dtype is not DType.BOOL or value.rank:
        hint = None
        if isinstance(value, Value) and value.type.dtype is DType.BOOL:
            hint = "reduce it to one: `min(cast(…, i32)) == 1`, or select with `where`"
        raise error("NN0201", f"a condition is bool[], this is {describe(value)}", span, help=hint)
    return value


# --- cond --------------------------------------------------------------------------------------


def cond(ctx: Context, expr: ast.Cond) -> Any:
    """What the chosen body yields. A static condition chooses while compiling."""
    condition = first_of(ctx.evaluate(expr.condition))
    if isinstance(condition, (bool, int)) or condition is None:
        region = Region("cond", ctx.frame)
        with inside(ctx, ctx.b, region):
            ctx.execute(ctx, expr.then if condition else expr.otherwise)
        values = _required(expr, region)
        return values[0] if len(values) == 1 else tuple(values)
    condition = _truth(condition, expr.condition.span)
    builders = (Builder(), Builder())
    branches: list[list[Any]] = []
    for builder, body in zip(builders, (expr.then, expr.otherwise), strict=True):
        region = Region("cond", ctx.frame)
        with inside(ctx, builder, region):
            ctx.execute(ctx, body)
        branches.append(_required(expr, region))
    if len(branches[0]) != len(branches[1]):
        raise error(
            "NN0322",
            f"one branch of the `cond` yields {len(branches[0])}, the other {len(branches[1])}",
            expr.span,
        )
    pairs = [
        _alike(ctx, expr, builders, one, other)
        for one, other in zip(branches[0], branches[1], strict=True)
    ]
    with ctx.at(expr.span):
        results = add_if(ctx.b, condition, (builders[0].nodes, builders[1].nodes), pairs)
    return results[0] if len(results) == 1 else results


def _required(expr: ast.Cond, region: Region) -> list[Any]:
    if region.yielded is None:
        raise error("NN0322", "a branch of the `cond` yields nothing", expr.span, help="`yield …`")
    return [first_of(item.value) for item in region.yielded]


def _alike(
    ctx: Context, expr: ast.Cond, builders: tuple[Builder, Builder], one: Any, other: Any
) -> tuple[Value, Value]:
    """What both branches yield in one place, as tensors of one type."""
    wanted = next((v.type for v in (one, other) if isinstance(v, Value)), None)
    values = []
    for builder, value in zip(builders, (one, other), strict=True):
        with inside(ctx, builder, None), ctx.at(expr.span):
            if isinstance(value, Deferred) and wanted is not None:
                value = value.make(ctx, wanted)
            elif not isinstance(value, Value):
                natural = wanted.dtype if wanted is not None else natural_dtype(ctx, value)
                value = tensors.as_tensor(ctx, value, natural)
        values.append(value)
    a, b = values
    same: bool | None = a.type.dtype is b.type.dtype and a.rank == b.rank
    for x, y in zip(a.shape, b.shape, strict=False):
        same = same and equal(x, y)
    if not same:
        raise error(
            "NN0206" if same is None else "NN0205",
            f"the branches of the `cond` yield {a.type} and {b.type}"
            + (", not known to be equal" if same is None else ""),
            expr.span,
        )
    return a, b


# --- what they share ---------------------------------------------------------------------------


def _yields(ctx: Context, region: Region, direction: int) -> list[Yield]:
    """What a run yields; results line up with the first scanned tensor."""
    found = []
    for item in region.yielded or ():
        value = first_of(item.value)
        with ctx.at(item.span):
            if not isinstance(value, Value):
                value = tensors.as_tensor(ctx, value, natural_dtype(ctx, value))
        turned = direction ^ BACKWARD if item.reverse else direction
        axis = 0 if item.axis is None else _axis(ctx, item.axis, value.rank + 1)
        found.append(Yield(value, "", axis, turned))
    return found


def _symbols_since(serial: int, builder: Builder) -> frozenset[Symbol]:
    """Symbols made inside a body: sizes that differ from run to run."""
    return frozenset(
        symbol
        for node in builder.nodes
        for value in node.outputs
        for dim in value.shape
        if isinstance(dim, Dim)
        for symbol in dim.symbols()
        if symbol.serial > serial
    )


def _results(
    ctx: Context, carries: Sequence[Carry], last: Sequence[Value], stacked: Sequence[Value]
) -> Any:
    carried = bind_carries(ctx, carries, last)
    values = stacked or carried
    return values[0] if len(values) == 1 else tuple(values)
