"""Gathering and scattering by tuples of indices."""

from __future__ import annotations

from nncomp.dims import DimLike, product
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.elementwise import Add, Mod, Mul
from nncomp.ops.filling import Range
from nncomp.ops.indexing import GatherGrad
from nncomp.ops.reduction import ReduceSum
from nncomp.ops.rules import require_equal, same_dtype
from nncomp.ops.scattering import Scatter
from nncomp.ops.shape import Squeeze, reshaped
from nncomp.types import STRINGS, DType, Shape, TensorType


def _tuple_length(data: TensorType, indices: TensorType, batch_dims: int) -> int:
    """How many axes behind the batch axes the indices name; InferError where they cannot."""
    if indices.dtype is not DType.I64:
        raise InferError(
            "NN0203", f"indices are i64, these are {indices}", operand=1, help="use `cast`"
        )
    if indices.rank == 0:
        raise InferError(
            "NN0204", f"indices are tuples along their last axis, these are {indices}", operand=1
        )
    if not 0 <= batch_dims < min(data.rank, indices.rank):
        raise InferError("NN0210", f"{data} and {indices} have no {batch_dims} batch axes")
    length = indices.shape[-1]
    if not isinstance(length, int):
        raise InferError(
            "NN0212", f"the length {length} of index tuples must be known", operand=1, axis=-1
        )
    if not 1 <= length <= data.rank - batch_dims:
        raise InferError(
            "NN0205",
            f"tuples of {length} indices name no axes of {data}"
            + (f" behind {batch_dims} batch axes" if batch_dims else ""),
            operand=1,
            axis=-1,
        )
    return length


@operator
class GatherND(Op):
    """output[batch…, i…] = data[batch…, *indices[batch…, i…]] (ONNX GatherND-13).

    data: [batch…, named…, slice…]; indices: i64 [batch…, i…, number of named axes];
    output: [batch…, i…, slice…]. Negative indices count from the end.
    """

    signature = "data, indices -> output"
    takes = STRINGS
    batch_dims: int = 0

    def infer(self, data: TensorType, indices: TensorType) -> TensorType:
        length = _tuple_length(data, indices, self.batch_dims)
        for axis in range(self.batch_dims):
            a, b = data.shape[axis], indices.shape[axis]
            require_equal(a, b, f"batch axis {axis} of {data} and {indices} differs")
        slices = data.shape[self.batch_dims + length :]
        return TensorType(data.dtype, (*indices.shape[:-1], *slices))

    def vjp(self, at: Vjp) -> Gradients:
        b, x, indices = at.b, at.x, at.inputs[1]
        assert indices is not None
        named = self.batch_dims + int(str(indices.shape[-1]))
        places = flat_places(b, indices, x.shape, self.batch_dims)
        slices = x.shape[named:]
        rows = reshaped(b, at.g, (product(indices.shape[:-1]), *slices))
        flat = (product(x.shape[:named]), *slices)
        return reshaped(b, b(GatherGrad(), rows, places, b.dims(flat)), x.shape), None


def flat_places(b: Builder, indices: Value, data: Shape, batch_dims: int = 0) -> Value:
    """i64 [product of indices' axes but the last]: which row each tuple names of the data with
    its batch and named axes made into one."""
    length = indices.shape[-1]
    assert isinstance(length, int)
    named = data[batch_dims : batch_dims + length]
    sizes, strides = b.dims(named), b.dims(_strides(named))
    places = b(Mul(), b(Mod(), indices, sizes), strides)  # negative ones from the front
    if length == 1:
        places = b(Squeeze(), places, b.ints(-1))
    else:
        places = b(ReduceSum(keepdims=0), places, b.ints(-1))
    if batch_dims:
        own = product(named)
        samples = b(Mul(), _count(b, product(data[:batch_dims])), b.dims([own]))
        shape = [*data[:batch_dims], *(1,) * (places.rank - batch_dims)]
        places = b(Add(), places, reshaped(b, samples, shape))
    return reshaped(b, places, (product(places.shape),))


def _strides(sizes: Shape) -> list[DimLike]:
    return [product(sizes[i + 1 :]) for i in range(len(sizes))]


def _count(b: Builder, number: DimLike) -> Value:
    """0 … number - 1."""
    first, step = b.constant(0, DType.I64), b.constant(1, DType.I64)
    return b(Range(), first, b(Squeeze(), b.dims((number,)), b.ints(0)), step)


@operator
class ScatterND(Scatter):
    """data with output[*indices[i…]] = updates[i…] (ONNX ScatterND-18).

    data: [named…, slice…]; indices: i64 [i…, number of named axes]; updates: [i…, slice…]
    """

    takes = STRINGS

    reduction: str = "none"

    def infer(self, data: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        self.check_reduction(self.reduction, data)
        same_dtype(data, updates)
        length = _tuple_length(data, indices, 0)
        expected = (*indices.shape[:-1], *data.shape[length:])
        if updates.rank != len(expected):
            raise InferError(
                "NN0204", f"updates {updates} do not fit {data} at {indices}", operand=2
            )
        for axis, (size, wanted) in enumerate(zip(updates.shape, expected, strict=True)):
            require_equal(size, wanted, f"axis {axis} of the updates {updates} has not {wanted}")
        return TensorType(data.dtype, data.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return self.gradients(at, self.reduction)

    def scattered(
        self, b: Builder, data: Value, indices: Value, updates: Value, reduction: str
    ) -> Value:
        return b(ScatterND(reduction), data, indices, updates)

    def picked(self, b: Builder, data: Value, indices: Value) -> Value:
        return b(GatherND(), data, indices)


OPS: tuple[type[Op], ...] = (GatherND, ScatterND)
