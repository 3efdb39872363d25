"""The values of a graph that is being put in blocked order."""

from __future__ import annotations

from nncomp.backends.ort.blocked import convolution
from nncomp.backends.ort.blocked.clipping import Bounds
from nncomp.backends.ort.blocked.normalization import Shift, Shifted
from nncomp.backends.ort.blocked.operators import BlockedConv, ReorderInput, ReorderOutput
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.live import live_nodes
from nncomp.ops.windows import known


class Values:
    """Where the values of a graph are, in plain order, in blocked order, or in both."""

    def __init__(self, graph: Graph, block: int) -> None:
        self.graph = graph
        self.block = block
        self.b = Builder()
        self._last: dict[Value, Node] = {}  # who reads a value after everybody else
        for node in live_nodes(graph):
            self._last |= dict.fromkeys(node.operands, node)
        self._plain: dict[Value, Value] = {}
        self._blocked: dict[Value, Value] = {}
        self._filled: dict[Value, Value] = {}
        self._scales: dict[Value, Value] = {}  # of values whose blocked form is not scaled yet
        self.shifts: dict[Value, Shift] = {}  # of values that their blocked form is less than
        self.centered: dict[tuple[Value, Value], Shifted] = {}  # by X and its mean
        self.masks: dict[Value, tuple[Value, Bounds]] = {}  # 1 where that lies between those

    def has_blocked(self, value: Value) -> bool:
        return value in self._blocked

    def give(self, old: Value, new: Value) -> None:
        """The old value in plain order."""
        self._plain[old] = new

    def give_blocked(self, old: Value, new: Value, scale: Value | None = None) -> None:
        """The old value in blocked order; scale: numbers [C] that its channels still lack."""
        self._blocked[old] = new
        if scale is not None:
            self._scales[old] = scale

    def plain(self, value: Value) -> Value:
        if value in self._blocked and value not in self._plain:
            blocked = self.blocked(value)
            channels = known(value.shape[1])
            self._plain[value] = self.b(ReorderOutput(self.block, channels), blocked)
        return self._plain.get(value, value)

    def blocked(self, value: Value) -> Value:
        scale = self._scales.pop(value, None)
        if scale is not None:
            unscaled = self._blocked[value]
            self._blocked[value] = convolution.per_channel(
                self.b, unscaled, scale, None, self.block
            )
        if value not in self._blocked:
            self._blocked[value] = self.b(ReorderInput(self.block), self.plain(value))
        return self._blocked[value]

    def added(self, value: Value, node: Node) -> Value:
        """The value in blocked order as what the node's convolution is to add: onnxruntime adds in
        place, and copies what others still read on one core, where this takes all."""
        blocked = self.blocked(value)
        if self._last.get(value) is node and value not in self.graph.result_values:
            return blocked
        return convolution.copied(self.b, blocked, self.block)

    def filled(self, value: Value) -> Value:
        """The value in blocked order, its last block of channels filled up with zeros."""
        if known(value.shape[1]) % self.block == 0:
            return self.blocked(value)
        if value not in self._filled:
            self._filled[value] = self.b(ReorderInput(self.block), self.plain(value))
        return self._filled[value]

    def give_filled(self, old: Value, new: Value) -> None:
        """The old value in blocked order, its last block of channels perhaps filled up."""
        channels = known(old.shape[1])
        if channels % self.block == 0:
            self.give_blocked(old, new)
        else:
            self.give(old, self.b(ReorderOutput(self.block, channels), new))

    def unscaled(self, value: Value) -> tuple[Value, Value | None]:
        """The value in blocked order before its channels are scaled, and the scale, if any."""
        if value in self._scales:
            return self._blocked[value], self._scales[value]
        return self.filled(value), None

    def open_convolution(self, value: Value, readers: int = 1) -> Node | None:
        """The convolution that gives the value to so many readers and nobody else, if nothing
        follows in it yet."""
        if value not in self._blocked or value in self._scales:
            return None
        if self.graph.use_count(value) != readers:
            return None
        node = self._blocked[value].node
        if node is None or not isinstance(node.op, BlockedConv) or node.op.activation:
            return None
        return node


def operand(node: Node, index: int) -> Value:
    value = node.inputs[index]
    assert value is not None
    return value
