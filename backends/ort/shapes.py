"""Bodies of `Dims`: sizes computed at run time from the shapes of the graph's inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from nncomp.dims import Dim, DimLike, Function, Symbol, bounds, equal, product
from nncomp.errors import error
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Dims
from nncomp.ir.graph import Node, Value
from nncomp.ir.op import Op
from nncomp.ir.sizes import linear
from nncomp.ops.elementwise import Add, Div, Max, Min, Mod, Mul, Sub
from nncomp.ops.shape import Shape
from nncomp.ops.shape_joining import Concat

_FUNCTIONS: dict[str, type[Op]] = {"min": Min, "max": Max}


class RuntimeShapes:
    """Knows where each symbol can be read, and computes each dim once, as an i64[1] vector.

    A symbol is read from an axis whose size is the symbol, or a linear expression of it alone
    (`8*h + 1`); inputs come before nodes' results.
    """

    def __init__(
        self, inputs: Iterable[Value], known: Mapping[Symbol, Value] = MappingProxyType({})
    ) -> None:
        """known: i64[1] values that hold a symbol's size"""
        self._sources: dict[Symbol, tuple[Value, int]] = {}
        self._offered: set[Dim] = set()
        self._sizes: dict[DimLike, Value] = {s.dim: value for s, value in known.items()}
        self._vectors: dict[Dims, Value] = {}
        inputs = list(inputs)
        for exact in (True, False):
            for value in inputs:
                self._offer_value(value, exact)

    def offer(self, values: Iterable[Value]) -> None:
        """Takes note of values that are computed by now."""
        for value in values:
            self._offer_value(value, exact=False)

    def _offer_value(self, value: Value, exact: bool) -> None:
        for axis, dim in enumerate(value.shape):
            if isinstance(dim, int) or dim in self._offered:
                continue
            if exact and dim.symbol is None:
                continue
            self._offered.add(dim)
            form = linear(dim)
            if form is not None:
                self._sources.setdefault(form[0], (value, axis))

    def vector(self, b: Builder, op: Dims, node: Node) -> Value:
        """The dims as an i64 vector."""
        if op not in self._vectors:
            parts: list[Value] = []
            known: list[int] = []
            for dim in op.dims:
                if isinstance(dim, int):
                    known.append(dim)
                    continue
                if known:
                    parts.append(b.ints(*known))
                    known = []
                parts.append(self._size(b, dim, node))
            if known:
                parts.append(b.ints(*known))
            result = parts[0] if len(parts) == 1 else b(Concat(axis=0), *parts)
            if result.type.elements != op.dims:  # which arithmetic on dims may not find again
                result.type = op.infer()
            self._vectors[op] = result
        return self._vectors[op]

    def _size(self, b: Builder, dim: DimLike, node: Node) -> Value:
        if isinstance(dim, int):
            return b.ints(dim)
        if dim not in self._sizes:
            symbol = dim.symbol
            if symbol is not None:
                self._sizes[dim] = self._read(b, symbol, node)
            else:
                self._sizes[dim] = self._polynomial(b, dim, node)
        return self._sizes[dim]

    def _read(self, b: Builder, symbol: Symbol, node: Node) -> Value:
        if symbol not in self._sources:
            spans = node.origin.spans
            raise error(
                "NN0206",
                f"the size `{symbol}` cannot be read from the shape of any input",
                spans[0] if spans else None,
                help=f"give an input an axis of size `{symbol}`",
            )
        value, axis = self._sources[symbol]
        size = b(Shape(start=axis, end=axis + 1), value)
        dim = value.shape[axis]
        form = None if isinstance(dim, int) else linear(dim)
        assert form is not None
        _, factor, offset = form
        if offset:
            size = b(Sub(), size, b.ints(offset))
        return size if factor == 1 else b(Div(), size, b.ints(factor))

    def _polynomial(self, b: Builder, dim: Dim, node: Node) -> Value:
        total: Value | None = None
        for monomial, coefficient in dim.terms.items():
            term: Value | None = None
            for atom in monomial:
                if isinstance(atom, Symbol):
                    factor = self._size(b, atom.dim, node)
                else:
                    factor = self._function(b, atom, node)
                term = factor if term is None else b(Mul(), term, factor)
            if term is None:
                term = b.ints(coefficient)
            elif coefficient != 1:
                term = b(Mul(), term, b.ints(coefficient))
            total = term if total is None else b(Add(), total, term)
        assert total is not None
        return total

    def _function(self, b: Builder, atom: Function, node: Node) -> Value:
        left, right = self._size(b, atom.left, node), self._size(b, atom.right, node)
        if atom.name in _FUNCTIONS:
            return b(_FUNCTIONS[atom.name](), left, right)
        if atom.name == "%":
            return b(Mod(), left, right)  # with the divisor's sign, as a dim's is
        if (bounds(atom.left)[0] or 0) < 0 or bounds(atom.left)[0] is None:
            left = b(Sub(), left, b(Mod(), left, right))  # Div rounds towards zero
        return b(Div(), left, right)


def static_reshape(shape: tuple[DimLike, ...], source: tuple[DimLike, ...]) -> list[int] | None:
    """Reshape's operand as known numbers: 0 copies an axis of the source, -1 is what is left.

    None where that cannot say it: -1 takes any number of elements, so it stands only where this is
    known to be the source's. It spares computing the shape at run time.
    """
    numbers: list[int] = []
    open_axis = False
    for axis, dim in enumerate(shape):
        if axis < len(source) and not isinstance(dim, int) and dim == source[axis]:
            numbers.append(0)
        elif isinstance(dim, int):
            if dim < 1:
                return None
            numbers.append(dim)
        elif open_axis:
            return None
        else:
            open_axis = True
            numbers.append(-1)
    if open_axis and any((bounds(d)[0] or 0) < 1 for d in shape if not isinstance(d, int)):
        return None
    if open_axis and equal(product(shape), product(source)) is not True:
        return None
    return numbers
