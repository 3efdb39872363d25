"""Binding the left side of `=`: names, typed names, tuples, items of lists."""

from __future__ import annotations

import re
from typing import Any

from nncomp.errors import error
from nncomp.ir.graph import Value
from nncomp.lower import indexing
from nncomp.lower.context import Context
from nncomp.lower.elsewhere import results_help, unpacking_help
from nncomp.lower.recovery import POISON, PoisonError
from nncomp.lower.signature import check
from nncomp.lower.values import Instance, Results, describe
from nncomp.source import Span
from nncomp.syntax import ast


def bind(ctx: Context, target: ast.Target, value: Any, span: Span) -> None:
    """Gives the target's names their values. `span` is where the value was written."""
    if isinstance(target, ast.NameTarget):
        if isinstance(value, Results):
            value = value[0]
        name = target.name.text
        value = check(ctx, target.type, value, f"`{name}`", span, asserts=True)
        if isinstance(value, Value) and not value.name and value.node is not None:
            value.name = name
        ctx.frame.names[name] = value
    elif isinstance(target, ast.TupleTarget):
        _bind_tuple(ctx, target, value, span)
    else:
        _bind_item(ctx, target, value)


def _bind_tuple(ctx: Context, target: ast.TupleTarget, value: Any, span: Span) -> None:
    if of_tensor := isinstance(value, Value):
        hint = results_help(_maker(ctx, value))
        if hint is not None and value.shape[:1] != (len(target.items),):
            message = f"{len(target.items)} names for one tensor, {value.type}"
            raise error("NN0202", message, target.span, help=hint)
        with ctx.at(span):
            value = indexing.unpack(ctx, value)
    if not isinstance(value, (list, tuple)):
        raise error("NN0201", f"{describe(value)} cannot be unpacked", span)
    if isinstance(value, Results):
        value = value[: len(target.items)]
    if len(value) != len(target.items):
        raise error(
            "NN0202",
            f"{len(target.items)} names for {len(value)} values",
            target.span,
            f"{len(target.items)} names",
            help=unpacking_help(
                of_tensor, any(isinstance(i, ast.TupleTarget) for i in target.items)
            ),
        )
    for item, part in zip(target.items, value, strict=True):
        bind(ctx, item, part, span)


def _maker(ctx: Context, value: Value) -> str:
    """The name of the fn or block that the program applies where the tensor is made."""
    spans = value.node.origin.spans if value.node is not None else ()
    name = re.match(r"\w*", spans[0].text if spans else "")
    assert name is not None
    made = ctx.frame.names.get(name[0])
    return made.factory.decl.name.text if isinstance(made, Instance) else name[0]


def _bind_item(ctx: Context, target: ast.ItemTarget, value: Any) -> None:
    name = target.name.text
    current = ctx.frame.names.get(name)
    if name not in ctx.frame.names:
        raise error("NN0103", f"`{name}` is not defined", target.span)
    if current is POISON:
        raise PoisonError
    if not isinstance(current, list):
        hint = None
        if isinstance(current, Value):
            hint = "a tensor is not changed in place: make another with `where` or `concat`"
        raise error(
            "NN0201", f"`{name}` is {describe(current)}, not a list", target.span, help=hint
        )
    key = ctx.evaluate(target.items[0]) if len(target.items) == 1 else None
    if not isinstance(key, int) or isinstance(key, bool):
        raise error("NN0201", "a list is indexed by one int", target.span)
    if not -len(current) <= key < len(current):
        raise error(
            "NN0210", f"index {key} is out of range for a list of {len(current)}", target.span
        )
    changed = list(current)
    changed[key] = value[0] if isinstance(value, Results) else value
    ctx.frame.names[name] = changed
