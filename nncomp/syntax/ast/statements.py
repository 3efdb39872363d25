"""Statements, and the expressions whose bodies are made of them: scan, loop, cond."""

from __future__ import annotations

from nncomp.syntax.ast.base import Name, Node, node
from nncomp.syntax.ast.expressions import Expr, String, Target, TypeExpr


@node
class Stmt(Node):
    """One statement."""


@node
class Assign(Stmt):
    """`target = value as name`; the name is that of the instance that the value makes."""

    target: Target
    value: Expr
    name: Name | String | None = None


@node
class If(Stmt):
    """`if c { } else if d { } else { }`; `else if` is an `If` alone in `otherwise`."""

    condition: Expr
    then: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...]


@node
class For(Stmt):
    target: Target
    iterable: Expr
    body: tuple[Stmt, ...]


@node
class Return(Stmt):
    value: Expr


@node
class Yielded(Node):
    """`value axis k reverse` after `yield`: stacked along axis k (0 if left out), the other way
    round than the first scanned tensor goes."""

    value: Expr
    axis: Expr | None
    reverse: bool


@node
class Yield(Stmt):
    """`yield a, b`: what a run of a `scan`, `loop` or `cond` gives."""

    items: tuple[Yielded, ...]


@node
class Assert(Stmt):
    condition: Expr
    message: String | None


@node
class InputDecl(Stmt):
    """`input x: type`, with an optional default `= value` (for optional inputs)."""

    name: Name
    type: TypeExpr
    value: Expr | None


@node
class OutputDecl(Stmt):
    """`output name`, `output name = value`, or several names of several values."""

    names: tuple[Name, ...]
    value: Expr | None


@node
class StateDecl(Stmt):
    """`param`, `buffer` or `state`: `kind name: type = value as "path" when condition`.

    path: what `as` gives it in weights files; without, its name inside its block.
    """

    kind: str
    name: Name
    type: TypeExpr
    value: Expr | None
    path: Name | String | None
    when: Expr | None


@node
class Update(Stmt):
    """`update name = value`; the target may be a path (`update net.bias = ...`)."""

    target: Expr
    value: Expr


@node
class Metric(Stmt):
    """`metric name = value`."""

    name: Name
    value: Expr


@node
class Minimize(Stmt):
    """`minimize loss over a, b by optimiser`; `maximize` if `maximize` is true."""

    maximize: bool
    loss: Expr
    over: tuple[Expr, ...]
    optimizer: Expr


@node
class Section(Stmt):
    """`train name? { body }` or `entry name { body }`; kind is the keyword."""

    kind: str
    name: Name | None
    body: tuple[Stmt, ...]
    doc: str | None


@node
class Carry(Node):
    """`name: type = value` of a scan or loop; the type may be left out."""

    name: Name
    type: TypeExpr | None
    value: Expr


@node
class ScanInput(Node):
    """`name = value axis k reverse` after `over`; axis defaults to 0."""

    target: Target
    value: Expr
    axis: Expr | None
    reverse: bool


@node
class Scan(Expr):
    """`scan (carries) over inputs { body }`; its value is what the body yields."""

    carries: tuple[Carry, ...]
    inputs: tuple[ScanInput, ...]
    body: tuple[Stmt, ...]


@node
class Loop(Expr):
    """`loop (carries) while condition { body }`."""

    carries: tuple[Carry, ...]
    condition: Expr
    body: tuple[Stmt, ...]


@node
class Cond(Expr):
    """`cond condition { body } else { body }`; the bodies `yield` its value."""

    condition: Expr
    then: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...]
