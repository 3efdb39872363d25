"""`assert`: decided while compiling, or an obligation of the run."""

from __future__ import annotations

from nncomp.dims import Dim
from nncomp.errors import Note, error
from nncomp.ir.obligation import RELATIONS, Clause, Message, Obligation, compared, spelt
from nncomp.lower.context import Context
from nncomp.lower.expressions import compare, holds, interpolated
from nncomp.lower.tensors import require_length
from nncomp.lower.values import Results
from nncomp.syntax import ast


def assert_(ctx: Context, statement: ast.Assert) -> None:
    """What is known to hold is done with; what no run could meet is an error now; of the rest
    each clause becomes an obligation."""
    clauses = _clauses(ctx, statement.condition)
    if clauses is True:
        return
    span = statement.condition.span
    condition = span.text
    message: Message = (f"{condition} is false",)
    if statement.message:
        message = interpolated(ctx, statement.message)
    label, notes = f"`{condition}` does not hold", []
    if ctx.frame.module.is_std and ctx.span is not None:  # the caller's line says more
        notes.append(Note("it is asserted here", span))
        label, span = "", ctx.span
    if clauses is False:
        raise error("NN0209", spelt(message), span, label, notes=notes)
    for clause in clauses:
        ctx.oblige(clause, _about(clause, message), span)


def _about(clause: Clause, message: Message) -> Message:
    """The message, where only the sizes that the clause speaks of are left to the run."""
    known = Obligation(clause, message).symbols()
    return tuple(
        part if isinstance(part, Dim) and set(part.symbols()) <= known else str(part)
        for part in message
    )


def _clauses(ctx: Context, expr: ast.Expr) -> bool | list[Clause]:
    """Whether the condition holds, or what must hold for it: all clauses."""
    if isinstance(expr, ast.Binary) and expr.op in ("and", "or"):
        left = _clauses(ctx, expr.left)
        if left is (expr.op == "or"):
            return left
        right = _clauses(ctx, expr.right)
        if isinstance(left, bool) or right is (expr.op == "or"):
            return right
        if isinstance(right, bool):
            return left
        return left + right if expr.op == "and" else [a + b for a in left for b in right]
    if isinstance(expr, ast.Binary) and expr.op in RELATIONS:
        left_value, right_value = (_first(ctx.evaluate(e)) for e in (expr.left, expr.right))
        with ctx.at(expr.span):
            require_length(ctx, left_value, right_value)
        answer = compared(expr.op, left_value, right_value)
        if isinstance(answer, list):
            return answer
        with ctx.at(expr.span):
            return holds(compare(ctx, expr, left_value, right_value), expr)
    return holds(ctx.evaluate(expr), expr)


def _first(value: object) -> object:
    return value[0] if isinstance(value, Results) else value
