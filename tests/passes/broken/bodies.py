"""Faults in what goes out of the bodies of control flow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ops.activation import Relu, Tanh
from nncomp.ops.control_building import Step, Values, add_recurrence
from nncomp.ops.elementwise import Add, Mul, Sub
from nncomp.passes import hoist_from_scans
from nncomp.passes.hoist_from_scans import _Hoisting
from nncomp.passes.manager import TRAINING
from nncomp.passes.prune_bodies import _Pruning
from tests.passes.broken.fault import Fault, N, start
from tests.passes.support import Net

Operands = tuple[Value | None, ...]


def recurrence(net: Net, step: Step, scanned: int = 1, states: int = 1) -> Sequence[Value]:
    first = [start(net, N, 3) for _ in range(states)]
    return add_recurrence(net.b, step, first, [start(net, 4, N, 3) for _ in range(scanned)])


def three_results(net: Net) -> tuple[Value, ...]:
    def step(b: Builder, states: Values, slices: Values) -> tuple[Values, Values]:
        h = b(Tanh(), b(Add(), states[0], slices[0]))
        return [h], [b(Relu(), h), h, b(Mul(), h, 2.0)]

    _, first, _, last = recurrence(net, step)
    return first, last


def two_tensors(net: Net) -> Value:
    def step(b: Builder, states: Values, slices: Values) -> tuple[Values, Values]:
        h = b(Tanh(), b(Sub(), states[0], slices[1]))
        return [h], [h]

    return recurrence(net, step, scanned=2)[1]


def two_kinds(net: Net) -> tuple[Value, ...]:
    def step(b: Builder, states: Values, slices: Values) -> tuple[Values, Values]:
        h = b(Add(), states[0], slices[0])
        other = b(Sub(), states[1], slices[0])
        return [h, other], [h, h, other]

    return tuple(recurrence(net, step, states=2)[2:])


def two_constants(net: Net) -> Value:
    factor, summand = net.param(3), net.param(3)

    def step(b: Builder, states: Values, slices: Values) -> tuple[Values, Values]:
        h = b(Add(), b(Mul(), b(Tanh(), states[0]), factor), summand)
        return [b(Add(), h, slices[0])], []

    return recurrence(net, step)[0]


def three_captures(net: Net) -> Value:
    """Of which two are one; the third is another."""
    same, other = start(net, N, 3), start(net, N, 3)
    again = net(Mul(), same, 1.0)  # `same`, once no-ops are gone

    def step(b: Builder, states: Values, slices: Values) -> tuple[Values, Values]:
        h = b(Add(), b(Mul(), states[0], same), b(Mul(), slices[0], again))
        return [b(Tanh(), b(Sub(), h, other))], []

    return recurrence(net, step)[0]


def first_and_last_swapped(right: Any) -> Any:
    """Of the results that stay."""

    def wrong(self: Any, bodies: Any, inputs: Any, outputs: Any, values: Any) -> Any:
        made = right(self, bodies, inputs, outputs, values)
        kept = [v for v in self.node.outputs if v in values]
        first, last = kept[1], kept[-1]
        values[first], values[last] = values[last], values[first]
        return made

    return wrong


def with_operands(change: Callable[[Any, Operands], Operands]) -> Any:
    """A step of pruning that reads other operands of its node."""

    def altered(right: Any) -> Any:
        def wrong(self: Any, *rest: Any) -> Any:
            node = self.node
            inputs = change(self, node.inputs)
            self.node = SimpleNamespace(op=node.op, inputs=inputs, origin=node.origin)
            self.node.outputs = node.outputs
            try:
                return right(self, *rest)
            finally:
                self.node = node

        return wrong

    return altered


def scanned_swapped(self: Any, inputs: Operands) -> Operands:
    n = self.states
    return (*inputs[:n], *inputs[n : n + 2][::-1], *inputs[n + 2 :])


def captures_swapped(self: Any, inputs: Operands) -> Operands:
    count = self.op.body.captures
    return (*inputs[:-count], *inputs[-count:][::-1])


def captures_alike(self: Any, inputs: Operands) -> Operands:
    count = self.op.body.captures
    return (*inputs[:-count], *([inputs[-count]] * count))


def whatever_is_stacked(right: Any) -> Any:
    def wrong(self: Any, counts: Any) -> Any:
        found = right(self, counts)
        first, *others = self.node.outputs[self.states :]
        for k, value in enumerate(others, start=self.states + 1):
            if value not in found and self.read[k]:
                found[value], self.read[k] = first, False
                counts["merge-results"] += 1
        return found

    return wrong


def of_slices(net: Net) -> Value:
    def step(b: Builder, states: Values, slices: Values) -> tuple[Values, Values]:
        h = b(Add(), b(Tanh(), states[0]), b(Relu(), slices[0]))
        return [h], [h]

    return recurrence(net, step)[1]


def of_three_factors(net: Net) -> Value:
    def step(b: Builder, states: Values, slices: Values) -> tuple[Values, Values]:
        h = b(Mul(), b(Mul(), b(Tanh(), states[0]), slices[0]), slices[1])
        return [b(Add(), h, slices[0])], [h]

    return recurrence(net, step, scanned=2)[1]


def backwards(right: Any) -> Any:
    def wrong(self: Any, node: Any) -> None:
        right(self, node)
        self.steady[node.outputs[0]] = 1 - self.steady[node.outputs[0]]

    return wrong


def without_the_state(right: Any) -> Any:
    def wrong(op: Any, inputs: Any, origin: Any, like: Any) -> Any:
        last = inputs[1]
        of_slices = last.node is not None and isinstance(last.node.op, Mul)
        return right(op, (last, last) if of_slices else inputs, origin, like)

    return wrong


PRUNE, HOIST = "prune-bodies", "hoist-from-scans"


def _fault(what: str, rule: str, build: Any, step: str, change: Any, most: int = 4) -> Fault:
    patch = (_Pruning, step, change(getattr(_Pruning, step)))
    return Fault(what, PRUNE, rule, build, (patch,), most=most)


FAULTS = (
    _fault(
        "two results swapped where one between them goes",
        *("drop-result", three_results, "_rebuilt", first_and_last_swapped),
    ),
    _fault(
        "the tensor that goes scanned for the one that stays",
        *("drop-operand", two_tensors, "_rebuilt", with_operands(scanned_swapped)),
    ),
    _fault(
        "results merged that stack different values",
        *("merge-results", two_kinds, "_merge_results", whatever_is_stacked),
    ),
    _fault(
        "two constants of a body swapped",
        *("inline-constant", two_constants, "_with_known", with_operands(captures_swapped)),
    ),
    _fault(
        "all captures taken for one",
        *("merge-captures", three_captures, "_with_known", with_operands(captures_alike)),
        most=6,
    ),
    Fault(
        "what is hoisted scanned backwards",
        *(HOIST, "hoist", of_slices),
        ((_Hoisting, "_hoist", backwards(_Hoisting._hoist)),),
        passes=TRAINING,
    ),
    Fault(
        "products of slices regrouped without the state",
        *(HOIST, "regroup", of_three_factors),
        ((hoist_from_scans, "_node", without_the_state(hoist_from_scans._node)),),
        passes=TRAINING,
    ),
)
