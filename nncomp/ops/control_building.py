"""Building Scan and If nodes: what lowering and gradients share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from nncomp.dims import Symbol
from nncomp.ir.builder import Builder
from nncomp.ir.closure import close, with_captures
from nncomp.ir.graph import Node, Value
from nncomp.ops.control import If, Loop, Scan, plain
from nncomp.ops.conversion import Identity
from nncomp.records import record
from nncomp.types import DType, TensorType

FORWARD, BACKWARD = 0, 1

Values = Sequence[Value]
Step = Callable[[Builder, Values, Values], tuple[Values, Values]]


@record
class State:
    """A value that goes from run to run: before the first, in a run, after the run."""

    first: Value
    inner: Value
    after: Value


@record
class Element:
    """A scanned tensor and its slice in a run."""

    tensor: Value
    inner: Value
    axis: int = 0
    direction: int = FORWARD


@record
class Yield:
    """What a run gives, and how it is stacked."""

    value: Value
    name: str = ""
    axis: int = 0
    direction: int = FORWARD


def add_scan(
    b: Builder,
    nodes: Iterable[Node],
    states: Sequence[State],
    elements: Sequence[Element],
    yields: Sequence[Yield],
    *,
    name: str = "scan",
    local: frozenset[Symbol] = frozenset(),
) -> Node:
    """Adds a Scan; its results are the states' last values, then what is yielded.

    nodes: of the body; those that read neither states nor elements are computed once, before it
    """
    outputs = {f"next.{number}": state.after for number, state in enumerate(states)}
    outputs |= {f"yield.{number}": y.value for number, y in enumerate(yields)}
    inner = [*(s.inner for s in states), *(e.inner for e in elements)]
    body, captured = close(name, inner, nodes, outputs, outer=b, local=local)
    op = Scan(
        body,
        len(elements),
        *places([(e.axis, e.direction) for e in elements]),
        *places([(y.axis, y.direction) for y in yields]),
    )
    operands = [*(s.first for s in states), *(e.tensor for e in elements), *captured]
    names = (*(s.inner.name for s in states), *(y.name for y in yields))
    return b.add(op, operands, names)


def add_recurrence(
    b: Builder,
    step: Step,
    firsts: Sequence[Value],
    tensors: Sequence[Value],
    *,
    axis: int = 0,
    direction: int = FORWARD,
    name: str = "scan",
) -> tuple[Value, ...]:
    """Adds a Scan whose body is written as a function; the states' last values, then the stacks.

    step: builds one run, from the states and the slices to the next states and what is stacked
    firsts: the states before the first run; tensors: scanned along `axis` (from 0) in `direction`,
        along which what is stacked lies too
    """
    inner = Builder(b.origin)
    states = [Value(plain(x.type), f"state{i}") for i, x in enumerate(firsts)]
    slices = [
        Value(x.type.with_shape((*x.shape[:axis], *x.shape[axis + 1 :])), f"slice{i}")
        for i, x in enumerate(tensors)
    ]
    after, stacked = step(inner, states, slices)
    return add_scan(
        b,
        inner.nodes,
        [State(*values) for values in zip(firsts, states, after, strict=True)],
        [Element(*pair, axis, direction) for pair in zip(tensors, slices, strict=True)],
        [Yield(value, "", axis, direction) for value in stacked],
        name=name,
    ).outputs


def add_loop(
    b: Builder,
    runs: Value,
    step: Callable[[Builder, Value, Values], Values],
    firsts: Sequence[Value],
    *,
    name: str = "loop",
) -> tuple[Value, ...]:
    """Adds a Loop that runs so many times (i64[]); the states' last values.

    step: builds one run, from its number and the states to the next states
    """
    inner = Builder(b.origin)
    number = Value(TensorType(DType.I64, ()), "run")
    going = Value(TensorType(DType.BOOL, ()), "going")
    states = [Value(plain(x.type), f"state{i}") for i, x in enumerate(firsts)]
    outputs = {"going": inner(Identity(), going)}
    outputs |= {f"next.{i}": after for i, after in enumerate(step(inner, number, states))}
    body, captured = close(name, [number, going, *states], inner.nodes, outputs, outer=b)
    return b.multi(Loop(body), runs, None, *firsts, *captured)


def add_if(
    b: Builder,
    condition: Value,
    nodes: tuple[Sequence[Node], Sequence[Node]],
    results: Sequence[tuple[Value, Value]],
) -> tuple[Value, ...]:
    """Adds an If; its results. Both bodies take the captures of both.

    nodes: of the body that runs where the condition holds, and of the other
    results: what each body gives, in pairs of one type
    """
    closed = [
        close("cond", (), nodes[i], {f"yield.{n}": pair[i] for n, pair in enumerate(results)})
        for i in range(2)
    ]
    captured = tuple(dict.fromkeys(v for _, values in closed for v in values))
    bodies = [with_captures(body, values, captured) for body, values in closed]
    return b.multi(If(*bodies), condition, *captured)


def places(
    axes_and_directions: Sequence[tuple[int, int]],
) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
    """Axes and directions as attributes: None where all are the default."""
    axes = tuple(axis for axis, _ in axes_and_directions)
    directions = tuple(direction for _, direction in axes_and_directions)
    return (axes if any(axes) else None, directions if any(directions) else None)
