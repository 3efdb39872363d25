"""The syntax tree of `.nn`: frozen dataclasses, each with the span it was read from.

Nothing here knows what a name means; `nncomp.lower` does. Lists are tuples, so that a tree
can be shared and cached. Field order is source order.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nncomp.source import Span


@dataclass(frozen=True, eq=False)
class Node:
    """Any piece of syntax."""

    span: Span = field(repr=False)


@dataclass(frozen=True, eq=False)
class Name(Node):
    """An identifier where it is defined or bound (a use of it is a `Ref`)."""

    text: str


# --- expressions -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Expr(Node):
    """Anything that has a value."""


@dataclass(frozen=True, eq=False)
class Ref(Expr):
    """A use of a name: `x`."""

    name: str


@dataclass(frozen=True, eq=False)
class Int(Expr):
    value: int


@dataclass(frozen=True, eq=False)
class Float(Expr):
    value: float


@dataclass(frozen=True, eq=False)
class Bool(Expr):
    value: bool


@dataclass(frozen=True, eq=False)
class String(Expr):
    """`"..."`; `value` has its escapes resolved, `{expr}` parts are `parts` in an `assert`
    message or a name (`as "layer{i+1}"`).

    parts: alternating text (str) and expressions; equals `(value,)` where there are no braces.
    """

    value: str
    parts: tuple[str | Expr, ...]


@dataclass(frozen=True, eq=False)
class NoneLiteral(Expr):
    """`none`."""


@dataclass(frozen=True, eq=False)
class ListExpr(Expr):
    """`[a, b, c]`; an item may be a `Splice`."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, eq=False)
class TupleExpr(Expr):
    """`(a, b)`, `(a,)` or `()`."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, eq=False)
class Splice(Expr):
    """`S...` in a list of dims, arguments or items; a lone `...` has no value."""

    value: Expr | None


@dataclass(frozen=True, eq=False)
class Comprehension(Expr):
    """`[value for target in iterable if condition]`; the clauses in source order."""

    value: Expr
    clauses: tuple[ForClause, ...]


@dataclass(frozen=True, eq=False)
class ForClause(Node):
    target: Target
    iterable: Expr
    condition: Expr | None


@dataclass(frozen=True, eq=False)
class Unary(Expr):
    """`-x`, `+x`, `not x`."""

    op: str
    operand: Expr


@dataclass(frozen=True, eq=False)
class Binary(Expr):
    """Arithmetic `+ - * / // % ** @`, comparison `== != < <= > >= in`, logic `and or`.

    op_span: the characters of the operator itself.
    """

    op: str
    left: Expr
    right: Expr
    op_span: Span = field(repr=False)


@dataclass(frozen=True, eq=False)
class IfExpr(Expr):
    """`then if condition else otherwise`."""

    then: Expr
    condition: Expr
    otherwise: Expr


@dataclass(frozen=True, eq=False)
class Argument(Node):
    """`value` or `name=value`; a positional value may be a `Splice`."""

    name: Name | None
    value: Expr


@dataclass(frozen=True, eq=False)
class Call(Expr):
    """`callee(arguments)`."""

    callee: Expr
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, eq=False)
class Pipe(Expr):
    """`value |> stage as name`. The stage is a `Ref`, `Attribute` or `Call`."""

    value: Expr
    stage: Expr
    name: Name | String | None


@dataclass(frozen=True, eq=False)
class Attribute(Expr):
    """`value.name`."""

    value: Expr
    name: Name


@dataclass(frozen=True, eq=False)
class Slice(Expr):
    """`start:stop:step` inside an index."""

    start: Expr | None
    stop: Expr | None
    step: Expr | None


@dataclass(frozen=True, eq=False)
class Index(Expr):
    """`value[items]`; an item is an expression, a `Slice`, `none` or a lone `Splice(None)`."""

    value: Expr
    items: tuple[Expr, ...]


@dataclass(frozen=True, eq=False)
class Carry(Node):
    """`name: type = value` of a scan or loop; the type may be left out."""

    name: Name
    type: TypeExpr | None
    value: Expr


@dataclass(frozen=True, eq=False)
class ScanInput(Node):
    """`name = value axis k reverse` after `over`; axis defaults to 0."""

    target: Target
    value: Expr
    axis: Expr | None
    reverse: bool


@dataclass(frozen=True, eq=False)
class Scan(Expr):
    """`scan (carries) over inputs { body }`; its value is what the body yields."""

    carries: tuple[Carry, ...]
    inputs: tuple[ScanInput, ...]
    body: tuple[Stmt, ...]


@dataclass(frozen=True, eq=False)
class Loop(Expr):
    """`loop (carries) while condition { body }`."""

    carries: tuple[Carry, ...]
    condition: Expr
    body: tuple[Stmt, ...]


@dataclass(frozen=True, eq=False)
class Cond(Expr):
    """`cond condition { body } else { body }`; the bodies `yield` its value."""

    condition: Expr
    then: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...]


# --- types -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class TypeExpr(Node):
    """`int`, `float[N, C, S...]`, `list[int]`, `bool[N, T]?`, `f32[]`.

    dims: None where there are no square brackets, () for `[]`. For `list[int]` it holds one
    `Ref` to the item type. A dim is an expression or a `Splice`.
    """

    name: Name
    dims: tuple[Expr, ...] | None
    optional: bool


# --- statements ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Stmt(Node):
    """One statement."""


@dataclass(frozen=True, eq=False)
class NameTarget(Node):
    """`x` or `x: type` on the left of `=`."""

    name: Name
    type: TypeExpr | None


@dataclass(frozen=True, eq=False)
class TupleTarget(Node):
    """`(a, b)` or `a, b` on the left of `=` or after `for`."""

    items: tuple[Target, ...]


@dataclass(frozen=True, eq=False)
class ItemTarget(Node):
    """`cache[i]` on the left of `=`."""

    name: Name
    items: tuple[Expr, ...]


Target = NameTarget | TupleTarget | ItemTarget


@dataclass(frozen=True, eq=False)
class Assign(Stmt):
    """`target = value as name`; the name is that of the instance that the value makes."""

    target: Target
    value: Expr
    name: Name | String | None = None


@dataclass(frozen=True, eq=False)
class If(Stmt):
    """`if c { } else if d { } else { }`; `else if` is an `If` alone in `otherwise`."""

    condition: Expr
    then: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...]


@dataclass(frozen=True, eq=False)
class For(Stmt):
    target: Target
    iterable: Expr
    body: tuple[Stmt, ...]


@dataclass(frozen=True, eq=False)
class Return(Stmt):
    value: Expr


@dataclass(frozen=True, eq=False)
class Yielded(Node):
    """`value axis k reverse` after `yield`: stacked along axis k (0 if left out), the other way
    round than the first scanned tensor goes."""

    value: Expr
    axis: Expr | None
    reverse: bool


@dataclass(frozen=True, eq=False)
class Yield(Stmt):
    """`yield a, b`: what a run of a `scan`, `loop` or `cond` gives."""

    items: tuple[Yielded, ...]


@dataclass(frozen=True, eq=False)
class Assert(Stmt):
    condition: Expr
    message: String | None


@dataclass(frozen=True, eq=False)
class InputDecl(Stmt):
    """`input x: type`, with an optional default `= value` (for optional inputs)."""

    name: Name
    type: TypeExpr
    value: Expr | None


@dataclass(frozen=True, eq=False)
class OutputDecl(Stmt):
    """`output name`, `output name = value`, or several names of several values."""

    names: tuple[Name, ...]
    value: Expr | None


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True, eq=False)
class Update(Stmt):
    """`update name = value`; the target may be a path (`update net.bias = ...`)."""

    target: Expr
    value: Expr


@dataclass(frozen=True, eq=False)
class Metric(Stmt):
    """`metric name = value`."""

    name: Name
    value: Expr


@dataclass(frozen=True, eq=False)
class Minimize(Stmt):
    """`minimize loss over a, b by optimiser`; `maximize` if `maximize` is true."""

    maximize: bool
    loss: Expr
    over: tuple[Expr, ...]
    optimizer: Expr


@dataclass(frozen=True, eq=False)
class Section(Stmt):
    """`train name? { body }` or `entry name { body }`; kind is the keyword."""

    kind: str
    name: Name | None
    body: tuple[Stmt, ...]
    doc: str | None


# --- declarations ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Parameter(Node):
    """`name: type = default` in a signature."""

    name: Name
    type: TypeExpr | None
    default: Expr | None


@dataclass(frozen=True, eq=False)
class Decl(Node):
    """A declaration of a file; `doc` is the `\"\"\"` text before it."""

    name: Name
    doc: str | None


@dataclass(frozen=True, eq=False)
class FnDecl(Decl):
    """`fn name(parameters) -> result = expr` (body is one Return) or `{ body }`.

    A tuple result type is written `-> (A, B)`; `results` then has several.
    """

    parameters: tuple[Parameter, ...]
    results: tuple[TypeExpr, ...]
    body: tuple[Stmt, ...]


@dataclass(frozen=True, eq=False)
class BlockDecl(Decl):
    """`block name(hyperparameters)(tensors) -> result { body }`; kind `block` or `optimizer`.

    A tuple result type is written `-> (A, B)`; `results` then has several.
    """

    kind: str
    hyperparameters: tuple[Parameter, ...]
    tensors: tuple[Parameter, ...]
    results: tuple[TypeExpr, ...]
    body: tuple[Stmt, ...]


@dataclass(frozen=True, eq=False)
class ModelDecl(Decl):
    hyperparameters: tuple[Parameter, ...]
    body: tuple[Stmt, ...]


@dataclass(frozen=True, eq=False)
class ConstDecl(Decl):
    """`name = value` at the top of a file."""

    value: Expr


@dataclass(frozen=True, eq=False)
class ImportedName(Node):
    """`name` or `name as alias`."""

    name: Name
    alias: Name | None


@dataclass(frozen=True, eq=False)
class Import(Node):
    """`from a.b import x, y as z` (module is ("a", "b")), or `from "file.nn" import x`;
    `import a.b` and `import a.b as c` have no `names`."""

    module: tuple[str, ...] | str
    names: tuple[ImportedName, ...] | None
    alias: Name | None


@dataclass(frozen=True, eq=False)
class File(Node):
    """A whole `.nn` file. `version` is what `nn 1` says, None without that line.

    doc: the `\"\"\"` text before the imports, about the file as a whole.
    """

    version: int | None
    imports: tuple[Import, ...]
    declarations: tuple[Decl, ...]
    doc: str | None = None
