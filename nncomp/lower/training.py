"""`minimize` and `metric`: gradients and optimisers as part of the step graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nncomp.errors import CompileError, error
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Value
from nncomp.lower import calls, doubts, tensors
from nncomp.lower.clipping import clip
from nncomp.lower.context import Context, Frame
from nncomp.lower.sites import join, nodes
from nncomp.lower.values import (
    Argument,
    Arguments,
    Clipped,
    Factory,
    Instance,
    Results,
    Tree,
    describe,
)
from nncomp.ops.conversion import StopGradient
from nncomp.syntax import ast
from nncomp.types import DType


def metric(ctx: Context, statement: ast.Metric) -> None:
    """A named output of the step and evaluation graphs."""
    _require_train(ctx, statement, "`metric`")
    name = statement.name.text
    value = ctx.evaluate(statement.value)
    value = value[0] if isinstance(value, Results) else value
    with ctx.at(statement.value.span):
        value = tensors.as_tensor(ctx, value, DType.F32)
    if name in ctx.outputs:
        raise error("NN0104", f"there are two outputs `{name}`", statement.name.span)
    ctx.frame.names[name] = ctx.outputs[name] = value


def _require_train(ctx: Context, statement: ast.Stmt, what: str) -> None:
    ctx.refuse_inside(what, statement.span)
    section = ctx.section if ctx.section and ctx.section.kind == "train" else None
    if section is None or not any(node is statement for node in nodes(section)):
        raise error("NN0106", f"{what} belongs into a `train` section", statement.span)


def minimize(ctx: Context, statement: ast.Minimize) -> None:
    """Reports the loss; while learning, takes one step of the optimiser on each parameter."""
    _require_train(ctx, statement, "`maximize`" if statement.maximize else "`minimize`")
    loss = _loss(ctx, statement)
    several = _several(ctx)
    ctx.outputs[_loss_name(ctx)] = loss
    if not ctx.learning:
        return
    optimizer = ctx.evaluate(statement.optimizer)
    clipped = optimizer if isinstance(optimizer, Clipped) else None
    optimizer = clipped.optimizer if clipped else optimizer
    if not isinstance(optimizer, Instance) or optimizer.factory.decl.kind != "optimizer":
        bare = isinstance(optimizer, Factory) and optimizer.decl.kind == "optimizer"
        raise error(
            "NN0201",
            f"{describe(optimizer)} lacks its hyperparameters"
            if bare
            else f"an optimizer is needed after `by`, this is {describe(optimizer)}",
            statement.optimizer.span,
            help=f"write `by {statement.optimizer.span.text}(lr=1e-3)`"
            if bare
            else "for instance `by Adam(lr=1e-3)`",
        )
    wanted = _parameters(ctx, statement, loss)
    with ctx.at(statement.span):
        target = tensors.negate(ctx, loss) if statement.maximize else loss
        gradients: Sequence[Value] = ctx.b.multi(tensors.op("Grad"), target, *wanted.values())
        gradients = clip(ctx, clipped, gradients) if clipped else gradients
        widest = DType.F64 if any(v.type.dtype is DType.F64 for v in wanted.values()) else DType.F32
        hyperparameters = _inputs(ctx, optimizer, several, widest)
        doubts.of_optimizer(ctx, optimizer, statement.optimizer.span)
        step = tensors.cast(ctx, ctx.step, widest)
        count = tensors.binary(ctx, "+", step, 1.0)
    span = statement.optimizer.span
    with ctx.expansion.loop(span, len(wanted), ctx.b.nodes):
        for path, gradient in zip(wanted, gradients, strict=True):
            with ctx.expansion.run(span):
                _step(ctx, statement, optimizer, hyperparameters, path, gradient, count)


def _loss(ctx: Context, statement: ast.Minimize) -> Value:
    loss = ctx.evaluate(statement.loss)
    loss = loss[0] if isinstance(loss, Results) else loss
    if not isinstance(loss, Value) or not loss.type.dtype.is_float:
        raise error(
            "NN0402",
            f"a loss must be a floating tensor, this is {describe(loss)}",
            statement.loss.span,
        )
    if loss.rank:
        raise error(
            "NN0402",
            f"a loss must be a scalar, this is {loss.type}",
            statement.loss.span,
            help=f"`mean({statement.loss.span.text})`",
        )
    return loss


def _several(ctx: Context) -> bool:
    """Whether the section may take more than one step: their rates then have names of their own."""
    assert ctx.section is not None
    found = [s for s in nodes(ctx.section) if isinstance(s, ast.Minimize)]
    return len(found) > 1 or found[0] not in ctx.section.body


def _loss_name(ctx: Context) -> str:
    name, number = "loss", 1
    while name in ctx.outputs:
        number += 1
        name = f"loss_{number}"
    return name


def _parameters(ctx: Context, statement: ast.Minimize, loss: Value) -> dict[str, Value]:
    """The learnt parameters that the loss depends on, among those after `over`."""
    chosen = _chosen_paths(ctx, statement)
    reached = _ancestors(loss)
    found: dict[str, Value] = {}
    for path in chosen:
        versions = (ctx.current[path], ctx.parameters[path].value)
        value = next((v for v in versions if v in reached), None)
        if value is not None:
            found[path] = value
    if not found:
        raise error(
            "NN0403",
            "the loss depends on no parameter" + (" of these" if statement.over else ""),
            statement.loss.span,
            help="is it computed through `stop_gradient`, `argmax` or a comparison?",
        )
    return found


def _chosen_paths(ctx: Context, statement: ast.Minimize) -> list[str]:
    learnt = [path for path, p in ctx.parameters.items() if p.kind == "param"]
    if not statement.over:
        return learnt
    chosen: dict[str, None] = {}
    for expr in statement.over:
        owner = ctx.evaluate(expr)
        if isinstance(owner, (Instance, Tree)):
            prefix = join(owner.path, "")
            found = [p for p in ctx.parameters if p.startswith(prefix)]
        else:
            found = [p for p in learnt if owner in (ctx.current[p], ctx.parameters[p].value)]
        if not found:
            raise _no_parameters(ctx, expr, owner)
        chosen.update(dict.fromkeys(p for p in found if ctx.parameters[p].kind == "param"))
    return list(chosen)


def _no_parameters(ctx: Context, expr: ast.Expr, owner: Any) -> CompileError:
    """What stands behind `over` and has no parameters."""
    what, hint = describe(owner), None
    if isinstance(owner, Instance):
        block = owner.factory.decl.name.text
        what = f"an instance of `{block}` without parameters"
        hint = f"it is another one than those before: give that a name, `net = {block}(…)`"
    elif isinstance(owner, Factory):
        made = [
            name
            for name, value in ctx.frame.names.items()
            if isinstance(value, Instance) and value.factory.decl is owner.decl
        ]
        hint = f"did you mean `{made[0]}`?" if made else "make an instance and give it a name"
    elif isinstance(owner, str):
        hint = f"write it without quotes: {owner}"
    elif isinstance(owner, (list, tuple)):
        hint = "they stand side by side: `over a, b`"
    return error(
        "NN0201", f"`over` needs instances or parameters, this is {what}", expr.span, help=hint
    )


def _ancestors(value: Value) -> set[Value]:
    """What the value depends on as a gradient sees it: not through integers, bools, or
    `stop_gradient`."""
    seen = {value}
    pending = [value]
    while pending:
        node = pending.pop().node
        if node is None or isinstance(node.op, StopGradient):
            continue
        for operand in node.operands:
            if operand not in seen and operand.type.dtype.is_float:
                seen.add(operand)
                pending.append(operand)
    return seen


def _inputs(ctx: Context, optimizer: Instance, several: bool, dtype: DType) -> dict[str, Any]:
    """The optimiser's hyperparameters; numbers given for `float[]` ones become graph inputs of
    the dtype."""
    values = dict(optimizer.hyperparameters)
    for name, value in values.items():
        if isinstance(value, Value) and value.node and isinstance(value.node.op, Constant):
            array = value.node.op.value.array
            if array.ndim == 0:
                full = join(optimizer.path, name) if several or name in ctx.declared else name
                # the shortest decimal that gives the element back: 0.001, not 0.00100000005
                is_float = value.type.dtype.is_float
                default = float(str(array)) if is_float else int(array)
                type_ = value.type.with_dtype(dtype) if is_float else value.type
                values[name] = ctx.graph_input(full, type_, default)
    return values


def _step(
    ctx: Context,
    statement: ast.Minimize,
    optimizer: Instance,
    hyperparameters: dict[str, Any],
    path: str,
    gradient: Value,
    count: Value,
) -> None:
    decl = optimizer.factory.decl
    value = ctx.current[path]
    span = statement.optimizer.span
    with ctx.at(span):  # in the parameter's own dtype
        count = tensors.cast(ctx, count, value.type.dtype)
        names = {
            name: tensors.cast(ctx, v, value.type.dtype)
            if isinstance(v, Value) and v.type.dtype.is_float
            else v
            for name, v in hyperparameters.items()
        }
    formals = decl.tensors
    given = dict(zip(("p", "g", "t"), (value, gradient, count), strict=True))
    named = {f.name.text: given[f.name.text] for f in formals if f.name.text in given}
    arguments = Arguments([], {name: Argument(v, span) for name, v in named.items()})
    own = Instance(optimizer.factory, names, join(optimizer.path, path), span)

    def run() -> None:
        frame = Frame(decl, own.factory.module, dict(names), own.path, value.type.dtype)
        with ctx.call(frame, span):
            calls.bind_arguments(ctx, formals, arguments, decl, span)
            frame.state["p"] = path
            ctx.execute(ctx, decl.body)

    with ctx.at(span):
        before = ctx.current[path]
        calls.remembered(ctx, own, arguments, run, path)
        if ctx.current[path] is before:
            raise error(
                "NN0307", f"the optimizer `{decl.name.text}` does not update `p`", decl.name.span
            )
