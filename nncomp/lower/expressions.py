"""Evaluating expressions: what is static becomes a Python value, the rest nodes of the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nncomp.dims import Dim
from nncomp.errors import CompileError, did_you_mean, error
from nncomp.ir.graph import Value
from nncomp.ir.obligation import Message, compared
from nncomp.lower import calls, control, doubts, indexing, tensors
from nncomp.lower.context import Context
from nncomp.lower.names import attribute, look_up
from nncomp.lower.targets import bind
from nncomp.lower.values import MAX_ITEMS, Deferred, Instance, Results, Tree, describe
from nncomp.syntax import ast
from nncomp.types import SequenceType


def evaluate(ctx: Context, expr: ast.Expr) -> Any:
    """The value of an expression."""
    value = _HANDLERS[type(expr)](ctx, expr)
    if ctx.watch is not None:
        ctx.watch.value(ctx, expr, value)
    return value


def _constant(ctx: Context, expr: Any) -> Any:
    return expr.value


def _string(ctx: Context, expr: ast.String) -> str:
    return interpolate(ctx, expr)


def interpolate(ctx: Context, string: ast.String) -> str:
    """The text with `{expr}` replaced by the values."""
    return "".join(map(str, interpolated(ctx, string)))


def interpolated(ctx: Context, string: ast.String) -> Message:
    """The text in parts; those that are a dim as that."""
    parts: list[str | Dim] = []
    for part in string.parts:
        value = part if isinstance(part, str) else evaluate(ctx, part)
        parts.append(value if isinstance(value, Dim) else _spelt(value))
    tensors.require_length(ctx, *map(str, parts))
    return tuple(parts)


def _spelt(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_spelt, value))}]"
    if isinstance(value, tuple) and not isinstance(value, Results):
        return f"({', '.join(map(_spelt, value))})"
    static = isinstance(value, (int, float, str, bool, Dim, type(None)))
    return str(value) if static else describe(value)


def _ref(ctx: Context, expr: ast.Ref) -> Any:
    return look_up(ctx, expr)


def _dots(ctx: Context, expr: ast.Splice) -> Any:
    hint = "`x...` splices the items of a list; `x[..., 0]` is for tensors"
    raise error("NN0101", f"`{expr.span.text}` has no value here", expr.span, help=hint)


def _items(ctx: Context, exprs: tuple[ast.Expr, ...]) -> list[Any]:
    values: list[Any] = []
    for item in exprs:
        if isinstance(item, ast.Splice) and item.value is not None:
            spliced = evaluate(ctx, item.value)
            if not isinstance(spliced, (list, tuple)) or isinstance(spliced, Results):
                raise error(
                    "NN0201", f"only a list can be spliced, this is {describe(spliced)}", item.span
                )
            values += spliced
            tensors.require_length(ctx, values)
        else:
            values.append(evaluate(ctx, item))
    return values


def _list(ctx: Context, expr: ast.ListExpr) -> list[Any]:
    return _items(ctx, expr.items)


def _tuple(ctx: Context, expr: ast.TupleExpr) -> tuple[Any, ...]:
    return tuple(_items(ctx, expr.items))


def _comprehension(ctx: Context, expr: ast.Comprehension) -> list[Any]:
    """Its targets are bound inside only; instances made in it are numbered like in a loop."""
    results: list[Any] = []
    frame = ctx.frame
    before = dict(frame.names)

    def clause(number: int) -> None:
        if number == len(expr.clauses):
            results.append(evaluate(ctx, expr.value))
            return
        part = expr.clauses[number]
        items = iterate(ctx, part.iterable)
        with ctx.expansion.loop(part.iterable.span, len(items), ctx.b.nodes):
            for i, item in enumerate(items):
                with ctx.repeating(i, part.span):
                    bind(ctx, part.target, item, part.span)
                    if part.condition is None or truth(ctx, part.condition):
                        clause(number + 1)

    try:
        clause(0)
    finally:
        frame.names.clear()
        frame.names.update(before)
    return results


def iterate(ctx: Context, expr: ast.Expr) -> list[Any]:
    """The items of a static iterable."""
    value = evaluate(ctx, expr)
    if isinstance(value, Results):
        value = value[0]
    if isinstance(value, Value):
        with ctx.at(expr.span):
            return list(indexing.unpack(ctx, value))
    if isinstance(value, Tree):
        value = list(value.leaves.values())
    if isinstance(value, dict):
        value = list(value.items())
    if not isinstance(value, (list, tuple)):
        hint = f"write `range({expr.span.text})`" if isinstance(value, int) else None
        hint = "its parameters are `.params`" if isinstance(value, Instance) else hint
        raise error(
            "NN0201", f"cannot loop over {describe(value)}", expr.span, "not a list", help=hint
        )
    if len(value) > MAX_ITEMS:
        raise error("NN0004", f"a loop over {len(value):,} items is too long", expr.span)
    ctx.expansion.look_through(len(value), expr.span)
    return list(value)


def truth(ctx: Context, expr: ast.Expr) -> bool:
    """A condition that must be known while compiling."""
    return holds(evaluate(ctx, expr), expr)


def holds(value: Any, expr: ast.Expr) -> bool:
    """Whether a value counts as true. Numbers, texts and lists do unless 0 or empty."""
    if value is None or isinstance(value, (bool, int, str, list)):
        return bool(value)
    if isinstance(value, (Value, Results)):
        raise error(
            "NN0212",
            "a condition must be known while compiling, this is a tensor",
            expr.span,
            describe(value),
            help="choose between tensors with `where(condition, a, b)`",
        )
    raise error("NN0201", f"a condition must be a bool, this is {describe(value)}", expr.span)


def _unary(ctx: Context, expr: ast.Unary) -> Any:
    value = evaluate(ctx, expr.operand)
    if isinstance(value, Results):
        value = value[0]
    with ctx.at(expr.span):
        if isinstance(value, Value):
            if expr.op == "not":
                return tensors.logical(ctx, "not", [value])
            return value if expr.op == "+" else tensors.negate(ctx, value)
        if expr.op == "not":
            return not truth(ctx, expr.operand)
        if isinstance(value, (Deferred, Tree)):
            return tensors.binary(ctx, "*", value, -1 if expr.op == "-" else 1)
        if isinstance(value, bool) or not isinstance(value, (int, float, Dim)):
            raise ctx.fail("NN0201", f"`{expr.op}` does not take {describe(value)}")
        return -value if expr.op == "-" else value


def _binary(ctx: Context, expr: ast.Binary) -> Any:
    """Walks down the left spine in a loop: a sum of thousands of terms is no deep recursion."""
    spine: list[ast.Binary] = []
    node: ast.Expr = expr
    while isinstance(node, ast.Binary) and node.op not in ("and", "or"):
        spine.append(node)
        node = node.left
    if not spine:
        return _logical(ctx, expr)
    left = evaluate(ctx, node)
    for step in reversed(spine):
        right = evaluate(ctx, step.right)
        with ctx.at(step.span):
            left = _apply_binary(ctx, step, left, right)
    return left


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _apply_binary(ctx: Context, expr: ast.Binary, left: Any, right: Any) -> Any:
    if expr.op == "in":
        if not isinstance(right, (list, tuple, str, dict)):
            raise ctx.fail("NN0201", f"`in` needs a list, this is {describe(right)}")
        if isinstance(right, str) and not isinstance(left, str):
            raise ctx.fail("NN0201", f"a string holds no {describe(left).removeprefix('the ')}")
        tensors.require_length(ctx, left, right)
        if isinstance(right, (list, tuple)):
            return _is_among(ctx, left, right)
        return left in right
    if expr.op in ("==", "!=", *_COMPARE):
        return compare(ctx, expr, left, right)
    if expr.op == "-" and ctx.section is not None:
        doubts.of_difference(ctx, left, right, expr.span)
    try:
        return tensors.binary(ctx, expr.op, left, right)
    except ZeroDivisionError:
        plain = expr.op == "**" or isinstance(expr.right, (ast.Int, ast.Float))
        which = "" if plain else f": `{expr.right.span.text}` is {right}"
        raise ctx.fail("NN0211", f"division by zero{which}", f"{left} {expr.op} {right}") from None


def _is_among(ctx: Context, item: Any, items: Sequence[Any]) -> bool:
    answers = [compared("==", item, other) for other in items]
    if any(a is True for a in answers):
        return True
    if any(isinstance(a, list) for a in answers):
        raise _unknown(ctx, "in", item, items)
    return any(other == item for a, other in zip(answers, items, strict=True) if a is None)


def compare(ctx: Context, expr: ast.Binary, left: Any, right: Any) -> Any:
    """`left == right` and the like; dims whose answer is not known are an error."""
    left, right = (v[0] if isinstance(v, Results) else v for v in (left, right))
    if isinstance(left, Value) or isinstance(right, Value):
        asks = expr.op in ("==", "!=")  # `mask == none` asks whether an operand was given
        if asks and (left is None or right is None):
            return expr.op == "!="
        return tensors.compare(ctx, expr.op, left, right)
    tensors.require_length(ctx, left, right)
    if isinstance(left, (Dim, list, tuple)) or isinstance(right, Dim):
        answer = compared(expr.op, left, right)
        if isinstance(answer, list):
            raise _unknown(ctx, expr.op, left, right)
        if answer is not None:
            return answer
    if expr.op in ("==", "!="):
        return (left == right) is (expr.op == "==")
    try:
        return _COMPARE[expr.op](left, right)
    except TypeError:
        raise ctx.fail("NN0201", f"cannot compare {describe(left)} and {describe(right)}") from None


def _unknown(ctx: Context, op: str, left: Any, right: Any) -> CompileError:
    told = [
        f"[{', '.join(map(str, v))}]" if isinstance(v, (list, tuple)) else str(v)
        for v in (left, right)
    ]
    return ctx.fail(
        "NN0206",
        f"whether {told[0]} {op} {told[1]} is not known while compiling",
        f"{describe(left)} and {describe(right)}",
        help="give the dim a size in the input's type, or do without the branch; "
        "an `assert` would be checked at each run",
    )


def _logical(ctx: Context, expr: ast.Binary) -> Any:
    left = evaluate(ctx, expr.left)
    if isinstance(left, (Value, Results)):
        right = evaluate(ctx, expr.right)
        with ctx.at(expr.span):
            return tensors.logical(ctx, expr.op, [left, right])
    decided = holds(left, expr.left) is (expr.op == "or")
    return left if decided else evaluate(ctx, expr.right)


def _if(ctx: Context, expr: ast.IfExpr) -> Any:
    return evaluate(ctx, expr.then if truth(ctx, expr.condition) else expr.otherwise)


def _attribute(ctx: Context, expr: ast.Attribute) -> Any:
    return attribute(ctx, evaluate(ctx, expr.value), expr.name)


def _index(ctx: Context, expr: ast.Index) -> Any:
    value = evaluate(ctx, expr.value)
    if isinstance(value, Results):
        value = value[0]
    items = [_index_item(ctx, item) for item in expr.items]
    with ctx.at(expr.span):
        if isinstance(value, Value) and isinstance(value.type, SequenceType):
            return indexing.element(ctx, value, items)
        if isinstance(value, Value):
            items = [tensors.tensor_of(ctx, i) if isinstance(i, list) else i for i in items]
            return indexing.index(ctx, value, items)
        sequence = isinstance(value, (list, tuple, str)) and len(items) == 1
        if sequence and isinstance(items[0], (int, slice)) and not isinstance(items[0], bool):
            _require_known(ctx, items[0])
            try:
                found = value[items[0]]
                if isinstance(items[0], slice):
                    ctx.expansion.look_through(len(found), ctx.span)
                return found
            except IndexError:
                raise ctx.fail(
                    "NN0210", f"index {items[0]} is out of range for {describe(value)}"
                ) from None
        if isinstance(value, dict) and len(items) == 1:
            if items[0] not in value:
                near = did_you_mean(str(items[0]), map(str, value))
                raise ctx.fail("NN0103", f"there is no key {items[0]!r}", help=near)
            return value[items[0]]
        raise ctx.fail("NN0201", f"{describe(value)} cannot be indexed like this")


def _require_known(ctx: Context, item: Any) -> None:
    parts = (item.start, item.stop, item.step) if isinstance(item, slice) else ()
    for part in parts:
        if isinstance(part, Dim):
            raise ctx.fail(
                "NN0212", f"a list is cut at ints known while compiling, this is {describe(part)}"
            )


def _index_item(ctx: Context, item: ast.Expr) -> Any:
    if isinstance(item, ast.Splice):
        if item.value is not None:
            raise error("NN0201", "a splice cannot stand in an index", item.span)
        return Ellipsis
    if isinstance(item, ast.Slice):
        parts = [
            None if p is None else evaluate(ctx, p) for p in (item.start, item.stop, item.step)
        ]
        for part in parts:
            if part is not None and (isinstance(part, bool) or not isinstance(part, (int, Dim))):
                raise error("NN0201", f"a slice needs ints, this is {describe(part)}", item.span)
        if parts[2] == 0:
            raise error("NN0208", "a slice's step cannot be 0", item.span)
        return slice(*parts)
    value = evaluate(ctx, item)
    return value[0] if isinstance(value, Results) else value


def _call(ctx: Context, expr: ast.Call) -> Any:
    return calls.call(ctx, expr)


def _pipe(ctx: Context, expr: ast.Pipe) -> Any:
    """Stages are applied in a loop: a chain of a thousand layers is no deep recursion."""
    stages: list[ast.Pipe] = []
    node: ast.Expr = expr
    while isinstance(node, ast.Pipe):
        stages.append(node)
        node = node.value
    value = evaluate(ctx, node)
    for stage in reversed(stages):
        value = calls.pipe(ctx, stage, value)
        if ctx.watch is not None:
            ctx.watch.value(ctx, stage, value)
    return value


_HANDLERS: dict[type[ast.Expr], Callable[[Context, Any], Any]] = {
    ast.Ref: _ref,
    ast.Splice: _dots,
    ast.Int: _constant,
    ast.Float: _constant,
    ast.Bool: _constant,
    ast.String: _string,
    ast.NoneLiteral: lambda ctx, expr: None,
    ast.ListExpr: _list,
    ast.TupleExpr: _tuple,
    ast.Comprehension: _comprehension,
    ast.Unary: _unary,
    ast.Binary: _binary,
    ast.IfExpr: _if,
    ast.Attribute: _attribute,
    ast.Index: _index,
    ast.Call: _call,
    ast.Pipe: _pipe,
    ast.Scan: control.scan,
    ast.Loop: control.loop,
    ast.Cond: control.cond,
}
