"""Looking on while a program is lowered: an editor wants the types of all names in a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from nncomp.lower.context import Context
    from nncomp.syntax import ast


class Watch(Protocol):
    """Is told what expressions and names stand for, in each graph and call anew. It may raise to
    end the lowering, but no CompileError."""

    def value(self, ctx: Context, expr: ast.Expr, value: Any) -> None:
        """An expression, or a stage of a pipe, has this value."""

    def bound(self, ctx: Context, statement: ast.Stmt) -> None:
        """A statement has run: the names that it binds have their values in `ctx.frame`."""
