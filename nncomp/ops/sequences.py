"""Operators on batches of sequences: turning them round, writing into a cache."""

from __future__ import annotations

from nncomp.dims import DimLike
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.elementwise import Add, Mod
from nncomp.ops.forms import arange, reshape, scalar
from nncomp.ops.indexing import ScatterElements
from nncomp.ops.rules import normalize_axis, require_equal, require_one_of, same_dtype
from nncomp.ops.shape import Expand, Unsqueeze
from nncomp.types import STRINGS, DType, TensorType


def require_one_each(t: TensorType, batch: DimLike, what: str, operand: int) -> None:
    """An error unless `t` is an i64 vector with a number for each element of the batch."""
    if t.dtype is not DType.I64 or t.rank != 1:
        raise InferError("NN0204", f"{what} are an i64 vector, this is {t}", operand=operand)
    require_equal(t.shape[0], batch, f"{t.shape[0]} {what} do not fit a batch of {batch}")


@operator
class ReverseSequence(Op):
    """The first sequence_lens[n] elements of each sequence n turned round, the rest as it is
    (ONNX ReverseSequence-10).

    time_axis, batch_axis: 0 and 1, or 1 and 0
    """

    signature = "input, sequence_lens -> Y"
    takes = STRINGS
    batch_axis: int = 1
    time_axis: int = 0

    def infer(self, x: TensorType, lengths: TensorType) -> TensorType:
        if sorted((self.batch_axis, self.time_axis)) != [0, 1]:
            raise InferError(
                "NN0208",
                f"the batch and time axes of ReverseSequence are 0 and 1, in either order, not "
                f"{self.batch_axis} and {self.time_axis}",
            )
        if x.rank < 2:
            raise InferError("NN0204", f"a batch of sequences has two axes or more, this is {x}")
        require_one_each(lengths, x.shape[self.batch_axis], "lengths", 1)
        return TensorType(x.dtype, x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return at.b(self, at.g, at.inputs[1]), None


@operator
class TensorScatter(Op):
    """past_cache with `update` written at write_indices[n] along an axis of each element n of the
    batch (ONNX TensorScatter-24).

    past_cache: [N, …, capacity, …]; update: the same with fewer elements on the axis;
    write_indices: i64 [N], 0 if left out; axis: any but the first
    mode: "linear", or "circular" where what is beyond the end goes on at the beginning
    """

    signature = "past_cache, update, write_indices? -> present_cache"
    takes = STRINGS
    axis: int = -2
    mode: str = "linear"

    def infer(
        self, cache: TensorType, update: TensorType, places: TensorType | None = None
    ) -> TensorType:
        require_one_of("mode", self.mode, ("linear", "circular"))
        same_dtype(cache, update)
        axis = normalize_axis(self.axis, cache.rank)
        if axis == 0:
            raise InferError("NN0210", "axis 0 of TensorScatter is the batch")
        if update.rank != cache.rank:
            raise InferError("NN0204", f"{update} cannot be written into {cache}", operand=1)
        for i, (own, new) in enumerate(zip(cache.shape, update.shape, strict=True)):
            what = f"{update} cannot be written into {cache}: axis {i} is {new}, not {own}"
            if i != axis:
                require_equal(new, own, what)
            elif isinstance(own, int) and isinstance(new, int) and new > own:
                raise InferError("NN0205", f"{update} does not fit into {cache}", operand=1)
        if places is not None:
            require_one_each(places, cache.shape[0], "places", 2)
        return TensorType(cache.dtype, cache.shape)

    def decompose(
        self, b: Builder, cache: Value, update: Value, places: Value | None = None
    ) -> Value:
        axis = normalize_axis(self.axis, cache.rank)
        index = b(Unsqueeze(), arange(b, update.shape[axis]), b.ints(0))
        if places is not None:
            index = b(Add(), index, b(Unsqueeze(), places, b.ints(1)))
        if self.mode == "circular":
            index = b(Mod(), index, scalar(b, cache.shape[axis]))
        sizes: list[DimLike] = [1] * cache.rank
        sizes[0], sizes[axis] = index.shape
        index = b(Expand(), reshape(b, index, *sizes), b.dims(update.shape))
        return b(ScatterElements(axis=axis), cache, index, update)


OPS: tuple[type[Op], ...] = (ReverseSequence, TensorScatter)
