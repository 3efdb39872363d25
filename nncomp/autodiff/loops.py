"""Loops whose number of runs is known as a dim become Scans, which have a gradient.

It is known where the condition always holds and M is given, and where the condition compares a
counter, which changes by a constant in each run, with a limit that stays::

    loop (i = start, …) while i < limit { …; i = i + step }    max(0, ⌈(limit - start) / step⌉) runs
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from nncomp.dims import DimLike, Symbol, bounds, floordiv, maximum, minimum
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Body, Graph, Node, Value
from nncomp.ir.rebuild import remap
from nncomp.ir.specialize import with_dims
from nncomp.ops.comparison import Greater, GreaterOrEqual, Less, LessOrEqual
from nncomp.ops.control import Loop, Scan
from nncomp.ops.control_building import add_if
from nncomp.ops.conversion import Identity
from nncomp.ops.elementwise import Add, Sub
from nncomp.ops.filling import Range
from nncomp.ops.gradient import zeros_like
from nncomp.ops.shape import Squeeze, Unsqueeze
from nncomp.types import DType

_ORDERS = Less | LessOrEqual | Greater | GreaterOrEqual
_SWAPPED: dict[type, type] = {
    Less: Greater,
    Greater: Less,
    LessOrEqual: GreaterOrEqual,
    GreaterOrEqual: LessOrEqual,
}


class UncountedError(Exception):
    """What a Loop lacks to be a Scan, in plain words."""


def loops_as_scans(
    graph: Graph, through: Collection[Node], outer: Mapping[Value, Value] | None = None
) -> Graph:
    """The graph with a Scan for each Loop among `through` and in their bodies that carries
    floating values, where the number of runs is known; itself if there is none.

    outer: of a body, what its captures are in the graphs around
    """
    if not any(node.op.bodies for node in through):
        return graph
    outer = outer or {}
    b = Builder()
    values: dict[Value, Value] = {}
    dims: dict[Symbol, DimLike] = {}
    for node in graph.nodes:
        new = with_dims(node, values, dims)
        if node in through and node.op.bodies:
            new = _with_scans_inside(new, outer)
            if isinstance(new.op, Loop) and any(v.type.dtype.is_float for v in new.op.states):
                results = _counted(b, new, dims, outer)
                if results is not None:
                    values.update(zip(node.outputs, results, strict=True))
                    continue
        b.append(new)
        if new is not node:
            values.update(zip(node.outputs, new.outputs, strict=True))
    return graph.replace(b.nodes, values) if values else graph


def _with_scans_inside(node: Node, outer: Mapping[Value, Value]) -> Node:
    """The node with Scans for Loops in its bodies, where no type of a body's results changes."""
    bodies = []
    for body in node.op.bodies:
        around = dict(outer)
        if body.captures:
            captured = zip(
                body.inputs[-body.captures :], node.inputs[-body.captures :], strict=True
            )
            around |= {v: outer.get(o, o) for v, o in captured if o is not None}
        new = loops_as_scans(body, body.nodes, around)
        results = zip(new.results, body.results, strict=True)
        same = isinstance(new, Body) and all(a.type == b.type for a, b in results)
        bodies.append(new if same else body)
    if all(a is b for a, b in zip(bodies, node.op.bodies, strict=True)):
        return node
    op = node.op.with_bodies([body for body in bodies if isinstance(body, Body)])
    names = tuple(v.name for v in node.outputs)
    return Node(op, node.inputs, tuple(v.type for v in node.outputs), node.origin, names)


def _counted(
    b: Builder, node: Node, dims: dict[Symbol, DimLike], outer: Mapping[Value, Value]
) -> tuple[Value, ...] | None:
    """Adds the Scan, if the runs can be counted; its results. `dims` is told what was unknown.

    A Scan over nothing is refused by onnxruntime, so what may not run at all stands in an If, which
    then passes on what is carried, and yields nothing.
    """
    try:
        count = runs_of(node, outer)
    except UncountedError:
        return None
    assert isinstance(node.op, Loop)
    with b.at(node.origin):
        if _runs(count):
            results = as_scan(b, node, count).outputs
        else:
            count = maximum(0, count)
            inner, other = Builder(node.origin), Builder(node.origin)
            scan = as_scan(inner, node, count)
            some = b(Greater(), _scalar(b, count), b.constant(0, DType.I64))
            carried = [v for v in node.inputs[2 : 2 + node.op.num_states] if v is not None]
            nothing = [zeros_like(other, v) for v in scan.outputs[len(carried) :]]
            pairs = list(zip(scan.outputs, [*carried, *nothing], strict=True))
            results = add_if(b, some, (inner.nodes, other.nodes), pairs)
    for old, new in zip(node.outputs, results, strict=True):
        length = old.shape[0] if old.rank else 0
        if not isinstance(length, int) and length.symbol and length != new.shape[0]:
            dims[length.symbol] = new.shape[0]
    return results


def _runs(count: DimLike) -> bool:
    """Whether there is a first run for sure."""
    return (bounds(count)[0] or 0) >= 1


def _scalar(b: Builder, dim: DimLike) -> Value:
    return b(Squeeze(), b.dims((dim,)), b.ints(0))


def as_scan(b: Builder, node: Node, count: DimLike) -> Node:
    """Adds a Scan over 0 … count - 1 that does what the Loop does."""
    op = node.op
    assert isinstance(op, Loop)
    iteration, going, *rest = op.body.inputs
    states, captures = rest[: op.num_states], rest[op.num_states :]
    zero, one = b.constant(0, DType.I64), b.constant(1, DType.I64)
    numbers = b(Range(), zero, _scalar(b, count), one)
    if iteration.rank:
        numbers = b(Unsqueeze(), numbers, b.ints(1))
    inner = Builder()
    values = {going: inner.constant(True, DType.BOOL)}  # whoever runs was let run
    if going.rank:
        values[going] = inner(Unsqueeze(), values[going], inner.ints(0))
    nodes = [*inner.nodes, *(remap(n, values) for n in op.body.nodes)]
    outputs = dict(list(op.body.outputs.items())[1:])
    body = replace(
        op.body,
        inputs=(*states, iteration, *captures),
        nodes=tuple(nodes),
        outputs={name: values.get(v, v) for name, v in outputs.items()},
    )
    carried = node.inputs[2 : 2 + op.num_states]
    operands = [*carried, numbers, *node.inputs[2 + op.num_states :]]
    return b.add(Scan(body, 1), operands, tuple(v.name for v in node.outputs))


# --- how many runs -----------------------------------------------------------------------------


def runs_of(node: Node, outer: Mapping[Value, Value] | None = None) -> DimLike:
    """How often the Loop runs. `outer`: as in `loops_as_scans`. Raises UncountedError."""
    op = node.op
    assert isinstance(op, Loop)
    if op.growing([v.type for v in node.inputs[2:] if v is not None]):
        raise UncountedError("what it carries changes its shape from run to run")
    first = node.inputs[1]
    if first is not None and outer is not None:
        first = outer.get(first, first)
    counts = []
    if node.inputs[0] is not None:
        counts.append(_dim(node.inputs[0], "the number of runs"))
    if not _always(op, first):
        counts.append(_Counter.of(node).runs(first))
    if not counts:
        raise UncountedError("its condition always holds, and no number of runs is given")
    return counts[0] if len(counts) == 1 else minimum(*counts)


def _dim(value: Value, what: str) -> DimLike:
    """The one element of an integer tensor, which must be known as a dim."""
    if value.type.elements is None or len(value.type.elements) != 1:
        raise UncountedError(f"{what} is no dim, but is computed at run time")
    return value.type.elements[0]


def _plain(value: Value) -> Value:
    """Through Identity."""
    while value.node is not None and isinstance(value.node.op, Identity):
        (value,) = value.node.operands
    return value


def _truth(value: Value | None) -> bool | None:
    """Whether a bool is true, None if that is not known; one left out is."""
    if value is None:
        return True
    node = _plain(value).node
    if node is not None and isinstance(node.op, Constant):
        return bool(node.op.value.array.all())
    if node is not None and isinstance(node.op, _ORDERS):
        left, right = (v.type.elements for v in node.operands)
        if left and right:
            return _holds(type(node.op), left[0], right[0])
    return None


def _holds(order: type, left: DimLike, right: DimLike) -> bool | None:
    if order in (Greater, GreaterOrEqual):
        return _holds(_SWAPPED[order], right, left)
    low, high = bounds(right - left)
    least = 0 if order is LessOrEqual else 1
    if low is not None and low >= least:
        return True
    return False if high is not None and high < least else None


def _always(op: Loop, first: Value | None) -> bool:
    """Whether the condition holds before the first run and after each."""
    after = _plain(next(iter(op.body.outputs.values())))
    kept = after is op.body.inputs[1] or _truth(after) is True
    return kept and _truth(first) is True


@dataclass(frozen=True)
class _Counter:
    """A carried integer that is compared: as `left order right` with the counter on the left.

    start: before the first run; step: what a run adds; tested: what the first run's condition
        compares, start or start + step
    """

    order: type
    start: DimLike
    step: int
    tested: DimLike
    limit: DimLike

    @staticmethod
    def of(node: Node) -> _Counter:
        op = node.op
        assert isinstance(op, Loop)
        again = _plain(next(iter(op.body.outputs.values()))).node
        if again is None or not isinstance(again.op, _ORDERS):
            raise UncountedError("its condition compares no counter with a limit")
        left, right = (_plain(v) for v in again.operands)
        for counter, limit, order in (
            (left, right, type(again.op)),
            (right, left, _SWAPPED[type(again.op)]),
        ):
            for number, (state, after) in enumerate(zip(op.states, op.next_states, strict=True)):
                if counter not in (state, _plain(after)) or not counter.type.dtype.is_int:
                    continue
                first = node.inputs[2 + number]
                assert first is not None
                start = _dim(first, f"the first value of `{state.name}`")
                step = _step(state, _plain(after))
                stays = _dim(_outside(node, limit), "the limit")
                tested = start if counter is state else start + step
                return _Counter(order, start, step, tested, stays)
        raise UncountedError("its condition compares no counter with a limit")

    def runs(self, first: Value | None) -> DimLike:
        """The number of runs, given the condition before the first."""
        truth = _truth(first)
        if truth is False:
            return 0
        if truth:
            return 1 + self._more(self.tested)
        same = first is not None and self._is_same(_plain(first).node)
        if not same or self.tested == self.start:
            raise UncountedError("its first condition is another one than that after each run")
        return self._more(self.start)

    def _is_same(self, node: Node | None) -> bool:
        """Whether the comparison is that of the first value with the limit."""
        if node is None or not isinstance(node.op, _ORDERS):
            return False
        left, right = (v.type.elements for v in node.operands)
        order = type(node.op)
        wanted = ((self.start,), (self.limit,))
        return (left, right, order) == (*wanted, self.order) or (
            (right, left) == wanted and _SWAPPED[order] is self.order
        )

    def _more(self, value: DimLike) -> DimLike:
        """How often in a row the condition holds, from this value of the counter on."""
        upward = self.order in (Less, LessOrEqual)
        if self.step == 0 or (self.step > 0) is not upward:
            raise UncountedError("its counter does not run towards the limit")
        way = self.limit - value if upward else value - self.limit
        if self.order in (LessOrEqual, GreaterOrEqual):
            way = way + 1
        return maximum(0, floordiv(way + abs(self.step) - 1, abs(self.step)))


def _step(state: Value, after: Value) -> int:
    """What a run adds to the counter: a constant."""
    node = after.node
    if node is not None and isinstance(node.op, Add | Sub):
        left, right = (_plain(v) for v in node.operands)
        other = right if left is state else left
        turned = other is left and isinstance(node.op, Sub)
        elements = other.type.elements
        constant = other.node is not None and isinstance(other.node.op, Constant)
        if state in (left, right) and constant and elements and not turned:
            step = elements[0]
            if isinstance(step, int):
                return -step if isinstance(node.op, Sub) else step
    raise UncountedError(f"its counter `{state.name}` does not change by a constant in each run")


def _outside(node: Node, limit: Value) -> Value:
    """The limit as the graph around knows it."""
    captured = node.op.bodies[0].captures
    if captured:
        own = node.op.bodies[0].inputs[-captured:]
        for inner, outer in zip(own, node.inputs[-captured:], strict=True):
            if inner is limit and outer is not None:
                return outer
    if limit.node is None:
        raise UncountedError("the limit of its counter changes from run to run")
    return limit
