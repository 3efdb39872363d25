"""Functions of the compiler that differentiate: `grad`, `jvp`, `stop_gradient`."""

from __future__ import annotations

from typing import Any

from nncomp.dims import equal
from nncomp.ir.graph import Value
from nncomp.lower import tensors
from nncomp.lower.context import Context
from nncomp.lower.trees import parameters_of
from nncomp.lower.values import Builtin, Instance, Tree, describe


def _stop_gradient(ctx: Context, args: list[Any], named: dict[str, Any]) -> Value:
    (x,) = ctx.exactly("stop_gradient", args, named, 1)
    return ctx.b(tensors.op("StopGradient"), tensors.as_tensor(ctx, x, ctx.frame.float_dtype))


def _grad(ctx: Context, args: list[Any], named: dict[str, Any]) -> Any:
    """`grad(loss, wrt)`: a tensor for a tensor, a tree for an instance or tree."""
    loss, wrt = ctx.exactly("grad", args, named, 2)
    if not isinstance(loss, Value) or loss.rank or not loss.type.dtype.is_float:
        raise ctx.fail(
            "NN0402",
            f"`grad` differentiates a floating scalar, this is {describe(loss)}",
            help="`grad(sum(…), x)`",
        )
    if isinstance(wrt, Instance):
        wrt = parameters_of(ctx, wrt)
    if isinstance(wrt, Tree):
        gradients = ctx.b.multi(tensors.op("Grad"), loss, *wrt.leaves.values())
        return Tree(wrt.path, dict(zip(wrt.leaves, gradients, strict=True)))
    if isinstance(wrt, (list, tuple)) and all(isinstance(v, Value) for v in wrt):
        return list(ctx.b.multi(tensors.op("Grad"), loss, *wrt))
    if not isinstance(wrt, Value) or not wrt.type.dtype.is_float:
        raise ctx.fail("NN0401", f"there is no gradient with respect to {describe(wrt)}")
    return ctx.b(tensors.op("Grad"), loss, wrt)


def _jvp(ctx: Context, args: list[Any], named: dict[str, Any]) -> Value:
    """`jvp(y, wrt, tangent)`: how y changes where `wrt` moves along `tangent`, shaped as it."""
    y, wrt, tangent = ctx.exactly("jvp", args, named, 3)
    if not isinstance(y, Value) or not y.type.dtype.is_float:
        raise ctx.fail("NN0401", f"`jvp` differentiates a floating tensor, not {describe(y)}")
    points = _leaves(ctx, wrt)
    tangents = _leaves(ctx, tangent)
    if set(points) != set(tangents):
        odd = next(iter(set(points) ^ set(tangents)))
        where = describe(wrt), describe(tangent)
        raise ctx.fail(
            "NN0201",
            f"`jvp` needs a tangent for each value: {where[0]} and {where[1]} differ",
            f"only one of them has `{odd}`" if odd else "",
        )
    pairs: list[Value] = []
    for name, x in points.items():
        v = tangents[name]
        alike = v.rank == x.rank and v.type.dtype is x.type.dtype
        if not alike or not all(equal(*p) is True for p in zip(x.shape, v.shape, strict=True)):
            of = f" of `{name}`" if name else ""
            raise ctx.fail("NN0205", f"the tangent{of} is {v.type}, the value is {x.type}")
        if not x.type.dtype.is_float:
            raise ctx.fail("NN0401", f"there is no derivative along {describe(x)}")
        pairs += [x, v]
    return ctx.b(tensors.op("Jvp"), y, *pairs)


def _leaves(ctx: Context, value: Any) -> dict[str, Value]:
    """The tensors of a tensor, list, tree or instance, by name."""
    if isinstance(value, Value):
        return {"": value}
    if isinstance(value, Instance):
        value = parameters_of(ctx, value)
    if isinstance(value, Tree):
        return dict(value.leaves)
    if isinstance(value, (list, tuple)) and all(isinstance(v, Value) for v in value):
        return {f"[{i}]": v for i, v in enumerate(value)}
    raise ctx.fail(
        "NN0201", f"`jvp` takes tensors, lists, trees or instances, not {describe(value)}"
    )


DERIVATIVES: tuple[Builtin, ...] = (
    Builtin("stop_gradient", _stop_gradient),
    Builtin("grad", _grad),
    Builtin("jvp", _jvp),
)
