"""Blocks that are applied again to the like: their nodes are copied, their bodies not run again.

Networks repeat their layers, and a model is lowered once for each of its graphs. What a block makes
of its arguments follows from their types, so an application with the hyperparameters and types of
one before it gives the same nodes over other operands.

Repeated is only what went without an error or a warning and did nothing but make parameters, update
them and give values. The parameters of the copy are declared anew: their initial values are drawn
for their own paths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from nncomp.dims import Dim, Symbol, substitute, symbols_in
from nncomp.ir.constant import Constant, Dims
from nncomp.ir.graph import Node, Origin, Value
from nncomp.ir.opaque import Opaque
from nncomp.lower import doubts
from nncomp.lower.context import Context, Declared
from nncomp.lower.expansion import Growth
from nncomp.lower.sites import join
from nncomp.lower.state import declare_again
from nncomp.lower.values import Arguments, Builtin, Deferred, Factory, Function, Instance, Results
from nncomp.ops.grad import Grad
from nncomp.records import record
from nncomp.types import DType, TensorType

_Made = TypeVar("_Made")
_STATIC = (int, bool, str, type(None), DType)
_SAME = (Function, Factory, Builtin, Deferred)  # the same object means the same


class _Unknown(Exception):  # noqa: N818 - nothing is wrong
    """This cannot be repeated."""


class Repeats:
    """The applications of one program."""

    def __init__(self) -> None:
        self._known: dict[Any, _Done | _Pattern | None] = {}

    def apply(
        self,
        ctx: Context,
        instance: Instance,
        arguments: Arguments,
        run: Callable[[], Any],
        target: str | None = None,
    ) -> Any:
        """What `run` gives and does, whether it is run or was before. target: the path of what an
        optimizer updates"""
        is_first = instance.path not in ctx.applied
        ctx.applied.add(instance.path)
        if not is_first or not _is_plain(ctx, instance):
            return run()
        given = _Given()
        try:
            key = given.key(ctx, instance, arguments)
        except _Unknown:
            return run()
        place = _Place(ctx.b.origin, instance.path, target)
        if key not in self._known:
            before = _Before(ctx, given, place)
            result, growth = ctx.expansion.measured(run)
            self._known[key] = _or_none(partial(before.done, result, growth))
            return result
        known = self._known[key]
        if isinstance(known, _Done):
            known = self._known[key] = _or_none(partial(_Pattern, known))
        if known is None or not known.fits(ctx, place):
            return run()
        return _Copy(ctx, known, given, place).result


def _or_none(make: Callable[[], _Made]) -> _Made | None:
    """What it makes, if that can be repeated."""
    try:
        return make()
    except _Unknown:
        return None


def _is_plain(ctx: Context, instance: Instance) -> bool:
    """Whether what an application does depends on its arguments alone, and nobody looks on."""
    frame = ctx.frame
    return (
        (ctx.watch is None or instance.factory.module.is_std)
        and not (instance.replaced or instance.copy_of or frame.replaced or frame.copy_of)
        and not ctx.regions
        and ctx.initializing is None
        and "" not in ctx.claims
    )


class _Given:
    """The arguments of an application, and what its outcome depends on.

    tensors: those among them, each once; symbols: of their sizes; both in the order met
    """

    def __init__(self) -> None:
        self.tensors: dict[Value, int] = {}
        self.symbols: dict[Symbol, int] = {}

    def key(self, ctx: Context, instance: Instance, arguments: Arguments) -> Any:
        """Equal for applications that do the same. Raises _Unknown."""
        return (
            instance.factory.decl,
            ctx.training,
            ctx.learning,
            ctx.frame.float_dtype,
            len(ctx.b.origin.spans),
            tuple([(name, self._of(v)) for name, v in instance.hyperparameters.items()]),
            tuple([self._of(a.value) for a in arguments.positional]),
            tuple([(name, self._of(a.value)) for name, a in arguments.named.items()]),
        )

    def _of(self, value: Any) -> Any:
        if isinstance(value, Value):
            node = value.node
            if node is not None and isinstance(node.op, Constant):
                return node.op
            number = self.tensors.setdefault(value, len(self.tensors))
            return number, bool(value.name), self._type(value.type), doubts.kind(value)
        if isinstance(value, _STATIC):
            return type(value), value
        if isinstance(value, float):
            return value.hex()
        if isinstance(value, (list, tuple)) and not isinstance(value, Results):
            return type(value), tuple([self._of(v) for v in value])
        if isinstance(value, Dim):
            return Dim, self._dim(value)
        if isinstance(value, _SAME):
            return value
        raise _Unknown

    def _type(self, type_: TensorType) -> Any:
        """Dtype and shape. Raises _Unknown where there is more to a type."""
        if type_.__class__ is not TensorType or type_.elements or type_.floats:
            raise _Unknown
        return type_.dtype, tuple([d if isinstance(d, int) else self._dim(d) for d in type_.shape])

    def _dim(self, dim: Dim) -> Any:
        """Its text, and which symbols its names are."""
        own = sorted(dim.symbols(), key=lambda s: s.order)
        if len({s.name for s in own}) < len(own):
            raise _Unknown
        places = [self.symbols.setdefault(s, len(self.symbols)) for s in own]
        return str(dim), *zip(places, [(s.minimum, s.maximum) for s in own], strict=True)


@dataclass(frozen=True)
class _Place:
    """Where a block is applied. path: of the instance; target: of what it updates beside its own"""

    origin: Origin
    path: str
    target: str | None

    def relative(self, path: str) -> str | None:
        """A path inside the instance, None for the target. Raises _Unknown for another."""
        prefix = join(self.path, "")
        if path == self.target:
            return None
        if not path.startswith(prefix):
            raise _Unknown
        return path[len(prefix) :]

    def absolute(self, path: str | None) -> str:
        """The path that `relative` gave."""
        return join(self.path, path) if path is not None else self.target or ""


class _Before:
    """What there was before an application."""

    def __init__(self, ctx: Context, given: _Given, place: _Place) -> None:
        self._ctx, self._given, self._place = ctx, given, place
        self._nameless = [(number, v) for v, number in given.tensors.items() if not v.name]
        self._counts = self._count()
        self._others = self._count_others()

    def _count(self) -> tuple[int, int, int, int]:
        ctx = self._ctx
        return len(ctx.b.nodes), len(ctx.parameters), len(ctx.claims), len(ctx.updates)

    def _count_others(self) -> tuple[object, ...]:
        """What must not change: it would have to be done again."""
        ctx = self._ctx
        counts = (len(ctx.inputs), len(ctx.originals), len(ctx.store.warnings))
        return (*counts, ctx.obliged, ctx.failures, ctx.drawn, "" in ctx.claims)

    def done(self, result: Any, growth: Growth) -> _Done:
        """What the application did. Raises _Unknown."""
        if self._count_others() != self._others:
            raise _Unknown
        nodes, parameters, claims, updates = zip(self._counts, self._count(), strict=True)
        all_updates, target = self._ctx.updates, self._place.target
        added = dict(reversed([*islice(reversed(all_updates.items()), updates[1] - updates[0])]))
        if target is not None and target in all_updates:  # not for the first time perhaps
            added[target] = all_updates[target]
        return _Done(
            self._ctx,
            self._given,
            self._place,
            result,
            frozenset(v for v in (*_tensors(result), *added.values()) if not v.name),
            {number: v.name for number, v in self._nameless if v.name},
            nodes,
            parameters,
            claims,
            added,
            len(self._ctx.frames),
            growth,
        )


@record
class _Done:
    """An application that was run. What it made stands in the context, from one place to another;
    most are never repeated.

    nameless: its results and updates that had no name yet; named: which arguments were given one
    depth: of calls around it
    """

    ctx: Context
    given: _Given
    place: _Place
    result: Any
    nameless: frozenset[Value]
    named: Mapping[int, str]
    nodes: tuple[int, int]
    parameters: tuple[int, int]
    claims: tuple[int, int]
    updates: Mapping[str, Value]
    depth: int
    growth: Growth


def _tensors(result: Any) -> list[Value]:
    """Those in a result. Raises _Unknown if it has other parts that belong to its place."""
    found, pending = [], [result]
    while pending:
        item = pending.pop()
        if isinstance(item, Value):
            found.append(item)
        elif isinstance(item, (list, tuple)):
            pending += item
        elif not isinstance(item, (*_STATIC, float)):
            raise _Unknown
    return found


class _Pattern:
    """What an application did, to be done again. Raises _Unknown where that cannot be.

    paths are relative to the instance's; `constants` stood in the graph before
    """

    def __init__(self, done: _Done) -> None:
        ctx, place = done.ctx, done.place
        self.done = done
        self.nodes = ctx.b.nodes[slice(*done.nodes)]
        paths = list(islice(ctx.parameters, *done.parameters))
        self.states = [(place.relative(path), ctx.parameters[path]) for path in paths]
        self.declared = [ctx.declarations[path] for path in paths]
        claims = islice(ctx.claims.items(), *done.claims)
        self.claims = [(place.relative(path), span) for path, span in claims]
        self.updates = [(place.relative(path), value) for path, value in done.updates.items()]
        self.constants = self._check({*done.given.tensors, *(p.value for _, p in self.states)})

    def fits(self, ctx: Context, place: _Place) -> bool:
        """Whether it is what an application does there: the first of its instance, and not where it
        might meet the limit of depth."""
        taken = any(place.absolute(path) in ctx.parameters for path, _ in self.states)
        return not taken and len(ctx.frames) <= self.done.depth

    def _check(self, known: set[Value]) -> list[Value]:
        """Raises _Unknown unless all nodes depend on what is given and on constants alone, and
        have its sizes. Gives the constants that were there before."""
        symbols, constants = self.done.given.symbols.keys(), dict[Value, None]()
        for node in self.nodes:
            if node.op.bodies or isinstance(node.op, (Grad, Opaque)):
                raise _Unknown
            for value in node.operands:
                if value not in known:
                    if value.node is None or not isinstance(value.node.op, (Constant, Dims)):
                        raise _Unknown
                    constants[value] = None
            known.update(node.outputs)
            for output in node.outputs:
                type_ = output.type
                if type_.__class__ is not TensorType:
                    raise _Unknown
                if not symbols_in((*type_.shape, *(type_.elements or ()))) <= symbols:
                    raise _Unknown
        results = [*_tensors(self.done.result), *(v for _, v in self.updates)]
        if not known.union(constants).issuperset(results):
            raise _Unknown
        return list(constants)


class _Copy:
    """A pattern done again, with other arguments in another place. result: what it gives"""

    def __init__(self, ctx: Context, pattern: _Pattern, given: _Given, place: _Place) -> None:
        done = pattern.done
        self._ctx = ctx
        self._old, self._new = done.place, place
        pairs = zip(done.given.symbols, given.symbols, strict=True)
        self._sizes = {old: new.dim for old, new in pairs if old is not new}
        self._values = dict(zip(done.given.tensors, given.tensors, strict=True))
        self._origins: dict[Origin, Origin] = {done.place.origin: place.origin}
        self._spans = dict(zip(done.place.origin.spans, place.origin.spans, strict=True))
        self._types: dict[int, TensorType] = {}
        ctx.expansion.room_for(len(pattern.nodes), ctx.b.nodes, ctx.span)
        for path, span in pattern.claims:
            ctx.claims.setdefault(place.absolute(path), span)
        for (path, parameter), declared in zip(pattern.states, pattern.declared, strict=True):
            again = self._declared(declared)
            made = declare_again(ctx, again, place.absolute(path), parameter)
            self._values[parameter.value] = made
        for value in pattern.constants:
            self._constant(value)
        for node in pattern.nodes:
            self._node(node, done.nameless)
        arguments = list(given.tensors)
        for number, name in done.named.items():
            arguments[number].name = arguments[number].name or name
        for path, value in pattern.updates:
            full = place.absolute(path)
            ctx.current[full] = ctx.updates[full] = self._values[value]
        ctx.expansion.grow(done.growth, ctx.span)
        self.result = self._of(done.result)

    def _declared(self, old: Declared) -> Declared:
        frame = replace(old.frame, path=self._scope(old.frame.path))
        return Declared(old.statement, frame, self._origin(old.origin))

    def _scope(self, scope: str) -> str:
        old = self._old.path
        if scope != old and not scope.startswith(join(old, "")):
            return scope
        return self._new.path + scope[len(old) :]

    def _origin(self, old: Origin) -> Origin:
        new = self._origins.get(old)
        if new is None:
            spans = tuple([self._spans.get(span, span) for span in old.spans])
            new = self._origins[old] = Origin(spans, self._scope(old.scope))
        return new

    def _constant(self, value: Value) -> None:
        assert value.node is not None
        op, b = value.node.op, self._ctx.b
        if isinstance(op, Dims):
            self._values[value] = b.dims([substitute(d, self._sizes) for d in op.dims])
        elif isinstance(op, Constant):
            self._values[value] = b.constant(op.value, name=value.name)

    def _node(self, old: Node, nameless: frozenset[Value]) -> None:
        origin, values = self._origin(old.origin), self._values
        if isinstance(old.op, (Constant, Dims)):
            with self._ctx.b.at(origin):
                self._constant(old.outputs[0])
            return
        inputs = tuple([None if v is None else values[v] for v in old.inputs])
        types = tuple([self._type(v.type) for v in old.outputs])
        names = tuple(["" if v in nameless else v.name for v in old.outputs])
        node = self._ctx.b.append(Node(old.op, inputs, types, origin, names))
        values.update(zip(old.outputs, node.outputs, strict=True))

    def _type(self, old: TensorType) -> TensorType:
        if not self._sizes:
            return old
        new = self._types.get(id(old))
        if new is None:
            new = self._types[id(old)] = old.substitute(self._sizes)
        return new

    def _of(self, value: Any) -> Any:
        """A result, in terms of this application."""
        if isinstance(value, Value):
            return self._values[value]
        if isinstance(value, Results):
            return Results(self._of(v) for v in value)
        if isinstance(value, (list, tuple)):
            return type(value)([self._of(v) for v in value])
        return value
