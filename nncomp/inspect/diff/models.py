"""Two models with their weights: everything that differs."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nncomp.collector import collector_paused
from nncomp.dims import Dim
from nncomp.inspect.diff.comparison import Comparison
from nncomp.inspect.diff.form import MAX_SHOWN, Form, Leaf
from nncomp.inspect.diff.matching import NONE
from nncomp.inspect.diff.result import PARTS, Change, Detail, Diff, Side
from nncomp.inspect.diff.signs import Signs
from nncomp.inspect.diff.symbols import Symbols
from nncomp.inspect.diff.tensors import Tolerance, Weights, compare_values, compare_weights
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Value
from nncomp.types import Array, DType, TensorType

MIN_TABLE = 64  # elements from which on a named constant of integers is a weight


@dataclass(frozen=True)
class Model:
    """What is compared.

    file: for messages; arrays: of the graph's parameters, by path, each read when it is needed
    """

    file: str
    graph: Graph
    arrays: Mapping[str, Array]


@collector_paused()
def compare(a: Model, b: Model, tolerance: Tolerance | None = None) -> Diff:
    """What differs between two models.

    tolerance: within which numbers of weights are the same; without, they are not compared
    CompileError if weights cannot be read.
    """
    return _Models(a, b).diff(tolerance)


class _Models:
    """One comparison."""

    def __init__(self, a: Model, b: Model) -> None:
        self.a, self.b = a, b
        self.tables_a, self.tables_b = _tables(a.graph), _tables(b.graph)
        self.names_a, self.names_b = (
            _weight_names(a, self.tables_a),
            _weight_names(b, self.tables_b),
        )
        self.symbols = Symbols()

    def diff(self, tolerance: Tolerance | None) -> Diff:
        a, b = self.a, self.b
        pairs = _paired_inputs(a.graph, b.graph)
        self.symbols.meet((left.type, right.type) for left, right in pairs.values())
        weights = Weights(_types(self.names_a), _types(self.names_b))
        if tolerance is not None:
            arrays = _Arrays(a.arrays, self.tables_a), _Arrays(b.arrays, self.tables_b)
            compare_weights(weights, *arrays, tolerance)
        keys_a, keys_b = weights.keys()
        form_a = self._form(a.graph, self.names_a, keys_a, pairs, 0)
        form_b = self._form(b.graph, self.names_b, keys_b, pairs, 1)
        comparison = Comparison(form_a, form_b, Signs(), self.symbols, (self.names_a, self.names_b))
        for left, right in pairs.values():
            if not self.symbols.same(left.type, right.type):
                comparison.resized(left)
        by_name = {name: value for value, name in self.names_a.items()}
        for name, type_ in weights.a.items():
            if weights.b.get(name, type_) != type_:
                comparison.resized(by_name[name])
        found = [
            *self._heads(),
            *self._inputs(pairs),
            *self._obligations(),
            *comparison.nodes(),
            *comparison.results(),
        ]
        found += self._weights(weights, comparison.renamed, tolerance)
        found.sort(key=lambda change: PARTS.index(change.part))
        to_b, to_a = comparison.matching.to_b, comparison.matching.to_a
        side_by_side = [
            (node, None if j == NONE else form_b.nodes[j])
            for node, j in zip(form_a.nodes, to_b, strict=True)
        ]
        only_b = [(None, n) for n, i in zip(form_b.nodes, to_a, strict=True) if i == NONE]
        return Diff(
            Side(a.file, a.graph.name, len(form_a), len(weights.a)),
            Side(b.file, b.graph.name, len(form_b), len(weights.b)),
            tuple(found),
            len(weights.same) if tolerance is not None else None,
            (a.graph, b.graph),
            (*side_by_side, *only_b),
        )

    def _form(
        self,
        graph: Graph,
        names: Mapping[Value, str],
        keys: Mapping[str, Hashable],
        pairs: Mapping[str, tuple[Value, Value]],
        side: int,
    ) -> Form:
        leaves = {value: Leaf(keys[name], name, value) for value, name in names.items()}
        places = {pair[side]: name for name, pair in pairs.items()}
        for value in graph.inputs:
            key: Hashable = ("input", places.get(value, (side, value.name)))
            leaves[value] = Leaf(key, value.name, value)
        dim_key = self.symbols.right_key if side else self.symbols.left_key
        return Form(graph, leaves.get, dim_key)

    # --- what is not a node ----------------------------------------------------------------------

    def _heads(self) -> Iterator[Change]:
        """The names of the models, and of the sizes that their inputs have."""
        if self.a.graph.name != self.b.graph.name:
            yield Change("model", "renamed", self.a.graph.name, new_path=self.b.graph.name)
        for symbol, size in self.symbols.names.items():
            if isinstance(size, Dim) and str(size) != symbol.name:
                yield Change("dimension", "renamed", str(size), new_path=symbol.name)

    def _inputs(self, pairs: Mapping[str, tuple[Value, Value]]) -> Iterator[Change]:
        for value in self.a.graph.inputs:
            if value.name not in pairs:
                yield Change("input", "removed", value.name, type=str(value.type))
        for left, right in pairs.values():
            details = []
            if not self.symbols.same_as_stated(left.type, right.type):
                details.append(Detail("type", str(left.type), str(right.type)))
            defaults = self.a.graph.defaults.get(left.name), self.b.graph.defaults.get(right.name)
            if defaults[0] != defaults[1]:
                details.append(Detail("default", *defaults))
            if details or left.name != right.name:
                yield Change(
                    "input",
                    "changed" if details else "renamed",
                    left.name,
                    new_path=right.name if right.name != left.name else None,
                    details=tuple(details),
                )
        known = {id(right) for _, right in pairs.values()}
        for value in self.b.graph.inputs:
            if id(value) not in known:
                yield Change("input", "added", value.name, type=str(value.type))
        yield from self._order("input", self.a.graph.inputs, self.b.graph.inputs)

    def _order(
        self, part: Any, left: tuple[Value, ...], right: tuple[Value, ...]
    ) -> Iterator[Change]:
        names = [value.name for value in right]
        mine = [value.name for value in left if value.name in names]
        theirs = [name for name in names if name in mine]
        if mine != theirs:
            yield Change(part, "changed", mine[0], details=(Detail("order", mine, theirs),))

    def _obligations(self) -> Iterator[Change]:
        mine = {str(o): o for o in self.a.graph.obligations}
        theirs = {}
        for obligation in self.b.graph.obligations:
            clause = tuple(c.at(self.symbols.names) for c in obligation.clause)
            renamed = replace(obligation, clause=clause)
            theirs[str(renamed)] = renamed
        for text in mine.keys() - theirs.keys():
            yield Change("obligation", "removed", text)
        for text in theirs.keys() - mine.keys():
            yield Change("obligation", "added", text)

    # --- weights ---------------------------------------------------------------------------------

    def _weights(
        self, weights: Weights, beside: Mapping[str, str], tolerance: Tolerance | None
    ) -> Iterator[Change]:
        renamed = {**beside, **weights.moved}
        kinds_a, kinds_b = _kinds(self.a.graph), _kinds(self.b.graph)
        arrays = _Arrays(self.a.arrays, self.tables_a), _Arrays(self.b.arrays, self.tables_b)
        for name, old in weights.a.items():
            other = renamed.get(name, name)
            new = weights.b.get(other)
            if new is None or (name not in renamed and name in renamed.values()):
                yield Change("weight", "removed", name, type=str(old))
                continue
            details = []
            if old.shape != new.shape:
                details.append(Detail("shape", list(old.static_shape), list(new.static_shape)))
            if old.dtype is not new.dtype:
                details.append(Detail("dtype", str(old.dtype), str(new.dtype)))
            if kinds_a.get(name) != kinds_b.get(other):
                details.append(Detail("kind", kinds_a.get(name), kinds_b.get(other)))
            values = weights.values.get(name) if other == name else None
            if name in beside and name not in weights.moved and tolerance and not details:
                values = compare_values(arrays[0][name], arrays[1][other], tolerance)
            new_path = other if other != name else None
            if details or values:
                yield Change(
                    "weight", "changed", name, new_path, "", str(old), "", tuple(details), values
                )
            elif new_path:
                yield Change("weight", "renamed", name, new_path, type=str(old))
        reached = {renamed.get(name, name) for name in weights.a}
        for name, new in weights.b.items():
            if name not in reached:
                yield Change("weight", "added", name, type=str(new))


class _Arrays(Mapping[str, Array]):
    """The arrays of parameters, and of the constants that are weights."""

    def __init__(self, arrays: Mapping[str, Array], tables: Mapping[str, Value]) -> None:
        self._arrays, self._tables = arrays, tables

    def __getitem__(self, name: str) -> Array:
        if name in self._tables:
            node = self._tables[name].node
            assert node is not None
            assert isinstance(node.op, Constant)
            return node.op.value.array
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        yield from {**dict.fromkeys(self._arrays), **dict.fromkeys(self._tables)}

    def __len__(self) -> int:
        return len({*self._arrays, *self._tables})


def _tables(graph: Graph) -> dict[str, Value]:
    """Constants that are weights, by name: floats, and long lists of integers."""
    taken = {p.path for p in graph.parameters}
    found: dict[str, Value] = {}
    for node in graph.nodes:
        if isinstance(node.op, Constant):
            value, array = node.outputs[0], node.op.value.array
            long = array.size > (MAX_SHOWN if DType.of(array).is_float else MIN_TABLE)
            is_weight = array.ndim and long and DType.of(array) is not DType.STRING
            if value.name and is_weight and value.name not in taken:
                found.setdefault(value.name, value)
    return found


def _weight_names(model: Model, tables: Mapping[str, Value]) -> dict[Value, str]:
    names = {p.value: p.path for p in model.graph.parameters}
    return names | {value: name for name, value in tables.items()}


def _types(names: Mapping[Value, str]) -> dict[str, TensorType]:
    return {name: TensorType(value.type.dtype, value.shape) for value, name in names.items()}


def _kinds(graph: Graph) -> dict[str, str]:
    return {p.path: p.kind for p in graph.parameters}


def _paired_inputs(a: Graph, b: Graph) -> dict[str, tuple[Value, Value]]:
    """The inputs of both by the first model's names: those of one name, and of one dtype and rank
    if they are alone in that."""
    theirs = {value.name: value for value in b.inputs}
    found = {v.name: (v, theirs[v.name]) for v in a.inputs if v.name in theirs}
    kinds_a = _alone([v for v in a.inputs if v.name not in found])
    kinds_b = _alone([v for v in b.inputs if v.name not in found])
    for kind, left in kinds_a.items():
        if kind in kinds_b:
            found[left.name] = (left, kinds_b[kind])
    return {value.name: found[value.name] for value in a.inputs if value.name in found}


def _alone(values: list[Value]) -> dict[Hashable, Value]:
    found: dict[Hashable, list[Value]] = {}
    for value in values:
        found.setdefault((value.type.dtype, value.rank), []).append(value)
    return {kind: same[0] for kind, same in found.items() if len(same) == 1}
