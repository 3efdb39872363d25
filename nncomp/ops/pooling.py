"""Pooling: over windows (pooling_max, pooling_average), and over all spatial axes at once."""

from __future__ import annotations

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Op, operator
from nncomp.ops import pooling_average, pooling_max
from nncomp.ops.elementwise_math import Abs, Pow
from nncomp.ops.forms import reduce_mean, reduce_sum
from nncomp.ops.reduction import ReduceMax
from nncomp.ops.rules import require_float
from nncomp.ops.windows import out_of_range, require_spatial
from nncomp.types import TensorType


@operator
class GlobalPool(Op):
    """Base of the operators that leave one element for each channel: [N, C, 1, …]."""

    signature = "X -> Y"

    def infer(self, x: TensorType) -> TensorType:
        spatial = require_spatial(require_float(x), "pooling")
        return TensorType(x.dtype, (*x.shape[:2], *(1,) * spatial))


@operator
class GlobalAveragePool(GlobalPool):
    """The mean over all spatial axes (ONNX GlobalAveragePool-22)."""

    def decompose(self, b: Builder, x: Value) -> Value:
        return reduce_mean(b, x, range(2, x.rank), keep=True)


@operator
class GlobalMaxPool(GlobalPool):
    """The largest element over all spatial axes (ONNX GlobalMaxPool-22)."""

    def decompose(self, b: Builder, x: Value) -> Value:
        return b(ReduceMax(), x, b.ints(*range(2, x.rank)))


@operator
class GlobalLpPool(GlobalPool):
    """(Σ |x|^p)^(1/p) over all spatial axes (ONNX GlobalLpPool-22)."""

    p: int = 2

    def infer(self, x: TensorType) -> TensorType:
        if self.p < 1:
            out_of_range(f"p={self.p} must be positive", "p=2 is the Euclidean norm")
        return super().infer(x)

    def decompose(self, b: Builder, x: Value) -> Value:
        powers = b(Pow(), b(Abs(), x), float(self.p))
        return b(Pow(), reduce_sum(b, powers, range(2, x.rank), keep=True), 1 / self.p)


OPS: tuple[type[Op], ...] = (
    *pooling_max.OPS,
    *pooling_average.OPS,
    GlobalAveragePool,
    GlobalMaxPool,
    GlobalLpPool,
)
