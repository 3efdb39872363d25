"""State: what `param`, `buffer` and `state` declare, and `update` changes."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

from nncomp.dims import Dim, equal
from nncomp.errors import Note, did_you_mean, error
from nncomp.ir.graph import Parameter, ParameterKind, Value
from nncomp.lower import tensors, trees
from nncomp.lower.context import Context, Declared
from nncomp.lower.declared_types import declared_type, is_tensor_type
from nncomp.lower.expressions import evaluate, truth
from nncomp.lower.paths import claim, path_text
from nncomp.lower.recovery import POISON, PoisonError
from nncomp.lower.sites import join
from nncomp.lower.store import Initial
from nncomp.lower.values import Deferred, Instance, Results, describe
from nncomp.syntax import ast
from nncomp.types import TensorType

MAX_ELEMENTS = 2**40  # of one parameter


def declare(ctx: Context, statement: ast.StateDecl) -> None:
    """`param`, `buffer`, `state`: the value as of now, which is a parameter of the graph."""
    name, frame = statement.name.text, ctx.frame
    if isinstance(frame.decl, ast.FnDecl):
        raise error(
            "NN0301",
            f"`{frame.decl.name.text}` is a fn and cannot hold the {statement.kind} `{name}`",
            statement.span,
            help=f"make it a block: `block {frame.decl.name.text}()(…)`",
        )
    optimizes = isinstance(frame.decl, ast.BlockDecl) and frame.decl.kind == "optimizer"
    if optimizes and statement.kind != "state":
        raise error(
            "NN0106",
            f"an optimizer holds no {statement.kind}",
            statement.span,
            help=f"write `state {name}: …`",
        )
    if statement.when is not None and not truth(ctx, statement.when):
        frame.names[name] = None
        return
    if not is_tensor_type(statement.type):
        raise error(
            "NN0201",
            f"a {statement.kind} must be a tensor, `{statement.type.span.text}` is none",
            statement.type.span,
            help="write `float[]` for a scalar",
        )
    type_ = declared_type(ctx, statement.type)
    of_library = frame.module.is_std and ctx.span is not None  # the user's line comes first
    span = ctx.span if of_library else statement.type.span
    notes = [Note(f"`{name}` is declared here", statement.type.span)] if of_library else []
    for dim in type_.shape:
        if not isinstance(dim, int):
            raise error(
                "NN0206",
                f"the {statement.kind} `{name}` would be {type_}: {dim} is known at run time only",
                span,
                notes=notes,
                help="give that dim of the input a fixed size"
                + (_no_pixels(dim) if of_library else _no_batch(type_)),
            )
        if of_library and dim == 0:
            raise error(
                "NN0205",
                f"the {statement.kind} `{name}` would be {type_}, without a number in it",
                span,
                notes=notes,
                help="no width of a layer and no size that it is made for can be 0",
            )
    if type_.is_static and prod(type_.static_shape) > MAX_ELEMENTS:
        raise error(
            "NN0008",
            f"the {statement.kind} `{name}` would be {type_}, over {MAX_ELEMENTS:,} elements",
            statement.type.span,
        )
    path = join(frame.path, _own_name(ctx, statement))
    if path in frame.state.values() or path in frame.sites:
        raise error(
            "NN0302",
            f"there are two parameters or instances `{path}`",
            statement.name.span,
            help="give one of them another name",
        )
    claim(ctx, path, statement.span)
    frame.state[name] = path
    kind: ParameterKind = "param"
    if statement.kind in ("buffer", "state"):
        kind = "buffer" if statement.kind == "buffer" else "state"
    if frame.copy_of is not None:
        _copy(ctx, statement, path)
        kind = "buffer"
    else:
        _initialize(ctx, statement, path, kind, type_)
    if path not in ctx.parameters:
        then = replace(frame, names=dict(frame.names))
        _add(
            ctx, Parameter(path, Value(type_, path), kind), Declared(statement, then, ctx.b.origin)
        )
    frame.names[name] = frame.replaced.get(path, ctx.current[path])


def _no_batch(type_: TensorType) -> str:
    """What is to be said of a first axis whose size alone is unknown: it may be the batch's."""
    rest = TensorType(type_.dtype, type_.shape[1:])
    batch = rest.rank > 0 and rest.is_static
    return f"; a parameter has no batch axis: `{rest}`" if batch else ""


def _no_pixels(dim: Dim) -> str:
    """What else to do about an image of open height and width that was flattened."""
    several = len(dim.symbols()) > 1
    return "; `global_avg_pool` makes an image of any size one vector" if several else ""


def _add(ctx: Context, parameter: Parameter, declared: Declared) -> None:
    path = parameter.path
    ctx.parameters[path], ctx.declarations[path] = parameter, declared
    ctx.current[path] = parameter.value


def declare_again(ctx: Context, declared: Declared, path: str, like: Parameter) -> Value:
    """Declares a parameter as another was, in another frame; its value."""
    ctx.frames.append(declared.frame)
    try:
        with ctx.b.at(declared.origin):
            _initialize(ctx, declared.statement, path, like.kind, like.value.type)
    finally:
        ctx.frames.pop()
    parameter = Parameter(path, Value(like.value.type, path), like.kind)
    _add(ctx, parameter, declared)
    return parameter.value


def _copy(ctx: Context, statement: ast.StateDecl, path: str) -> None:
    """A parameter of a copy starts as the original starts."""
    assert ctx.frame.copy_of is not None
    new, old = ctx.frame.copy_of
    original = old + path.removeprefix(new)
    if original not in ctx.store.initial:
        raise error(
            "NN0303",
            f"`{original}` does not exist yet, so it cannot be copied",
            ctx.span or statement.span,
            help="apply the original before its copy",
        )
    trees.copy_state(ctx, path, original)


def _own_name(ctx: Context, statement: ast.StateDecl) -> str:
    if isinstance(statement.path, ast.String):
        text = path_text(ctx, statement.path)
        if not text:
            raise error("NN0101", "the name of a parameter is empty", statement.path.span)
        return text
    return ctx.frame.looped((statement.path or statement.name).text)


def _initialize(
    ctx: Context, statement: ast.StateDecl, path: str, kind: ParameterKind, type_: TensorType
) -> None:
    known = ctx.store.initial.get(path)
    if known is not None:
        if known.value.type != type_:
            raise error(
                "NN0304",
                f"`{path}` would need {type_} here, but it is {known.value.type}",
                ctx.span or statement.span,
                notes=[Note("it was first made here", known.span)],
                help="an instance shares its parameters between all its applications; "
                "make a second instance",
            )
        return
    with ctx.initial_values(path), ctx.at(statement.span):
        value = evaluate(ctx, statement.value) if statement.value is not None else _zeros()
        initial = _shaped(ctx, value, type_, path)
        ctx.store.adopt(initial, statement.value.span if statement.value else statement.span)
        ctx.store.initial[path] = Initial(kind, initial, ctx.span or statement.span)


def _zeros() -> Deferred:
    return Deferred("zeros", lambda ctx, type_: tensors.filled(ctx, 0, type_))


def _shaped(ctx: Context, value: Any, type_: TensorType, what: str) -> Value:
    """A value made to fit a type: deferred ones take it, numbers fill it."""
    if isinstance(value, Results):
        value = value[0]
    if isinstance(value, Deferred):
        return value.make(ctx, type_)
    if isinstance(value, (bool, int, float)):
        if isinstance(value, float) and not type_.dtype.is_float:
            raise ctx.fail("NN0203", f"`{what}` is {type_}, this is {describe(value)}")
        return tensors.filled(ctx, value, type_)
    if isinstance(value, (list, tuple)):
        value = tensors.tensor_of(ctx, value, type_.dtype)
    if not isinstance(value, Value):
        raise ctx.fail("NN0201", f"`{what}` must be a tensor, this is {describe(value)}")
    same = value.rank == type_.rank and all(
        equal(a, b) is True for a, b in zip(value.shape, type_.shape, strict=False)
    )
    if value.type.dtype is not type_.dtype or not same:
        raise ctx.fail(
            "NN0307",
            f"`{what}` is {type_}, its value is {value.type}",
            help=f"`cast(…, {type_.dtype})`" if same else None,
        )
    return value


def update(ctx: Context, statement: ast.Update) -> None:
    """The next value of a parameter, buffer or state; the name has it at once. That of all
    parameters of an instance is a tree: `update target.params = net.params`."""
    if ctx.regions:
        kind = ctx.regions[-1].kind
        raise error(
            "NN0323",
            f"`{statement.target.span.text}` cannot be updated inside a `{kind}`",
            statement.span,
            "its body may run many times, or never",
            help="carry the value through, and update it after",
        )
    target = statement.target
    if isinstance(target, ast.Attribute) and target.name.text == "params":
        owner = evaluate(ctx, target.value)
        if isinstance(owner, Instance):
            tree = evaluate(ctx, statement.value)
            with ctx.at(statement.value.span):
                trees.update(ctx, owner, tree)
            return
    path, name = _update_path(ctx, statement.target)
    type_ = ctx.parameters[path].value.type
    value = evaluate(ctx, statement.value)
    with ctx.at(statement.value.span):
        value = _shaped(ctx, value, type_, path)
    ctx.current[path] = ctx.updates[path] = value
    if name is not None:
        ctx.frame.names[name] = value


def _update_path(ctx: Context, target: ast.Expr) -> tuple[str, str | None]:
    frame = ctx.frame
    if isinstance(target, ast.Ref):
        if frame.names.get(target.name) is POISON:
            raise PoisonError
        if target.name in frame.state:
            return frame.state[target.name], target.name
        raise error(
            "NN0307",
            f"`{target.name}` is no param, buffer or state of `{frame.decl.name.text}`",
            target.span,
            help=did_you_mean(target.name, frame.state) or "a plain name is changed by `name = …`",
        )
    if isinstance(target, ast.Attribute):
        owner = evaluate(ctx, target.value)
        if isinstance(owner, Instance) or hasattr(owner, "path"):
            path = join(owner.path, target.name.text)
            if path in ctx.parameters:
                return path, None
    raise error("NN0307", f"`{target.span.text}` cannot be updated", target.span)
