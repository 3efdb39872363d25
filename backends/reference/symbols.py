"""Symbolic dims at run time: their values follow from the shapes of inputs and parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from nncomp.dims import Dim, DimLike, Symbol, substitute
from nncomp.errors import CompileError, error
from nncomp.types import Array, TensorType, is_container


@dataclass(frozen=True, slots=True)
class _Fact:
    """A dim of a type, and the size that the array has there."""

    dim: DimLike
    size: int
    axis: int
    what: str
    type: TensorType
    shape: tuple[int, ...]
    code: str

    def clash(self, reason: str) -> CompileError:
        return error(
            self.code,
            f"{self.what} has shape {list(self.shape)}, which is no {self.type}: "
            f"axis {self.axis} {reason}",
        )


@dataclass
class Symbols:
    """Collects what is known of the symbols, and evaluates dims."""

    values: dict[Symbol, DimLike] = field(default_factory=dict)
    _facts: list[_Fact] = field(default_factory=list)

    def add(self, what: str, type: TensorType, shape: tuple[int, ...], code: str) -> None:
        """An array of that shape stands for the type. CompileError `code` if ranks differ."""
        if len(shape) != type.rank:
            raise error(code, f"{what} has shape {list(shape)}, but is {type}")
        for axis, (dim, size) in enumerate(zip(type.shape, shape, strict=True)):
            self._facts.append(_Fact(dim, size, axis, what, type, shape, code))

    def learn(self, types: Iterable[TensorType], arrays: Sequence[Array]) -> None:
        """Binds the symbols that stand alone for a size which only the run knows."""
        for type_, array in zip(types, arrays, strict=True):
            if is_container(type_):
                continue
            for dim, size in zip(type_.shape, array.shape, strict=True):
                symbol = dim.symbol if isinstance(dim, Dim) else None
                if symbol is not None:
                    self.values[symbol] = size

    def solve(self) -> None:
        """Binds every symbol that a size determines, then checks all sizes."""
        open_facts = self._facts
        while True:
            left = [fact for fact in open_facts if not self._bind(fact)]
            if len(left) == len(open_facts):
                break
            open_facts = left
        for fact in self._facts:
            expected = substitute(fact.dim, self.values)
            if expected != fact.size and isinstance(expected, int):
                raise fact.clash(f"has size {fact.size}, not {_told(fact.dim, expected)}")

    def _bind(self, fact: _Fact) -> bool:
        """Whether the fact has nothing more to tell; binds the symbol of `factor·symbol + rest`."""
        dim = substitute(fact.dim, self.values)
        if isinstance(dim, int):
            return True
        symbols = dim.symbols()
        if len(symbols) != 1:
            return False
        (symbol,) = symbols
        factor = dim.terms.get((symbol,), 0)
        rest = dim - symbol.dim * factor
        if not factor or not isinstance(rest, int):
            return False
        value, over = divmod(fact.size - rest, factor)
        if over:
            raise fact.clash(f"has size {fact.size}, which is not of the form {dim}")
        if value < symbol.minimum:
            raise fact.clash(f"has size {fact.size}: {symbol} would be {value}")
        self.values[symbol] = value
        return True

    def value(self, dim: DimLike) -> int:
        """The dim as an integer. CompileError if a symbol in it has no value."""
        try:
            found = substitute(dim, self.values)
        except ZeroDivisionError:
            raise error("NN0503", f"the size {dim} divides by zero for these inputs") from None
        if isinstance(found, Dim):
            names = ", ".join(sorted(s.name for s in found.symbols()))
            raise error("NN0503", f"no input's shape determines {names} in the size {dim}")
        return found


def _told(dim: DimLike, value: int) -> str:
    return str(value) if isinstance(dim, int) else f"{dim} = {value}"
