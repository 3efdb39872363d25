"""What a value is as a polynomial: how one step of a recurrent network is read.

Sums and products of slices along the last axis are multiplied out, so that it does not matter in
which order operands stand, whether gates are computed together or each for itself, or whether a
state is n + z · (h - n) or (1 - z) · n + z · h. What is no sum or product (a function, a matrix
product, a state) is an *atom*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Node, Value
from nncomp.ops.conversion import Identity
from nncomp.ops.elementwise import Add, Mul, Neg, Sub
from nncomp.ops.forms import window
from nncomp.ops.linear import Gemm
from nncomp.ops.rules import normalize_axis
from nncomp.ops.shape_joining import Split
from nncomp.ops.shape_slicing import Slice

_MOST_TERMS = 64
Coefficient = float | Value
"""A number, or a value outside of the step that is known before the run: rank 0, or one for each
column, [w] or [1, w]."""


@dataclass(frozen=True)
class Atom:
    """Columns [start, stop) of a value. Of a product they are those of A · B alone, without what a
    Gemm adds or scales."""

    value: Value
    start: int
    stop: int


Term = tuple[Atom, ...]
Polynomial = Mapping[Term, Coefficient]
"""Coefficients of products of atoms; of () for what is added. Atoms stand in a fixed order."""


class Algebra:
    """Polynomials of the values of a graph.

    known: what stands outside for a value that is known before the run; None for others
    given: values that are atoms whatever they are made of, when another node reads them
    b: makes the nodes that compute coefficients
    """

    def __init__(
        self, b: Builder, known: Callable[[Value], Value | None], given: Sequence[Value]
    ) -> None:
        self.b = b
        self._is_known = known
        self._known: dict[Value, Value | None] = {}
        self._given = frozenset(given)
        self._read: dict[Value, Polynomial] = {}
        self._places: dict[Value, int] = {}

    def known(self, value: Value) -> Value | None:
        """What stands outside for a value that is the same in each step, if it is."""
        if value not in self._known:
            self._known[value] = self._is_known(value) or self._outside(value)
        return self._known[value]

    def _outside(self, value: Value) -> Value | None:
        """A value of the step that is made of known ones alone, made again outside."""
        node = value.node
        if node is None or not node.op.pure or node.op.bodies or value in self._given:
            return None
        if isinstance(node.op, Dims):
            return None
        operands = [None if v is None else self.known(v) for v in node.inputs]
        if any(
            made is None and v is not None for made, v in zip(operands, node.inputs, strict=True)
        ):
            return None
        return self.b.add(node.op, operands).outputs[value.index]

    def read(self, value: Value) -> Polynomial:
        """The polynomial of a value as other nodes see it: what is given is an atom."""
        if value not in self._read:
            self._read[value] = self.atom(value) if value in self._given else self.definition(value)
        return self._read[value]

    def definition(self, value: Value) -> Polynomial:
        """The polynomial that a value is made as."""
        known = self.known(value)
        if known is not None:
            return {(): self._coefficient(known)}
        node = value.node
        if node is None:
            return self.atom(value)
        found = self._made(node, value)
        if found is None or len(found) > _MOST_TERMS:
            return self.atom(value)
        return found

    def atom(self, value: Value) -> Polynomial:
        """The value as it is."""
        width = value.shape[-1] if value.rank else None
        if not isinstance(width, int):
            width = -1
        self._places.setdefault(value, len(self._places))
        return {(Atom(value, 0, width),): 1.0}

    def columns(self, polynomial: Polynomial, start: int, stop: int) -> Polynomial:
        """Those columns of what the polynomial is."""
        cut: dict[Term, Coefficient] = {}
        for term, factor in polynomial.items():
            atoms = tuple(
                a if a.stop - a.start == 1 else Atom(a.value, a.start + start, a.start + stop)
                for a in term
            )
            cut[atoms] = self._cut(factor, start, stop)
        return cut

    def _made(self, node: Node, value: Value) -> Polynomial | None:
        op = node.op
        if isinstance(op, Add | Sub | Mul):
            left, right = (self.read(v) for v in node.operands)
            if isinstance(op, Mul):
                return self._product(left, right)
            return self._sum(left, right, 1.0 if isinstance(op, Add) else -1.0)
        if isinstance(op, Neg):
            return self._scaled(self.read(node.operands[0]), -1.0)
        if isinstance(op, Identity):
            return self.read(node.operands[0])
        if isinstance(op, Gemm):
            scaled = self._scaled(self.atom(value), op.alpha)
            if len(node.operands) < 3:
                return scaled
            return self._sum(scaled, self.read(node.operands[2]), op.beta)
        if isinstance(op, Split | Slice):
            bounds = _columns_of(node, value)
            if bounds is not None:
                return self.columns(self.read(node.operands[0]), *bounds)
        return None

    def _sum(self, left: Polynomial, right: Polynomial, factor: float) -> Polynomial:
        found = dict(left)
        for term, coefficient in self._scaled(right, factor).items():
            total = self.plus(found.get(term, 0.0), coefficient)
            found[term] = total
        return {term: c for term, c in found.items() if c != 0.0}

    def _scaled(self, polynomial: Polynomial, factor: float) -> Polynomial:
        return {term: self.times(c, factor) for term, c in polynomial.items()}

    def _product(self, left: Polynomial, right: Polynomial) -> Polynomial | None:
        if len(left) * len(right) > _MOST_TERMS:
            return None
        found: dict[Term, Coefficient] = {}
        for one, c in left.items():
            for other, d in right.items():
                term = tuple(sorted((*one, *other), key=self._place))
                found[term] = self.plus(found.get(term, 0.0), self.times(c, d))
        return {term: c for term, c in found.items() if c != 0.0}

    def _place(self, atom: Atom) -> tuple[int, int]:
        return self._places[atom.value], atom.start

    def plus(self, a: Coefficient, b: Coefficient) -> Coefficient:
        """The sum of two coefficients."""
        if a == 0.0 or b == 0.0:
            return b if a == 0.0 else a
        if isinstance(a, float) and isinstance(b, float):
            return a + b
        return self.b(Add(), a, b)

    def times(self, a: Coefficient, b: Coefficient) -> Coefficient:
        """The product of two coefficients."""
        if a == 1.0 or b == 1.0:
            return b if a == 1.0 else a
        if isinstance(a, float) and isinstance(b, float):
            return a * b
        return self.b(Mul(), a, b)

    def _coefficient(self, known: Value) -> Coefficient:
        if known.node is not None and isinstance(known.node.op, Constant):
            array = known.node.op.value.array
            if array.size == 1 and array.dtype.kind == "f":
                return float(array.reshape(()))
        return known

    def _cut(self, factor: Coefficient, start: int, stop: int) -> Coefficient:
        if isinstance(factor, float) or not factor.rank or factor.shape[-1] == 1:
            return factor
        axis = factor.rank - 1
        return window(self.b, factor, (start,), (stop - start,), (axis,))


def _columns_of(node: Node, value: Value) -> tuple[int, int] | None:
    """Which columns of its operand a Split or Slice gives; None where it is another axis."""
    x = node.operands[0]
    if isinstance(node.op, Split):
        if normalize_axis(node.op.axis, x.rank) != x.rank - 1:
            return None
        widths = [v.shape[-1] for v in node.outputs]
        if not all(isinstance(w, int) for w in widths):
            return None
        first = sum(w for w in widths[: value.index] if isinstance(w, int))
        own = widths[value.index]
        assert isinstance(own, int)
        return first, first + own
    assert isinstance(node.op, Slice)
    types = [v.type if v is not None else None for v in node.inputs]
    if any(t is not None and t.elements is None for t in types[1:]):
        return None
    found = None
    for stretch in node.op.stretches(*types):  # type: ignore[arg-type]
        start, count = stretch.start, stretch.count
        whole = start == 0 and count == x.shape[stretch.axis]
        if stretch.step != 1 or not (isinstance(start, int) and isinstance(count, int)):
            if whole and stretch.step == 1:
                continue
            return None
        if stretch.axis == x.rank - 1:
            found = start, start + count
        elif not whole:
            return None
    return found
