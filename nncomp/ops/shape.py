"""Operators that give the same elements another shape, and those that tell a shape."""

from __future__ import annotations

from collections.abc import Sequence

from nncomp.dims import DimLike, equal, floordiv, mod, product
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.elements import typed
from nncomp.ops.filling import measured_shape
from nncomp.ops.rules import broadcast, known_ints, normalize_axis
from nncomp.types import NARROW, STRINGS, DType, TensorType


def reshaped(b: Builder, x: Value, shape: Sequence[DimLike]) -> Value:
    """x in a shape that is meant as written: a size 0 copies nothing."""
    return b(Reshape(allowzero=int(0 in shape)), x, b.dims(shape))


def inverse(perm: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation that undoes `perm`."""
    result = [0] * len(perm)
    for place, axis in enumerate(perm):
        result[axis] = place
    return tuple(result)


def _axes(axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
    found = tuple(normalize_axis(axis, rank) for axis in axes)
    if len(set(found)) != len(found):
        raise InferError("NN0210", f"an axis is given twice: {list(axes)}")
    return found


@operator
class Reshape(Op):
    """The same elements in row-major order in another shape (ONNX Reshape-25).

    In `shape`, -1 stands for what is left over and 0 for the operand's own size on that axis
    (allowzero=1: for 0). A product of dims that is merely not known to agree passes: the runtime
    checks it.
    """

    signature = "data, shape -> reshaped"
    takes = NARROW | STRINGS
    open_sizes = True
    allowzero: int = 0

    def infer(self, x: TensorType, shape: TensorType) -> TensorType:
        wanted = list(measured_shape(shape, "the shape"))
        for axis, dim in enumerate(wanted):
            if dim == 0 and not self.allowzero:
                if axis >= x.rank:
                    raise InferError(
                        "NN0210", f"0 in the shape copies axis {axis}, which {x} lacks"
                    )
                wanted[axis] = x.shape[axis]
            elif isinstance(dim, int) and dim < -1:
                raise InferError("NN0205", f"a shape has no size {dim}")
        open_axes = [axis for axis, dim in enumerate(wanted) if dim == -1]
        if len(open_axes) > 1:
            raise InferError("NN0208", f"only one size can be -1: {wanted}")
        if open_axes:
            wanted[open_axes[0]] = self._left_over(x, wanted)
        elif equal(x.size, product(wanted)) is False:
            raise InferError(
                "NN0205",
                f"cannot reshape {x} to {wanted}",
                label=f"{x.size} elements are not {product(wanted)}",
            )
        return typed(x.dtype, tuple(wanted), x.elements)

    @staticmethod
    def _left_over(x: TensorType, wanted: list[DimLike]) -> DimLike:
        others = product(dim for dim in wanted if dim != -1)
        if others == 0:
            raise InferError("NN0205", f"-1 in {wanted} is undetermined: another size is 0")
        rest = mod(x.size, others)
        if isinstance(rest, int) and rest != 0:
            raise InferError(
                "NN0205",
                f"cannot reshape {x} to {wanted}",
                label=f"{x.size} elements do not divide by {others}",
            )
        return floordiv(x.size, others)

    def vjp(self, at: Vjp) -> Gradients:
        return reshaped(at.b, at.g, at.x.shape), None


@operator
class Transpose(Op):
    """Axis i of the result is axis perm[i] of the operand; reversed without `perm`
    (ONNX Transpose-25)."""

    signature = "data -> transposed"
    takes = NARROW | STRINGS
    perm: tuple[int, ...] | None = None

    def infer(self, x: TensorType) -> TensorType:
        perm = self.order(x.rank)
        if sorted(perm) != list(range(x.rank)):
            raise InferError("NN0210", f"{list(perm)} is no permutation of the axes of {x}")
        return typed(x.dtype, tuple(x.shape[axis] for axis in perm), x.elements)

    def order(self, rank: int) -> tuple[int, ...]:
        """The permutation, spelt out."""
        return tuple(reversed(range(rank))) if self.perm is None else self.perm

    def vjp(self, at: Vjp) -> Gradients:
        return (at.b(Transpose(inverse(self.order(at.x.rank))), at.g),)


@operator
class Flatten(Op):
    """A matrix: the axes before `axis` as rows, those from it on as columns (ONNX Flatten-25)."""

    signature = "input -> output"
    takes = NARROW | STRINGS
    axis: int = 1

    def infer(self, x: TensorType) -> TensorType:
        axis = self.axis + x.rank if self.axis < 0 else self.axis
        if not 0 <= axis <= x.rank:
            raise InferError("NN0210", f"axis {self.axis} is out of range for {x.rank} dimensions")
        return x.with_shape((product(x.shape[:axis]), product(x.shape[axis:])))

    def vjp(self, at: Vjp) -> Gradients:
        return (reshaped(at.b, at.g, at.x.shape),)


@operator
class Squeeze(Op):
    """Without the given axes, which have size 1; without all such axes if none is given
    (ONNX Squeeze-25)."""

    signature = "data, axes? -> squeezed"
    takes = NARROW | STRINGS

    def infer(self, x: TensorType, axes: TensorType | None = None) -> TensorType:
        given = known_ints(axes, "axes")
        if given is None:
            gone = tuple(axis for axis, dim in enumerate(x.shape) if _is_one(dim, x))
        else:
            gone = _axes(given, x.rank)
        for axis in gone:
            if equal(x.shape[axis], 1) is not True:
                raise InferError(
                    "NN0205",
                    f"cannot squeeze axis {axis} of {x}",
                    label=f"its size {x.shape[axis]} is not 1",
                    operand=0,
                    axis=axis - x.rank,
                )
        shape = tuple(dim for axis, dim in enumerate(x.shape) if axis not in gone)
        return typed(x.dtype, shape, x.elements)

    def vjp(self, at: Vjp) -> Gradients:
        return [reshaped(at.b, at.g, at.x.shape), None][: len(at.inputs)]


def _is_one(dim: DimLike, x: TensorType) -> bool:
    same = equal(dim, 1)
    if same is None:
        raise InferError("NN0206", f"cannot squeeze {x}: whether {dim} is 1 is not known")
    return same


@operator
class Unsqueeze(Op):
    """With axes of size 1 put in; `axes` counts in the result (ONNX Unsqueeze-25)."""

    signature = "data, axes -> expanded"
    takes = NARROW | STRINGS

    def infer(self, x: TensorType, axes: TensorType) -> TensorType:
        given = known_ints(axes, "axes") or ()
        rank = x.rank + len(given)
        new = _axes(given, rank)
        old = iter(x.shape)
        shape = tuple(1 if axis in new else next(old) for axis in range(rank))
        return typed(x.dtype, shape, x.elements)

    def vjp(self, at: Vjp) -> Gradients:
        return at.b(Squeeze(), at.g, at.inputs[1]), None


@operator
class Expand(Op):
    """Broadcast with a shape, both ways as NumPy does (ONNX Expand-13)."""

    signature = "input, shape -> output"
    takes = STRINGS
    open_sizes = True

    def infer(self, x: TensorType, shape: TensorType) -> TensorType:
        target = TensorType(x.dtype, measured_shape(shape, "the shape"))
        if shape.elements is None:
            rank = min(x.rank, target.rank)
            longer = x if x.rank > rank else target
            ends = zip(x.shape[x.rank - rank :], target.shape[target.rank - rank :], strict=True)
            last = (own if isinstance(own, int) and own != 1 else size for own, size in ends)
            return TensorType(x.dtype, (*longer.shape[: longer.rank - rank], *last))
        try:
            return TensorType(x.dtype, broadcast(x, target))
        except InferError as failure:
            sizes = f"[{', '.join(map(str, target.shape))}]"
            place = failure.axis or 0
            size, other = x.shape[place], target.shape[place]
            unsure = failure.code == "NN0206"
            raise InferError(
                failure.code,
                f"cannot expand {x} to {sizes}",
                label=f"axis {x.rank + place} has size {size}, "
                + (f"not known to be {other}" if unsure else f"neither 1 nor {other}"),
                help=failure.help,
            ) from None

    def vjp(self, at: Vjp) -> Gradients:
        return at.g, None


@operator
class Shape(Op):
    """The sizes of the axes from `start` to before `end`, as an i64 vector (ONNX Shape-25)."""

    signature = "data -> shape"
    takes = NARROW | STRINGS
    start: int = 0
    end: int | None = None

    def infer(self, x: TensorType) -> TensorType:
        dims = x.shape[self.start : self.end]  # out of range is clamped, as in Python
        return typed(DType.I64, (len(dims),), dims)

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)


@operator
class Size(Op):
    """The number of elements, an i64 scalar (ONNX Size-25)."""

    signature = "data -> size"
    takes = NARROW | STRINGS

    def infer(self, x: TensorType) -> TensorType:
        return typed(DType.I64, (), (x.size,))

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)


OPS: tuple[type[Op], ...] = (
    *(Reshape, Transpose, Flatten, Squeeze, Unsqueeze, Expand, Shape, Size),
)
