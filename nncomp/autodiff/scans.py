"""The gradient of a Scan: another Scan, which runs back.

With h' , y = f(h, x, w) for each slice x, it goes over the runs in reverse order::

    dh, dx, dw_run = (∂f/∂(h, x, w))ᵀ · (dh', dy)        dw = dw + dw_run

What the backward body needs of the forward run is stacked by the forward Scan, as further results
(`expand_gradients` merges that Scan with the one that was there); what does not vary from run to
run is computed again, once. Cost and size of the graph do not depend on the number of runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from nncomp.autodiff.flow import Flow
from nncomp.autodiff.rule import ControlVjp
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Body, Node, Value
from nncomp.ir.op import Gradients
from nncomp.ir.rebuild import remap
from nncomp.ops.control import Scan, plain
from nncomp.ops.control_building import FORWARD, Element, State, Yield, add_scan, places
from nncomp.ops.elementwise import Add
from nncomp.ops.gradient import zeros_like
from nncomp.ops.linear import Gemm, rows


def scan_gradient(at: ControlVjp) -> Gradients:
    return _ScanGradient(at).build()


@dataclass(frozen=True)
class _Product:
    """A sum of aᵀ b over the runs: the stack of all a, and b with the direction in which it is to
    be stacked likewise."""

    stack: Value
    factor: Value
    direction: int


class _ScanGradient:
    """One Scan's gradient. Numbers count the body's inputs, or its states."""

    def __init__(self, at: ControlVjp) -> None:
        assert isinstance(at.node.op, Scan)
        self.at = at
        self.b = at.b
        self.node = at.node
        self.op = at.node.op
        self.n, self.m = self.op.num_states, self.op.num_scan_inputs
        self.dy = at.dy
        flow = Flow(self.op)
        self.varying = flow.varying
        reached = flow.forwards({i for i, on in enumerate(at.active) if on})
        self.wanted = sorted(i for i in reached if self.op.body.inputs[i].type.dtype.is_float)
        given = {i for i, gradient in enumerate(at.dy) if gradient is not None}
        live = flow.backwards(given)
        self.states = [i for i in self.wanted if i < self.n and i in live]
        self.scanned = [i for i in self.wanted if self.n <= i < self.n + self.m]
        self.captures = [i for i in self.wanted if self.n + self.m <= i]
        self.inner = Builder()
        self.values: dict[Value, Value] = {}  # of the forward body: what the backward one reads
        self.elements: list[Element] = []
        # values of the forward body: the tensor of all runs, its axis and direction
        self.tensors: dict[Value | None, tuple[Value, int, int]] = {}

    def build(self) -> Gradients:
        body, inputs, n = self.op.body, self.op.body.inputs, self.n
        wrt = [inputs[i] for i in (*self.states, *self.scanned, *self.captures)]
        if not wrt:
            return self.at.nothing()
        after = [Value(plain(inputs[i].type), f"d_{inputs[i].name}") for i in self.states]
        seeds = [(self.op.next_states[i], d) for i, d in zip(self.states, after, strict=True)]
        for value, gradient, (axis, direction) in zip(
            self.op.yields, self.dy[n:], self.op.output_places, strict=True
        ):
            if gradient is not None:
                d = Value(plain(value.type), "d_yield")
                self.elements.append(Element(gradient, d, axis, 1 - direction))
                seeds.append((value, d))
        found = dict(zip(wrt, self.at.pull_back(self.inner, seeds, wrt), strict=True))
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
            return self.at.nothing()
        results = add_scan(
            self.b,
            self.inner.nodes,
            states,
            self.elements,
            yields,
            name=f"{body.name}.gradient",
        ).outputs
        gradients = self.at.nothing()
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
