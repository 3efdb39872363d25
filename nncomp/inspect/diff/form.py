"""A graph as it is compared: its nodes, and of each what it reads.

What computes sizes (`Shape`, `Gather`, arithmetic on them) is not compared node by node: a list of
sizes is known by what it holds, `[N, 400]`, wherever it comes from. Constants are what they hold,
too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from nncomp.dims import DimLike
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Body, Graph, Node, Value
from nncomp.ir.op import Data
from nncomp.types import Array, TensorType

MAX_SHOWN = 8  # numbers of a constant that are shown


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a node reads that no node makes.

    key: equal for what is the same in both models
    text: for people; what it holds, or its name
    """

    key: Hashable
    text: str
    value: Value = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What a node reads that another one makes: result `index` of node number `node`."""

    node: int
    index: int


Ref = Leaf | Result
Known = Callable[[Value], Leaf | None]
DimKey = Callable[[DimLike], Hashable | None]  # None for a size that the inputs do not tell


@dataclass(frozen=True, slots=True)
class Use:
    """Where a result is read: at a place of a node; from the bodies of one at place -1."""

    node: int
    place: int
    index: int


class Form:
    """A graph, or the body of an operator, as it is compared.

    nodes: those that the results need, but for those that compute sizes
    operands, captured: of each node what it reads; what its bodies read
    uses: of each node where its results are read
    results: what the graph gives, by name; given: names of outputs by their values
    names: of each node its own, without the block; may be empty
    paths: of each node, all different; they begin with `path`
    """

    def __init__(self, graph: Graph, known: Known, dim_key: DimKey, path: str = "") -> None:
        self.graph = graph
        self.known = known
        self.dim_key = dim_key
        self.path = path
        self._leaves: dict[Value, Leaf | None] = {}
        named = [*graph.outputs.items(), *((f"next {p}", v) for p, v in graph.updates.items())]
        self.nodes = self._needed([value for _, value in named])
        self._numbers = {node: number for number, node in enumerate(self.nodes)}
        self.operands: list[tuple[Ref | None, ...]] = []
        self.captured: list[tuple[Ref, ...]] = []
        for node in self.nodes:
            own = len(node.inputs) - _captures(node)
            self.operands.append(
                tuple(
                    None if v is None else self._target(node, i, v) or self.ref(v)
                    for i, v in enumerate(node.inputs[:own])
                )
            )
            self.captured.append(tuple(self.ref(v) for v in node.inputs[own:] if v is not None))
        self.uses: list[list[Use]] = [[] for _ in self.nodes]
        for number in range(len(self.nodes)):
            for place, ref in enumerate(self.operands[number]):
                if isinstance(ref, Result):
                    self.uses[ref.node].append(Use(number, place, ref.index))
            for ref in self.captured[number]:
                if isinstance(ref, Result):
                    self.uses[ref.node].append(Use(number, -1, ref.index))
        self.results = {name: self.ref(value) for name, value in named}
        by_place = isinstance(graph, Body)  # results of which have names that tell nothing
        self.given = {} if by_place else {value: name for name, value in graph.outputs.items()}
        self.names = [self._own_name(node) for node in self.nodes]
        self.paths = _paths(self.nodes, self.names, path)

    def __len__(self) -> int:
        return len(self.nodes)

    def text(self, ref: Ref | None) -> str:
        """What is read, for people."""
        if ref is None:
            return "none"
        if isinstance(ref, Leaf):
            return ref.text
        return self.paths[ref.node] + (f":{ref.index}" if ref.index else "")

    def type(self, ref: Ref) -> TensorType:
        if isinstance(ref, Leaf):
            return ref.value.type
        return self.nodes[ref.node].outputs[ref.index].type

    def ref(self, value: Value) -> Ref:
        leaf = self._leaf(value)
        if leaf is not None:
            return leaf
        assert value.node is not None
        return Result(self._numbers[value.node], value.index)

    def _target(self, node: Node, place: int, value: Value) -> Leaf | None:
        """The sizes that a Reshape or Expand gives, of which 0, 1 and -1 may stand for some."""
        if place == 1 and node.op.name in ("Reshape", "Expand") and not node.op.domain:
            return self._sizes(value, node.outputs[0].shape)
        return None

    def _own_name(self, node: Node) -> str:
        """The name of the node's first result that has one, without its block; of one that the
        graph gives, that of the output."""
        name = next((self.given[v] for v in node.outputs if v in self.given), "")
        name = name or next((value.name for value in node.outputs if value.name), "")
        return _RESULT.sub("", name.strip("/").rpartition("/")[2])

    def _needed(self, results: list[Value]) -> list[Node]:
        """The nodes that the results need, in their order."""
        needed: set[Node] = set()
        pending = [value for value in results if self._leaf(value) is None]
        while pending:
            node = pending.pop().node
            assert node is not None
            if node not in needed:
                needed.add(node)
                for place, value in enumerate(node.inputs):
                    if value is not None and not self._target(node, place, value):
                        pending += [] if self._leaf(value) else [value]
        return [node for node in self.graph.nodes if node in needed]

    def _leaf(self, value: Value) -> Leaf | None:
        if value not in self._leaves:
            self._leaves[value] = self._made(value)
        return self._leaves[value]

    def _made(self, value: Value) -> Leaf | None:
        leaf = self.known(value)
        if leaf is not None:
            return leaf
        elements = value.type.elements
        if elements is not None:
            sizes = self._sizes(value, elements)
            if sizes is not None:
                return sizes
        if value.node is not None and isinstance(value.node.op, Constant):
            return _constant(value, value.node.op.value)
        assert value.node is not None, f"{value} is not of this graph"
        return None

    def _sizes(self, value: Value, sizes: tuple[DimLike, ...]) -> Leaf | None:
        keys = tuple(map(self.dim_key, sizes))
        if None in keys:
            return None
        text = _listed(list(map(str, sizes)), value.type.rank)
        return Leaf(("sizes", value.type.dtype, value.type.rank, keys), text, value)


def _captures(node: Node) -> int:
    return max((body.captures for body in node.op.bodies), default=0)


def _constant(value: Value, data: Data) -> Leaf:
    array: Array = data.array
    if array.size <= MAX_SHOWN and array.ndim <= 1:
        text = _listed([str(e) for e in array.reshape(-1)], array.ndim)
    else:
        text = f"a constant {value.type}"
    return Leaf(("constant", data), text, value)


def _listed(items: list[str], rank: int) -> str:
    if rank == 0 and len(items) == 1:
        return items[0]
    more = ["…"] if len(items) > MAX_SHOWN else []
    return f"[{', '.join([*items[:MAX_SHOWN], *more])}]"


_RESULT = re.compile(r"(_output_\d+|:\d+)$")


def _paths(nodes: list[Node], names: list[str], path: str) -> list[str]:
    """`block` for its only node, else `block.name`, or `block.Operator` for one without a name."""
    alone = Counter(node.origin.scope for node in nodes)
    taken: set[str] = set()
    numbers: Counter[str] = Counter()
    paths = []
    for node, name in zip(nodes, names, strict=True):
        scope = node.origin.scope
        parts = [path, scope, "" if scope and alone[scope] == 1 else name or node.op.name]
        whole = ".".join(part for part in parts if part)
        found = whole
        while found in taken:
            numbers[whole] += 1
            found = f"{whole}#{numbers[whole] + 1}"
        taken.add(found)
        paths.append(found)
    return paths
