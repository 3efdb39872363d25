"""Names of instances: paths in the tree of parameters, counted in source order."""

from __future__ import annotations

import dataclasses
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from nncomp.source import Span
from nncomp.syntax import ast

_PLAIN = {"str", "str | None", "bool", "int", "int | None", "float", "Span"}  # types of fields
_children: dict[type, Callable[[Any], tuple[Any, ...]]] = {}
_cache: WeakKeyDictionary[ast.Decl, dict[int, str]] = WeakKeyDictionary()
_bound: WeakKeyDictionary[ast.Decl, dict[str, list[Span]]] = WeakKeyDictionary()


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def snake_case(name: str) -> str:
    """`BatchNorm` -> `batch_norm`, `MLP` -> `mlp`, `Conv` -> `conv`."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", words).lower()


def site_names(decl: ast.Decl) -> dict[int, str]:
    """For each call in a body that has no name of its own, the name that an instance made there
    gets: its block's in snake case, counted in source order (`conv`, `conv_2`), so that modes and
    branches do not change it. By id of the call."""
    if decl in _cache:
        return _cache[decl]
    counts: dict[str, int] = {}
    names: dict[int, str] = {}
    named: set[int] = set()
    inside = [*nodes(decl)]
    for node in inside:
        if isinstance(node, ast.Pipe) and node.name is not None:
            named.add(id(_site(node.stage)))
        elif isinstance(node, ast.Assign):
            names.update(_assigned(node.target, node.value))
    named.update(names)
    calls = [n for n in inside if isinstance(n, ast.Call) and id(n) not in named]
    # a call of a call is an application, or an instance of a computed block: those come last
    calls.sort(key=lambda n: isinstance(n.callee, ast.Call))
    for node in calls:
        base = _base(node.callee)
        counts[base] = number = counts.get(base, 0) + 1
        names[id(node)] = base if number == 1 else f"{base}_{number}"
    _cache[decl] = names
    return names


def _assigned(target: ast.Target, value: ast.Expr) -> dict[int, str]:
    """Names of the instances that are assigned: `f = Linear(3)`, each of `f, g = Linear(3),
    Linear(4)`, and the items of a list, which are numbered (those of a comprehension by its
    loop)."""
    if isinstance(target, ast.TupleTarget):
        names: dict[int, str] = {}
        if isinstance(value, ast.TupleExpr) and len(value.items) == len(target.items):
            for part, item in zip(target.items, value.items, strict=True):
                names.update(_assigned(part, item))
        return names
    if not isinstance(target, ast.NameTarget):
        return {}
    name = target.name.text
    if isinstance(value, ast.Comprehension):
        return {id(value.value): name}
    if isinstance(value, ast.ListExpr):
        return {id(item): f"{name}.{i}" for i, item in enumerate(value.items)}
    return {id(value): name}


def _base(callee: ast.Expr) -> str:
    """What an instance made by a call of this is called: `Conv` and `layers.Conv` give `conv`,
    `blocks[i]` gives `blocks`, a computed block `block`."""
    while isinstance(callee, ast.Index):
        callee = callee.value
    if isinstance(callee, ast.Attribute):
        return snake_case(callee.name.text)
    return snake_case(callee.name) if isinstance(callee, ast.Ref) else "block"


def _site(stage: ast.Expr) -> ast.Expr:
    """The call that makes the instance: `GraphConv(16)` of the stage `GraphConv(16)(A)`."""
    if isinstance(stage, ast.Call) and isinstance(stage.callee, ast.Call):
        return stage.callee
    return stage


def places_bound(decl: ast.Decl) -> dict[str, list[Span]]:
    """Where a body gives values to its names, in source order (those inside of calls are of other
    bodies)."""
    if decl not in _bound:
        places: dict[str, list[Span]] = {}
        for node in nodes(decl, closed=(ast.Call, ast.Pipe, ast.Binary)):
            if isinstance(node, (ast.InputDecl, ast.StateDecl, ast.NameTarget)):
                places.setdefault(node.name.text, []).append(node.span)
        _bound[decl] = places
    return _bound[decl]


def children_of(node: ast.Node) -> tuple[Any, ...]:
    """What a node is made of, in source order: nodes, None, and tuples of them and texts."""
    kind = type(node)
    if kind not in _children:
        _children[kind] = _reader(kind)
    return _children[kind](node)


def _reader(kind: type[ast.Node]) -> Callable[[ast.Node], tuple[Any, ...]]:
    """Reads the fields of nodes of a kind that may hold others."""
    names = [f.name for f in dataclasses.fields(kind) if f.name != "span" and f.type not in _PLAIN]
    if len(names) > 1:
        return operator.attrgetter(*names)  # gives a tuple
    return lambda node: tuple([getattr(node, name) for name in names])


def nodes(root: ast.Node, closed: tuple[type[ast.Node], ...] = ()) -> Iterator[ast.Node]:
    """A node and all below it in source order; of the closed kinds without what is below."""
    pending: list[Any] = [root]
    while pending:
        item = pending.pop()
        if item.__class__ is tuple:
            pending += item[::-1]
        elif isinstance(item, ast.Node):
            yield item
            if not isinstance(item, closed):
                pending += children_of(item)[::-1]
