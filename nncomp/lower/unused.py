"""What can be told of fns and blocks that no model uses: names that mean nothing, calls that do not
fit their declaration.

All else depends on the arguments, so it is checked when they are lowered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from nncomp.errors import CompileError
from nncomp.lower.arguments import lacking, matched
from nncomp.lower.context import Module, Prelude
from nncomp.lower.names import unknown
from nncomp.lower.sites import nodes
from nncomp.lower.static_types import DTYPES, is_type, no_type
from nncomp.lower.values import Argument, Arguments, Factory, Function
from nncomp.source import Span
from nncomp.syntax import ast

_SPECIAL = ("training", "step")


def check_unused(
    module: Module,
    declarations: Collection[ast.Decl],
    prelude: Prelude,
    report: Callable[[CompileError], None],
) -> None:
    """Reports NN0103 and NN0202 in these declarations of a file."""
    for declaration in declarations:
        if isinstance(declaration, (ast.FnDecl, ast.BlockDecl)):
            for failure in _Body(declaration, module, prelude).failures():
                report(failure)


class _Body:
    """A declaration. own: what it binds somewhere, which may be tensors and hide the file's names;
    where it binds them is not looked at."""

    def __init__(
        self, declaration: ast.FnDecl | ast.BlockDecl, module: Module, prelude: Prelude
    ) -> None:
        self.nodes = list(nodes(declaration))
        self.module, self.prelude = module, prelude
        self.own: set[str] = set()
        binds_nothing: set[ast.Node | None] = set()  # names of attributes and arguments
        for node in self.nodes:
            match node:
                case ast.Attribute() | ast.Argument():
                    binds_nothing.add(node.name)
                case ast.Name() if node not in binds_nothing:
                    self.own.add(node.text)
                case ast.TypeExpr():  # its dims are bound where they are new
                    self.own.update(n.name for n in nodes(node) if isinstance(n, ast.Ref))

    def failures(self) -> Iterator[CompileError]:
        stages: set[ast.Expr] = set()
        for node in self.nodes:
            match node:
                case ast.Ref() if not self._is_known(node.name):
                    known = [*self.own, *self.module.names, *self.prelude]
                    yield unknown(node, known, self.prelude)
                case ast.TypeExpr() if not is_type(node):
                    yield no_type(node)
                case ast.Pipe(stage=stage):
                    stages.add(stage)
                    yield from self._fits(stage, node.value)
                case ast.Call() if node not in stages:
                    yield from self._fits(node)

    def _is_known(self, name: str) -> bool:
        places = (self.own, self.module.names, self.prelude, DTYPES, _SPECIAL)
        return any(name in place for place in places)

    def _fits(self, expr: ast.Expr, piped: ast.Expr | None = None) -> Iterator[CompileError]:
        """NN0202 where a call is not given what the declaration asks for."""
        callee, arguments = expr, tuple[ast.Argument, ...]()
        if isinstance(expr, ast.Call):
            callee, arguments = expr.callee, expr.arguments
        applied = isinstance(callee, ast.Call)  # `GraphConv(16)(A)`
        value = self._declared(callee.callee if isinstance(callee, ast.Call) else callee)
        if isinstance(value, Function) and not applied:
            formals = value.decl.parameters
        elif isinstance(value, Factory) and isinstance(expr, ast.Call):
            formals = value.decl.tensors if applied else value.decl.hyperparameters
            piped = piped if applied else None  # what makes the instance is not given it
        else:
            return
        try:
            _fit(formals, arguments, piped, value.decl, expr.span)
        except CompileError as failure:
            yield failure

    def _declared(self, callee: ast.Expr) -> Any:
        """What a name that is called stands for, if that is known here."""
        if not isinstance(callee, ast.Ref) or callee.name in self.own:
            return None
        names = self.module.names
        return names[callee.name] if callee.name in names else self.prelude.get(callee.name)


def _fit(
    formals: tuple[ast.Parameter, ...],
    arguments: tuple[ast.Argument, ...],
    piped: ast.Expr | None,
    decl: ast.Decl,
    span: Span,
) -> None:
    if any(isinstance(a.value, ast.Splice) for a in arguments):
        return
    positional = [Argument(None, a.span) for a in arguments if a.name is None]
    if piped is not None:
        positional.insert(0, Argument(None, piped.span))
    named = {a.name.text: Argument(None, a.span) for a in arguments if a.name is not None}
    given = matched(formals, Arguments(positional, named), decl, span)
    if any(f.default is None and f.name.text not in given for f in formals):
        raise lacking(formals, given, decl, span)
