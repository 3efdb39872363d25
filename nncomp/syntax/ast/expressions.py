"""Expressions, types, and targets that values are bound to."""

from __future__ import annotations

from nncomp.source import Span
from nncomp.syntax.ast.base import Name, Node, node


@node
class Expr(Node):
    """Anything that has a value."""


@node
class Ref(Expr):
    """A use of a name: `x`."""

    name: str


@node
class Int(Expr):
    value: int


@node
class Float(Expr):
    value: float


@node
class Bool(Expr):
    value: bool


@node
class String(Expr):
    """`"..."`; `value` has its escapes resolved, `{expr}` parts are `parts` in an `assert`
    message or a name (`as "layer{i+1}"`).

    parts: alternating text (str) and expressions; equals `(value,)` where there are no braces.
    """

    value: str
    parts: tuple[str | Expr, ...]


@node
class NoneLiteral(Expr):
    """`none`."""


@node
class ListExpr(Expr):
    """`[a, b, c]`; an item may be a `Splice`."""

    items: tuple[Expr, ...]


@node
class TupleExpr(Expr):
    """`(a, b)`, `(a,)` or `()`."""

    items: tuple[Expr, ...]


@node
class Splice(Expr):
    """`S...` in a list of dims, arguments or items; a lone `...` has no value."""

    value: Expr | None


@node
class Comprehension(Expr):
    """`[value for target in iterable if condition]`; the clauses in source order."""

    value: Expr
    clauses: tuple[ForClause, ...]


@node
class ForClause(Node):
    target: Target
    iterable: Expr
    condition: Expr | None


@node
class Unary(Expr):
    """`-x`, `+x`, `not x`."""

    op: str
    operand: Expr


@node
class Binary(Expr):
    """Arithmetic `+ - * / // % ** @`, comparison `== != < <= > >= in`, logic `and or`.

    op_span: the characters of the operator itself.
    """

    op: str
    left: Expr
    right: Expr
    op_span: Span


@node
class IfExpr(Expr):
    """`then if condition else otherwise`."""

    then: Expr
    condition: Expr
    otherwise: Expr


@node
class Argument(Node):
    """`value` or `name=value`; a positional value may be a `Splice`."""

    name: Name | None
    value: Expr


@node
class Call(Expr):
    """`callee(arguments)`."""

    callee: Expr
    arguments: tuple[Argument, ...]


@node
class Pipe(Expr):
    """`value |> stage as name`. The stage is a `Ref`, `Attribute` or `Call`."""

    value: Expr
    stage: Expr
    name: Name | String | None


@node
class Attribute(Expr):
    """`value.name`."""

    value: Expr
    name: Name


@node
class Slice(Expr):
    """`start:stop:step` inside an index."""

    start: Expr | None
    stop: Expr | None
    step: Expr | None


@node
class Index(Expr):
    """`value[items]`; an item is an expression, a `Slice`, `none` or a lone `Splice(None)`."""

    value: Expr
    items: tuple[Expr, ...]


@node
class TypeExpr(Node):
    """`int`, `float[N, C, S...]`, `list[int]`, `bool[N, T]?`, `f32[]`.

    dims: None where there are no square brackets, () for `[]`. For `list[int]` it holds one
    `Ref` to the item type. A dim is an expression or a `Splice`.
    """

    name: Name
    dims: tuple[Expr, ...] | None
    optional: bool


@node
class NameTarget(Node):
    """`x` or `x: type` on the left of `=`."""

    name: Name
    type: TypeExpr | None


@node
class TupleTarget(Node):
    """`(a, b)` or `a, b` on the left of `=` or after `for`."""

    items: tuple[Target, ...]


@node
class ItemTarget(Node):
    """`cache[i]` on the left of `=`."""

    name: Name
    items: tuple[Expr, ...]


Target = NameTarget | TupleTarget | ItemTarget
