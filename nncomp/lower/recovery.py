"""Going on after an error: a statement that failed leaves poison under the names that it binds.

Whoever reads a poisoned name fails in its turn, silently (`PoisonError`), so that what follows from
an error is not reported beside it. Poison exists only where an error has been reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nncomp.errors import CompileError
from nncomp.lower.sites import nodes
from nncomp.syntax import ast

if TYPE_CHECKING:
    from nncomp.lower.context import Context


class PoisonError(Exception):
    """What is evaluated depends on something that failed, which has been reported."""


class Poison:
    """The value of a name whose definition failed."""


POISON = Poison()

# Past one of these nothing more can be learnt: the expansion itself is at fault.
FATAL = frozenset({"NN0003", "NN0004", "NN0305"})
# What fails in consequence of another error: a parameter or an output that was not made.
CONSEQUENCES = frozenset({"NN0303", "NN0306", "NN0403"})


def recover(ctx: Context, statement: ast.Stmt, failure: CompileError | PoisonError) -> None:
    """After a statement has failed: reports the error, and poisons the names that the statement
    binds. Raises it on where the body cannot go on: in the standard library (the user's line is at
    fault), and where the statement would have ended the body, or was to guard the rest of it.
    """
    ctx.failures += 1
    if ctx.frame.module.is_std:
        raise failure.applied_at(ctx.span) if isinstance(failure, CompileError) else failure
    if isinstance(failure, CompileError):
        failure = failure.at(ctx.span or statement.span)
        ctx.store.report(failure)
        if any(d.code in FATAL for d in failure.diagnostics):
            raise failure
    ends = any(isinstance(node, (ast.Return, ast.Yield, ast.Assert)) for node in nodes(statement))
    if ends and not isinstance(ctx.frame.decl, ast.ModelDecl):
        raise PoisonError
    ctx.frame.names.update(dict.fromkeys(_bound(ctx, statement), POISON))


def _bound(ctx: Context, statement: ast.Stmt) -> Iterator[str]:
    """The names that a statement binds; dims of its types that have no value yet among them."""
    for node in nodes(statement):
        match node:
            case ast.NameTarget() | ast.ItemTarget() | ast.Carry():
                yield node.name.text
            case ast.OutputDecl():
                yield from (name.text for name in node.names)
            case ast.StateDecl() | ast.InputDecl() | ast.Metric():
                yield node.name.text
            case ast.TypeExpr():
                dims = [d for dim in node.dims or () for d in nodes(dim)]
                names = (d.name for d in dims if isinstance(d, ast.Ref))
                yield from (name for name in names if name not in ctx.frame.names)
