"""What the rules that recognise formulas ask: which numbers, factors and polynomials stand there,
and who reads a step of them from outside."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from nncomp.ir.graph import Node, Value
from nncomp.ops.elementwise import Add, Div, Mul, Neg, Sub
from nncomp.ops.elementwise_math import Pow, Reciprocal, Sqrt, constant_number
from nncomp.ops.reduction import ReduceMean
from nncomp.passes.eliminate_no_ops import operand, same_type
from nncomp.passes.rewrite import Facts

_DEEPEST = 6  # nodes from a polynomial's result to its variable


def is_number(value: Value | None, wanted: float) -> bool:
    """Whether the value is a constant of one element that rounds to the number."""
    found = constant_number(value)
    return found is not None and value is not None and near(found, wanted, value)


def near(found: float, wanted: float, like: Value) -> bool:
    """Whether two numbers differ by no more than a few roundings in the value's dtype."""
    if not like.type.dtype.is_float:
        return found == wanted
    eps = like.type.dtype.epsilon
    return abs(found - wanted) <= 8 * eps * abs(wanted)


def why_not_closed(facts: Facts, nodes: Collection[Node], last: Node) -> str | None:
    """None if only the nodes themselves read what they compute, but for the last one's results;
    else who does."""
    inside = Counter(value for node in nodes for value in node.operands)
    for node in nodes:
        if node is last:
            continue
        for value in node.outputs:
            if value in facts.results:
                return f"the result of {node.op.name} in it is an output of the graph"
            others = facts.reads[value] - inside[value]
            if others > 0:
                readers = f"{others} other reader{'s' if others > 1 else ''}"
                return f"{node.op.name} in it has {readers}"
    return None


@dataclass(frozen=True)
class Product:
    """scale · Π values, and the nodes that multiply them."""

    scale: float
    values: tuple[Value, ...]
    nodes: tuple[Node, ...]


def product_of(node: Node, facts: Facts) -> Product:
    """The factors that a Mul, or a Div by a number, multiplies: its operands, and those of
    products among them that nothing else reads."""
    scale, values, nodes = 1.0, [], [node]
    for current in nodes:  # which grows
        is_div = isinstance(current.op, Div)
        for place, value in enumerate(current.operands):
            number = constant_number(value)
            if number is not None and is_div and place:
                scale = scale / number if number else math.nan
            elif number is not None:
                scale *= number
            elif len(nodes) < _DEEPEST and _is_private_product(value, facts):
                assert value.node is not None
                nodes.append(value.node)
            else:
                values.append(value)
    return Product(scale, tuple(values), tuple(nodes))


def _is_private_product(value: Value, facts: Facts) -> bool:
    node = operand(value, Mul, Div)
    if node is None or (isinstance(node.op, Div) and constant_number(node.inputs[1]) is None):
        return False
    return facts.why_not_private(value) is None


@dataclass(frozen=True)
class Polynomial:
    """Σ coefficients[n] · xⁿ, and the nodes that compute it."""

    coefficients: Mapping[int, float]
    nodes: frozenset[Node]

    def is_near(self, wanted: Mapping[int, float], like: Value) -> bool:
        """Whether it is that polynomial, but for rounding."""
        found = self.coefficients
        return found.keys() == wanted.keys() and all(
            near(found[power], number, like) for power, number in wanted.items()
        )


def polynomial_in(value: Value | None, x: Value, depth: int = _DEEPEST) -> Polynomial | None:
    """The value as a polynomial in x, if sums, products and powers by numbers compute it."""
    if value is x:
        return Polynomial({1: 1.0}, frozenset())
    number = constant_number(value)
    if number is not None:
        return Polynomial({0: number}, frozenset())
    node = value.node if value is not None else None
    if node is None or not depth or not isinstance(node.op, Add | Sub | Mul | Div | Neg | Pow):
        return None
    parts = []
    for v in node.operands:
        part = polynomial_in(v, x, depth - 1)
        if part is None:
            return None
        parts.append(part)
    found = _combined(node, [p.coefficients for p in parts])
    if found is None:
        return None
    return Polynomial(found, frozenset([node]).union(*(p.nodes for p in parts)))


def _combined(node: Node, parts: list[Mapping[int, float]]) -> Mapping[int, float] | None:
    first, *others = parts
    if isinstance(node.op, Neg):
        return {n: -c for n, c in first.items()}
    (second,) = others
    if isinstance(node.op, Add | Sub):
        sign = 1 if isinstance(node.op, Add) else -1
        return {n: first.get(n, 0) + sign * second.get(n, 0) for n in first.keys() | second.keys()}
    if isinstance(node.op, Mul):
        return _times(first, second)
    if second.keys() != {0}:
        return None
    if isinstance(node.op, Div):
        return {n: c / second[0] for n, c in first.items()} if second[0] else None
    if second[0] not in (1, 2, 3):
        return None
    found = first
    for _ in range(int(second[0]) - 1):
        found = _times(found, first)
    return found


def _times(left: Mapping[int, float], right: Mapping[int, float]) -> dict[int, float]:
    found: dict[int, float] = {}
    for n, c in left.items():
        for m, d in right.items():
            found[n + m] = found.get(n + m, 0.0) + c * d
    return found


@dataclass(frozen=True)
class Normal:
    """x / √(mean(x²) + epsilon), the mean over the axes from `axis` on, and the nodes that
    compute it."""

    x: Value
    axis: int
    epsilon: float
    nodes: tuple[Node, ...]


def normal_of(node: Node) -> Normal | None:
    """What a Div or Mul normalises by its root mean square."""
    for x, root, nodes in _over_root(node):
        add = operand(root, Add)
        if add is None or not same_type(x, node.outputs[0]):
            continue
        for mean, epsilon in (add.inputs, add.inputs[::-1]):
            number = constant_number(epsilon)
            found = trailing_mean(mean)
            if number is None or found is None:
                continue
            square = found.x.node
            if square is not None and _is_square_of(square, x):
                return Normal(x, found.axis, number, (node, *nodes, add, found.node, square))
    return None


def _over_root(node: Node) -> Iterator[tuple[Value, Value, tuple[Node, ...]]]:
    """x and v where the node is x / √v, and the other nodes that compute it."""
    first, second = node.inputs
    assert first is not None
    assert second is not None
    if isinstance(node.op, Div):
        root = _root(second, 0.5)
        if root is not None:
            yield first, *root
        return
    for x, inverse in ((first, second), (second, first)):
        found = _root(inverse, -0.5)
        if found is not None:
            yield x, *found
        above = operand(inverse, Reciprocal, Div)
        if above is None or (isinstance(above.op, Div) and not is_number(above.inputs[0], 1)):
            continue
        root = _root(above.inputs[-1], 0.5)
        if root is not None:
            yield x, root[0], (above, *root[1])


def _root(value: Value | None, power: float) -> tuple[Value, tuple[Node, ...]] | None:
    """v where the value is v to the power, ½ or -½."""
    node = operand(value, Sqrt, Pow)
    if node is None or node.inputs[0] is None:
        return None
    if isinstance(node.op, Sqrt):
        return (node.inputs[0], (node,)) if power == 0.5 else None
    return (node.inputs[0], (node,)) if constant_number(node.inputs[1]) == power else None


def _is_square_of(node: Node, x: Value) -> bool:
    if isinstance(node.op, Mul):
        return node.inputs[0] is x and node.inputs[1] is x
    return isinstance(node.op, Pow) and node.inputs[0] is x and is_number(node.inputs[1], 2)


@dataclass(frozen=True)
class TrailingMean:
    """The mean of x over the axes from `axis` on, which are kept."""

    x: Value
    axis: int
    node: Node


def trailing_mean(value: Value | None) -> TrailingMean | None:
    node = operand(value, ReduceMean)
    if node is None:
        return None
    op, x = node.op, node.inputs[0]
    assert isinstance(op, ReduceMean)
    assert x is not None
    axes = node.inputs[1] if len(node.inputs) > 1 else None
    if not op.keepdims or (axes is not None and axes.type.elements is None):
        return None
    found = sorted(op.axes(x.type, None if axes is None else axes.type))
    if not found or found != list(range(found[0], x.rank)):
        return None
    return TrailingMean(x, found[0], node)
