"""Normalization of layers, instances, groups and neighbourhoods; of batches in
normalization_batch."""

from __future__ import annotations

from collections.abc import Sequence

from nncomp.dims import equal, product
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops import normalization_batch
from nncomp.ops.comparison import Equal
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.convolution import require_vector
from nncomp.ops.elementwise import Add, Div, Mul, Sub
from nncomp.ops.elementwise_math import Abs, Pow, Sqrt
from nncomp.ops.forms import count, per_channel, reduce_mean, reduce_sum, reshape
from nncomp.ops.pooling_average import AveragePool
from nncomp.ops.rules import broadcast, normalize_axis, require_float, same_dtype
from nncomp.ops.windows import out_of_range, require_spatial
from nncomp.types import DType, TensorType

_STASH = {1: DType.F32, 10: DType.F16, 11: DType.F64, 16: DType.BF16}  # by ONNX's numbers


def stash_dtype(x: DType, stash_type: int) -> DType:
    """In which dtype statistics are kept; double precision is never given up for them."""
    if stash_type not in _STASH:
        out_of_range(f"stash_type={stash_type} is no floating type", "1 is f32, 16 bf16")
    return DType.F64 if x is DType.F64 else _STASH[stash_type]


def _require_affine(x: TensorType, t: TensorType | None, what: str, operand: int) -> None:
    """InferError unless the operand broadcasts to X."""
    if t is None:
        return
    same_dtype(x, t)
    shape = broadcast(x, t, verb="normalize")
    if len(shape) != x.rank or not all(map(equal, shape, x.shape)):
        raise InferError("NN0207", f"{what} {t} does not broadcast to {x}", operand=operand)


@operator
class LayerNormalization(Op):
    """(X - mean) / √(var + epsilon) · Scale + B, moments over the axes from `axis` on
    (ONNX LayerNormalization-17; Ba et al., 2016).

    Scale, B: broadcast to X; Mean, InvStdDev: X's shape with ones from `axis` on, in the dtype of
    stash_type (f64 for an f64 operand)
    """

    signature = "X, Scale, B? -> Y, Mean, InvStdDev"
    axis: int = -1
    epsilon: float = 1e-5
    stash_type: int = 1

    def infer(
        self, x: TensorType, scale: TensorType, b: TensorType | None = None
    ) -> tuple[TensorType, TensorType, TensorType]:
        axis = normalize_axis(self.axis, require_float(x).rank)
        _require_affine(x, scale, "Scale", 1)
        _require_affine(x, b, "B", 2)
        shape = (*x.shape[:axis], *(1,) * (x.rank - axis))
        moment = TensorType(stash_dtype(x.dtype, self.stash_type), shape)
        return TensorType(x.dtype, x.shape), moment, moment

    def vjp(self, at: Vjp) -> Gradients:
        """dX = inv · (gs - mean(gs) - x̂ · mean(gs · x̂)), gs = dY · Scale; and what Mean and
        InvStdDev add as results: dMean / M and -dInv · inv² · x̂ / M."""
        b, x, scale = at.b, at.x, at.inputs[1]
        g, *dmoments = at.dy
        axis = self.axis % x.rank
        axes = range(axis, x.rank)
        mean, inv = (_cast(b, v, x.type.dtype) for v in at.outputs[1:])
        normal = b(Mul(), b(Sub(), x, mean), inv)
        dx = dscale = dbias = None
        if g is not None:
            assert scale is not None
            gs = b(Mul(), g, scale)
            along = reduce_mean(b, b(Mul(), gs, normal), axes, keep=True)
            inner = b(Sub(), gs, reduce_mean(b, gs, axes, keep=True))
            dx = b(Mul(), b(Sub(), inner, b(Mul(), normal, along)), inv)
            dscale, dbias = b(Mul(), g, normal), g
        if dmoments != [None, None]:
            dmean, dinv = (None if d is None else _cast(b, d, x.type.dtype) for d in dmoments)
            elements = count(b, x.shape[axis:], x.type.dtype)
            if dinv is not None:
                slope = b(Mul(), b(Div(), dinv, elements), b(Mul(), inv, b(Mul(), inv, -1.0)))
                dx = _sum(b, b(Mul(), normal, slope), dx)
            if dmean is not None:
                dx = b(Add(), b(Mul(), x, 0.0) if dx is None else dx, b(Div(), dmean, elements))
        return (dx, dscale, dbias)[: len(at.inputs)]

    def decompose(
        self, b: Builder, x: Value, scale: Value, bias: Value | None = None
    ) -> tuple[Value, Value, Value]:
        wide = _cast(b, x, stash_dtype(x.type.dtype, self.stash_type))
        axes = range(self.axis % x.rank, x.rank)
        mean = reduce_mean(b, wide, axes, keep=True)
        centered = b(Sub(), wide, mean)
        var = reduce_mean(b, b(Mul(), centered, centered), axes, keep=True)
        inv = b(Div(), 1.0, b(Sqrt(), b(Add(), var, self.epsilon)))
        y = b(Mul(), _cast(b, b(Mul(), centered, inv), x.type.dtype), scale)
        return _sum(b, y, bias), mean, inv


@operator
class RMSNormalization(Op):
    """X / √(mean(X²) + epsilon) · scale, the mean over the axes from `axis` on
    (ONNX RMSNormalization-23; Zhang & Sennrich, 2019)."""

    signature = "X, scale -> Y"
    axis: int = -1
    epsilon: float = 1e-5
    stash_type: int = 1

    def infer(self, x: TensorType, scale: TensorType) -> TensorType:
        normalize_axis(self.axis, require_float(x).rank)
        _require_affine(x, scale, "scale", 1)
        stash_dtype(x.dtype, self.stash_type)
        return TensorType(x.dtype, x.shape)

    def decompose(self, b: Builder, x: Value, scale: Value) -> Value:
        wide = _cast(b, x, stash_dtype(x.type.dtype, self.stash_type))
        axes = range(self.axis % x.rank, x.rank)
        square = reduce_mean(b, b(Mul(), wide, wide), axes, keep=True)
        normal = b(Div(), wide, b(Sqrt(), b(Add(), square, self.epsilon)))
        return b(Mul(), _cast(b, normal, x.type.dtype), scale)


@operator
class InstanceNormalization(Op):
    """(x - mean) / √(var + epsilon) · scale + B, moments over the spatial axes of each channel of
    each sample (ONNX InstanceNormalization-22; Ulyanov et al., 2016).

    input: [N, C, spatial…]; scale, B: [C]
    """

    signature = "input, scale, B -> output"
    epsilon: float = 1e-5

    def infer(self, x: TensorType, scale: TensorType, b: TensorType) -> TensorType:
        require_spatial(require_float(x), "instance normalization")
        same_dtype(x, scale, b)
        require_vector(scale, x.shape[1], "`scale`", operand=1)
        require_vector(b, x.shape[1], "`B`", operand=2)
        return TensorType(x.dtype, x.shape)

    def decompose(self, b: Builder, x: Value, scale: Value, bias: Value) -> Value:
        normal = _standardized(b, x, range(2, x.rank), self.epsilon)
        return _channel_affine(b, normal, scale, bias)


@operator
class GroupNormalization(Op):
    """(x - mean) / √(var + epsilon) · scale + bias, moments over the channels of a group and the
    spatial axes (ONNX GroupNormalization-21; Wu & He, 2018).

    X: [N, C, …]; scale, bias: [C]; num_groups divides C
    """

    signature = "X, scale, bias -> Y"
    num_groups: int
    epsilon: float = 1e-5
    stash_type: int = 1

    def infer(self, x: TensorType, scale: TensorType, bias: TensorType) -> TensorType:
        if require_float(x).rank < 2:
            raise InferError("NN0204", f"group normalization needs [N, C, …], this is {x}")
        same_dtype(x, scale, bias)
        if self.num_groups < 1:
            out_of_range(f"num_groups={self.num_groups} must be positive")
        channels = x.shape[1]
        if channels % self.num_groups != 0:
            raise InferError(
                "NN0205" if isinstance(channels, int) else "NN0206",
                f"{self.num_groups} groups do not divide {channels} channels",
                operand=0,
                axis=1,
                help="take a number of groups that divides the channels",
            )
        require_vector(scale, channels, "`scale`", operand=1)
        require_vector(bias, channels, "`bias`", operand=2)
        stash_dtype(x.dtype, self.stash_type)
        return TensorType(x.dtype, x.shape)

    def decompose(self, b: Builder, x: Value, scale: Value, bias: Value) -> Value:
        wide = _cast(b, x, stash_dtype(x.type.dtype, self.stash_type))
        n, c, *spatial = x.shape
        groups = reshape(b, wide, n, self.num_groups, c // self.num_groups * product(spatial))
        normal = reshape(b, _standardized(b, groups, (2,), self.epsilon), *x.shape)
        return _channel_affine(b, _cast(b, normal, x.type.dtype), scale, bias)


@operator
class LRN(Op):
    """x / (bias + alpha / size · Σ x²)^beta, the sum over `size` neighbouring channels
    (ONNX LRN-13; Krizhevsky et al., 2012)."""

    signature = "X -> Y"
    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    bias: float = 1.0

    def infer(self, x: TensorType) -> TensorType:
        require_spatial(require_float(x), "local response normalization")
        if self.size < 1:
            out_of_range(f"size={self.size} must be positive", "size counts channels")
        return TensorType(x.dtype, x.shape)

    def decompose(self, b: Builder, x: Value) -> Value:
        n, c, *spatial = x.shape
        squares = reshape(b, b(Mul(), x, x), n, 1, c, product(spatial))
        pool = AveragePool(
            kernel_shape=(self.size, 1),
            pads=((self.size - 1) // 2, 0, self.size // 2, 0),
            count_include_pad=1,
        )
        means = reshape(b, b(pool, squares), *x.shape)
        root = b(Pow(), b(Add(), b(Mul(), means, self.alpha), self.bias), self.beta)
        return b(Div(), x, root)


@operator
class LpNormalization(Op):
    """input / (Σ |input|^p)^(1/p) along an axis, p = 1 or 2; 0 where that is 0/0
    (ONNX LpNormalization-22)."""

    signature = "input -> output"
    axis: int = -1
    p: int = 2

    def infer(self, x: TensorType) -> TensorType:
        normalize_axis(self.axis, require_float(x).rank)
        if self.p not in (1, 2):
            out_of_range(f"p={self.p} is neither 1 nor 2")
        return TensorType(x.dtype, x.shape)

    def decompose(self, b: Builder, x: Value) -> Value:
        axes = (self.axis % x.rank,)
        norm = reduce_sum(b, b(Abs(), x) if self.p == 1 else b(Mul(), x, x), axes, keep=True)
        # 1 in place of 0 under the root, so that no NaN comes back either
        norm = b(Where(), b(Equal(), norm, 0.0), b.constant(1, x.type.dtype), norm)
        return b(Div(), x, norm if self.p == 1 else b(Sqrt(), norm))


@operator
class MeanVarianceNormalization(Op):
    """(X - mean) / (std + 1e-9), moments over `axes` (ONNX MeanVarianceNormalization-13)."""

    signature = "X -> Y"
    axes: tuple[int, ...] = (0, 2, 3)

    def infer(self, x: TensorType) -> TensorType:
        for axis in self.axes:
            normalize_axis(axis, require_float(x).rank)
        return TensorType(x.dtype, x.shape)

    def decompose(self, b: Builder, x: Value) -> Value:
        axes = [axis % x.rank for axis in self.axes]
        centered = b(Sub(), x, reduce_mean(b, x, axes, keep=True))
        var = reduce_mean(b, b(Mul(), centered, centered), axes, keep=True)
        return b(Div(), centered, b(Add(), b(Sqrt(), var), 1e-9))


def _cast(b: Builder, x: Value, dtype: DType) -> Value:
    return x if x.type.dtype is dtype else b(Cast(dtype), x)


def _sum(b: Builder, x: Value, y: Value | None) -> Value:
    return x if y is None else b(Add(), x, y)


def _standardized(b: Builder, x: Value, axes: Sequence[int], epsilon: float) -> Value:
    centered = b(Sub(), x, reduce_mean(b, x, axes, keep=True))
    var = reduce_mean(b, b(Mul(), centered, centered), axes, keep=True)
    return b(Div(), centered, b(Sqrt(), b(Add(), var, epsilon)))


def _channel_affine(b: Builder, x: Value, scale: Value, bias: Value) -> Value:
    scaled = b(Mul(), x, per_channel(b, scale, x.rank))
    return b(Add(), scaled, per_channel(b, bias, x.rank))


OPS: tuple[type[Op], ...] = (
    *normalization_batch.OPS,
    LayerNormalization,
    RMSNormalization,
    InstanceNormalization,
    GroupNormalization,
    LRN,
    LpNormalization,
    MeanVarianceNormalization,
)
