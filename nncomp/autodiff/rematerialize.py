"""Rematerialisation: computing activations again on the way back instead of keeping them.

The forward part of a step is cut into segments where few bytes cross. What crosses a cut is kept;
what the backward part reads from inside a segment is computed again from there, just before it is
read (T. Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016). The last segment is
kept whole: it is read at once. With segments of about √n of n equal layers, memory falls to about
2/√n of what it was, for one more forward pass.

The saving exists only if nobody merges the copies again, which `StepSession` asks of onnxruntime.
Its default order, which runs what a result needs just before it, keeps about as little as the
order in which the nodes stand; its priority-based one runs what it has fused last, and keeps more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nncomp.autodiff.reverse import PASS_NAME
from nncomp.dims import Dim, Symbol, substitute, symbols_in
from nncomp.errors import did_you_mean, error, require_count
from nncomp.ir.constant import Constant
from nncomp.ir.graph import RECOMPUTED, Graph, Node, Rewrite, Value
from nncomp.ir.rebuild import ancestors
from nncomp.types import TensorType

# a value of so many bytes is kept rather than computed again
_SMALL = 1 << 16
_MAX_SEGMENTS = 64

Sizes = Mapping[str, int]


@dataclass(frozen=True)
class Memory:
    """What a step's activations may take.

    budget: bytes; sizes: of the dims that its inputs leave open, by name, for which the budget is
    """

    budget: int
    sizes: Sizes

    def __post_init__(self) -> None:
        require_count("memory_budget", self.budget)
        for name, size in self.sizes.items():
            require_count(f"sizes[{name!r}]", size)


def memory_of(budget: int | None, sizes: Mapping[str, int] | None) -> Memory | None:
    """The budget, if there is one."""
    return None if budget is None else Memory(budget, sizes or {})


@dataclass(frozen=True)
class Rematerialized:
    """A step graph that recomputes.

    peak, before: bytes of all tensors alive at once, apart from the state, now and without
    recomputed: how many nodes run a second time
    """

    graph: Graph
    peak: int
    before: int
    recomputed: int

    def __str__(self) -> str:
        again = f"{self.recomputed} nodes run twice" if self.recomputed else "nothing runs twice"
        return f"activations take {_mib(self.peak)} instead of {_mib(self.before)}: {again}"


def rematerialize(graph: Graph, memory: Memory, losses: Sequence[Value]) -> Rematerialized:
    """The step graph with as little recomputed as keeps its activations within the budget.

    graph: with its gradients expanded; its dims stay symbolic
    losses: the values whose gradients it computes

    Raises CompileError NN0405 if the budget cannot be met, or if a size is not known.
    """
    budget = memory.budget
    step = _Step(graph, losses, _sizes(graph, memory.sizes))
    before = step.peak(graph)
    best = Rematerialized(graph, before, before, 0)
    segments = 1
    while best.peak > budget and segments <= min(_MAX_SEGMENTS, max(2, len(step.forward))):
        new, count = step.with_segments(segments)
        peak = step.peak(new)
        if peak < best.peak:
            best = Rematerialized(new, peak, before, count)
        segments += max(1, segments // 4)  # 1 only runs what frees memory early
    if best.peak > budget:
        raise error(
            "NN0405",
            f"the step keeps {_mib(before)} of activations, and {_mib(best.peak)} at least where "
            f"it recomputes; the budget is {_mib(budget)}",
            help="a smaller batch needs less",
        )
    return best


def _sizes(graph: Graph, sizes: Sizes) -> dict[Symbol, int]:
    """Symbols of the graph's inputs with their sizes."""
    dims = [dim for value in graph.inputs for dim in value.shape]
    symbols = symbols_in(dims)
    names = {symbol.name for symbol in symbols}
    for name in sizes:
        if name not in names:
            known = ", ".join(f"`{n}`" for n in sorted(names)) or "none"
            raise error(
                "NN0405",
                f"no input has a dim `{name}`; open are: {known}",
                help=did_you_mean(name, names),
            )
    return {symbol: sizes[symbol.name] for symbol in symbols if symbol.name in sizes}


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"


class _Step:
    """The forward part of a step graph, and what the rest reads of it."""

    def __init__(self, graph: Graph, losses: Sequence[Value], sizes: Mapping[Symbol, int]) -> None:
        self.graph = graph
        self.sizes = sizes
        self.forward, rest = _parts(graph, losses)
        self.rest = _early(rest, lambda v: self.bytes(v.type))
        self.place = {v: i for i, node in enumerate(self.forward) for v in node.outputs}
        self.read = {v for node in self.rest for v in node.operands if v in self.place}
        self.results = {*graph.outputs.values(), *graph.updates.values()}
        self.last = dict(self.place)  # the place of the last forward node that reads a value
        for i, node in enumerate(self.forward):
            for value in node.operands:
                if value in self.last:
                    self.last[value] = i

    def bytes(self, type_: TensorType) -> int:
        """Raises CompileError NN0405 for a symbol without a size."""
        count = 1
        for dim in type_.shape:
            size = substitute(dim, self.sizes)
            if not isinstance(size, int):
                raise error(
                    "NN0405",
                    f"the memory of {type_} depends on `{dim}`, whose size is not given",
                    help=f"`--size {dim}=64`" if isinstance(dim, Dim) and dim.symbol else None,
                )
            count *= size
        return count * type_.dtype.numpy.itemsize

    def peak(self, graph: Graph) -> int:
        """The most bytes that nodes' results take at once, each until it is last read."""
        last = {}
        for i, node in enumerate(graph.nodes):
            for value in (*node.operands, *node.outputs):
                last[value] = i
        for value in (*graph.outputs.values(), *graph.updates.values()):
            last[value] = len(graph.nodes)
        ending: dict[int, int] = {}
        alive = most = 0
        for i, node in enumerate(graph.nodes):
            if not isinstance(node.op, Constant):
                for value in node.outputs:
                    size = self.bytes(value.type)
                    alive += size
                    ending[last[value]] = ending.get(last[value], 0) + size
            most = max(most, alive)
            alive -= ending.pop(i, 0)
        return most

    def with_segments(self, count: int) -> tuple[Graph, int]:
        """The graph that keeps what crosses so many segments' ends; how many nodes it repeats."""
        cuts = self.cuts(count)
        kept = set(self.results)
        for cut in cuts:
            kept.update(v for v in self.place if self.place[v] < cut <= self.last[v])
        end = cuts[-1] if cuts else 0
        again = _Again(self, kept, end)
        nodes = list(self.forward)
        for node in self.rest:
            nodes += again.before(node)
        return self.graph.replace(nodes, again.copies), again.count

    def cuts(self, count: int) -> list[int]:
        """Where segments end: each keeps about as much, and ends where the least crosses."""
        crossing = self.crossing()
        kept = [
            sum(self.bytes(v.type) for v in node.outputs if v in self.read) for node in self.forward
        ]
        share = sum(kept) / count
        found: list[int] = []
        start, filled = 0, 0.0
        for i, size in enumerate(kept):
            filled += size
            if filled >= share and len(found) < count - 1:
                # anywhere in the second half of the segment, as late as it is best
                half = start + (i - start) // 2
                cut = min(range(i + 1, half, -1), key=lambda place: crossing[place])
                found.append(cut)
                start, filled = cut, float(sum(kept[cut : i + 1]))
        return found

    def crossing(self) -> list[int]:
        """Bytes that forward nodes before each place make and forward nodes behind it read."""
        change = [0] * (len(self.forward) + 2)
        for value, place in self.place.items():
            size = self.bytes(value.type)
            change[place + 1] += size
            change[self.last[value] + 1] -= size
        total, found = 0, []
        for step in change:
            total += step
            found.append(total)
        return found


class _Again:
    """Copies of forward nodes, made where the backward part first needs them."""

    def __init__(self, step: _Step, kept: set[Value], end: int) -> None:
        self.step = step
        self.kept = kept
        self.end = end  # what is made from here on is kept
        self.copies: dict[Value, Value] = {}
        self.count = 0

    def before(self, node: Node) -> list[Node]:
        """The copies that a node needs and are not there yet, and the node that reads them."""
        added: list[Node] = []
        for value in node.operands:
            self.need(value, added)
        self.count += len(added)
        if not any(value in self.copies for value in node.operands):
            return [*added, node]
        inputs = self.replaced(node)
        new = Node(node.op, inputs, _types(node), node.origin, _names(node))
        self.copies.update(zip(node.outputs, new.outputs, strict=True))
        return [*added, new]

    def keeps(self, value: Value) -> bool:
        place = self.step.place.get(value)
        return (
            place is None
            or place >= self.end
            or value in self.kept
            or value in self.copies
            or not self.step.forward[place].op.pure
            or isinstance(self.step.forward[place].op, Constant)
            or self.step.bytes(value.type) <= _SMALL
        )

    def need(self, value: Value, added: list[Node]) -> None:
        """Adds copies of what computes the value, operands first."""
        stack = [value]
        while stack:
            top = stack[-1]
            if self.keeps(top):
                stack.pop()
                continue
            node = self.step.forward[self.step.place[top]]
            missing = [v for v in node.operands if not self.keeps(v)]
            if missing:
                stack += missing
                continue
            origin = node.origin.merged((), Rewrite(RECOMPUTED, node.op.name))
            copy = Node(node.op, self.replaced(node), _types(node), origin, _names(node))
            self.copies.update(
                (old, new)
                for old, new in zip(node.outputs, copy.outputs, strict=True)
                if not self.keeps(old)
            )
            added.append(copy)
            stack.pop()

    def replaced(self, node: Node) -> tuple[Value | None, ...]:
        return tuple(None if v is None else self.copies.get(v, v) for v in node.inputs)


def _types(node: Node) -> tuple[TensorType, ...]:
    return tuple(v.type for v in node.outputs)


def _names(node: Node) -> tuple[str, ...]:
    return tuple(v.name for v in node.outputs)


def _parts(graph: Graph, losses: Sequence[Value]) -> tuple[list[Node], list[Node]]:
    """Nodes that lead to the losses or that no gradient leads to, and the others, in order."""
    leading = set(ancestors(*losses))
    behind: set[Value] = set()
    forward: list[Node] = []
    rest: list[Node] = []
    for node in graph.nodes:
        if node not in leading and (_is_gradient(node) or any(v in behind for v in node.operands)):
            behind.update(node.outputs)
            rest.append(node)
        else:
            forward.append(node)
    return forward, rest


def _is_gradient(node: Node) -> bool:
    return any(step.pass_name == PASS_NAME for step in node.origin.history)


def _early(nodes: Sequence[Node], size: Callable[[Value], int]) -> list[Node]:
    """The nodes in an order that frees early: what gives much less than it reads (the gradient
    of a weight, say) runs as soon as it can, all else where it stood."""
    readers: dict[Value, list[Node]] = {}
    waiting: dict[Node, int] = {}
    inside = {v for node in nodes for v in node.outputs}
    for node in nodes:
        operands = {v for v in node.operands if v in inside}
        waiting[node] = len(operands)
        for value in operands:
            readers.setdefault(value, []).append(node)
    found: dict[Node, None] = {}
    for node in nodes:
        stack = [] if node in found else [node]
        while stack:
            ready = stack.pop()
            found[ready] = None
            for value in ready.outputs:
                for reader in readers.get(value, ()):
                    waiting[reader] -= 1
                    if not waiting[reader] and _reduces(reader, size):
                        stack.append(reader)
    return list(found)


def _reduces(node: Node, size: Callable[[Value], int]) -> bool:
    return 4 * sum(map(size, node.outputs)) <= max(map(size, node.operands), default=0)
