"""Executing statements: bodies of models, blocks and fns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nncomp.errors import CompileError, Note, error
from nncomp.ir.graph import Value
from nncomp.lower import calls, state
from nncomp.lower.assertions import assert_
from nncomp.lower.context import Context, Yielded
from nncomp.lower.declared_types import input_type
from nncomp.lower.expressions import evaluate, iterate, truth
from nncomp.lower.recovery import PoisonError, recover
from nncomp.lower.sites import nodes
from nncomp.lower.targets import bind
from nncomp.lower.training import metric, minimize
from nncomp.lower.values import Instance, Results, describe
from nncomp.records import record
from nncomp.syntax import ast
from nncomp.types import TensorType


@record
class Returned:
    """What `return` gave; ends the body."""

    value: Any


def execute(ctx: Context, body: tuple[ast.Stmt, ...]) -> Any:
    """Runs a body; its returned value, or None. Raises PoisonError if that could not be told."""
    ctx.store.lowered.add(ctx.frame.decl)
    before = ctx.failures
    outcome = _run(ctx, body)
    if ctx.failures > before:
        in_region = ctx.regions and ctx.regions[-1].frame is ctx.frame
        if in_region or (outcome is None and not isinstance(ctx.frame.decl, ast.ModelDecl)):
            raise PoisonError
    return None if outcome is None else outcome.value


def _run(ctx: Context, body: tuple[ast.Stmt, ...]) -> Returned | None:
    for statement in body:
        try:
            outcome = _HANDLERS[type(statement)](ctx, statement)
        except (CompileError, PoisonError) as failure:
            recover(ctx, statement, failure)
            continue
        if ctx.watch is not None:
            ctx.watch.bound(ctx, statement)
        if outcome is not None:
            return outcome
    return None


def _assign(ctx: Context, statement: ast.Assign) -> None:
    target, value = statement.target, statement.value
    if isinstance(value, ast.Call) and isinstance(target, ast.NameTarget):
        result = calls.call(ctx, value, statement.name or target.name)
        if statement.name is not None and not isinstance(result, Instance):
            raise calls.cannot_name(statement.name, result)
    elif statement.name is not None:
        raise error(
            "NN0302",
            "`as` names the instance that a call makes",
            statement.name.span,
            help="`net = Block(…) as name`",
        )
    else:
        result = evaluate(ctx, value)
    bind(ctx, target, result, value.span)


def _if(ctx: Context, statement: ast.If) -> Returned | None:
    return _run(ctx, statement.then if truth(ctx, statement.condition) else statement.otherwise)


def _for(ctx: Context, statement: ast.For) -> Returned | None:
    before = ctx.failures
    items = iterate(ctx, statement.iterable)
    span = statement.iterable.span
    may_end = any(isinstance(node, ast.Return) for node in nodes(statement))
    with ctx.expansion.loop(span, len(items), ctx.b.nodes, ends_early=may_end):
        for number, item in enumerate(items):
            bind(ctx, statement.target, item, span)
            with ctx.repeating(number, span):
                outcome = _run(ctx, statement.body)
            if outcome is not None:
                return outcome
            if ctx.failures > before:  # the other runs would mostly repeat it
                raise PoisonError
    return None


def _yield(ctx: Context, statement: ast.Yield) -> None:
    """What a run of the body around gives; a tuple counts as its items."""
    region = ctx.regions[-1] if ctx.regions else None
    if region is None or region.frame is not ctx.frame:
        raise error(
            "NN0106",
            "`yield` belongs into the body of a `scan`, `loop` or `cond`",
            statement.span,
            help="a fn or block gives its value by `return`",
        )
    if region.yielded is not None:
        raise error(
            "NN0322",
            f"this `{region.kind}` yields twice",
            statement.span,
            notes=[Note("the other one", region.yielded[0].span)] if region.yielded else (),
            help="yield several values at once: `yield a, b`",
        )
    region.yielded = []
    for item in statement.items:
        value = evaluate(ctx, item.value)
        several = isinstance(value, tuple) and not isinstance(value, Results)
        for part in value if several else (value,):
            region.yielded.append(Yielded(part, item.span, item.axis, item.reverse))


def _return(ctx: Context, statement: ast.Return) -> Returned:
    ctx.refuse_inside("`return`", statement.span)
    if isinstance(ctx.frame.decl, ast.ModelDecl):
        raise error(
            "NN0106", "a model does not return", statement.span, help="write `output name = …`"
        )
    value = evaluate(ctx, statement.value)
    return Returned(value[0] if isinstance(value, Results) else value)


# --- inputs, outputs -------------------------------------------------------------------------


def _require_model(ctx: Context, statement: ast.Stmt, what: str, hint: str | None = None) -> None:
    ctx.refuse_inside(what, statement.span)
    if not isinstance(ctx.frame.decl, ast.ModelDecl):
        raise error("NN0106", f"{what} belongs into a model", statement.span, help=hint)


def _input(ctx: Context, statement: ast.InputDecl) -> None:
    _require_model(ctx, statement, "`input`", "a block has its tensors in its second list")
    name = statement.name.text
    if name in ctx.declared:
        raise error("NN0104", f"there are two inputs `{name}`", statement.name.span)
    if name in ctx.inputs:
        raise error("NN0104", f"`{name}` is in use as an input already", statement.name.span)
    value = None if statement.value is None else evaluate(ctx, statement.value)
    if statement.type.optional:
        if value is not None:
            raise error(
                "NN0201",
                f"an optional input that is not given is none, not {describe(value)}",
                statement.span,
                help="leave out the `?`" if isinstance(value, (int, float)) else None,
            )
        ctx.store.optional[name] = None
        if name not in ctx.store.wanted:
            ctx.declared.add(name)
            ctx.frame.names[name] = None
            return
    type_ = input_type(ctx, statement.type)
    default = None
    if statement.value is not None and not statement.type.optional:
        default = _default(value, statement.value, type_)
    ctx.frame.names[name] = ctx.declare_input(name, type_, default)


def _default(value: Any, expr: ast.Expr, type_: TensorType) -> int | float:
    """What a scalar input is where a run does not give it, like a learning rate."""
    if type_.rank or value is None:
        raise error(
            "NN0201",
            f"the input is {type_}, its default {describe(value)}",
            expr.span,
            "only a scalar has a default" if type_.rank else "",
            help="an input that may be missing is optional: `input name: type? = none`",
        )
    if isinstance(value, float) and type_.dtype.is_float:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise error("NN0201", f"the input is {type_}, its default {describe(value)}", expr.span)


def _output(ctx: Context, statement: ast.OutputDecl) -> None:
    _require_model(ctx, statement, "`output`")
    if statement.value is not None:
        targets = tuple(ast.NameTarget(name.span, name, None) for name in statement.names)
        whole = ast.TupleTarget(statement.span, targets) if len(targets) > 1 else targets[0]
        bind(ctx, whole, evaluate(ctx, statement.value), statement.value.span)
    for name in statement.names:
        value = evaluate(ctx, ast.Ref(name.span, name.text))
        value = value[0] if isinstance(value, Results) else value
        if not isinstance(value, Value):
            what = f"an output must be a tensor, this is {describe(value)}"
            hint = "apply it to a tensor: `x |> …`" if isinstance(value, Instance) else None
            raise error("NN0201", what, statement.span, help=hint)
        if name.text in ctx.outputs:
            raise error("NN0104", f"there are two outputs `{name.text}`", name.span)
        ctx.outputs[name.text] = value


def _section(ctx: Context, statement: ast.Section) -> Returned | None:
    """Only the section that belongs to the graph in the making is lowered, and nothing after it:
    a section sees what stands before it."""
    _require_model(ctx, statement, f"`{statement.kind}`")
    model = ctx.frame.decl
    if isinstance(model, ast.ModelDecl) and statement not in model.body:
        raise error(
            "NN0106",
            f"`{statement.kind}` stands directly in the model, not inside another statement",
            statement.span,
        )
    if statement is not ctx.section:
        return None
    if statement.kind == "train" and not ctx.learning:
        ctx.predictions = dict(ctx.outputs)
    ctx.outputs.clear()
    _run(ctx, statement.body)
    return Returned(None)


_HANDLERS: dict[type[ast.Stmt], Callable[[Context, Any], Returned | None]] = {
    ast.Assign: _assign,
    ast.If: _if,
    ast.For: _for,
    ast.Return: _return,
    ast.Yield: _yield,
    ast.Assert: assert_,
    ast.InputDecl: _input,
    ast.OutputDecl: _output,
    ast.Section: _section,
    ast.StateDecl: state.declare,
    ast.Update: state.update,
    ast.Metric: metric,
    ast.Minimize: minimize,
}
