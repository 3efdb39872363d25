"""What blocks of the standard library gave before: an editor lowers one text again and again.

An application that was met before is not run again: what comes of it are types, and they follow
from the types that it is given. Of the nodes that it would have made there are those by which a
size changed on the way to a result, which messages name, so such a graph tells what is wrong with
a text and what its names are; it cannot be run.

Remembered is only what went without an error or a warning and did nothing but make parameters,
update them and give tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass, field, replace
from typing import Any

from nncomp.dims import Dim, DimLike, Symbol, substitute
from nncomp.ir.graph import Node, Origin, Parameter, ParameterKind, Value
from nncomp.ir.op import Op, operator
from nncomp.ir.opaque import Opaque
from nncomp.lower.context import Context
from nncomp.lower.expansion import Growth
from nncomp.lower.sites import join
from nncomp.lower.store import Initial
from nncomp.lower.values import Arguments, Factory, Function, Instance, Results
from nncomp.ops.conversion import StopGradient
from nncomp.source import Span
from nncomp.types import TensorType

MOST = 4_096  # applications that are remembered; a model has a few dozen that differ
_STATIC = (int, float, bool, str, type(None))


class _Unknown(Exception):  # noqa: N818 - nothing is wrong
    """This cannot be remembered."""


@operator
class _Stands(Opaque):
    """What is known of a node that is not made again. like: its operator"""

    like: Op = field(kw_only=True)

    @property
    def name(self) -> str:
        return self.like.name

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        return getattr(self.like, "kernel_shape", ())

    @property
    def dilations(self) -> tuple[int, ...] | None:
        return getattr(self.like, "dilations", None)


@dataclass(frozen=True)
class _Way:
    """The way to an output along first operands.

    start: the argument or state that it comes from, as a number among both; None for no such
    steps: the operators that change the shape and the last one, each with its result's type
    """

    start: int | None
    steps: tuple[tuple[Op, TensorType], ...]


@dataclass(frozen=True)
class _State:
    """A parameter, buffer or state. path: relative to the instance's"""

    path: str
    kind: ParameterKind
    type: TensorType
    initial: Initial


@dataclass(frozen=True)
class _Outcome:
    """What an application does, in the memory's own symbols.

    claims: the places in the text that take paths, relative to the instance's
    updated: the paths of states that have another value afterwards
    result: where its tensors are: that many of the arguments, then of the outputs
    several: what holds them, if it is no single one
    ways: to the outputs, and after them to the updated values
    nodes: by how many the graph grows
    depth: of calls around it
    """

    states: tuple[_State, ...]
    claims: tuple[tuple[str, Span], ...]
    updated: tuple[str, ...]
    result: tuple[int, ...]
    several: type[tuple[Value, ...]] | None
    ways: tuple[_Way, ...]
    nodes: int
    depth: int
    growth: Growth


class Memory:
    """Outcomes of applications, over many texts; to be used in one thread."""

    def __init__(self) -> None:
        self._outcomes: dict[Any, _Outcome | None] = {}
        self._symbols: dict[tuple[int, str, int, int | None], Symbol] = {}

    def apply(
        self,
        ctx: Context,
        instance: Instance,
        arguments: Arguments,
        run: Callable[[], Any],
        target: str | None = None,
    ) -> Any:
        """What `run` gives and does, whether it is run or was before; an optimizer, which updates
        its `target`, is run."""
        is_first = instance.path not in ctx.applied
        ctx.applied.add(instance.path)
        if not is_first or target is not None or not _is_plain(ctx, instance):
            return run()
        call = _Call(self, arguments)
        try:
            key = call.key(ctx, instance)
        except _Unknown:
            return run()
        outcome = self._outcomes.pop(key, None)
        if outcome is not None and _fits(ctx, instance, outcome):
            self._outcomes[key] = outcome  # the newest come last
            return _again(ctx, instance, outcome, call)
        before = _Before(ctx)
        result, growth = ctx.expansion.measured(run)
        try:
            self._outcomes[key] = before.outcome(instance, result, call, growth)
        except _Unknown:
            return result
        if len(self._outcomes) > MOST:
            del self._outcomes[next(iter(self._outcomes))]
        return result

    def symbol(self, number: int, symbol: Symbol) -> Symbol:
        """What stands for a symbol, the n-th of an application, in what is remembered."""
        key = (number, symbol.name, symbol.minimum, symbol.maximum)
        if key not in self._symbols:
            self._symbols[key] = Symbol(symbol.name, symbol.minimum, symbol.maximum)
        return self._symbols[key]


def _is_plain(ctx: Context, instance: Instance) -> bool:
    """Whether what an application does depends on its arguments alone."""
    frame = ctx.frame
    return (
        instance.factory.module.is_std
        and not (instance.replaced or instance.copy_of or frame.replaced or frame.copy_of)
        and not ctx.regions
        and ctx.initializing is None
        and "" not in ctx.claims
    )


class _Call:
    """The arguments of an application.

    tensors: those among them, each once
    """

    def __init__(self, memory: Memory, arguments: Arguments) -> None:
        self._memory = memory
        self._arguments = arguments
        self._known: dict[Symbol, Symbol] = {}  # the memory's, by the program's
        self.tensors: dict[Value, int] = {}

    def key(self, ctx: Context, instance: Instance) -> Any:
        """All that the outcome depends on. Raises _Unknown."""
        return (
            instance.factory.decl,
            ctx.training,
            ctx.frame.float_dtype,
            tuple([(name, self._of(v)) for name, v in instance.hyperparameters.items()]),
            tuple([self._of(a.value) for a in self._arguments.positional]),
            tuple([(name, self._of(a.value)) for name, a in self._arguments.named.items()]),
        )

    def _of(self, value: Any) -> Any:
        if isinstance(value, Value):
            if value.node is not None and not value.node.operands:
                raise _Unknown  # of a constant more than the type may count
            return self.tensors.setdefault(value, len(self.tensors)), self.stored(value.type)
        if isinstance(value, _STATIC):
            return type(value), value
        if isinstance(value, (list, tuple)) and not isinstance(value, Results):
            return type(value), tuple(map(self._of, value))
        if isinstance(value, Dim):
            return Dim, self._dim(value)
        is_of_std = isinstance(value, (Function, Factory)) and value.module.is_std
        if is_of_std and not getattr(value, "given", None):
            return type(value), value.decl
        raise _Unknown

    def stored(self, type_: TensorType, *, fresh: bool = True) -> TensorType:
        """A type in the memory's symbols. Raises _Unknown where it is more than dtype and shape,
        and, unless they may be `fresh`, has symbols that no argument has."""
        if type_.__class__ is not TensorType or type_.elements or type_.floats:
            raise _Unknown
        if type_.is_static:
            return type_
        return TensorType(type_.dtype, tuple([self._dim(d, fresh=fresh) for d in type_.shape]))

    def _dim(self, dim: DimLike, *, fresh: bool = True) -> DimLike:
        if isinstance(dim, int):
            return dim
        for symbol in sorted(dim.symbols(), key=lambda s: s.order):
            if symbol not in self._known:
                if not fresh:
                    raise _Unknown
                self._known[symbol] = self._memory.symbol(len(self._known), symbol)
        return substitute(dim, {own: stored.dim for own, stored in self._known.items()})

    def way(self, output: Value, given: Mapping[Value, int]) -> _Way:
        """The way to an output, in the memory's symbols. Raises _Unknown."""
        steps: list[tuple[Op, TensorType]] = []
        value, is_last = output, True
        while value not in given and value.node is not None:
            operands = value.node.inputs
            above = operands[0] if operands else None
            if is_last or above is None or above.shape != value.shape:
                steps.append((value.node.op, self.stored(value.type, fresh=False)))
            is_last = False
            if above is None:
                break
            value = above
        if not steps and value not in given:
            raise _Unknown
        return _Way(given.get(value), tuple(reversed(steps)))

    def went(self, way: _Way, given: list[Value], origin: Origin) -> tuple[Value, list[Node]]:
        """The output at the end of a way, in the program's symbols, and the nodes there."""
        own = {stored: symbol.dim for symbol, stored in self._known.items()}
        nodes: list[Node] = []
        above = [] if way.start is None else [given[way.start]]
        for number, (op, stored) in enumerate(way.steps, 1):
            type_ = stored if stored.is_static else stored.substitute(own)
            stands = _Stands("Remembered", "nncomp", 1, (type_,), like=op)
            inputs = (*above, *given) if number == len(way.steps) else tuple(above)
            nodes.append(Node(stands, inputs, (type_,), origin))
            above = [nodes[-1].outputs[0]]
        return above[0], nodes


class _Before:
    """What there was before an application."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._parameters, self._claims = len(ctx.parameters), len(ctx.claims)
        self._nodes = len(ctx.b.nodes)
        self._updates = dict(ctx.updates)
        self._others = self._count()

    def _count(self) -> tuple[object, ...]:
        """What must not change: it would have to be done again."""
        ctx, store = self._ctx, self._ctx.store
        grows: list[Sized] = [ctx.inputs, ctx.obligations, ctx.originals, store.warnings]
        return (*map(len, grows), "" in ctx.claims, ctx.failures, ctx.drawn)

    def outcome(self, instance: Instance, result: Any, call: _Call, growth: Growth) -> _Outcome:
        """What the application did. Raises _Unknown."""
        ctx, prefix = self._ctx, join(instance.path, "")
        if self._count() != self._others:
            raise _Unknown
        paths = list(ctx.parameters)[self._parameters :]
        claims = list(ctx.claims.items())[self._claims :]
        updated = [p for p, v in ctx.updates.items() if self._updates.get(p) is not v]
        if not all(path.startswith(prefix) for path in [*paths, *dict(claims), *updated]):
            raise _Unknown
        several = type(result) if isinstance(result, tuple) else None
        values = result if several else (result,)
        if not all(isinstance(v, Value) for v in values):
            raise _Unknown
        made = [v for v in dict.fromkeys(values) if v not in call.tensors]
        places = {**call.tensors, **{v: len(call.tensors) + i for i, v in enumerate(made)}}
        learnt = [ctx.parameters[p].value for p in paths if ctx.parameters[p].kind == "param"]
        _require_all([*call.tensors, *learnt], made)
        outputs = [*made, *(ctx.updates[p] for p in updated)]
        given = {v: i for i, v in enumerate([*call.tensors, *map(self._value, paths)])}
        states = [
            _State(
                path.removeprefix(prefix),
                ctx.parameters[path].kind,
                ctx.parameters[path].value.type,
                ctx.store.initial[path],
            )
            for path in paths
        ]
        return _Outcome(
            tuple(states),
            tuple((path.removeprefix(prefix), span) for path, span in claims),
            tuple(path.removeprefix(prefix) for path in updated),
            tuple(places[v] for v in values),
            several,
            tuple(call.way(v, given) for v in outputs),
            len(ctx.b.nodes) - self._nodes,
            len(ctx.frames),
            growth,
        )

    def _value(self, path: str) -> Value:
        return self._ctx.parameters[path].value


def _require_all(given: list[Value], made: list[Value]) -> None:
    """Raises _Unknown unless all that is made depends on all that is given, as a gradient sees it:
    the one node that stands for it looks so."""
    needed = {v for v in given if v.type.dtype.is_float}
    for output in made:
        seen, pending = {output}, [output]
        while pending:
            node = pending.pop().node
            if node is None or isinstance(node.op, StopGradient):
                continue
            fresh = [v for v in node.operands if v not in seen and v.type.dtype.is_float]
            seen.update(fresh)
            pending += [v for v in fresh if v not in needed]
        if output.type.dtype.is_float and not needed <= seen:
            raise _Unknown


def _fits(ctx: Context, instance: Instance, outcome: _Outcome) -> bool:
    """Whether an application may be taken as done: other graphs may have its parameters."""
    if len(ctx.frames) > outcome.depth:  # it may have met the limit of depth
        return False
    initial, prefix = ctx.store.initial, join(instance.path, "")
    known = [(s.type, initial.get(prefix + s.path)) for s in outcome.states]
    return all(other is None or other.value.type == type_ for type_, other in known)


def _again(ctx: Context, instance: Instance, outcome: _Outcome, call: _Call) -> Any:
    """Does what the application did."""
    prefix = join(instance.path, "")
    for path, span in outcome.claims:
        ctx.claims.setdefault(prefix + path, span)
    inputs = list(call.tensors)
    for state in outcome.states:
        path = prefix + state.path
        initial = replace(state.initial, span=ctx.span or state.initial.span)
        ctx.store.initial.setdefault(path, initial)
        value = Value(state.type, path)
        ctx.parameters[path] = Parameter(path, value, state.kind)
        ctx.current[path] = value
        inputs.append(value)
    outputs, nodes = [], []
    for way in outcome.ways:
        value, along = call.went(way, inputs, ctx.b.origin)
        outputs.append(value)
        nodes += along
    made = len(outputs) - len(outcome.updated)
    for path, value in zip(outcome.updated, outputs[made:], strict=True):
        ctx.current[prefix + path] = ctx.updates[prefix + path] = value
    # as many as there would be: their number is limited
    ctx.b.nodes += (nodes + nodes[-1:] * outcome.nodes)[: outcome.nodes]
    ctx.expansion.grow(outcome.growth, ctx.span)
    places = [*call.tensors, *outputs[:made]]
    values = [places[place] for place in outcome.result]
    return values[0] if outcome.several is None else outcome.several(values)
