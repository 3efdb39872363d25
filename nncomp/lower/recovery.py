"""Going on after an error: a statement that failed leaves poison under the names that it binds.

Whoever reads a poisoned name fails in its turn, silently (`PoisonError`), so that what follows from
an error is not reported beside it. Poison exists only where an error has been reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from nncomp.errors import CompileError
from nncomp.lower.sites import nodes
from nncomp.records import record
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
    effect = _effect(statement)
    if effect.ends and not isinstance(ctx.frame.decl, ast.ModelDecl):
        raise PoisonError
    names = ctx.frame.names
    names.update(dict.fromkeys((dim for dim in effect.dims if dim not in names), POISON))
    names.update(dict.fromkeys(effect.binds, POISON))


@record
class _Effect:
    """What a statement would have done, all that is inside of it included.

    ends: it returns, yields or asserts
    binds: the names that it gives values to
    dims: names of sizes in its types; those without a value get one
    """

    ends: bool
    binds: frozenset[str]
    dims: frozenset[str]


_effects: WeakKeyDictionary[ast.Stmt, _Effect] = WeakKeyDictionary()


def _effect(statement: ast.Stmt) -> _Effect:
    """Read once for each statement: a fn that fails may be called thousands of times."""
    if statement not in _effects:
        ends, binds, dims = False, set[str](), set[str]()
        for node in nodes(statement):
            match node:
                case ast.NameTarget() | ast.ItemTarget() | ast.Carry():
                    binds.add(node.name.text)
                case ast.OutputDecl():
                    binds.update(name.text for name in node.names)
                case ast.StateDecl() | ast.InputDecl() | ast.Metric():
                    binds.add(node.name.text)
                case ast.TypeExpr():
                    inside = (d for dim in node.dims or () for d in nodes(dim))
                    dims.update(d.name for d in inside if isinstance(d, ast.Ref))
                case ast.Return() | ast.Yield() | ast.Assert():
                    ends = True
        _effects[statement] = _Effect(ends, frozenset(binds), frozenset(dims))
    return _effects[statement]
