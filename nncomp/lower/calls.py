"""Calls: binding arguments, applying fns, blocks, instances and raw operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nncomp.errors import CompileError, Note, error
from nncomp.ir.graph import Value
from nncomp.lower import doubts, tensors, trees
from nncomp.lower.arguments import lacking, matched, swapped_help
from nncomp.lower.context import Context, Frame
from nncomp.lower.declared_types import is_tensor_type
from nncomp.lower.names import attribute, look_up_callable
from nncomp.lower.paths import SiteName, take_path
from nncomp.lower.raw import apply_raw
from nncomp.lower.signature import check
from nncomp.lower.sites import nodes
from nncomp.lower.values import (
    Argument,
    Arguments,
    Builtin,
    Factory,
    Function,
    Instance,
    RawOp,
    Results,
    describe,
)
from nncomp.source import Span
from nncomp.syntax import ast
from nncomp.types import DType


def call(ctx: Context, expr: ast.Call, name: SiteName = None) -> Any:
    """`callee(arguments)`; `name` is what an instance made by it is called."""
    callee = resolve(ctx, expr.callee)
    arguments = evaluate_arguments(ctx, expr.arguments)
    if isinstance(callee, Factory):
        return instantiate(ctx, callee, arguments, expr, name)
    if isinstance(callee, Builtin) and callee.name == "copy":
        with ctx.at(expr.span):
            return trees.copied(ctx, arguments.values, take_path(ctx, expr, name), expr.span)
    return apply(ctx, callee, arguments, expr.span)


def pipe(ctx: Context, expr: ast.Pipe, value: Any) -> Any:
    """`value |> stage as name`."""
    stage, piped = expr.stage, Argument(value, expr.value.span)
    span = stage.span
    if isinstance(stage, ast.Call):
        inner = stage.callee
        if isinstance(inner, ast.Call):  # GraphConv(16)(A)
            callee = call(ctx, inner, expr.name)
        else:
            callee = resolve(ctx, inner)
            if expr.name is not None and not isinstance(callee, Factory):
                raise cannot_name(expr.name, callee, expr.value)
        arguments = evaluate_arguments(ctx, stage.arguments)
        if isinstance(callee, Factory):
            callee = instantiate(ctx, callee, arguments, stage, expr.name)
            arguments = Arguments([], {})
    else:
        callee = resolve(ctx, stage)
        arguments = Arguments([], {})
        if expr.name is not None:
            raise cannot_name(expr.name, callee, expr.value)
    return apply(ctx, callee, Arguments([piped, *arguments.positional], arguments.named), span)


def cannot_name(
    name: ast.Name | ast.String, value: Any, before: ast.Expr | None = None
) -> CompileError:
    """`as` behind something that is no instance; `before` is what was piped into it."""
    help = "to name the value, assign it: `name = …`"
    if isinstance(before, ast.Pipe) and isinstance(before.stage, ast.Call) and before.name is None:
        stage = before.stage.span.text
        if stage[:1].isupper() and "\n" not in stage:
            help = f"to name the block, say so behind it: `{stage} as {name.span.text}`"
    return error(
        "NN0302",
        f"`as` names an instance of a block, this is {describe(value)}",
        name.span,
        help=help,
    )


def resolve(ctx: Context, callee: ast.Expr) -> Any:
    """The value in call position."""
    if isinstance(callee, ast.Ref):
        return look_up_callable(ctx, callee)
    if isinstance(callee, ast.Attribute):
        return attribute(ctx, ctx.evaluate(callee.value), callee.name)
    return ctx.evaluate(callee)


def evaluate_arguments(ctx: Context, arguments: tuple[ast.Argument, ...]) -> Arguments:
    positional: list[Argument] = []
    named: dict[str, Argument] = {}
    for argument in arguments:
        if isinstance(argument.value, ast.Splice) and argument.value.value is not None:
            values = ctx.evaluate(argument.value.value)
            if not isinstance(values, (list, tuple)):
                raise error(
                    "NN0201", f"only a list can be spliced, not {describe(values)}", argument.span
                )
            positional += [Argument(v, argument.span) for v in values]
            continue
        value = ctx.evaluate(argument.value)
        if isinstance(value, Results):
            value = value[0]
        if argument.name is None:
            if named:
                raise error("NN0202", "a positional argument after a named one", argument.span)
            positional.append(Argument(value, argument.span))
        elif argument.name.text in named:
            raise error("NN0202", f"`{argument.name.text}` is given twice", argument.name.span)
        else:
            named[argument.name.text] = Argument(value, argument.span)
    return Arguments(positional, named)


def apply(ctx: Context, callee: Any, arguments: Arguments, span: Span) -> Any:
    """Applies anything callable but a block without its hyperparameters."""
    with ctx.at(span):
        if isinstance(callee, Function):
            return _apply_function(ctx, callee, arguments, span)
        if isinstance(callee, Instance):
            return apply_instance(ctx, callee, arguments, span)
        if isinstance(callee, Builtin):
            return _apply_builtin(ctx, callee, arguments)
        if isinstance(callee, RawOp):
            return apply_raw(ctx, callee.cls, arguments)
        if isinstance(callee, DType):
            return _convert(ctx, callee, arguments)
        if isinstance(callee, Factory):
            name = callee.decl.name.text
            raise error(
                "NN0202",
                f"the {callee.decl.kind} `{name}` is applied without its hyperparameters",
                span,
                help=f"write `{name}()` to make an instance, then apply that",
            )
    hint = None
    if isinstance(callee, (list, tuple)):
        name, _, rest = span.text.rpartition("(")
        item = f"{name}[{rest[:-1]}]" if rest[:-1].isdecimal() else f"{name or 'x'}[0]"
        hint = f"an item is taken by brackets: `{item}`"
    raise error("NN0201", f"{describe(callee)} cannot be called", span, help=hint)


def _convert(ctx: Context, dtype: DType, arguments: Arguments) -> Value:
    if len(arguments.positional) != 1 or arguments.named:
        raise ctx.fail("NN0202", f"`{dtype}(…)` takes one value")
    value = arguments.positional[0].value
    if isinstance(value, Value):
        return tensors.cast(ctx, value, dtype)
    if isinstance(value, (list, tuple)):
        return tensors.tensor_of(ctx, value, dtype)
    return tensors.as_tensor(ctx, value, dtype)


def _apply_builtin(ctx: Context, builtin: Builtin, arguments: Arguments) -> Any:
    lists = [v for v in arguments.values if isinstance(v, (list, tuple, str))]
    ctx.expansion.look_through(sum(map(len, lists)), ctx.span)
    try:
        return builtin.call(ctx, arguments.values, arguments.keywords)
    except TypeError as failure:
        text = str(failure)
        if "argument" not in text:
            raise
        raise ctx.fail("NN0202", f"`{builtin.name}` {text.split('() ')[-1]}") from None


# --- fns, blocks, instances ------------------------------------------------------------------


def _apply_function(ctx: Context, function: Function, arguments: Arguments, span: Span) -> Any:
    decl = function.decl
    caller = ctx.frame
    frame = Frame(decl, function.module, {}, caller.path, _float_dtype(caller, arguments))
    with ctx.call(frame, span):
        bind_arguments(ctx, decl.parameters, arguments, decl, span)
        if function.module.is_std and not ctx.frames[-2].module.is_std:
            doubts.of_fn(ctx, decl, span)
        value = ctx.execute(ctx, decl.body)
        return _result(ctx, decl, decl.results, value, span)


def apply_instance(ctx: Context, instance: Instance, arguments: Arguments, span: Span) -> Any:
    """Runs the block's body on tensors. Its parameters come into being the first time."""
    if instance.factory.module.is_std and not ctx.frame.module.is_std:
        doubts.of_block(ctx, instance, arguments)
    return remembered(ctx, instance, arguments, lambda: _run(ctx, instance, arguments, span))


def remembered(
    ctx: Context,
    instance: Instance,
    arguments: Arguments,
    run: Callable[[], Any],
    target: str | None = None,
) -> Any:
    """What `run` gives and does, which applies the instance; it need not be run if the like was
    before. target: the path of the parameter that an optimizer updates"""
    if ctx.store.memory is None:
        return run()
    return ctx.store.memory.apply(ctx, instance, arguments, run, target)


def _run(ctx: Context, instance: Instance, arguments: Arguments, span: Span) -> Any:
    decl = instance.factory.decl
    frame = Frame(
        decl,
        instance.factory.module,
        dict(instance.hyperparameters),
        instance.path,
        _float_dtype(ctx.frame, arguments),
        replaced={**ctx.frame.replaced, **instance.replaced},
        copy_of=ctx.frame.copy_of,
    )
    if instance.copy_of is not None:
        frame.copy_of = (instance.path, instance.copy_of)
    with ctx.call(frame, span):
        bind_arguments(ctx, decl.tensors, arguments, decl, span)
        value = ctx.execute(ctx, decl.body)
        return _result(ctx, decl, decl.results, value, span)


def _float_dtype(caller: Frame, arguments: Arguments) -> DType:
    for argument in (*arguments.positional, *arguments.named.values()):
        value = argument.value
        if isinstance(value, Value) and value.type.dtype.is_float:
            return value.type.dtype
    return caller.float_dtype


def _result(
    ctx: Context,
    decl: ast.FnDecl | ast.BlockDecl,
    types: tuple[ast.TypeExpr, ...],
    value: Any,
    span: Span,
) -> Any:
    name = decl.name.text
    if value is None and not _may_return_none(decl):
        raise error(
            "NN0106",
            f"`{name}` ends without `return`",
            decl.name.span,
            notes=[Note("it is applied here", span)],
        )
    if not types:
        return value
    if len(types) == 1:
        return check(ctx, types[0], value, f"the result of `{name}`", span, asserts=True)
    if not isinstance(value, tuple) or len(value) != len(types):
        raise error(
            "NN0202", f"`{name}` must return {len(types)} values, not {describe(value)}", span
        )
    return tuple(
        check(ctx, t, v, f"result {i + 1} of `{name}`", span, asserts=True)
        for i, (t, v) in enumerate(zip(types, value, strict=True))
    )


def _may_return_none(decl: ast.FnDecl | ast.BlockDecl) -> bool:
    if isinstance(decl, ast.FnDecl):
        return any(isinstance(node, ast.Return) for node in nodes(decl))
    return decl.kind == "optimizer"


def bind_arguments(
    ctx: Context,
    formals: tuple[ast.Parameter, ...],
    arguments: Arguments,
    decl: ast.Decl,
    span: Span,
) -> None:
    """Binds the formals in the current frame, checking types in order."""
    name = decl.name.text
    given = matched(formals, arguments, decl, span)
    for formal in formals:
        formal_name = formal.name.text
        if formal_name in given:
            argument = given[formal_name]
        elif formal.default is not None:
            argument = Argument(ctx.evaluate(formal.default), formal.span)
        else:
            raise lacking(formals, given, decl, span)
        what = f"`{formal_name}` of `{name}`"
        try:
            value = check(ctx, formal.type, argument.value, what, argument.span)
        except CompileError as failure:
            swapped = swapped_help(formals, arguments.positional, decl)
            if swapped is not None:
                raise CompileError(
                    *(replace(d, help=swapped) for d in failure.diagnostics)
                ) from None
            if not isinstance(decl, ast.BlockDecl) or formals is decl.tensors:
                raise
            takes = ", ".join(f.name.text for f in formals)
            applied = "; the size of what it is applied to is no argument"
            hint = applied if isinstance(argument.value, int) else ""
            raise failure.helped(f"`{name}` takes {takes}{hint}") from None
        ctx.frame.names[formal_name] = value


def instantiate(
    ctx: Context, factory: Factory, arguments: Arguments, site: ast.Call, name: SiteName
) -> Instance:
    """`Conv(64, 3)`: binds hyperparameters and takes a place in the tree of parameters."""
    decl, frame = factory.decl, ctx.frame
    if isinstance(frame.decl, ast.FnDecl) and decl.kind == "block":
        raise error(
            "NN0301",
            f"`{frame.decl.name.text}` is a fn and cannot hold the parameters of "
            f"`{decl.name.text}`",
            site.span,
            notes=[Note(f"`{frame.decl.name.text}` is declared here", frame.decl.name.span)],
            help=f"make it a block: `block {frame.decl.name.text}()(…)`",
        )
    _refuse_tensor(decl, arguments)
    path = take_path(ctx, site, name)
    inner = Frame(decl, factory.module, {}, path, frame.float_dtype)
    with ctx.at(site.span), ctx.call(inner, site.span):
        for formal in decl.hyperparameters:
            if formal.name.text in factory.given:
                what = f"`{formal.name.text}` of `{decl.name.text}`"
                value = factory.given[formal.name.text]
                inner.names[formal.name.text] = check(ctx, formal.type, value, what, site.span)
        formals = tuple(f for f in decl.hyperparameters if f.name.text not in factory.given)
        bind_arguments(ctx, formals, arguments, decl, site.span)
    by_position = len(arguments.positional)
    return Instance(factory, inner.names, path, site.span, by_position=by_position)


def _refuse_tensor(decl: ast.BlockDecl, arguments: Arguments) -> None:
    """A block that is called as if it were a fn: a tensor where a number is to be."""
    formals = [*decl.hyperparameters, *[None] * len(arguments.positional)]
    for formal, argument in zip(formals, arguments.positional, strict=False):
        takes = formal is not None and (formal.type is None or is_tensor_type(formal.type))
        if isinstance(argument.value, Value) and not takes:
            name = decl.name.text
            hyper = "…" if decl.hyperparameters else ""
            raise error(
                "NN0201",
                f"the {decl.kind} `{name}` is made first, then applied to tensors",
                argument.span,
                describe(argument.value),
                notes=[Note(f"`{name}` is declared here", decl.name.span)],
                help=f"write `{argument.span.text} |> {name}({hyper})`",
            )
