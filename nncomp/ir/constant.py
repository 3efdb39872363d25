"""The operators without operands that the builder itself needs: constants and dims."""

from __future__ import annotations

from nncomp.dims import DimLike
from nncomp.ir.op import Data, Op, operator
from nncomp.types import DType, TensorType

MAX_ELEMENTS = 64  # of a tensor whose contents types carry along


@operator
class Constant(Op):
    """A tensor that is known while compiling (ONNX Constant-24; emitted as an initializer)."""

    signature = "-> Y"
    value: Data

    def infer(self) -> TensorType:
        array = self.value.array
        dtype = DType.of(array)
        elements: tuple[DimLike, ...] | None = None
        floats: tuple[float, ...] | None = None
        if array.ndim <= 1 and array.size <= MAX_ELEMENTS:
            if dtype.is_int:
                elements = tuple(int(e) for e in array.reshape(-1))
            elif dtype.is_float:
                floats = tuple(float(e) for e in array.reshape(-1))
        return TensorType(dtype, array.shape, elements, floats)


@operator
class Dims(Op):
    """An i64 vector of dims, each computed from the graph's input shapes.

    Bodies: Shape, Gather and integer arithmetic on the inputs in which the symbols stand.
    """

    signature = "-> Y"
    domain = "nncomp"
    dims: tuple[DimLike, ...]

    def infer(self) -> TensorType:
        return TensorType(DType.I64, (len(self.dims),), self.dims)
