"""Random well-typed graphs, in the manner of NNSmith (Liu et al., ASPLOS 2023).

Recipes (`recipes`) add one operator each, with operands, shapes and attributes that fit. Beside
each value its numbers are computed for one batch size, so that what is not finite, or nearer to a
kink than differences can see, is not built upon. The batch is a symbol; sizes of one shape differ
from each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from nncomp.backends.reference.interpreter import evaluate
from nncomp.dims import Dim, DimLike, Symbol, new_dim, substitute
from nncomp.errors import CompileError
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.op import Op
from nncomp.ops.activation import Tanh
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.reduction import ReduceSum
from nncomp.types import Array, DType, TensorType

T = TypeVar("T")
SIZES = (2, 4, 5, 6, 8)
BATCH = 3  # of the numbers beside the values; no other size
LARGEST = 20.0  # numbers beyond are brought back by tanh
ELEMENTS = 4000  # of one tensor
MARGIN = 5e-4  # nothing is compared that is nearer


class UnfitError(Exception):
    """A recipe that finds no operands that it takes."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A random graph: `loss` is its output; all inputs are f64. `arrays` are those of BATCH."""

    graph: Graph
    loss: Value
    batch: Symbol
    arrays: dict[str, Array]
    kinds: tuple[str, ...]

    def inputs(self, batch: int, seed: int = 0) -> dict[str, Array]:
        """Other numbers, for any batch size."""
        rng = np.random.default_rng([seed, batch])
        return {
            v.name: rng.standard_normal(_sizes(v.shape, self.batch, batch))
            for v in self.graph.inputs
        }


def _sizes(shape: Sequence[DimLike], batch: Symbol, size: int) -> tuple[int, ...]:
    found = (substitute(d, {batch: size}) for d in shape)
    return tuple(d for d in found if isinstance(d, int))


class Generator:
    """Collects one graph."""

    def __init__(self, seed: int | Sequence[int]) -> None:
        self.rng = np.random.default_rng(seed)
        self.b = Builder()
        self.batch: Dim = new_dim("N")
        self.inputs: list[Value] = []
        self.arrays: dict[Value, Array] = {}
        self.pool: list[Value] = []

    # --- choices -----------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def integer(self, low: int, high: int) -> int:
        """Within both bounds."""
        return int(self.rng.integers(low, high + 1))

    def one_of(self, items: Sequence[T]) -> T:
        if not items:
            raise UnfitError
        return items[self.integer(0, len(items) - 1)]

    def value(self, fits: Callable[[Value], bool] = lambda v: True) -> Value:
        """A value that there is; the newer ones more often."""
        found = [v for v in self.pool if fits(v)]
        if not found:
            raise UnfitError
        weights = np.arange(1, len(found) + 1, dtype=float)
        return found[int(self.rng.choice(len(found), p=weights / weights.sum()))]

    def ranked(self, *ranks: int) -> Value:
        """A value of one of these ranks, a new input if there is none."""
        found = [v for v in self.pool if v.rank in ranks]
        if found and self.chance(0.8):
            return self.value(lambda v: v.rank in ranks)
        return self.input(self.shape(self.one_of(ranks)))

    def axis(self, x: Value, fits: Callable[[DimLike], bool] = lambda d: True) -> int:
        return self.one_of([a for a, d in enumerate(x.shape) if fits(d)])

    def axes(self, x: Value) -> tuple[int, ...]:
        """Some axes, at least one, in order."""
        if not x.rank:
            raise UnfitError
        count = self.integer(1, min(2, x.rank))
        return tuple(sorted(self.rng.permutation(x.rank)[:count].tolist()))

    def shape(self, rank: int) -> tuple[DimLike, ...]:
        """Sizes that differ; mostly the batch first."""
        sizes = [int(s) for s in self.rng.permutation(SIZES)[:rank]]
        if rank and self.chance(0.7):
            return (self.batch, *sizes[1:])
        return tuple(sizes)

    def input(self, shape: Sequence[DimLike], array: Array | None = None) -> Value:
        """A new input, of normal numbers unless they are given."""
        value = Value(TensorType(DType.F64, tuple(shape)), f"x{len(self.inputs)}")
        if array is None:
            array = self.rng.standard_normal(self.sizes(shape))
        self.inputs.append(value)
        self.arrays[value] = array
        self.pool.append(value)
        return value

    def sizes(self, shape: Sequence[DimLike]) -> tuple[int, ...]:
        symbol = self.batch.symbol
        assert symbol is not None
        return _sizes(shape, symbol, BATCH)

    def broadcastable(self, x: Value) -> Value:
        """A value that broadcasts with x to x's shape or more."""

        def fits(v: Value) -> bool:
            pairs = zip(reversed(v.shape), reversed(x.shape), strict=False)
            return v.rank <= x.rank and all(a == b or a == 1 for a, b in pairs)

        if self.chance(0.5):
            return self.value(fits)
        start = self.integer(0, x.rank)
        return self.input([1 if self.chance(0.3) else d for d in x.shape[start:]])

    def away(self, x: Value, *places: float | Array) -> Value:
        """x, moved by a further input where it is nearer to one of the places than the margin."""
        array = self.array(x)
        moves = np.zeros(array.shape)
        for place in places:
            moves[np.abs(array - place) < 2 * MARGIN] = 5 * MARGIN
        return x if not moves.any() else self.b(Add(), x, self.input(x.shape, moves))

    def spread(self, x: Value) -> Value:
        """x in small beside numbers of which no two are near."""
        sizes = self.sizes(x.shape)
        count = int(np.prod(sizes))
        apart = self.rng.permutation(count).reshape(sizes) / max(count, 1) * 12 - 6
        small = self.b(Mul(), x, 1e-3 / max(1.0, float(np.abs(self.array(x)).max())))
        return self.b(Add(), small, self.input(x.shape, apart))

    def array(self, value: Value) -> Array:
        if value not in self.arrays:
            self.settle(0)
        return self.arrays[value]

    # --- growing -----------------------------------------------------------------------------

    def __call__(self, op: Op, *inputs: Value | float | None) -> Value:
        return self.b(op, *inputs)

    def grow(self, recipe: Callable[[Generator], Value | Sequence[Value]]) -> bool:
        """Adds what the recipe makes to the pool; False where it does not fit."""
        start = len(self.b.nodes)
        inputs = len(self.inputs)
        try:
            made = recipe(self)
            self.settle(start)
        except (UnfitError, CompileError) as refusal:
            if isinstance(refusal, CompileError) and refusal.diagnostics[0].code not in _EXPECTED:
                raise
            for value in self.inputs[inputs:]:
                self.pool.remove(value)
            del self.inputs[inputs:]
            # constants stay: the builder hands them out again
            added = self.b.nodes[start:]
            self.b.nodes[start:] = [n for n in added if isinstance(n.op, Constant | Dims)]
            self.settle(start)
            return False
        results = [made] if isinstance(made, Value) else list(made)
        for value in results:
            array = self.arrays[value]
            if not np.isfinite(array).all() or not 0 < array.size <= ELEMENTS:
                return False
        for value in results:
            if np.abs(self.arrays[value]).max() > LARGEST:
                value = self.b(Tanh(), value)
                self.settle(start)
            self.pool.append(value)
        return True

    def settle(self, start: int) -> None:
        """Computes the numbers of the nodes that have none."""
        for node in self.b.nodes[start:]:
            if node.outputs[0] in self.arrays:
                continue
            self.arrays.update(zip(node.outputs, self._run(node), strict=True))

    def _run(self, node: Node) -> tuple[Array, ...]:
        if isinstance(node.op, Constant):
            return (node.op.value.array,)
        if isinstance(node.op, Dims):
            return (np.array(self.sizes(node.op.dims), np.int64),)
        with np.errstate(all="ignore"):
            found = evaluate(node.op, [None if v is None else self.arrays[v] for v in node.inputs])
        for value, array in zip(node.outputs, found, strict=True):
            assert array.shape == self.sizes(value.shape), f"{node}: {array.shape}"
        return found

    def finish(self) -> Sample:
        """A loss in which every value that nobody else reads has its own weights."""
        read = {v for node in self.b.nodes for v in node.operands}
        total = self.b.constant(0.0, DType.F64)
        for value in [v for v in self.pool if v not in read]:
            weight = self.input(value.shape, 0.5 + self.rng.random(self.sizes(value.shape)))
            total = self.b(
                Add(), total, self.b(ReduceSum(keepdims=0), self.b(Mul(), value, weight))
            )
        live, nodes = {total}, []
        for node in reversed(self.b.nodes):
            if any(v in live for v in node.outputs):
                nodes.append(node)
                live.update(node.operands)
        inputs = [v for v in self.inputs if v in live]
        if not any(isinstance(d, Dim) for v in inputs for d in v.shape):
            raise UnfitError
        graph = Graph("random", tuple(inputs), (), tuple(reversed(nodes)), {"loss": total})
        arrays = {v.name: self.arrays[v] for v in inputs}
        kinds = tuple(dict.fromkeys(node.op.name for node in graph.nodes))
        assert self.batch.symbol is not None
        return Sample(graph, total, self.batch.symbol, arrays, kinds)


# a recipe's choice that does not fit; anything else is a mistake of ours
_EXPECTED = ("NN0205", "NN0206", "NN0207", "NN0208", "NN0209", "NN0210", "NN0212")


def random_graph(
    seed: int, recipes: Sequence[Callable[[Generator], Value | Sequence[Value]]], nodes: int = 9
) -> Sample:
    """A graph of about that many operators; the same for one seed."""
    for attempt in range(100):
        g = Generator(seed * 100 + attempt)
        for _ in range(2):
            g.input(g.shape(g.integer(2, 4)))
        made = 0
        for _ in range(5 * nodes):
            made += g.grow(g.one_of(recipes))
            if made == nodes:
                break
        try:
            return g.finish()
        except UnfitError:
            continue
    raise AssertionError(f"no graph for seed {seed}")
