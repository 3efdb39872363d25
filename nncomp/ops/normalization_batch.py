"""Batch normalization: with given statistics, and with the batch's own (Ioffe & Szegedy, 2015)."""

from __future__ import annotations

from nncomp.dims import equal
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.conversion import Cast
from nncomp.ops.convolution import require_vector
from nncomp.ops.elementwise import Add, Div, Mul, Sub
from nncomp.ops.elementwise_math import Reciprocal, Sqrt
from nncomp.ops.forms import count, other_axes, per_channel, reduce_mean, reduce_sum
from nncomp.ops.rules import require_float, same_dtype
from nncomp.types import DType, TensorType


def _require_channels(x: TensorType, *vectors: TensorType, names: tuple[str, ...]) -> None:
    if x.rank < 2:
        raise InferError("NN0204", f"batch normalization needs [N, C, …], this is {x}", operand=0)
    for operand, (vector, name) in enumerate(zip(vectors, names, strict=True), start=1):
        require_vector(require_float(vector), x.shape[1], f"`{name}`", operand=operand)


@operator
class BatchNormalization(Op):
    """(X - mean) / √(var + epsilon) · scale + B, channels on axis 1 (ONNX BatchNormalization-15).

    With training_mode the statistics are the batch's own (variance biased), and
    running = momentum · input + (1 - momentum) · batch; without, Y is the only result.
    scale, B, input_mean, input_var: [C]
    """

    signature = "X, scale, B, input_mean, input_var -> Y, running_mean?, running_var?"
    epsilon: float = 1e-5
    momentum: float = 0.9
    training_mode: int = 0

    def infer(
        self,
        x: TensorType,
        scale: TensorType,
        b: TensorType,
        mean: TensorType,
        var: TensorType,
    ) -> tuple[TensorType, ...]:
        names = ("scale", "B", "input_mean", "input_var")
        _require_channels(require_float(x), scale, b, mean, var, names=names)
        same_dtype(scale, b)
        same_dtype(mean, var)
        y = TensorType(x.dtype, x.shape)
        return (y, mean, var) if self.training_mode else (y,)

    def vjp(self, at: Vjp) -> Gradients:
        return self._training_vjp(at) if self.training_mode else self._inference_vjp(at)

    def _inference_vjp(self, at: Vjp) -> Gradients:
        b, (x, scale, _, mean, var) = at.b, _present(at)
        g = at.g
        inv_std = _inverse_std(b, _like(b, var, x), self.epsilon)
        total, weighted = _channel_sums(b, g, x, _like(b, mean, x), inv_std)
        slope = b(Mul(), _like(b, scale, x), inv_std)
        dx = b(Mul(), g, per_channel(b, slope, x.rank))
        shift = b(Mul(), total, b(Mul(), slope, -1.0))
        # dY/dvar = -½ scale (X - mean) inv_std³
        spread = b(Mul(), weighted, b(Mul(), slope, b(Mul(), inv_std, -0.5)))
        return (
            dx,
            _like(b, weighted, scale),
            _like(b, total, scale),
            _like(b, shift, mean),
            _like(b, spread, var),
        )

    def _training_vjp(self, at: Vjp) -> Gradients:
        b, (x, scale, bias, _, _) = at.b, _present(at)
        training = BatchNormTraining(self.epsilon)
        results = b.multi(training, x, _like(b, scale, x), _like(b, bias, x))
        fresh, kept = 1 - self.momentum, self.momentum
        dstats = [None if d is None else b(Mul(), _like(b, d, x), fresh) for d in at.dy[1:3]]
        dx, dscale, dbias = training_gradients(
            b, x, _like(b, scale, x), results, (at.dy[0], *dstats, None)
        )
        dmean, dvar = (None if d is None else b(Mul(), d, kept) for d in at.dy[1:3])
        return (
            dx,
            None if dscale is None else _like(b, dscale, scale),
            None if dbias is None else _like(b, dbias, bias),
            dmean,
            dvar,
        )

    def decompose(
        self, b: Builder, x: Value, scale: Value, bias: Value, mean: Value, var: Value
    ) -> Value | tuple[Value, ...]:
        """In training mode onnxruntime overwrites the statistics' inputs; this does not."""
        wide = [_like(b, v, x) for v in (scale, bias)]
        if not self.training_mode:
            inv_std = _inverse_std(b, _like(b, var, x), self.epsilon)
            return _affine(b, x, wide[0], wide[1], _like(b, mean, x), inv_std)
        y, batch_mean, batch_var, _ = b.multi(BatchNormTraining(self.epsilon), x, *wide)
        kept, fresh = self.momentum, 1 - self.momentum
        running = [
            b(Add(), b(Mul(), old, kept), b(Mul(), _like(b, new, old), fresh))
            for old, new in ((mean, batch_mean), (var, batch_var))
        ]
        return y, running[0], running[1]


@operator
class BatchNormTraining(Op):
    """Batch normalization by the batch's own moments, of one dtype throughout.

    X: [N, C, …]; scale, B: [C]; Y as X; mean, var (biased), inv_std = 1/√(var + epsilon): [C]
    """

    signature = "X, scale, B -> Y, mean, var, inv_std"
    domain = "nncomp"
    epsilon: float = 1e-5

    def infer(self, x: TensorType, scale: TensorType, b: TensorType) -> tuple[TensorType, ...]:
        _require_channels(require_float(x), scale, b, names=("scale", "B"))
        same_dtype(x, scale, b)
        statistic = TensorType(x.dtype, (x.shape[1],))
        return TensorType(x.dtype, x.shape), statistic, statistic, statistic

    def vjp(self, at: Vjp) -> Gradients:
        x, scale, _ = _present(at)
        return training_gradients(at.b, x, scale, at.outputs, at.dy)

    def decompose(
        self, b: Builder, x: Value, scale: Value, bias: Value
    ) -> tuple[Value, Value, Value, Value]:
        centered, mean, var, inv_std = self.moments(b, x)
        slope = per_channel(b, b(Mul(), scale, inv_std), x.rank)
        y = b(Add(), b(Mul(), centered, slope), per_channel(b, bias, x.rank))
        return y, mean, var, inv_std

    def moments(self, b: Builder, x: Value) -> tuple[Value, Value, Value, Value]:
        """X - mean [N, C, …]; mean, variance and its inverse root [C]."""
        axes = other_axes(x.rank)
        mean = reduce_mean(b, x, axes)
        centered = b(Sub(), x, per_channel(b, mean, x.rank))
        var = reduce_mean(b, b(Mul(), centered, centered), axes)
        return centered, mean, var, _inverse_std(b, var, self.epsilon)


@operator
class BatchNormGrad(Op):
    """The gradients of BatchNormTraining's operands, given its Y's.

    With x̂ = (X - mean) · inv_std over the M = N · spatial elements of a channel:
    dB = Σ dY, dscale = Σ dY x̂, dX = scale · inv_std · (dY - (dB + x̂ · dscale) / M).
    dY, X: [N, C, …]; scale, mean, inv_std: [C]
    """

    signature = "dY, X, scale, mean, inv_std -> dX, dscale, dB"
    domain = "nncomp"

    def infer(
        self,
        dy: TensorType,
        x: TensorType,
        scale: TensorType,
        mean: TensorType,
        inv_std: TensorType,
    ) -> tuple[TensorType, ...]:
        same_dtype(require_float(dy), x, scale, mean, inv_std)
        names = ("scale", "mean", "inv_std")
        _require_channels(x, scale, mean, inv_std, names=names)
        if dy.rank != x.rank or any(
            equal(a, b) is False for a, b in zip(dy.shape, x.shape, strict=True)
        ):
            raise InferError("NN0205", f"the gradient {dy} is not shaped like X, {x}")
        channel = TensorType(x.dtype, (x.shape[1],))
        return TensorType(x.dtype, x.shape), channel, channel

    def decompose(
        self, b: Builder, dy: Value, x: Value, scale: Value, mean: Value, inv_std: Value
    ) -> tuple[Value, Value, Value]:
        total, weighted = _channel_sums(b, dy, x, mean, inv_std)
        elements = count(b, (x.shape[0], *x.shape[2:]), x.type.dtype)
        # dX = slope · (dY - (X - mean) · (inv_std · dscale / M) - dB / M): the slope comes last,
        # where the gradients of a convolution before it can take it into their weights
        along = b(Div(), b(Mul(), inv_std, weighted), elements)
        centered = b(Sub(), x, per_channel(b, mean, x.rank))
        dx = b(Sub(), dy, b(Mul(), centered, per_channel(b, along, x.rank)))
        dx = b(Sub(), dx, per_channel(b, b(Div(), total, elements), x.rank))
        slope = b(Mul(), scale, inv_std)
        return b(Mul(), dx, per_channel(b, slope, x.rank)), weighted, total


def training_gradients(
    b: Builder,
    x: Value,
    scale: Value,
    results: tuple[Value, ...],
    dy: tuple[Value | None, ...],
) -> list[Value | None]:
    """Gradients of X, scale and B from those of BatchNormTraining's four results."""
    _, mean, _, inv_std = results
    g, dmean, dvar, dinv_std = dy
    dx = dscale = dbias = None
    if g is not None:
        dx, dscale, dbias = b.multi(BatchNormGrad(), g, x, scale, mean, inv_std)
    if dinv_std is not None:  # d inv_std = -½ inv_std³ d var
        cube = b(Mul(), inv_std, b(Mul(), inv_std, inv_std))
        dvar = _sum(b, b(Mul(), dinv_std, b(Mul(), cube, -0.5)), dvar)
    if dmean is None and dvar is None:
        return [dx, dscale, dbias]
    elements = count(b, (x.shape[0], *x.shape[2:]), x.type.dtype)
    if dvar is not None:
        centered = b(Sub(), x, per_channel(b, mean, x.rank))
        slope = b(Div(), b(Mul(), dvar, 2.0), elements)
        dx = _sum(b, b(Mul(), centered, per_channel(b, slope, x.rank)), dx)
    if dmean is not None:
        share = per_channel(b, b(Div(), dmean, elements), x.rank)
        if dx is None:
            dx = b(Mul(), x, 0.0)
        dx = b(Add(), dx, share)
    return [dx, dscale, dbias]


def _present(at: Vjp) -> list[Value]:
    return [v for v in at.inputs if v is not None]


def _sum(b: Builder, x: Value, y: Value | None) -> Value:
    return x if y is None else b(Add(), x, y)


def _like(b: Builder, x: Value, like: Value) -> Value:
    """x in the other's dtype."""
    dtype: DType = like.type.dtype
    return x if x.type.dtype is dtype else b(Cast(dtype), x)


def _inverse_std(b: Builder, var: Value, epsilon: float) -> Value:
    return b(Reciprocal(), b(Sqrt(), b(Add(), var, epsilon)))


def _affine(b: Builder, x: Value, scale: Value, bias: Value, mean: Value, inv_std: Value) -> Value:
    slope = b(Mul(), scale, inv_std)
    offset = b(Sub(), bias, b(Mul(), mean, slope))
    scaled = b(Mul(), x, per_channel(b, slope, x.rank))
    return b(Add(), scaled, per_channel(b, offset, x.rank))


def _channel_sums(
    b: Builder, dy: Value, x: Value, mean: Value, inv_std: Value
) -> tuple[Value, Value]:
    """Σ dY and Σ dY · (X - mean) · inv_std for each channel."""
    axes = other_axes(x.rank)
    centered = b(Sub(), x, per_channel(b, mean, x.rank))
    weighted = reduce_sum(b, b(Mul(), dy, centered), axes)
    return reduce_sum(b, dy, axes), b(Mul(), weighted, inv_std)


OPS: tuple[type[Op], ...] = (BatchNormalization, BatchNormTraining, BatchNormGrad)
