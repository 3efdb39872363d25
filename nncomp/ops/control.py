"""Control flow: Scan, Loop and If. Their attributes are graphs, `Body`, which they run.

A body is closed: what it reads of the graph around it are *captures*, the last inputs of the body
and the last operands of the operator. (ONNX has outer-scope references instead; an emitter writes
captures as such.) The gradients are in `nncomp/autodiff/control.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from nncomp.dims import Dim, DimLike, Symbol, equal, new_dim, symbols_in
from nncomp.ir.graph import Body, Value
from nncomp.ir.op import InferError, Op, operator
from nncomp.ops.rules import normalize_axis
from nncomp.types import (
    NARROW,
    STRINGS,
    DType,
    OptionalType,
    SequenceType,
    TensorType,
    is_container,
)

Axes = tuple[int, ...] | None


@operator
class Scan(Op):
    """Runs the body on the slices of tensors, one after the other (ONNX Scan-25).

    operands: the states' first values; the scanned tensors; the captures
    results: the states' last values; what the body yields in each run, stacked
    body: states, elements, captures -> next states, yields
    num_scan_inputs: how many tensors are scanned; all have one length
    scan_input_axes, scan_output_axes: along which axis; 0 if left out
    scan_input_directions, scan_output_directions: 0 forward, 1 from the end; 0 if left out
    """

    signature = "initial_state_and_scan_inputs* -> final_state_and_scan_outputs*"
    takes = NARROW | STRINGS
    body: Body
    num_scan_inputs: int
    scan_input_axes: Axes = None
    scan_input_directions: Axes = None
    scan_output_axes: Axes = None
    scan_output_directions: Axes = None

    @property
    def bodies(self) -> tuple[Body, ...]:
        return (self.body,)

    def with_bodies(self, bodies: Sequence[Body]) -> Scan:
        return replace(self, body=bodies[0])

    @property
    def num_states(self) -> int:
        return len(self.body.inputs) - self.num_scan_inputs - self.body.captures

    @property
    def states(self) -> tuple[Value, ...]:
        return self.body.inputs[: self.num_states]

    @property
    def elements(self) -> tuple[Value, ...]:
        return self.body.inputs[self.num_states : self.num_states + self.num_scan_inputs]

    @property
    def captures(self) -> tuple[Value, ...]:
        return self.body.inputs[self.num_states + self.num_scan_inputs :]

    @property
    def next_states(self) -> tuple[Value, ...]:
        return tuple(self.body.outputs.values())[: self.num_states]

    @property
    def yields(self) -> tuple[Value, ...]:
        return tuple(self.body.outputs.values())[self.num_states :]

    @property
    def input_places(self) -> tuple[tuple[int, int], ...]:
        """Axis (from 0) and direction of each scanned tensor."""
        return _places(self.elements, self.scan_input_axes, self.scan_input_directions)

    @property
    def output_places(self) -> tuple[tuple[int, int], ...]:
        """Axis (from 0) and direction of each stacked result."""
        return _places(self.yields, self.scan_output_axes, self.scan_output_directions)

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        n, m = self.num_states, self.num_scan_inputs
        if m < 1 or n < 0:
            raise InferError("NN0702", f"Scan needs a scanned tensor, this body has {m}")
        _require_count("Scan", operands, self.body.inputs)
        for t in (*operands[: n + m], *(v.type for v in self.yields)):
            if is_container(t):
                raise InferError("NN0203", f"Scan goes over tensors with tensors, not {t}")
        length = self._length(operands[n : n + m])
        for number, (given, inner) in enumerate(zip(operands, self.body.inputs, strict=True)):
            what = f"operand {number + 1} of Scan"
            if n <= number < n + m:
                axis, _ = self.input_places[number - n]
                given = given.with_shape(given.shape[:axis] + given.shape[axis + 1 :])
                what = f"a slice of {what}"
            _require_type(what, given, inner.type, number)
        for number, (state, after) in enumerate(zip(self.states, self.next_states, strict=True)):
            _require_type(f"the next value of state `{state.name}`", after.type, state.type, number)
        stacked = [
            value.type.with_shape((*value.shape[:axis], length, *value.shape[axis:]))
            for value, (axis, _) in zip(self.yields, self.output_places, strict=True)
        ]
        return (*(plain(state.type) for state in self.states), *stacked)

    def _length(self, scanned: Sequence[TensorType]) -> DimLike:
        for t, inner in zip(scanned, self.elements, strict=True):
            if t.rank != inner.rank + 1:
                raise InferError(
                    "NN0204", f"a scanned tensor has one axis more than its slices, this is {t}"
                )
        sizes = [t.shape[axis] for t, (axis, _) in zip(scanned, self.input_places, strict=True)]
        for t, size in zip(scanned[1:], sizes[1:], strict=True):
            same = equal(size, sizes[0])
            if not same:
                unknown = " (not known to be equal)" if same is None else ""
                raise InferError(
                    "NN0205" if same is False else "NN0206",
                    f"scanned tensors have one length, these have {sizes[0]} ({scanned[0]}) and "
                    f"{size} ({t}){unknown}",
                )
        return sizes[0]


@operator
class Loop(Op):
    """Runs the body while a condition holds, at most M times (ONNX Loop-25).

    operands: the number of runs i64[] and the first condition bool[], either may be left out;
        the carried values; the captures
    results: the carried values after the last run; the yields of all runs, stacked along axis 0
    body: iteration i64[], condition bool[], carried, captures -> condition, carried, yields

    A dim of a carried value that is a symbol of the body's own may change from run to run.
    """

    signature = "M?, cond?, v_initial* -> v_final_and_scan_outputs*"
    takes = NARROW | STRINGS
    containers = True
    body: Body

    @property
    def bodies(self) -> tuple[Body, ...]:
        return (self.body,)

    def with_bodies(self, bodies: Sequence[Body]) -> Loop:
        return Loop(bodies[0])

    @property
    def num_states(self) -> int:
        return len(self.body.inputs) - 2 - self.body.captures

    @property
    def states(self) -> tuple[Value, ...]:
        return self.body.inputs[2 : 2 + self.num_states]

    @property
    def captures(self) -> tuple[Value, ...]:
        return self.body.inputs[2 + self.num_states :]

    @property
    def next_states(self) -> tuple[Value, ...]:
        return tuple(self.body.outputs.values())[1 : 1 + self.num_states]

    @property
    def yields(self) -> tuple[Value, ...]:
        return tuple(self.body.outputs.values())[1 + self.num_states :]

    def infer(
        self, M: TensorType | None = None, cond: TensorType | None = None, *operands: TensorType
    ) -> tuple[TensorType, ...]:
        going = next(iter(self.body.outputs.values()))
        for t, dtype, what in (
            (M, DType.I64, "the number of runs"),
            (cond, DType.BOOL, "the condition"),
            (self.body.inputs[0].type, DType.I64, "the iteration"),
            (self.body.inputs[1].type, DType.BOOL, "the condition inside"),
            (going.type, DType.BOOL, "the next condition"),
        ):
            if t is not None and (t.dtype is not dtype or t.size != 1):
                raise InferError("NN0201", f"{what} of Loop is {dtype}[], this is {t}")
        _require_count("Loop", operands, self.body.inputs[2:])
        growing = self.growing(operands)
        free = [symbol.dim for symbol in growing]
        for number, (given, inner) in enumerate(zip(operands, self.body.inputs[2:], strict=True)):
            what = f"carried value {number + 1} of Loop"
            _require_type(what, given, inner.type, number + 2, free)
        for number, (state, after) in enumerate(zip(self.states, self.next_states, strict=True)):
            what = f"the next value of `{state.name}`"
            _require_type(what, after.type, state.type, number + 2, free)
        for symbol in growing:
            _require_one_size(symbol, operands, self.states)
            _require_one_size(symbol, [v.type for v in self.next_states], self.states)
        grown = {symbol: new_dim(symbol.name) for symbol in growing}
        final = [plain(state.type).substitute(grown) for state in self.states]
        for value in self.yields:
            if is_container(value.type):
                raise InferError("NN0203", f"what Loop stacks are tensors, not {value.type}")
        runs = new_dim("runs", 0)
        stacked = [plain(v.type).substitute(grown) for v in self.yields]
        return (*final, *(t.with_shape((runs, *t.shape)) for t in stacked))

    def growing(self, carried: Sequence[TensorType]) -> frozenset[Symbol]:
        """The symbols of the body's own that stand for a size of a carried value which changes
        from run to run, or which is another one before the first run."""
        fixed = symbols_in(d for v in self.captures for d in v.shape)
        return frozenset(
            inner.symbol
            for given, state, after in zip(carried, self.states, self.next_states, strict=False)
            for first, inner, last in zip(given.shape, state.shape, after.shape, strict=False)
            if isinstance(inner, Dim) and inner.symbol is not None and inner.symbol not in fixed
            if first != inner or last != inner
        )


@operator
class If(Op):
    """Runs one of two bodies (ONNX If-25).

    operands: the condition, one bool; the captures, which both bodies take
    then_branch, else_branch: captures -> results, of one dtype and rank each
    """

    signature = "cond, captures* -> outputs*"
    takes = NARROW | STRINGS
    containers = True
    then_branch: Body
    else_branch: Body

    @property
    def bodies(self) -> tuple[Body, ...]:
        return (self.then_branch, self.else_branch)

    def with_bodies(self, bodies: Sequence[Body]) -> If:
        return If(*bodies)

    def infer(self, cond: TensorType, *captures: TensorType) -> tuple[TensorType, ...]:
        if cond.dtype is not DType.BOOL or cond.size != 1:
            raise InferError("NN0201", f"the condition of If is bool[], this is {cond}")
        for body in self.bodies:
            _require_count("If", captures, body.inputs)
            for number, (given, inner) in enumerate(zip(captures, body.inputs, strict=True)):
                _require_type(f"operand {number + 2} of If", given, inner.type, number + 1)
        one, other = (tuple(body.outputs.values()) for body in self.bodies)
        if len(one) != len(other):
            raise InferError(
                "NN0202", f"the branches of If give {len(one)} and {len(other)} results"
            )
        return tuple(_joined(a.type, b.type) for a, b in zip(one, other, strict=True))


def _joined(one: TensorType, other: TensorType) -> TensorType:
    """The type of what comes from either branch; sizes that differ are known at run time only."""
    container = joined(one, other)
    if container is not None:
        return one if one == other else _known(container)
    if is_container(one) or is_container(other):
        raise InferError("NN0201", f"the branches of If give {one} and {other}")
    if one.dtype is not other.dtype or one.rank != other.rank:
        raise InferError("NN0201", f"the branches of If give {one} and {other}")
    shape = tuple(
        a if equal(a, b) else new_dim("either") for a, b in zip(one.shape, other.shape, strict=True)
    )
    return TensorType(one.dtype, shape)


def _known(container: TensorType) -> TensorType:
    """The type without sizes that may be those of one branch alone."""
    if isinstance(container, OptionalType):
        return OptionalType.of(_known(container.content))
    if not isinstance(container, SequenceType) or container.sizes is None:
        return container
    sizes = tuple(size if isinstance(size, int) else None for size in container.sizes)
    return SequenceType(container.dtype, sizes=sizes)


def plain(t: TensorType) -> TensorType:
    """The type without what is known of the contents: a state has other ones in the next run."""
    return t if is_container(t) else TensorType(t.dtype, t.shape)


def joined(one: TensorType, other: TensorType) -> TensorType | None:
    """The container that both are, None if there is none."""
    if one.dtype is not other.dtype:
        return None
    if isinstance(one, OptionalType) and isinstance(other, OptionalType):
        content = joined(one.content, other.content)
        if content is None and one.content == other.content:
            content = one.content
        return None if content is None else OptionalType.of(content)
    if isinstance(one, SequenceType) and isinstance(other, SequenceType):
        return one.joined(other)
    return None


def _places(values: Sequence[Value], axes: Axes, directions: Axes) -> tuple[tuple[int, int], ...]:
    count = len(values)
    axes, directions = axes or (0,) * count, directions or (0,) * count
    if len(axes) != count or len(directions) != count:
        raise InferError("NN0208", f"Scan has axes {axes}, directions {directions} for {count}")
    return tuple(
        (normalize_axis(axis, value.rank + 1), direction)
        for value, axis, direction in zip(values, axes, directions, strict=True)
    )


def _require_count(name: str, operands: Sequence[object], inputs: Sequence[object]) -> None:
    if len(operands) != len(inputs):
        raise InferError(
            "NN0702", f"the body of {name} takes {len(inputs)} values, {len(operands)} are given"
        )


def _require_type(
    what: str,
    given: TensorType,
    wanted: TensorType,
    operand: int,
    free: Iterable[DimLike] = (),
) -> None:
    same: bool | None = given.dtype is wanted.dtype and given.rank == wanted.rank
    if is_container(given) or is_container(wanted):
        same = joined(wanted, given) == wanted
    elif same:
        for a, b in zip(given.shape, wanted.shape, strict=True):
            if b not in free and not equal(a, b):
                same = equal(a, b)
                break
    if same:
        return
    unknown = " (not known to be equal)" if same is None else ""
    raise InferError(
        "NN0206" if same is None else "NN0205",
        f"{what} is {given} where the body has {wanted}{unknown}",
        operand=operand,
    )


def _require_one_size(symbol: Symbol, types: Sequence[TensorType], states: Sequence[Value]) -> None:
    """A symbol that several states share is one size, before the first run and after each."""
    sizes = [
        (size, state)
        for type_, state in zip(types, states, strict=False)
        for size, dim in zip(type_.shape, state.shape, strict=True)
        if dim == symbol.dim
    ]
    for size, state in sizes[1:]:
        same = equal(sizes[0][0], size)
        if not same:
            raise InferError(
                "NN0206" if same is None else "NN0205",
                f"`{symbol}` is one size, but {sizes[0][0]} in `{sizes[0][1].name}` and {size} in "
                f"`{state.name}`" + (" (not known to be equal)" if same is None else ""),
            )


OPS: tuple[type[Op], ...] = (Scan, Loop, If)
