"""What made a number infinite or not a number: the step again, in NumPy, node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nncomp.autodiff.expand import expand_gradients
from nncomp.autodiff.reverse import PASS_NAME as GRADIENT
from nncomp.backends.reference.interpreter import run
from nncomp.driver.learners import counters, part, scalar_inputs
from nncomp.errors import CompileError, Diagnostic, Note
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Node, Value
from nncomp.lower.program import TrainSection
from nncomp.source import Span
from nncomp.training.averages import averaged
from nncomp.training.failure import Failure
from nncomp.training.results import losses
from nncomp.types import Array


@dataclass(frozen=True)
class _Made:
    """A value of the run: the node and what it read; whether there are NaNs in it, or infinities.

    constant: whether it depends on nothing that is given
    """

    node: Node
    inputs: Sequence[Value]
    nan: bool
    infinite: bool
    constant: bool


def first_bad_operator(section: TrainSection, failure: Failure, seed: int) -> Diagnostic | None:
    """Which operator, at which line, made the first number that is not finite of those that spoilt
    the loss or, if that is finite, the next parameters. None if NumPy's numbers are all finite.

    An infinity that a program writes down (a mask's) is no error, what becomes of it may be one.
    """
    evaluation = failure.evaluation
    graph = expand_gradients(section.evaluation if evaluation else section.step)
    state = averaged(failure.before) if evaluation else failure.before
    count = failure.step if evaluation else failure.step - 1
    numbers = {**failure.rates, **counters(count, seed)}
    made: dict[Value, _Made] = {}

    def watch(node: Node, inputs: Sequence[Value | None], results: Sequence[Array]) -> None:
        given = [value for value in inputs if value is not None]
        for value in given:
            if value.node and isinstance(value.node.op, Constant) and value not in made:
                note(value, value.node, [], value.node.op.value.array)
        for value, array in zip(node.outputs, results, strict=False):
            note(value, node, given, array)

    def note(value: Value, node: Node, given: Sequence[Value], array: Array) -> None:
        floating = array.dtype.kind not in "iub"
        nan = floating and bool(np.isnan(array).any())
        infinite = floating and bool(np.isinf(array).any())
        constant = all(v in made and made[v].constant for v in given)
        made[value] = _Made(node, given, nan, infinite, constant)

    try:
        run(
            graph,
            {**scalar_inputs(graph, numbers), **failure.batch},
            part(state, graph),
            watch,
        )
    except CompileError:  # what NumPy cannot run
        return None
    wanted = [graph.outputs[name] for name in losses(graph.outputs)]
    spoilt = _spoilt(wanted, made) or _spoilt(list(graph.updates.values()), made)
    return None if spoilt is None else _told(_back(spoilt, made), made)


def _spoilt(values: Sequence[Value], made: Mapping[Value, _Made]) -> Value | None:
    found = [value for value in values if value in made]
    return next((v for v in found if made[v].nan), None) or next(
        (v for v in found if made[v].infinite), None
    )


def _told(trail: Sequence[Value], made: Mapping[Value, _Made]) -> Diagnostic:
    """What is at fault on a way back from a bad value to where it is first bad."""
    first_nan = next((made[value] for value in reversed(trail) if made[value].nan), None)
    origin = made[trail[-1]]
    if first_nan is not None and _is_mask(origin, made):
        origin = first_nan
    node = origin.node
    kind = "NaN" if origin.nan else "infinity"
    where = f" of `{node.origin.scope}`" if node.origin.scope else ""
    in_gradient = any(step.pass_name == GRADIENT for step in node.origin.history)
    which = f"the gradient{where}" if in_gradient else f"{node.op.name}{where}"
    notes = []
    if first_nan is not None and first_nan.node is not node:
        notes.append(Note(f"{first_nan.node.op.name} made a NaN of it", _span(first_nan.node)))
    span, *callers = node.origin.spans or (None,)
    notes += [
        Note("which is of this line", c) for c in callers[:1] if span and c.source != span.source
    ]
    return Diagnostic(
        "NN0404",
        f"{which} made the first {kind}",
        span,
        f"{node.op.name} gave {kind}",
        tuple(notes),
        _CAUSES.get(node.op.name) if not in_gradient else None,
    )


def _span(node: Node) -> Span | None:
    return node.origin.spans[0] if node.origin.spans else None


def _back(value: Value, made: Mapping[Value, _Made]) -> list[Value]:
    """From the value over the earliest bad operand of each: NaNs first, then infinities that no
    constant holds."""
    order = {v: i for i, v in enumerate(made)}
    trail = [value]
    while True:
        step = made[trail[-1]]
        bad = [v for v in step.inputs if v in made and made[v].nan and step.nan]
        bad = bad or [
            v for v in step.inputs if v in made and made[v].infinite and not made[v].constant
        ]
        if not bad:
            return trail
        trail.append(min(bad, key=order.__getitem__))


def _is_mask(origin: _Made, made: Mapping[Value, _Made]) -> bool:
    """Whether an infinity is one that the program has written down."""
    return not origin.nan and any(
        v in made and made[v].constant and made[v].infinite for v in origin.inputs
    )


_CAUSES = {
    "Log": "a logarithm of zero or less: keep it positive, `log(maximum(x, 1e-12))`",
    "Sqrt": "a root of a negative number: `sqrt(maximum(x, 0))`",
    "Div": "a division by zero, or of infinities: add a small number to the divisor",
    "Exp": "an exponential of a large number: subtract the maximum, as `softmax` does",
    "Pow": "a power of zero or of a negative number, or too large: keep the base positive",
}
