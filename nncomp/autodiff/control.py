"""Gradients of control flow: of a Scan another Scan that runs back, of an If another If.

With h' , y = f(h, x, w) for each slice x, the gradient is a scan over the runs in reverse order::

    dh, dx, dw_run = (∂f/∂(h, x, w))ᵀ · (dh', dy)        dw = dw + dw_run

What the backward body needs of the forward run is stacked by the forward Scan, as further results
(`expand_gradients` merges that Scan with the one that was there); what does not vary from run to
run is computed again, once. Cost and size of the graph do not depend on the number of runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from nncomp.autodiff.loops import UncountedError, runs_of
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Body, Node, Value
from nncomp.ir.op import Gradients, NoGradientError, Op
from nncomp.ir.rebuild import remap
from nncomp.ops.control import If, Loop, Scan, plain
from nncomp.ops.control_building import (
    FORWARD,
    Element,
    State,
    Yield,
    add_if,
    add_scan,
    places,
)
from nncomp.ops.elementwise import Add
from nncomp.ops.gradient import zeros_like
from nncomp.ops.linear import Gemm, rows

Seeds = Sequence[tuple[Value, Value]]
PullBack = Callable[[Builder, Seeds, Sequence[Value]], list[Value | None]]
Rule = Callable[[Builder, Node, tuple[Value | None, ...], Sequence[bool], PullBack], Gradients]


# --- Scan --------------------------------------------------------------------------------------


def _scan(
    b: Builder,
    node: Node,
    dy: tuple[Value | None, ...],
    active: Sequence[bool],
    pull_back: PullBack,
) -> Gradients:
    return _ScanGradient(b, node, dy, active).build(pull_back)


@dataclass(frozen=True)
class _Product:
    """A sum of aᵀ b over the runs: the stack of all a, and b with the direction in which it is to
    be stacked likewise."""

    stack: Value
    factor: Value
    direction: int


class _ScanGradient:
    """One Scan's gradient. Numbers count the body's inputs, or its states."""

    def __init__(
        self, b: Builder, node: Node, dy: tuple[Value | None, ...], active: Sequence[bool]
    ) -> None:
        assert isinstance(node.op, Scan)
        self.b = b
        self.node = node
        self.op = node.op
        self.n, self.m = node.op.num_states, node.op.num_scan_inputs
        self.dy = dy
        flow = _Flow(self.op)
        self.varying = flow.varying
        reached = flow.forwards({i for i, on in enumerate(active) if on})
        self.wanted = sorted(i for i in reached if self.op.body.inputs[i].type.dtype.is_float)
        given = {i for i, gradient in enumerate(dy) if gradient is not None}
        live = flow.backwards(given)
        self.states = [i for i in self.wanted if i < self.n and i in live]
        self.scanned = [i for i in self.wanted if self.n <= i < self.n + self.m]
        self.captures = [i for i in self.wanted if self.n + self.m <= i]
        self.inner = Builder()
        self.values: dict[Value, Value] = {}  # of the forward body: what the backward one reads
        self.elements: list[Element] = []
        # values of the forward body: the tensor of all runs, its axis and direction
        self.tensors: dict[Value | None, tuple[Value, int, int]] = {}

    def build(self, pull_back: PullBack) -> Gradients:
        body, inputs, n = self.op.body, self.op.body.inputs, self.n
        wrt = [inputs[i] for i in (*self.states, *self.scanned, *self.captures)]
        if not wrt:
            return [None] * len(self.node.inputs)
        after = [Value(plain(inputs[i].type), f"d_{inputs[i].name}") for i in self.states]
        seeds = [(self.op.next_states[i], d) for i, d in zip(self.states, after, strict=True)]
        for value, gradient, (axis, direction) in zip(
            self.op.yields, self.dy[n:], self.op.output_places, strict=True
        ):
            if gradient is not None:
                d = Value(plain(value.type), "d_yield")
                self.elements.append(Element(gradient, d, axis, 1 - direction))
                seeds.append((value, d))
        found = dict(zip(wrt, pull_back(self.inner, seeds, wrt), strict=True))
        self.supply(body, [v for v in found.values() if v is not None], {d for _, d in seeds})
        products = self.products(found)
        self.inner.nodes = [remap(node, self.values) for node in self.inner.nodes]
        states = [
            self.state(i, d, found[inputs[i]]) for i, d in zip(self.states, after, strict=True)
        ]
        summed = [i for i in self.captures if found[inputs[i]] is not None and i not in products]
        states += [self.accumulator(i, found[inputs[i]]) for i in summed]
        stacked = [i for i in self.scanned if found[inputs[i]] is not None]
        yields = [self.slice_gradient(i, found[inputs[i]]) for i in stacked]
        factors = dict.fromkeys((self.read(p.factor), p.direction) for p in products.values())
        yields += [Yield(factor, "", 0, direction) for factor, direction in factors]
        if not self.elements:  # a Scan goes over something
            self.elements.append(self.again(n))
        if not states and not yields:
            return [None] * len(self.node.inputs)
        results = add_scan(
            self.b,
            self.inner.nodes,
            states,
            self.elements,
            yields,
            name=f"{body.name}.gradient",
        ).outputs
        gradients: list[Value | None] = [None] * len(self.node.inputs)
        for i, gradient in zip((*self.states, *summed, *stacked), results, strict=False):
            gradients[i] = gradient
        stacks = dict(zip(factors, results[len(results) - len(factors) :], strict=True))
        for i, product in products.items():
            stack = stacks[self.read(product.factor), product.direction]
            gradients[i] = self.b(Gemm(transA=1), rows(self.b, product.stack), rows(self.b, stack))
        return gradients

    def products(self, found: Mapping[Value, Value | None]) -> dict[int, _Product]:
        """The captures whose gradient is Σ aᵀ b over the runs, where all a stand in one tensor:
        one product of tall matrices, instead of one product and one sum in each run."""
        products = {}
        made = set(self.inner.nodes)
        for i in self.captures:
            gradient = found[self.op.body.inputs[i]]
            node = gradient.node if gradient is not None else None
            if node is None or node.op != Gemm(transA=1) or len(node.inputs) != 2:
                continue
            a, b = node.inputs
            if a in self.tensors and b is not None and b.node in made:
                tensor, axis, direction = self.tensors[a]
                if axis == 0:
                    products[i] = _Product(tensor, b, 1 - direction)
        return products

    def state(self, number: int, inner: Value, gradient: Value | None) -> State:
        """The gradient of a state: from the last run's result to the first run's input."""
        first = self.dy[number]
        if first is None:
            first = zeros_like(self.b, self.node.outputs[number])
        if gradient is None:
            gradient = zeros_like(self.inner, inner)
        return State(first, inner, self.read(gradient))

    def accumulator(self, number: int, gradient: Value | None) -> State:
        """The gradient of a capture, summed over the runs."""
        capture = self.op.body.inputs[number]
        assert gradient is not None
        total = Value(plain(capture.type), f"d_{capture.name}")
        outer = self.node.inputs[number]
        assert outer is not None
        return State(
            zeros_like(self.b, outer), total, self.inner(Add(), total, self.read(gradient))
        )

    def slice_gradient(self, number: int, gradient: Value | None) -> Yield:
        axis, direction = self.op.input_places[number - self.n]
        assert gradient is not None
        return Yield(self.read(gradient), "", axis, 1 - direction)

    def read(self, value: Value) -> Value:
        return self.values.get(value, value)

    def supply(self, body: Body, results: Iterable[Value], seeds: set[Value]) -> None:
        """Makes what the backward nodes read of the forward body readable: captures as such,
        elements by scanning them again, the rest from stacks."""
        own = {v for node in self.inner.nodes for v in node.outputs} | seeds
        reads = [v for node in self.inner.nodes for v in node.operands]
        outside = [v for v in dict.fromkeys([*reads, *results]) if v not in own]
        inputs = {value: i for i, value in enumerate(body.inputs)}
        forward = {v: node for node in body.nodes for v in node.outputs}
        repeated: dict[Node, None] = {}
        saved: list[Value] = []
        for value in outside:
            if value in inputs and inputs[value] >= self.n:
                self.input(inputs[value])
            elif value in self.varying:
                saved.append(value)
            elif value in forward:
                self.repeat(forward[value], forward, inputs, repeated)
        self.inner.nodes[:0] = [node for node in body.nodes if node in repeated]
        for value, stack in zip(saved, self.stacks(saved), strict=True):
            new = Value(plain(value.type), value.name or "saved")
            self.values[value] = new
            tensor, axis, direction = self.tensors[value] = stack
            self.elements.append(Element(tensor, new, axis, 1 - direction))

    def input(self, number: int) -> None:
        """An element or capture of the forward body, for the backward one."""
        value = self.op.body.inputs[number]
        if value in self.values:
            return
        if number < self.n + self.m:
            element = self.again(number)
            self.elements.append(element)
            self.values[value] = element.inner
            self.tensors[value] = (element.tensor, element.axis, 1 - element.direction)
        else:
            outer = self.node.inputs[number]
            assert outer is not None
            self.values[value] = outer

    def again(self, number: int) -> Element:
        """A scanned tensor, from its other end."""
        value, tensor = self.op.body.inputs[number], self.node.inputs[number]
        assert tensor is not None
        axis, direction = self.op.input_places[number - self.n]
        return Element(tensor, Value(plain(value.type), value.name), axis, 1 - direction)

    def repeat(
        self,
        node: Node,
        forward: dict[Value, Node],
        inputs: dict[Value, int],
        repeated: dict[Node, None],
    ) -> None:
        """Takes over nodes that read only captures; they end up outside of the body."""
        pending = [node]
        while pending:
            current = pending.pop()
            if current in repeated:
                continue
            repeated[current] = None
            for value in current.operands:
                if value in inputs:
                    self.input(inputs[value])
                else:
                    pending.append(forward[value])

    def stacks(self, saved: Sequence[Value]) -> list[tuple[Value, int, int]]:
        """For values of the forward body the tensors of all runs, with axis and direction. What
        is not yielded already, a longer form of the Scan gives."""
        op, n = self.op, self.n
        places_of = {
            v: (self.node.outputs[n + k], *place)
            for k, (v, place) in enumerate(zip(op.yields, op.output_places, strict=True))
        }
        more = [v for v in saved if v not in places_of]
        if more:
            longer = self.b.append(longer_scan(self.node, [(v, 0, FORWARD) for v in more]))
            for v, stack in zip(more, longer.outputs[len(self.node.outputs) :], strict=True):
                places_of[v] = (stack, 0, FORWARD)
        return [places_of[v] for v in saved]


def longer_scan(node: Node, more: Sequence[tuple[Value, int, int]]) -> Node:
    """The Scan with further values of its body stacked: each with axis and direction."""
    op = node.op
    assert isinstance(op, Scan)
    outputs = dict(op.body.outputs)
    outputs |= {f"saved.{len(outputs) + i}": value for i, (value, _, _) in enumerate(more)}
    axes, directions = places([*op.output_places, *((a, d) for _, a, d in more)])
    new = replace(
        op,
        body=replace(op.body, outputs=outputs),
        scan_output_axes=axes,
        scan_output_directions=directions,
    )
    b = Builder(node.origin)
    return b.add(new, node.inputs, tuple(v.name for v in node.outputs))


class _Flow:
    """How gradients flow through the runs of a Scan."""

    def __init__(self, op: Scan) -> None:
        self.op = op
        body, n, m = op.body, op.num_states, op.num_scan_inputs
        masks = {v: 1 << i for i, v in enumerate(body.inputs) if v.type.dtype.is_float}
        varying = set(body.inputs[: n + m])
        for node in body.nodes:
            mask = 0
            for value in node.operands:
                mask |= masks.get(value, 0)
            for value in node.outputs:
                if mask and value.type.dtype.is_float:
                    masks[value] = mask
            fixed = isinstance(node.op, Constant | Dims)
            if not fixed and (not node.op.pure or any(v in varying for v in node.operands)):
                varying.update(node.outputs)
        self.varying = varying
        self.outputs = [masks.get(v, 0) for v in body.outputs.values()]

    def forwards(self, active: set[int]) -> set[int]:
        """The inputs that depend on the active ones, through any number of runs."""
        active = set(active)
        while True:
            mask = sum(1 << i for i in active)
            more = {
                i for i in range(self.op.num_states) if self.outputs[i] & mask and i not in active
            }
            if not more:
                return active
            active |= more

    def backwards(self, live: set[int]) -> set[int]:
        """The states that lead to the live results, through any number of runs."""
        live = set(live)
        while True:
            mask = 0
            for i in live:
                mask |= self.outputs[i]
            more = {i for i in range(self.op.num_states) if mask >> i & 1 and i not in live}
            if not more:
                return {i for i in live if i < self.op.num_states}
            live |= more


# --- If, Loop ----------------------------------------------------------------------------------


def _if(
    b: Builder,
    node: Node,
    dy: tuple[Value | None, ...],
    active: Sequence[bool],
    pull_back: PullBack,
) -> Gradients:
    """Each branch computes what it did again, then its gradients; zeros for what it reads not."""
    assert isinstance(node.op, If)
    wanted = [i for i, on in enumerate(active) if on]
    nodes: list[list[Node]] = []
    found: list[list[Value | None]] = []
    for body in node.op.bodies:
        inner = Builder(b.origin)
        seeds = [
            (value, gradient)
            for value, gradient in zip(body.outputs.values(), dy, strict=True)
            if gradient is not None
        ]
        gradients = pull_back(inner, seeds, [body.inputs[i - 1] for i in wanted])
        outer = dict(zip(body.inputs, node.inputs[1:], strict=True))
        values = {v: o for v, o in outer.items() if o is not None}
        nodes.append([remap(old, values) for old in (*body.nodes, *inner.nodes)])
        found.append([None if v is None else values.get(v, v) for v in gradients])
    kept = [k for k in range(len(wanted)) if any(f[k] is not None for f in found)]
    if not kept:
        return [None] * len(node.inputs)
    pairs = [
        (
            _or_zeros(nodes[0], found[0][k], node.inputs[wanted[k]]),
            _or_zeros(nodes[1], found[1][k], node.inputs[wanted[k]]),
        )
        for k in kept
    ]
    condition = node.inputs[0]
    assert condition is not None
    results = add_if(b, condition, (nodes[0], nodes[1]), pairs)
    gradients_of: list[Value | None] = [None] * len(node.inputs)
    for k, gradient in zip(kept, results, strict=True):
        gradients_of[wanted[k]] = gradient
    return gradients_of


def _or_zeros(nodes: list[Node], gradient: Value | None, operand: Value | None) -> Value:
    if gradient is not None:
        return gradient
    assert operand is not None
    b = Builder()
    zeros = zeros_like(b, operand)
    nodes += b.nodes
    return zeros


def _loop(
    b: Builder,
    node: Node,
    dy: tuple[Value | None, ...],
    active: Sequence[bool],
    pull_back: PullBack,
) -> Gradients:
    """Loops whose runs can be counted are Scans by now; this says why another one cannot."""
    assert isinstance(node.op, Loop)
    try:
        runs_of(node)
        reason = "it gives a length that is known at run time only out of the body around"
    except UncountedError as found:
        reason = str(found)
    raise NoGradientError(
        f"nothing says how many runs there are to go back through: {reason}; a `scan`, and a "
        "`loop` while a counter is below a limit known as a dim, have a gradient"
    )


CONTROL: dict[type[Op], Rule] = {Scan: _scan, If: _if, Loop: _loop}
