"""Mixed precision: products in float16, what must be exact in float32, and a loss that is scaled so
that small gradients are not lost (Micikevicius et al., 2018).

Parameters, optimisers and what they keep stay float32. On the way from them to the loss

- `PRODUCTS`, which take the time, are computed in float16;
- `FOLLOWING` operators, which move numbers or lose nothing to speak of, follow their operands, so
  that what lies between two products stays float16;
- all others are computed in float32: exponentials and logarithms, softmax and losses, which
  overflow; sums, means and normalisation, which lose small addends; random numbers; control flow.

The gradient goes back through the same casts. It is that of the loss times a scale, which is state
of the step: where a gradient overflows, nothing is updated and the scale is halved; after so many
steps without, it is doubled. Gradients of several batches have one scale: where one of them
overflowed, so has their sum, and nothing is updated when the optimiser is due.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nncomp.errors import error
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Parameter, Value
from nncomp.ir.rebuild import remap
from nncomp.ops.comparison import Equal, Less
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Add, Div, Mul
from nncomp.ops.grad import Grad
from nncomp.ops.products import PRODUCTS, why_in_float32
from nncomp.ops.reduction import ReduceSumSquare
from nncomp.training.accumulation import Accumulation
from nncomp.types import DType, TensorType

FOLLOWING = frozenset(
    {
        *("Add", "Sub", "Mul", "Neg", "Abs", "Max", "Min", "Where", "Clip"),
        *("Relu", "LeakyRelu", "Sigmoid", "Tanh", "Gelu", "StopGradient", "Identity"),
        *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Expand", "Tile"),
        *("Concat", "Split", "Slice", "Pad", "MaxPool", "DepthToSpace", "SpaceToDepth"),
    }
)
SCALE, GOOD = "loss_scale.value", "loss_scale.good"
FIRST = 2.0**16
GROW_AFTER = 2000  # steps without overflow
_LARGEST = 3.4e38


def mixed(
    graph: Graph, learning: Sequence[Node], accumulation: Accumulation | None = None
) -> Graph:
    """The step graph, gradients not yet expanded, in mixed precision.

    learning: the `Grad` nodes whose gradients change parameters
    accumulation: of their gradients, if the graph sums them up
    Raises CompileError NN0404 if no product of the graph can be computed in float16.
    """
    halves = _Halves(graph, learning, accumulation)
    if not halves.products:
        raise error(
            "NN0404",
            why_in_float32(graph)
            or f"{graph.name} has no product in float32 to compute in float16",
            help="without `--precision mixed` it trains in float32",
        )
    return halves.graph()


class _Halves:
    """One rewrite. A value of the old graph has a float32 form, a float16 form, or both.

    narrow: what is computed in float16
    fixed: values of parameters and constants alone, which take the type that is needed
    """

    def __init__(
        self, graph: Graph, learning: Sequence[Node], accumulation: Accumulation | None
    ) -> None:
        self.old = graph
        self.learning = learning
        self.accumulation = accumulation
        self.forward = _behind(graph, {node.operands[0] for node in learning})
        self.products = [n for n in self.forward if n.op.name in PRODUCTS and _is_full(n)]
        self.b = Builder()
        self.full: dict[Value, Value] = {}
        self.half: dict[Value, Value] = {}
        self.narrow: set[Value] = set()
        self.fixed = {p.value for p in graph.parameters}
        self.scale = Value(TensorType(DType.F32, ()), SCALE)
        self.good = Value(TensorType(DType.I64, ()), GOOD)
        self.gradients: list[Value] = []

    def graph(self) -> Graph:
        b = self.b
        for node in self.old.nodes:
            with b.at(node.origin):
                self._node(node)
        sums = self.accumulation.totals if self.accumulation else {}
        finite = self._finite([*map(self._full, sums.values())] or self.gradients)
        before = {p.path: p.value for p in self.old.parameters}
        updates = {
            path: new if path in sums else b(Where(), finite, new, before[path])
            for path, new in ((path, self._full(v)) for path, v in self.old.updates.items())
        }
        updates |= self._scaling(finite)
        state = (Parameter(SCALE, self.scale, "state"), Parameter(GOOD, self.good, "state"))
        return replace(
            self.old,
            nodes=tuple(b.nodes),
            outputs={name: self._full(value) for name, value in self.old.outputs.items()},
            updates=updates,
            parameters=(*self.old.parameters, *state),
        )

    def _finite(self, gradients: Sequence[Value]) -> Value:
        """Whether all of them are numbers."""
        b = self.b
        squares = [
            b(ReduceSumSquare(keepdims=0), self._like(self.scale, gradient))
            for gradient in gradients
        ]
        total = squares[0]
        for square in squares[1:]:
            total = b(Add(), total, square)
        return b(Less(), total, b.constant(_LARGEST, DType.F32))  # not so for a NaN

    def _scaling(self, finite: Value) -> dict[str, Value]:
        """The next scale, and how many steps of the optimiser it has been good for."""
        b = self.b
        good = b(Add(), self.good, b.constant(1, DType.I64))
        enough = b(Equal(), good, b.constant(GROW_AFTER, DType.I64))
        larger = b(Where(), enough, b(Mul(), self.scale, 2.0), self.scale)
        start = b.constant(0, DType.I64)
        kept = b(Where(), enough, start, good)
        found = {
            SCALE: b(Where(), finite, larger, b(Mul(), self.scale, 0.5)),
            GOOD: b(Where(), finite, kept, start),
        }
        if self.accumulation is None:
            return found
        due = self._full(self.accumulation.due)
        now = {SCALE: self.scale, GOOD: self.good}
        return {path: b(Where(), due, value, now[path]) for path, value in found.items()}

    def _node(self, node: Node) -> None:
        if node in self.learning:
            self._gradient(node)
            return
        if node in self.forward and node.op.name in PRODUCTS | FOLLOWING and _is_full(node):
            floating = [v for v in node.operands if v.type.dtype.is_float]
            if node.op.name in PRODUCTS or self._follows(floating):
                self._add_half(node)
                return
            if all(v in self.fixed for v in floating):
                self.fixed.update(node.outputs)
        if isinstance(node.op, Constant):
            self.fixed.update(node.outputs)
        changed = {v: self._full(v) for v in node.operands if self._full(v) is not v}
        self.b.append(remap(node, changed))
        self.full.update((v, changed.get(v, v)) for v in node.outputs)

    def _follows(self, floating: Sequence[Value]) -> bool:
        """Whether one is in float16, and the others may be."""
        narrow = [v in self.narrow for v in floating]
        return any(narrow) and all(
            n or v in self.fixed for n, v in zip(narrow, floating, strict=True)
        )

    def _add_half(self, node: Node) -> None:
        inputs = [None if v is None else self._half(v) for v in node.inputs]
        made = self.b.add(node.op, inputs, tuple(v.name for v in node.outputs)).outputs
        for old, new in zip(node.outputs, made, strict=True):
            if old.type.dtype is DType.F32:
                self.half[old] = new
                self.narrow.add(old)
            else:
                self.full[old] = new

    def _gradient(self, node: Node) -> None:
        b = self.b
        loss, *wrt = (self._full(v) for v in node.operands)
        made = b.multi(Grad(), b(Mul(), loss, self._like(loss, self.scale)), *wrt)
        for old, gradient in zip(node.outputs, made, strict=True):
            self.full[old] = found = b(Div(), gradient, self._like(gradient, self.scale))
            self.gradients.append(found)

    def _like(self, other: Value, value: Value) -> Value:
        dtype = other.type.dtype
        return value if value.type.dtype is dtype else self.b(Cast(dtype), value)

    def _full(self, value: Value) -> Value:
        """The value as it was."""
        if value not in self.full:
            half = self.half.get(value)
            self.full[value] = value if half is None else self.b(Cast(DType.F32), half)
        return self.full[value]

    def _half(self, value: Value) -> Value:
        if value.type.dtype is not DType.F32:
            return self._full(value)
        if value not in self.half:
            self.half[value] = self.b(Cast(DType.F16), self._full(value))
        return self.half[value]


def _behind(graph: Graph, values: set[Value]) -> set[Node]:
    """The nodes that the values are computed by."""
    needed, found = set(values), set[Node]()
    for node in reversed(graph.nodes):
        if any(value in needed for value in node.outputs):
            found.add(node)
            needed.update(node.operands)
    return found


def _is_full(node: Node) -> bool:
    """Whether its floating operands and results are float32."""
    values = (*node.operands, *node.outputs)
    floating = {v.type.dtype for v in values if v.type.dtype.is_float}
    return floating == {DType.F32}
