"""Runs graphs in NumPy: nodes in order, each tensor freed after its last use.

A result takes the place of an operand where it can: see `_room`.

An operator without a kernel runs through its decomposition. Dims come from the shapes of the
inputs and parameters.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from copy import copy
from dataclasses import dataclass, replace
from functools import cache, partial
from inspect import signature
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from nncomp.backends.reference.control import CONTROL, Runner
from nncomp.backends.reference.given import given_inputs, given_parameters, type_of
from nncomp.backends.reference.joining import join_products
from nncomp.backends.reference.kernels import FIRST_RESULT, KERNELS, Kernel
from nncomp.backends.reference.symbols import Symbols
from nncomp.backends.reference.threads import all_cores
from nncomp.backends.reference.turning import turned_weights
from nncomp.dims import Symbol, symbols_in
from nncomp.errors import error
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Body, Graph, Node, Value
from nncomp.ir.op import Op
from nncomp.ir.room import room_for
from nncomp.types import Array, is_container

_NONE: Mapping[str, Array] = MappingProxyType({})


@dataclass(frozen=True)
class Results:
    """What a run computes: outputs by name, next values of parameters by path."""

    outputs: dict[str, Array]
    updates: dict[str, Array]


Watch = Callable[[Node, Sequence[Value | None], Sequence[Array]], None]
"""Is told of each node that has run: the values that it read, and its results."""


def run(
    graph: Graph,
    inputs: Mapping[str, Array],
    parameters: Mapping[str, Array] = _NONE,
    watch: Watch | None = None,
    *,
    inside: bool = False,
) -> Results:
    """Runs the graph.

    inputs: by name; those with defaults may be left out. parameters: by path.
    watch: sees every node but constants and those in bodies; a value that a decomposition computes
        in another's place stands for it; inside: those in bodies, too
    Raises CompileError: NN0502 if parameters do not fit, NN0503 if inputs do not, NN0209 if an
    obligation does not hold, NN0603 if an operator has neither kernel nor decomposition.
    """
    plan = _plan(graph, joined=watch is None)
    symbols = Symbols()
    values = dict(plan.constants)
    for value, array in given_inputs(graph, inputs):
        if not is_container(value.type):
            symbols.add(f"input `{value.name}`", value.type, array.shape, "NN0503")
        values[value] = array
    for path, value, array in given_parameters(graph, parameters):
        symbols.add(f"`{path}`", value.type, array.shape, "NN0502")
        values[value] = array
    symbols.solve()
    for obligation in graph.obligations:
        obligation.require(symbols.values)
    given = {id(array) for array in values.values()}
    shapes = {v.name: np.shape(values[v]) for v in graph.inputs if not is_container(v.type)}
    with np.errstate(all="ignore"), all_cores(), room_for(graph, shapes, "NN0503"):
        _execute(plan.steps, plan.read, values, symbols, watch, watch if inside else None)

    def own(value: Value) -> Array:
        array = values[plan.same.get(value, value)]
        if not isinstance(array, np.ndarray):  # a sequence or an optional value
            return copy(array)
        fresh = array.flags.owndata and array.flags.writeable and id(array) not in given
        return array if fresh and array.flags.c_contiguous else array.copy()

    return Results(
        {name: own(value) for name, value in graph.outputs.items()},
        {path: own(value) for path, value in graph.updates.items()},
    )


def _execute(
    steps: Sequence[_Step],
    read: Set[Value],
    values: dict[Value, Array],
    symbols: Symbols,
    watch: Watch | None = None,
    within: Watch | None = None,
) -> None:
    """watch: sees these steps; within: those of their bodies."""
    for step in steps:
        operands = [None if v is None else values[v] for v in step.inputs]
        for value in step.dead:
            del values[value]
        results = _compute(step.node, operands, symbols, step.first_only, reuse=True, watch=within)
        del operands
        if watch is not None:
            watch(step.node, step.inputs, results)
        pairs = zip(step.node.outputs, results, strict=False)
        values.update((value, array) for value, array in pairs if value in read)
        del results, pairs  # no second holder, so that the next step may overwrite a result


def evaluate(op: Op, operands: Sequence[Array | None]) -> tuple[Array, ...]:
    """All results of one operator (`pure` or not) on arrays.

    Raises CompileError: NN0603 if there is no implementation, NN0503 for operands that do not fit.
    """
    inputs = tuple(None if a is None else Value(type_of(a)) for a in operands)
    b = Builder()
    node = b.add(op, inputs)
    if type(op) in KERNELS or isinstance(op, Dims) or op.bodies:
        with np.errstate(all="ignore"):
            return _compute(node, operands, Symbols())
    named = {f"{i}": v for i, v in enumerate(inputs) if v is not None}
    for name, value in named.items():
        value.name = name
    outputs = {f"{i}": v for i, v in enumerate(node.outputs)}
    graph = Graph(op.name, tuple(named.values()), (), (node,), outputs)
    arrays = {f"{i}": a for i, a in enumerate(operands) if a is not None}
    return tuple(run(graph, arrays).outputs.values())


@dataclass(frozen=True, eq=False)
class _Step:
    """A node to compute, the values it reads, those of them that nobody reads again, and whether
    the first result alone is read."""

    node: Node
    inputs: tuple[Value | None, ...]
    dead: tuple[Value, ...]
    first_only: bool


@dataclass(frozen=True, eq=False)
class _Plan:
    """The steps; `constants`: values that no step computes; `same`: values of decomposed nodes, by
    the value that is computed for them; `read`: every value that is read or is a result."""

    steps: tuple[_Step, ...]
    constants: Mapping[Value, Array]
    same: Mapping[Value, Value]
    read: frozenset[Value]


_plans: WeakKeyDictionary[Graph, dict[bool, _Plan]] = WeakKeyDictionary()


def _plan(graph: Graph, *, joined: bool) -> _Plan:
    """joined: whether products are joined with what follows, which nobody can watch then"""
    plans = _plans.setdefault(graph, {})
    if joined not in plans:
        plans[joined] = _make_plan(graph, joined)
    return plans[joined]


def _make_plan(graph: Graph, joined: bool) -> _Plan:
    same: dict[Value, Value] = {}
    nodes = list(_with_kernels(graph.nodes, same))
    constants = {
        node.outputs[0]: node.op.value.array for node in nodes if isinstance(node.op, Constant)
    }
    nodes = [node for node in nodes if not isinstance(node.op, Constant)]
    results = [same.get(value, value) for value in graph.results]
    if joined:
        nodes = join_products(nodes, same, set(results))
    read = set(results)
    steps: list[_Step] = []
    kept = {*results, *graph.inputs, *(p.value for p in graph.parameters), *constants}
    for node in reversed(nodes):
        inputs = tuple(None if v is None else same.get(v, v) for v in node.inputs)
        present = dict.fromkeys(v for v in inputs if v is not None)
        if not any(v in read for v in node.outputs):
            continue  # what a decomposition makes beyond the results that are used
        dead = tuple(v for v in present if v not in read and v not in kept)
        first_only = not any(v in read for v in node.outputs[1:])
        read.update(present)
        steps.append(_Step(node, inputs, dead, first_only))
    if joined:
        constants |= turned_weights(((s.node, s.inputs) for s in steps), constants, results)
    return _Plan(tuple(reversed(steps)), constants, same, frozenset(read))


def _with_kernels(nodes: Iterable[Node], same: dict[Value, Value]) -> Iterable[Node]:
    """The nodes, those without a kernel replaced by their decompositions."""
    pending = list(nodes)[::-1]
    aliases: list[tuple[Value, Value]] = []
    while pending:
        node = pending.pop()
        if type(node.op) in KERNELS or isinstance(node.op, Dims) or node.op.bodies:
            yield node
            continue
        if not node.op.has_decomposition():
            span = node.origin.spans[0] if node.origin.spans else None
            raise error("NN0603", f"NumPy has no kernel for {node.op.name}", span)
        b = Builder(node.origin)
        meaning = node.op.decompose(b, *node.inputs)
        inner = (meaning,) if isinstance(meaning, Value) else meaning
        aliases += zip(node.outputs, inner, strict=False)
        pending += b.nodes[::-1]
    # a decomposition may hold another, or give back an operand that has one
    named = dict(aliases)
    for outer, value in named.items():
        while value in named:
            value = same.get(value, named[value])
        same[outer] = value


def _compute(
    node: Node,
    operands: Sequence[Array | None],
    symbols: Symbols,
    first_only: bool = False,
    reuse: bool = False,
    watch: Watch | None = None,
) -> tuple[Array, ...]:
    """The results, or the first alone.

    reuse: whether they may overwrite operands that only this sequence holds
    watch: sees the nodes of bodies
    """
    op = node.op
    if isinstance(op, Dims):
        return (np.array([symbols.value(dim) for dim in op.dims], np.int64),)
    if op.bodies:
        run_bodies = _runner if watch is None else partial(_runner, watch=watch)
        arrays = CONTROL[type(op)](op, operands, symbols, run_bodies)
        symbols.learn((v.type for v in node.outputs), arrays)
        return arrays
    kernel = (FIRST_RESULT if first_only else KERNELS).get(type(op), KERNELS[type(op)])
    room = _room(node, operands) if reuse and _takes_room(kernel) else None
    try:
        result: Any = kernel(op, *operands) if room is None else kernel(op, *operands, out=room)
    except (ValueError, IndexError, OverflowError, ZeroDivisionError) as failure:
        span = node.origin.spans[0] if node.origin.spans else None
        raise error("NN0503", f"{op.name} failed: {failure}", span) from None
    results = result if isinstance(result, tuple) else (result,)
    if op.containers:
        arrays = tuple(_held(array) for array in results)
    else:
        arrays = tuple(np.asarray(array) for array in results)
    if op.open_sizes:
        symbols.learn((v.type for v in node.outputs), arrays)
    return arrays


def _held(value: Any) -> Any:
    return value if value is None or isinstance(value, list) else np.asarray(value)


@cache
def _takes_room(kernel: Kernel) -> bool:
    return "out" in signature(kernel).parameters


def _room(node: Node, operands: Sequence[Array | None]) -> Array | None:
    """An operand that the first result can overwrite.

    It has the result's shape and dtype, owns its memory, and nobody else holds it: no value that
    is read later, no caller, no operator (whose constant it would be), and no view, since a view
    holds the array that it looks into.
    """
    dtype = node.outputs[0].type.dtype.numpy
    for place in range(len(operands)):
        if _holders(operands, place) != _ONE_HOLDER:
            continue
        array = operands[place]
        if (
            isinstance(array, np.ndarray)
            and array.dtype == dtype
            and array.flags.owndata
            and array.flags.writeable
            and all(
                not isinstance(other, np.ndarray) or _fits(other.shape, array.shape)
                for other in operands
            )
        ):
            return array
    return None


def _holders(operands: Sequence[Array | None], place: int) -> int:
    return sys.getrefcount(operands[place])


_ONE_HOLDER = _holders([np.empty(0)], 0)


def _fits(shape: tuple[int, ...], into: tuple[int, ...]) -> bool:
    """Whether an operand of that shape is broadcast to the other."""
    return shape == into or (
        len(shape) <= len(into)
        and all(a in (1, b) for a, b in zip(shape[::-1], into[::-1], strict=False))
    )


def _runner(
    body: Body, fixed: Sequence[Array | None], symbols: Symbols, watch: Watch | None = None
) -> Runner:
    """A function that runs a body on all its inputs but the captures, which are `fixed`.

    What reads nothing is computed once.
    """
    plan = _plan(body, joined=watch is None)
    first = len(body.inputs) - body.captures
    known: dict[Value, Any] = dict(plan.constants)
    for value, array in zip(body.inputs[first:], fixed, strict=True):
        assert array is not None or is_container(value.type)
        known[value] = array
    varying, captures = body.inputs[:first], set(known)
    own = _own_symbols(body, symbols)
    once = [s for s in plan.steps if not s.inputs and not _changes(s.node.op, own, symbols)]
    first_steps = set(once)
    again = [s for s in plan.steps if s not in first_steps]
    _execute(once, plan.read, known, symbols, watch, watch)
    results = [plan.same.get(v, v) for v in body.outputs.values()]
    keep = captures | {v for step in once for v in step.node.outputs}
    again = [replace(s, dead=tuple(v for v in s.dead if v not in keep)) for s in again]

    def run_body(arrays: Sequence[Array]) -> list[Array]:
        values = dict(known)
        values.update(zip(varying, arrays, strict=True))
        inner = symbols
        if own:
            inner = Symbols({s: d for s, d in symbols.values.items() if s not in own})
            inner.learn((v.type for v in body.inputs), [values[v] for v in body.inputs])
        _execute(again, plan.read, values, inner, watch, watch)
        return [values[v] for v in results]

    return run_body


def _changes(op: Op, own: set[Symbol], symbols: Symbols) -> bool:
    """Whether the operator gives sizes that a run of the body brings in or measures."""
    if not isinstance(op, Dims):
        return False
    return bool(own) or any(s not in symbols.values for s in symbols_in(op.dims))


def _own_symbols(body: Body, symbols: Symbols) -> set[Symbol]:
    """The symbols that the body's varying inputs bring in."""
    varying = body.inputs[: len(body.inputs) - body.captures]
    found = symbols_in(d for v in varying for d in v.shape)
    return {s for s in found if s not in symbols.values}
