"""`clipped(optimizer, norm=…, value=…)`: gradients cut down before an optimiser sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nncomp.ir.graph import Value
from nncomp.lower import tensors
from nncomp.lower.context import Context
from nncomp.lower.values import Builtin, Clipped, Instance, describe
from nncomp.types import DType

_EPSILON = 1e-6  # torch.nn.utils.clip_grad_norm_ adds it to the norm


def _clipped(ctx: Context, args: list[Any], named: dict[str, Any]) -> Clipped:
    if len(args) != 1 or not named or set(named) - {"norm", "value"}:
        raise ctx.fail(
            "NN0202",
            "`clipped` takes an optimizer, and a limit by name: `norm`, `value` or both",
            help="`clipped(Adam(lr=1e-3), norm=1.0)`",
        )
    optimizer = args[0]
    if not isinstance(optimizer, Instance) or optimizer.factory.decl.kind != "optimizer":
        raise ctx.fail("NN0201", f"`clipped` takes an optimizer, this is {describe(optimizer)}")
    for name, limit in named.items():
        if isinstance(limit, Value):
            fits = limit.type.dtype.is_float and limit.rank == 0
        else:
            fits = isinstance(limit, (int, float)) and not isinstance(limit, bool) and limit > 0
        if not fits:
            raise ctx.fail(
                "NN0201", f"the limit `{name}` is a positive number, this is {describe(limit)}"
            )
    return Clipped(optimizer, named.get("norm"), named.get("value"))


def clip(ctx: Context, clipped: Clipped, gradients: Sequence[Value]) -> list[Value]:
    """The gradients of one `minimize`: each element within ± value, then all together scaled down
    to the norm where they are longer (Pascanu et al., 2013)."""
    b, op = ctx.b, tensors.op
    found = list(gradients)
    if clipped.value is not None:
        for i, gradient in enumerate(found):
            limit = _limit(ctx, clipped.value, gradient.type.dtype)
            found[i] = b(op("Clip"), gradient, b(op("Neg"), limit), limit)
    if clipped.norm is not None:
        wide = DType.F64 if any(g.type.dtype is DType.F64 for g in found) else DType.F32
        squares = [b(op("ReduceSumSquare", keepdims=0), tensors.cast(ctx, g, wide)) for g in found]
        total = squares[0]
        for square in squares[1:]:
            total = b(op("Add"), total, square)
        length = b(op("Add"), b(op("Sqrt"), total), b.constant(_EPSILON, wide))
        share = b(op("Div"), _limit(ctx, clipped.norm, wide), length)
        share = b(op("Min"), share, b.constant(1, wide))
        found = [b(op("Mul"), g, tensors.cast(ctx, share, g.type.dtype)) for g in found]
    return found


def _limit(ctx: Context, limit: Any, dtype: DType) -> Value:
    return tensors.cast(ctx, tensors.as_tensor(ctx, limit, dtype), dtype)


CLIPPING: tuple[Builtin, ...] = (Builtin("clipped", _clipped),)
