"""Readable, unique names for the values, nodes and dims of an emitted model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nncomp.dims import Dim, DimLike, Symbol, substitute
from nncomp.ir.graph import Node
from nncomp.types import Array


class Names:
    """Hands out names, each once: a name that is taken gets `_2`, `_3`, …"""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def take(self, wanted: str) -> str:
        """The wanted name, or the next free one made from it."""
        count = self._taken.get(wanted, 0)
        self._taken[wanted] = count + 1
        if count == 0:
            return wanted
        name = f"{wanted}_{count + 1}"
        while name in self._taken:
            count += 1
            name = f"{wanted}_{count + 1}"
        self._taken[wanted] = count + 1
        self._taken[name] = 1
        return name

    def __contains__(self, name: str) -> bool:
        return name in self._taken


def scoped(node: Node, hint: str) -> str:
    """`scope/hint`, the hint alone at the top; the operator's name where there is no hint."""
    last = hint or node.op.name
    scope = node.origin.scope
    return f"{scope}/{last}" if scope and not last.startswith(scope) else last


def constant_hint(array: Array) -> str:
    """A name for a constant without one: its value where that is short."""
    if array.dtype.kind == "O":
        return "const"
    if array.ndim == 0:
        return f"const.{array.item():g}" if array.dtype.kind == "f" else f"const.{array.item()}"
    if array.ndim == 1 and 0 < array.size <= 4 and array.dtype.kind in "iu":
        return "const." + ".".join(str(item) for item in array.tolist())
    return "const"


class DimNames:
    """Writes dims as text. Two symbols of one name are two dims, so they get two names:
    a runtime takes equal texts for equal sizes."""

    def __init__(self) -> None:
        self._names = Names()
        self._renamed: dict[Symbol, Dim] = {}
        self._seen: set[Symbol] = set()

    def text(self, dim: Dim) -> str:
        for symbol in sorted(dim.symbols(), key=lambda s: s.order):
            if symbol not in self._seen:
                self._seen.add(symbol)
                name = self._names.take(symbol.name)
                if name != symbol.name:
                    self._renamed[symbol] = Symbol(name, symbol.minimum, symbol.maximum).dim
        return str(substitute(dim, self._mapping()))

    def shape(self, shape: Iterable[DimLike]) -> list[int | str]:
        return [dim if isinstance(dim, int) else self.text(dim) for dim in shape]

    def _mapping(self) -> Mapping[Symbol, DimLike]:
        return self._renamed
