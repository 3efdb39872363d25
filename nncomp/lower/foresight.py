"""How many calls and runs of loops a body makes, from its text and the branches taken so far.

So a program that doubles at each of forty levels, or repeats a layer a million times, is refused
before it has expanded far. A branch that has been taken whenever its `if` was met counts; else the
cheaper one does. What depends on values otherwise counts as nothing: a loop over what is no
literal, whatever comes after a `return` that may not be reached.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from nncomp.lower.sites import children_of, nodes
from nncomp.lower.values import Factory, Function
from nncomp.syntax import ast

_DEEPEST = 64  # calls within calls; the limit itself is checked when they happen


class Foresight:
    """Counts, each declaration once.

    prelude: the names that every file sees
    taken: the branches that have been taken, each the id of its node and whether its condition held
    """

    def __init__(self, prelude: Any, taken: Set[tuple[int, bool]]) -> None:
        self._prelude, self._taken = prelude, taken
        self._known: dict[ast.Node, int] = {}

    def of_call(self, callee: Function | Factory, depth: int = 0) -> int:
        """Of one call of a fn, or application of a block: itself and all within."""
        decl = callee.decl
        if decl not in self._known and depth < _DEEPEST:
            self._known[decl] = 0  # what contains itself is refused elsewhere
            count = _Count(self, callee.module.names, decl, depth)
            self._known[decl] = 1 + count.body(decl.body)
        return self._known.get(decl, 0)

    def of_root(
        self, decl: ast.ModelDecl | ast.ConstDecl, names: dict[str, Any]
    ) -> tuple[int, ast.Node]:
        """Of a model without its sections, or a constant; and the part of it that makes most.

        names: of its file
        """
        count = _Count(self, names, decl, 0)
        parts = decl.body if isinstance(decl, ast.ModelDecl) else (decl.value,)
        counts = [(count.least(part), part) for part in parts]
        return sum(number for number, _ in counts), max(
            counts, key=lambda pair: pair[0], default=(0, decl)
        )[1]

    def always(self, node: ast.Node) -> bool | None:
        """How the condition of a node came out so far, if always alike."""
        outcomes = [holds for holds in (True, False) if (id(node), holds) in self._taken]
        return outcomes[0] if len(outcomes) == 1 else None

    def named(self, names: dict[str, Any], name: str) -> Any:
        return names[name] if name in names else self._prelude.get(name)


class _Count:
    """Counting within one declaration."""

    def __init__(
        self, foresight: Foresight, names: dict[str, Any], decl: ast.Decl, depth: int
    ) -> None:
        self._foresight, self._names, self._depth = foresight, names, depth
        # a name that is bound here may mean something else than in the file
        self._own = {n.text for n in nodes(decl) if isinstance(n, ast.Name)}

    def body(self, statements: tuple[ast.Stmt, ...]) -> int:
        count = 0
        for statement in statements:
            count += self.least(statement)
            if any(isinstance(node, ast.Return) for node in nodes(statement)):
                break
        return count

    def least(self, node: Any) -> int:
        match node:
            case tuple():
                return sum(self.least(item) for item in node)
            case ast.Section() | ast.StateDecl():
                return 0  # for other graphs; computed once, or not at all
            case ast.Assert():
                return self.least(node.condition)
            case ast.If():
                branches = self.body(node.then), self.body(node.otherwise)
                return self.least(node.condition) + self._branch(node, *branches)
            case ast.Cond():
                return min(self.body(node.then), self.body(node.otherwise))
            case ast.IfExpr():
                branches = self.least(node.then), self.least(node.otherwise)
                return self.least(node.condition) + self._branch(node, *branches)
            case ast.Binary(op="and" | "or"):
                return self.least(node.left) + self._branch(node, self.least(node.right), 0)
            case ast.For() if any(isinstance(n, ast.Return) for n in nodes(node)):
                return 0  # it may end with its first run
            case ast.For():
                return _length(node.iterable) * (1 + self.body(node.body))
            case ast.Comprehension():
                runs = 1
                for clause in node.clauses:
                    runs *= 0 if clause.condition else _length(clause.iterable)
                return runs * (1 + self.least(node.value))
            case ast.Call():
                return self._call(node) + self._arguments(node)
            case ast.Pipe():
                return self.least(node.value) + self._stage(node.stage)
            case ast.Node():
                return sum(self.least(child) for child in children_of(node))
        return 0

    def _branch(self, node: ast.Node, then: int, otherwise: int) -> int:
        holds = self._foresight.always(node)
        if holds is None:
            return min(then, otherwise)
        return then if holds else otherwise

    def _call(self, call: ast.Call) -> int:
        """`f(x)` calls a fn, `Block(3)(x)` applies a block; `Block(3)` alone makes an instance."""
        if isinstance(call.callee, ast.Call):
            return self._of(call.callee.callee, Factory) + self._arguments(call.callee)
        return self._of(call.callee, Function)

    def _stage(self, stage: ast.Expr) -> int:
        if not isinstance(stage, ast.Call):
            return self._of(stage, Function)
        if isinstance(stage.callee, ast.Call):
            return self.least(stage)
        return self._of(stage.callee, Function, Factory) + self._arguments(stage)

    def _arguments(self, call: ast.Call) -> int:
        return sum(self.least(argument.value) for argument in call.arguments)

    def _of(self, callee: ast.Expr, *kinds: type[Function | Factory]) -> int:
        if not isinstance(callee, ast.Ref) or callee.name in self._own:
            return 0
        value = self._foresight.named(self._names, callee.name)
        return self._foresight.of_call(value, self._depth + 1) if isinstance(value, kinds) else 0


def _length(iterable: ast.Expr) -> int:
    """How many runs a loop over it has: `range(3)`, `[1, 2]`; 0 where that is not in the text."""
    match iterable:
        case ast.Call(callee=ast.Ref("range"), arguments=(ast.Argument(name=None, value=stop),)):
            return max(0, stop.value) if isinstance(stop, ast.Int) else 0
        case ast.ListExpr(items=items):
            return sum(not isinstance(item, (ast.Splice, ast.Comprehension)) for item in items)
    return 0
