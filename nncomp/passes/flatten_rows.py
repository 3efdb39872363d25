"""What is computed row by row, computed on a matrix.

    f(x), x [a, b, D]  =  Reshape(f(Reshape(x, [a · b, D])), [a, b, …])

for all that treats the rows of its operand alike: products with a matrix, normalisation and softmax
along the last axis, functions of single numbers, sums of such. So a product and its bias become one
Gemm, which takes matrices only, and reshapes between such steps go. Those that must stand where
matrices meet other tensors count against that. As many nodes are worth it where products take their
biases in: onnxruntime would else turn each of them into a matrix and back when it loads the model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from nncomp.dims import DimLike, equal, equal_shapes, product
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Rewrite, Value
from nncomp.ir.op import Op
from nncomp.ir.rebuild import remap
from nncomp.ops.activation import Hardmax, LogSoftmax, Relu, Softmax
from nncomp.ops.conversion import Cast
from nncomp.ops.elementwise import Add, Div, Max, Min, Mul, Neg, Sub
from nncomp.ops.elementwise_math import FloatFunction, NumberFunction, Pow
from nncomp.ops.linear import Gemm, MatMul
from nncomp.ops.normalization import LayerNormalization, RMSNormalization
from nncomp.ops.shape import Reshape
from nncomp.ops.shape_joining import Split
from nncomp.passes.base import Pass, PassContext, PassResult, Refusal
from nncomp.passes.eliminate_no_ops import RESHAPING, operand
from nncomp.passes.simplify_shapes import plain_shape

_RULE = "flatten"
SINGLE: tuple[type[Op], ...] = (FloatFunction, NumberFunction, Cast, Neg, Relu)
SEVERAL: tuple[type[Op], ...] = (Add, Sub, Mul, Div, Max, Min, Pow)
ALONG: tuple[type[Op], ...] = (Softmax, LogSoftmax, Hardmax)
_MAX_ROUNDS = 4  # the reshapes that one region leaves may join what is around it to another
RUNTIME_SHAPE = 3  # nodes that compute a shape which no constant can say


def row_operands(node: Node) -> tuple[Value, ...] | None:
    """The operands whose rows the node treats alike, each giving a row of every result; None for
    other nodes. The other operands serve all rows."""
    if not node.inputs or node.inputs[0] is None:
        return None
    x, y, op = node.inputs[0], node.outputs[0], node.op
    if isinstance(op, SEVERAL):
        return _of_several(node)
    if min(x.rank, y.rank) < 2 or not all(_is_size(v.shape[-1]) for v in (x, y)):
        return None
    last = x.rank - 1
    if isinstance(op, RESHAPING):
        if x.shape[-1] != y.shape[-1]:
            return None
        return (x,) if equal(product(x.shape[:-1]), product(y.shape[:-1])) is True else None
    if isinstance(op, ALONG):
        return (x,) if op.axis in (-1, last) else None  # type: ignore[attr-defined]
    if isinstance(op, SINGLE):
        return (x,)
    if isinstance(op, LayerNormalization | RMSNormalization):
        only = len(node.outputs) == 1 or isinstance(op, LayerNormalization)
        plain = all(v.rank == 1 for v in node.operands[1:])
        return (x,) if only and plain and op.axis in (-1, last) else None
    if isinstance(op, Split):
        return (x,) if op.axis in (-1, last) else None
    if isinstance(op, MatMul):
        w = node.inputs[1]
        return (x,) if w is not None and w.rank == 2 else None
    if isinstance(op, Gemm) and not op.transA:
        c = node.inputs[2] if len(node.inputs) > 2 else None
        return (x,) if c is None or c.rank < 2 else None
    return None


def _is_size(dim: DimLike) -> bool:
    return isinstance(dim, int) and dim > 0


def _of_several(node: Node) -> tuple[Value, ...] | None:
    shape = node.outputs[0].shape
    if len(shape) < 2 or not _is_size(shape[-1]):
        return None
    rows = []
    for value in node.operands:
        if equal_shapes(value.shape, shape):
            rows.append(value)
        elif value.rank > 1:
            return None
    return tuple(rows) or None


@dataclass
class Region:
    """Nodes that hang together by rows, in order."""

    nodes: list[Node] = field(default_factory=list)


class Regions:
    """The regions of a graph, and what each would save."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.refused: list[Refusal] = []
        self.rows: dict[Node, tuple[Value, ...]] = {}
        for node in graph.nodes:
            operands = row_operands(node)
            if operands is not None and not isinstance(node.op, Constant):
                self.rows[node] = operands
        self._leave_splits()
        self._parent: dict[Node, Node] = {node: node for node in self.rows}

    def _leave_splits(self) -> None:
        """A Split whose parts nobody takes row by row parts the tensor as well as the matrix:
        one reshape in front of it is fewer than one for each part."""
        for node in reversed(self.graph.nodes):
            if node in self.rows and isinstance(node.op, Split):
                readers = [n for v in node.outputs for n in self.graph.uses.get(v, ())]
                if not any(n in self.rows for n in readers):
                    del self.rows[node]

    def found(self) -> list[Region]:
        """Those that are worth it; the others are told in `refused`, at products with a bias."""
        first: dict[Value, Node] = {}
        for node, operands in self.rows.items():
            for value in operands:
                other = value.node if value.node in self.rows else first.setdefault(value, node)
                assert other is not None
                self._join(node, other)
        regions: dict[Node, Region] = {}
        for node in self.rows:
            regions.setdefault(self._root(node), Region()).nodes.append(node)
        worth = [region for region in regions.values() if self._is_worth(region)]
        kept = {id(region) for region in worth}
        for region in regions.values():
            biased = [node for node in region.nodes if self._gets_bias(node)]
            if biased and id(region) not in kept:
                more = -self._saved(region)
                reason = (
                    f"it would be a Gemm, but there would be {more} node{'s' if more > 1 else ''}"
                    " more: reshapes to matrices and back"
                )
                self.refused += [Refusal(_RULE, node, reason) for node in biased]
        return worth

    def _root(self, node: Node) -> Node:
        while (parent := self._parent[node]) is not node:
            self._parent[node] = self._parent[parent]
            node = parent
        return node

    def _join(self, node: Node, other: Node) -> None:
        a, b = self._root(node), self._root(other)
        if a is not b:
            self._parent[a] = b

    def _is_worth(self, region: Region) -> bool:
        """Whether there are fewer nodes, or as many, with products that take their biases in."""
        saved = self._saved(region)
        return saved > 0 or (saved == 0 and any(self._gets_bias(node) for node in region.nodes))

    def _saved(self, region: Region) -> int:
        """How many nodes fewer there are once the region works on matrices."""
        inside = set(region.nodes)
        saved = sum(isinstance(n.op, RESHAPING) or self._gets_bias(n) for n in region.nodes)
        if not saved:
            return 0
        entered: set[Value] = set()
        for node in region.nodes:
            for value in self.rows[node]:
                if value.node not in inside and value not in entered:
                    entered.add(value)
                    saved -= self._cost_to_enter(value)
            saved -= sum(self.cost_to_leave(v, inside) for v in node.outputs)
        return saved

    def _gets_bias(self, node: Node) -> bool:
        """Whether the product and the vector that is added to it are a Gemm, once they are
        matrices."""
        if not isinstance(node.op, MatMul) or node.outputs[0].rank < 3:
            return False
        y = node.outputs[0]
        readers = self.graph.uses.get(y, ())
        if self.graph.use_count(y) != 1 or not readers or not isinstance(readers[0].op, Add):
            return False
        return readers[0] in self.rows and any(v.rank < 2 for v in readers[0].operands)

    def _cost_to_enter(self, value: Value) -> int:
        if value.rank == 2 or self.reshaped_from(value) is not None:
            return 0
        return 0 if operand(value, Constant) is not None else 1

    def reshaped_from(self, value: Value) -> Value | None:
        """What a value that enters is a reshape of, if nothing else reads that reshape."""
        above = operand(value, *RESHAPING)
        if above is None or self.graph.use_count(value) != 1:
            return None
        return above.inputs[0]

    def cost_to_leave(self, value: Value, inside: set[Node]) -> int:
        """Of one result: nodes that bring back its shape, where someone needs it."""
        readers = [n for n in self.graph.uses.get(value, ()) if n not in inside]
        is_result = value in self.graph.result_values
        if value.rank == 2 or not (readers or is_result):
            return 0
        if not is_result and all(takes_matrix(n) for n in readers):
            return 0
        return 1 if plain_shape(_matrix_of(value), value.shape) is not None else 1 + RUNTIME_SHAPE


def takes_matrix(reader: Node) -> bool:
    """Whether the reader is a reshape, which the matrix may have as well, to a shape that a
    constant can say."""
    x = reader.inputs[0]
    if not isinstance(reader.op, RESHAPING) or x is None:
        return False
    return plain_shape(_matrix_of(x), reader.outputs[0].shape) is not None


def _matrix_of(value: Value) -> Value:
    """A value of the type of the rows."""
    return Value(value.type.with_shape((product(value.shape[:-1]), value.shape[-1])))


@dataclass(frozen=True)
class FlattenRows(Pass):
    """f(x) → Reshape(f(Reshape(x, [rows, D])), …) for regions of nodes that treat rows alike, where
    that makes fewer nodes, or as many with biases in the products: each product with a bias becomes
    a Gemm, reshapes inside go."""

    name = "flatten-rows"

    @property
    def rule_names(self) -> tuple[str, ...]:
        return (_RULE,)

    def run(self, graph: Graph, context: PassContext) -> PassResult:
        count = 0
        for _ in range(_MAX_ROUNDS):
            regions = Regions(graph)
            chosen = [r for r in regions.found() if context.allows(_RULE, *r.nodes)]
            if not chosen:
                break
            graph = _Writer(regions, chosen).graph()
            count += len(chosen)
        return PassResult(graph, {_RULE: count} if count else {}, tuple(regions.refused))


class _Writer:
    """Writes the graph with the chosen regions on matrices."""

    def __init__(self, regions: Regions, chosen: Iterable[Region]) -> None:
        self.regions = regions
        self.inside = {node: set(region.nodes) for region in chosen for node in region.nodes}
        self.matrices: dict[Value, Value] = {}
        self.left: set[Value | None] = set()  # results of regions
        self.values: dict[Value, Value] = {}
        self.b = Builder()

    def graph(self) -> Graph:
        given = self.regions.graph
        for node in given.nodes:
            matrix = None if node in self.inside else self._taken(node)
            if node not in self.inside and matrix is None:
                self.b.append(remap(node, self.values))
                continue
            with self.b.at(node.origin.merged((), Rewrite(FlattenRows.name, _RULE))):
                if matrix is None:
                    self._write(node)
                else:
                    (value,) = node.outputs
                    self.values[value] = _with_shape(self.b, matrix, value.shape)
        return given.replace(self.b.nodes, self.values)

    def _taken(self, node: Node) -> Value | None:
        """The matrix that a reshape outside may have for a value of a region."""
        x = node.inputs[0] if node.inputs else None
        return self.matrices[x] if x and x in self.left and takes_matrix(node) else None

    def _write(self, node: Node) -> None:
        rows = self.regions.rows[node]
        if isinstance(node.op, RESHAPING):
            results: Sequence[Value] = (self._matrix(rows[0]),)
        else:
            inputs = [
                v if v is None else self._matrix(v) if v in rows else self.values.get(v, v)
                for v in node.inputs
            ]
            names = tuple(v.name for v in node.outputs)
            results = self.b.multi(_on_matrix(node.op), *inputs, names=names)
        for old, new in zip(node.outputs, results, strict=True):
            self.matrices[old] = new
            self.left.add(old)
            if self._is_read_outside(old, node):
                self.values[old] = _with_shape(self.b, new, old.shape)

    def _matrix(self, value: Value) -> Value:
        if value not in self.matrices:
            source = self.regions.reshaped_from(value) or value
            own = self.values.get(source, source)
            self.matrices[value] = (
                own
                if own.rank == 2 and own.shape[-1] == value.shape[-1]
                else self.b(Reshape(), own, self.b.dims((-1, value.shape[-1])))
            )
        return self.matrices[value]

    def _is_read_outside(self, value: Value, node: Node) -> bool:
        graph, inside = self.regions.graph, self.inside[node]
        if value in graph.result_values:
            return True
        readers = graph.uses.get(value, ())
        return any(reader not in inside and not takes_matrix(reader) for reader in readers)


def _on_matrix(op: Op) -> Op:
    if isinstance(op, (LayerNormalization, RMSNormalization, Split, *ALONG)):
        return dataclasses.replace(op, axis=-1)  # type: ignore[call-arg]
    return op


def _with_shape(b: Builder, matrix: Value, shape: Sequence[DimLike]) -> Value:
    if len(shape) == 2:
        return matrix
    plain = plain_shape(matrix, tuple(shape))
    return b(Reshape(), matrix, b.dims(tuple(shape)) if plain is None else b.ints(*plain))
