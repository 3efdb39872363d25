"""Indexing and unpacking tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nncomp.dims import Dim, DimLike, bounds
from nncomp.ir.graph import Value
from nncomp.lower.context import Context
from nncomp.lower.tensors import as_tensor, op
from nncomp.lower.values import describe
from nncomp.types import DType

_END = 2**63 - 1


def _surely_inside(index: int, size: DimLike) -> bool:
    """Whether the axis has the index whatever its size; a static size is looked at later."""
    least = bounds(size)[0]
    return isinstance(size, int) or (least is not None and -least <= index < least)


def index(ctx: Context, value: Value, items: Sequence[Any]) -> Value:
    """`value[items]`: ints drop an axis, slices keep it, None adds one, `...` stands for the rest,
    an integer tensor or list gathers along its axis."""
    plan = _spelled_out(ctx, value, items)
    axes = zip([i for i in range(len(plan)) if plan[i] is not None], value.shape, strict=False)
    for place, size in axes:
        if isinstance(plan[place], int) and not _surely_inside(plan[place], size):
            plan[place] = ctx.b.constant(plan[place], DType.I64)  # Gather looks when it runs
    result = _slices(ctx, value, [i for i in plan if i is not None])
    axis = 0
    dropped: list[int] = []
    for item in (i for i in plan if i is not None):
        if isinstance(item, Value):
            result = ctx.b(op("Gather", axis=axis), result, item)
            axis += item.rank
        elif isinstance(item, (int, Dim)):
            dropped.append(axis)
            axis += 1
        else:
            axis += 1
    if dropped:
        result = ctx.b(op("Squeeze"), result, ctx.b.ints(*dropped))
    added = _added(plan)
    return ctx.b(op("Unsqueeze"), result, ctx.b.ints(*added)) if added else result


def _spelled_out(ctx: Context, value: Value, items: Sequence[Any]) -> list[Any]:
    """An item for each axis of the value, in place of `...` and of what is left out at the end, and
    the None between them. Raises CompileError NN0201 and NN0204 for what is no index of it."""
    for item in items:
        slices = item is None or item is Ellipsis or isinstance(item, slice)
        if isinstance(item, bool) or not (slices or isinstance(item, (int, Dim, Value))):
            raise ctx.fail("NN0201", f"a tensor cannot be indexed by {describe(item)}")
        if isinstance(item, Value) and item.type.dtype is DType.BOOL:
            raise ctx.fail(
                "NN0203",
                f"indices are i32 or i64, these are {item.type}",
                help="`where(mask, x, 0)` keeps the shape, with 0 where the mask is false",
            )
    if sum(item is Ellipsis for item in items) > 1:
        raise ctx.fail("NN0204", "an index can hold only one `...`")
    taken = sum(1 for item in items if item is not None and item is not Ellipsis)
    if taken > value.rank:
        raise ctx.fail("NN0204", f"{taken} indices for {value.rank} dimensions ({value.type})")
    if Ellipsis not in [i for i in items if not isinstance(i, Value)]:
        items = [*items, Ellipsis]
    plan: list[Any] = []
    for item in items:
        plan += [slice(None)] * (value.rank - taken) if item is Ellipsis else [item]
    return plan


def _added(plan: Sequence[Any]) -> list[int]:
    """The axes of the result that a None adds."""
    added, axis = [], 0
    for item in plan:
        if item is None:
            added.append(axis)
        if not isinstance(item, (int, Dim)):
            axis += item.rank if isinstance(item, Value) else 1
    return added


def element(ctx: Context, value: Value, items: Sequence[Any]) -> Value:
    """`value[i]` of a sequence: one of its tensors, from the end where `i` is negative."""
    at = items[0] if len(items) == 1 else None
    number = isinstance(at, (int, Dim)) and not isinstance(at, bool)
    if not number and not (isinstance(at, Value) and not at.rank and at.type.dtype.is_int):
        shown = describe(at) if len(items) == 1 else f"{len(items)} indices"
        raise ctx.fail("NN0201", f"a sequence is indexed by one integer, not by {shown}")
    return ctx.b(op("SequenceAt"), value, as_tensor(ctx, at, DType.I64) if number else at)


def _slices(ctx: Context, value: Value, items: Sequence[Any]) -> Value:
    starts: list[DimLike] = []
    stops: list[DimLike] = []
    axes: list[int] = []
    steps: list[int] = []
    for axis, item in enumerate(items):
        if isinstance(item, (int, Dim)):
            size = value.shape[axis]
            if isinstance(size, int) and isinstance(item, int) and not -size <= item < size:
                raise ctx.fail(
                    "NN0210", f"index {item} is out of range for axis {axis} of size {size}"
                )
            bound = (item, _END if item == -1 else item + 1, 1)
        elif isinstance(item, slice) and item != slice(None):
            step = 1 if item.step is None else item.step
            if isinstance(step, Dim):
                raise ctx.fail("NN0212", f"a slice's step must be known, this is {step}")
            start = item.start if item.start is not None else (0 if step > 0 else _END)
            stop = item.stop if item.stop is not None else (_END if step > 0 else -_END)
            bound = (start, stop, step)
        else:
            continue
        axes.append(axis)
        starts.append(bound[0])
        stops.append(bound[1])
        steps.append(bound[2])
    if not axes:
        return value
    b = ctx.b
    return b(op("Slice"), value, b.dims(starts), b.dims(stops), b.ints(*axes), b.ints(*steps))


def unpack(ctx: Context, value: Value) -> list[Value]:
    """The tensor's parts along its first axis, which must be static."""
    if not value.rank or not isinstance(value.shape[0], int):
        raise ctx.fail(
            "NN0206",
            f"only a tensor whose first axis is static can be unpacked, not {value.type}",
            help="`ys = scan over part = x { … }` goes along an axis of any size"
            if value.rank
            else None,
        )
    ctx.expansion.room_for(value.shape[0], ctx.b.nodes, ctx.span)
    parts = ctx.b.multi(op("Split", axis=0, num_outputs=value.shape[0]), value)
    return [ctx.b(op("Squeeze"), part, ctx.b.ints(0)) for part in parts]
