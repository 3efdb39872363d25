"""What a name means: looking it up, and taking attributes of values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from nncomp.errors import CompileError, did_you_mean, error
from nncomp.ir.graph import Value
from nncomp.lower.context import Context, Prelude
from nncomp.lower.elsewhere import member_help, name_help
from nncomp.lower.recovery import POISON, PoisonError
from nncomp.lower.sites import join, places_bound
from nncomp.lower.static_types import DTYPES
from nncomp.lower.trees import parameters_of
from nncomp.lower.values import (
    Builtin,
    Factory,
    Function,
    Instance,
    Namespace,
    RawOp,
    Results,
    Tree,
    describe,
)
from nncomp.syntax import ast
from nncomp.types import DType, is_container

CALLABLE = (Function, Factory, Instance, Builtin, RawOp, DType)
_MISSING = object()
_MOST_COMPARED = 20  # names without a value for which one that is near is looked for


def look_up(ctx: Context, ref: ast.Ref) -> Any:
    """The value of a name: of the call, then of the file, then of the prelude."""
    frame = ctx.frame
    value = frame.names.get(ref.name, _MISSING)
    if value is _MISSING:
        value = frame.module.names.get(ref.name, _MISSING)
    if value is POISON:
        raise PoisonError
    if value is not _MISSING:
        return value
    if ref.name in ctx.prelude:
        return ctx.prelude[ref.name]
    if ref.name == "training":
        return ctx.training
    if ref.name == "step" and ctx.section is not None and ctx.section.kind == "train":
        return ctx.step
    if ref.name in DTYPES:
        return DTYPES[ref.name]
    raise undefined(ctx, ref)


def look_up_callable(ctx: Context, ref: ast.Ref) -> Any:
    """The value of a name in call position, where tensors and numbers are passed over, so that
    `mean = mean(x)` does no harm."""
    first = _MISSING
    for names in _scopes(ctx):
        value = names.get(ref.name, _MISSING)
        if value is _MISSING:
            continue
        if value is POISON:
            raise PoisonError
        if isinstance(value, CALLABLE):
            return value
        first = value if first is _MISSING else first
    if ref.name in DTYPES:
        return DTYPES[ref.name]
    if first is not _MISSING:
        raise error(
            "NN0201",
            f"`{ref.name}` is {describe(first)} and cannot be called",
            ref.span,
            help=f"in turn: `for layer in {ref.name} {{ x = layer(x) }}`"
            if isinstance(first, (list, tuple))
            else "it may be a parameter of the wrong kind, or a missing import",
        )
    raise undefined(ctx, ref)


def _scopes(ctx: Context) -> Iterator[dict[str, Any] | Prelude]:
    yield ctx.frame.names
    yield ctx.frame.module.names
    yield ctx.prelude


def undefined(ctx: Context, ref: ast.Ref) -> CompileError | PoisonError:
    """The error for a name without a value; in a body that is called again it has been reported."""
    if ref.span in ctx.store.undefined:
        return PoisonError()
    ctx.store.undefined.add(ref.span)
    for place in places_bound(ctx.frame.decl).get(ref.name, ()):
        if place.start > ref.span.end:
            hint = f"it has a value from line {place.line} on: move that up"
            return error("NN0103", f"`{ref.name}` is not defined yet", ref.span, help=hint)
    if join(ctx.frame.path, ref.name) in ctx.frame.sites:
        hint = f"`as` names parameters: to use the instance again, make it before, `{ref.name} = …`"
        return error("NN0103", f"`{ref.name}` is not defined", ref.span, help=hint)
    if len(ctx.store.undefined) > _MOST_COMPARED:
        return error("NN0103", f"`{ref.name}` is not defined", ref.span)
    return unknown(ref, [name for names in _scopes(ctx) for name in names], ctx.prelude)


def unknown(ref: ast.Ref, known: Iterable[str], prelude: Prelude) -> CompileError:
    """NN0103 for a name that is none of the known ones, with one that may be meant."""
    home = prelude.home(ref.name)
    near = home and f"add `from {home} import {ref.name}`"
    near = near or name_help(ref.name, [*known, *DTYPES, "training"], prelude.imports())
    return error("NN0103", f"`{ref.name}` is not defined", ref.span, help=near)


def attribute(ctx: Context, value: Any, name: ast.Name) -> Any:
    """`value.name`."""
    if isinstance(value, Results):
        value = value[0]
    if isinstance(value, Namespace):
        found = value.lookup(name.text)
        if found is POISON:
            raise PoisonError
        if found is None:
            raise error(
                "NN0103",
                f"`{value.name}` has no `{name.text}`",
                name.span,
                help=did_you_mean(name.text, value.names()),
            )
        return found
    if isinstance(value, Value) and name.text in ("shape", "dtype", "rank"):
        if is_container(value.type) and name.text != "dtype":
            raise error(
                "NN0201",
                f"{describe(value)} has no {name.text}: each of its tensors has one",
                name.span,
                help=f"of the first: `[0].{name.text}`",
            )
        return {"shape": list(value.shape), "dtype": value.type.dtype, "rank": value.rank}[
            name.text
        ]
    if isinstance(value, Instance):
        full = f"{value.path}.{name.text}"
        if name.text == "params":
            with ctx.at(name.span):
                return parameters_of(ctx, value)
        if full in value.replaced:
            return value.replaced[full]
        return _member(ctx, value.path, name, f"`{value.factory.decl.name.text}`")
    if isinstance(value, Tree):
        return _leaf(value, name)
    hint = None
    if isinstance(value, Value):
        hint = member_help(name.text) or "a tensor has `shape`, `rank` and `dtype`"
        if name.text in ctx.prelude:
            hint = f"`{name.text}` is a function: `{name.text}(…)`, or `… |> {name.text}`"
    raise error("NN0103", f"{describe(value)} has no attribute `{name.text}`", name.span, help=hint)


def _leaf(tree: Tree, name: ast.Name) -> Any:
    """A tensor of a tree, or the tree below a child; `params` of a tree is itself."""
    if name.text in tree.leaves:
        return tree.leaves[name.text]
    prefix = f"{name.text}."
    below = {p.removeprefix(prefix): v for p, v in tree.leaves.items() if p.startswith(prefix)}
    if below:
        return Tree(f"{tree.path}.{name.text}" if tree.path else name.text, below)
    if name.text == "params":
        return tree
    members = {p.split(".")[0] for p in tree.leaves}
    raise error(
        "NN0103",
        f"`{tree.path}` has no parameter or block `{name.text}`",
        name.span,
        help=did_you_mean(name.text, members) or f"it has {', '.join(sorted(members))}",
    )


def _member(ctx: Context, path: str, name: ast.Name, owner: str) -> Any:
    """A parameter, or the tree below a child."""
    prefix = f"{path}." if path else ""
    full = prefix + name.text
    if full in ctx.current:
        return ctx.current[full]
    below = {p: v for p, v in ctx.current.items() if p.startswith(prefix)}
    children = {p.removeprefix(full + "."): v for p, v in below.items() if p.startswith(full + ".")}
    if children:
        return Tree(full, children)
    if not below:
        raise error(
            "NN0303",
            f"`{name.text}` of {owner} does not exist yet",
            name.span,
            help="parameters exist once the block has been applied to an input",
        )
    members = {p.removeprefix(prefix).split(".")[0] for p in below}
    raise error(
        "NN0103",
        f"{owner} has no parameter or block `{name.text}`",
        name.span,
        help=member_help(name.text)
        or did_you_mean(name.text, members)
        or f"it has {', '.join(sorted(members))}",
    )
