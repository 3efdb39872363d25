"""ONNX's own random operators, whose numbers come from the runtime's generator.

They are unlike on every runtime, and without a seed in every run; a program's `uniform` and
`normal` are not (see `Random`). NumPy's kernels start a generator from the seed.
"""

from __future__ import annotations

from typing import ClassVar

from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.comparison import require_bool
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Div, Mul, Sub
from nncomp.ops.rules import numbered_dtype, require_float, require_rank
from nncomp.types import DType, TensorType


@operator
class Drawn(Op):
    """Base of the operators that draw numbers: two nodes that are alike draw different ones.

    dtype: ONNX's number of the result's dtype
    seed: where the generator starts; anew in each run without it
    """

    pure: ClassVar[bool] = False

    def vjp(self, at: Vjp) -> Gradients:
        return (None,) * len(at.inputs)


@operator
class FreelyDrawn(Drawn):
    """Base of those with a shape of their own."""

    signature = "-> output"
    shape: tuple[int, ...]
    dtype: int = 1
    seed: float | None = None

    def infer(self) -> TensorType:
        if any(size < 0 for size in self.shape):
            raise InferError("NN0205", f"a shape has no negative sizes: {list(self.shape)}")
        return TensorType(_floating(self.dtype), self.shape)


@operator
class DrawnLike(Drawn):
    """Base of those with the operand's shape, and its dtype if no other is given."""

    signature = "input -> output"
    dtype: int | None = None
    seed: float | None = None

    def infer(self, x: TensorType) -> TensorType:
        dtype = x.dtype if self.dtype is None else numbered_dtype(self.dtype)
        return TensorType(require_float(TensorType(dtype, x.shape)).dtype, x.shape)


@operator
class RandomNormal(FreelyDrawn):
    """Normal numbers of that mean and deviation (ONNX RandomNormal-22)."""

    mean: float = 0.0
    scale: float = 1.0


@operator
class RandomUniform(FreelyDrawn):
    """Uniform numbers between low and high (ONNX RandomUniform-22)."""

    high: float = 1.0
    low: float = 0.0


@operator
class RandomNormalLike(DrawnLike):
    """Normal numbers of that mean and deviation (ONNX RandomNormalLike-22)."""

    mean: float = 0.0
    scale: float = 1.0


@operator
class RandomUniformLike(DrawnLike):
    """Uniform numbers between low and high (ONNX RandomUniformLike-22)."""

    high: float = 1.0
    low: float = 0.0


@operator
class Bernoulli(Drawn):
    """1 with the probability that stands there, else 0 (ONNX Bernoulli-22)."""

    signature = "input -> output"
    dtype: int | None = None
    seed: float | None = None

    def infer(self, x: TensorType) -> TensorType:
        require_float(x)
        return TensorType(x.dtype if self.dtype is None else numbered_dtype(self.dtype), x.shape)


@operator
class Multinomial(Drawn):
    """Classes, drawn by the logarithms of their probabilities, which need not add up to 1:
    [N, C] to i32 or i64 [N, sample_size] (ONNX Multinomial-22)."""

    signature = "input -> output"
    dtype: int = 6
    sample_size: int = 1
    seed: float | None = None

    def infer(self, x: TensorType) -> TensorType:
        require_float(x)
        require_rank(x, 2, "the table of probabilities")
        dtype = numbered_dtype(self.dtype)
        if dtype not in (DType.I32, DType.I64):
            raise InferError("NN0208", f"classes are i32 or i64, not {dtype}")
        if self.sample_size < 1:
            raise InferError("NN0208", f"sample_size must be positive, not {self.sample_size}")
        return TensorType(dtype, (x.shape[0], self.sample_size))


@operator
class Dropout(Op):
    """data as it is; in training mode 0 with the probability `ratio`, else over 1 - ratio
    (ONNX Dropout-22; Srivastava et al., 2014).

    ratio: a floating scalar, ½ if left out; training_mode: a bool scalar, False if left out
    mask: what is kept. The gradient has the same one.
    """

    signature = "data, ratio?, training_mode? -> output, mask?"
    pure = False
    seed: int | None = None

    def infer(
        self, x: TensorType, ratio: TensorType | None = None, training: TensorType | None = None
    ) -> tuple[TensorType, TensorType]:
        require_float(x)
        if ratio is not None and require_float(ratio).size != 1:
            raise InferError("NN0204", f"ratio is a scalar, this is {ratio}", operand=1)
        if training is not None:
            require_bool(training)
            if training.size != 1:
                raise InferError("NN0204", f"training_mode is a scalar, not {training}", operand=2)
        return TensorType(x.dtype, x.shape), TensorType(DType.BOOL, x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        b, g = at.b, at.dy[0]
        _, ratio, training = (*at.inputs, None, None)[:3]
        if g is None or training is None:
            return g, None, None
        dtype = g.type.dtype
        rate = b.constant(0.5, dtype)
        if ratio is not None:
            rate = ratio if ratio.type.dtype is dtype else b(Cast(dtype), ratio)
        one = b.constant(1, dtype)
        scale = b(Where(), training, b(Div(), one, b(Sub(), one, rate)), one)
        return b(Mul(), g, b(Mul(), b(Cast(dtype), at.outputs[1]), scale)), None, None


def _floating(number: int) -> DType:
    return require_float(TensorType(numbered_dtype(number), ())).dtype


OPS: tuple[type[Op], ...] = (
    *(RandomNormal, RandomUniform, RandomNormalLike, RandomUniformLike),
    *(Bernoulli, Multinomial, Dropout),
)
