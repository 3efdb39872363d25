"""What lowering tells of the names in a text: types, static values, places of instances."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet

from nncomp.dims import Dim
from nncomp.ir.graph import Parameter, Value
from nncomp.lower.context import Context, Frame
from nncomp.lower.sites import join, nodes
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
from nncomp.types import DType, TensorType

MOST = 4  # different values of one name that are kept: a block may be applied a hundred times

# Expressions of which something is shown; arithmetic is not.
_SHOWN = (ast.Ref, ast.Attribute, ast.Call, ast.Pipe, ast.Index)
_CALLABLE = (Function, Factory, Builtin, Namespace, RawOp, DType, ast.ModelDecl)


class Outdated(Exception):  # noqa: N818 - nothing is wrong; the text has changed meanwhile
    """Ends an analysis that nobody waits for any more."""


@dataclass
class Fact:
    """What one node of the tree stands for.

    types: what it was, over all graphs and calls, each once: `f32[N, 64, 56, 56]`, `3`
    paths: of the instances and parameters that it is, or that a call makes
    more: whether there are more than `MOST` of either
    """

    types: dict[str, None] = field(default_factory=dict)
    paths: dict[str, None] = field(default_factory=dict)
    more: bool = False


class Recorder:
    """Looks on while models are lowered; see `nncomp.lower.watching.Watch`.

    outdated: whether the text has changed since
    """

    def __init__(self, outdated: Callable[[], bool] = lambda: False) -> None:
        self.facts: dict[ast.Node, Fact] = {}
        self._outdated = outdated
        self._contexts: dict[Context, None] = {}
        self._entered: WeakSet[Frame] = WeakSet()
        self._texts: dict[TensorType, str] = {}

    @property
    def parameters(self) -> dict[str, Parameter]:
        """All parameters, buffers and states, by path."""
        return {path: p for ctx in self._contexts for path, p in ctx.parameters.items()}

    def count(self, path: str) -> int | None:
        """How many numbers are learnt at a path and below; None if some have no fixed size."""
        total = 0
        for other, parameter in self.parameters.items():
            if parameter.kind == "param" and (other == path or other.startswith(f"{path}.")):
                shape = parameter.value.shape
                if not all(isinstance(dim, int) for dim in shape):
                    return None
                total += math.prod(dim for dim in shape if isinstance(dim, int))
        return total

    def value(self, ctx: Context, expr: ast.Expr, value: Any) -> None:
        if self._outdated():
            raise Outdated
        if ctx.frame.module.is_std or not isinstance(expr, _SHOWN):
            return
        self._note(ctx, expr, value)
        if isinstance(expr, ast.Pipe):
            path = _made_here(ctx, expr.stage)
            if path is not None:
                self._path(self.facts.setdefault(expr, Fact()), path)

    def bound(self, ctx: Context, statement: ast.Stmt) -> None:
        if ctx.frame.module.is_std:
            return
        self._contexts[ctx] = None
        if ctx.frame not in self._entered:
            self._entered.add(ctx.frame)
            for parameter in _parameters(ctx.frame.decl):
                self._dims(ctx, parameter.type)
        if isinstance(statement, (ast.InputDecl, ast.StateDecl)):
            self._dims(ctx, statement.type)
        for name in bound_names(statement):
            if name.text in ctx.frame.names:
                self._note(ctx, name, ctx.frame.names[name.text])
        if isinstance(statement, ast.StateDecl):
            path = ctx.frame.state.get(statement.name.text)
            self._path(
                self.facts.setdefault(statement.name, Fact()),
                path or join(ctx.frame.path, statement.name.text),
            )

    def _dims(self, ctx: Context, type_: ast.TypeExpr | None) -> None:
        """What the names of dims in a type stand for."""
        for dim in (type_.dims if type_ is not None else None) or ():
            for ref in nodes(dim):
                if isinstance(ref, ast.Ref) and ref.name in ctx.frame.names:
                    self._note(ctx, ref, ctx.frame.names[ref.name])

    def _note(self, ctx: Context, node: ast.Node, value: Any) -> None:
        if isinstance(value, Results):
            value = value[0]
        if isinstance(value, _CALLABLE):
            return
        fact = self.facts.get(node)
        if fact is None:
            fact = self.facts[node] = Fact()
        if isinstance(value, (Instance, Tree)):
            self._path(fact, value.path)
            return
        if len(fact.types) >= MOST:
            fact.more = True
            return
        fact.types[self._text(value)] = None

    def _path(self, fact: Fact, path: str) -> None:
        if len(fact.paths) >= MOST and path not in fact.paths:
            fact.more = True
        else:
            fact.paths[path] = None

    def _text(self, value: Any) -> str:
        if isinstance(value, Value):
            if value.type not in self._texts:
                self._texts[value.type] = str(value.type)
            return self._texts[value.type]
        return static_text(value)


def static_text(value: Any) -> str:
    """A static value as one would write it; long lists are cut."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case int() | float() | Dim():
            return str(value)
        case str():
            return f'"{value if len(value) <= 40 else value[:40] + "…"}"'
        case Value():
            return str(value.type)
        case list() | tuple():
            items = [static_text(item) for item in value[:8]] + ["…"] * (len(value) > 8)
            ends = "[]" if isinstance(value, list) else "()"
            return f"{ends[0]}{', '.join(items)}{ends[1]}"
    return describe(value)


def _parameters(declaration: ast.Decl) -> tuple[ast.Parameter, ...]:
    match declaration:
        case ast.BlockDecl():
            return declaration.tensors
        case ast.FnDecl():
            return declaration.parameters
    return ()


def bound_names(statement: ast.Stmt) -> list[ast.Name]:
    """The names that a statement itself binds; those of statements inside it are their own."""
    match statement:
        case ast.Assign(target=target):
            return target_names(target)
        case ast.InputDecl() | ast.StateDecl() | ast.Metric():
            return [statement.name]
        case ast.OutputDecl(names=names):
            return list(names)
    return []


def target_names(target: ast.Target) -> list[ast.Name]:
    """The names on the left of `=`."""
    match target:
        case ast.NameTarget():
            return [target.name]
        case ast.TupleTarget():
            return [name for item in target.items for name in target_names(item)]
    return []


def _made_here(ctx: Context, stage: ast.Expr) -> str | None:
    """The path of the instance that a stage has made in the call at hand."""
    if not isinstance(stage, ast.Call):
        return None
    site = stage.callee if isinstance(stage.callee, ast.Call) else stage
    found = [path for path, span in ctx.frame.sites.items() if span is site.span]
    return found[-1] if found else None
