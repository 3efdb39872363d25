"""Fourier transforms, their windows, and the mel scale."""

from __future__ import annotations

import math
from typing import ClassVar

from nncomp.dims import DimLike, equal, floordiv, maximum, minimum
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.comparison import Equal, Or
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Add, Div, Mul
from nncomp.ops.forms import arange, reshape, scalar, window
from nncomp.ops.gradient import dim_as
from nncomp.ops.indexing import Gather
from nncomp.ops.rules import (
    known_ints,
    normalize_axis,
    numbered_dtype,
    require_equal,
    require_float,
    require_ints,
    same_dtype,
)
from nncomp.ops.shape import Unsqueeze
from nncomp.ops.shape_slicing import Pad
from nncomp.ops.trigonometry import Cos
from nncomp.types import DType, TensorType


def one_size(t: TensorType, what: str) -> DimLike:
    """The integer that an operand of one element holds."""
    require_ints(t, what)
    if t.size != 1:
        raise InferError("NN0204", f"{what} is one number, this is {t}")
    if t.elements is None:
        raise InferError("NN0212", f"{what} must be known while compiling")
    return t.elements[0]


def fitted(b: Builder, x: Value, size: DimLike, axis: int) -> Value:
    """x with so many elements along an axis: cut off, or filled with zeros."""
    own = x.shape[axis]
    if equal(own, size):
        return x
    kept = minimum(own, size)
    if not equal(kept, own):
        x = window(b, x, [0], [kept], [axis])
    if not equal(kept, size):
        x = b(Pad(), x, b.dims((0, size - kept)), None, b.ints(axis))
    return x


@operator
class DFT(Op):
    """Y[k] = Σ_n X[n] exp(-2πi k n / N) along an axis (ONNX DFT-20); complex numbers are pairs.

    input: [*, n, *, 1 or 2], of which an axis but the last, the last but one without `axis`, is
    transformed; cut off or filled with zeros to N = dft_length, n without it
    inverse: with a plus sign, over N
    onesided: the first N // 2 + 1 elements alone; of the inverse, whose operand they are, the
        result is real, and N is 2 · (n - 1) without dft_length
    """

    signature = "input, dft_length?, axis? -> output"
    inverse: int = 0
    onesided: int = 0

    def infer(
        self, x: TensorType, length: TensorType | None = None, axis: TensorType | None = None
    ) -> TensorType:
        require_float(x)
        if x.rank < 2 or x.shape[-1] not in (1, 2):
            raise InferError(
                "NN0204", f"DFT takes [*, n, *, 2], or 1 at the end for real numbers, not {x}"
            )
        if self.onesided and equal(x.shape[-1], 2 if self.inverse else 1) is not True:
            kind = "complex" if self.inverse else "real"
            raise InferError("NN0205", f"this onesided DFT takes {kind} numbers, not {x}")
        place, size = self.along(x, length, axis)
        shape = list(x.shape)
        shape[place] = floordiv(size, 2) + 1 if self.onesided and not self.inverse else size
        shape[-1] = 1 if self.onesided and self.inverse else 2
        return TensorType(x.dtype, tuple(shape))

    def along(
        self, x: TensorType, length: TensorType | None, axis: TensorType | None
    ) -> tuple[int, DimLike]:
        """The axis, from 0, and N."""
        given = known_ints(axis, "the axis of DFT")
        if given is not None and len(given) != 1:
            raise InferError("NN0204", f"the axis of DFT is one number, not {axis}")
        place = normalize_axis(given[0] if given else -2, x.rank)
        if place == x.rank - 1:
            raise InferError("NN0210", f"the last axis of {x} holds real and imaginary parts")
        if length is not None:
            size = one_size(length, "dft_length")
        elif self.inverse and self.onesided:
            size = (x.shape[place] - 1) * 2
        else:
            size = x.shape[place]
        if isinstance(size, int) and size < 1:
            raise InferError("NN0208", f"a DFT has one element or more, not {size}")
        return place, size

    def vjp(self, at: Vjp) -> Gradients:
        """The transpose: the other transform of the pairs."""
        b, g, x = at.b, at.g, at.x
        types = [None if v is None else v.type for v in (*at.inputs[1:], None, None)[:2]]
        place, size = self.along(x.type, *types)
        axis = b.constant(place, DType.I64)
        if self.inverse and self.onesided:
            g = b(DFT(onesided=1), g, None, axis)
            g = b(Div(), b(Mul(), g, self._twice(b, g, place, size)), dim_as(b, size, g.type.dtype))
        elif self.inverse:
            g = b(Div(), b(DFT(), g, None, axis), dim_as(b, size, g.type.dtype))
        else:
            if self.onesided:
                rest = b.dims((0, size - g.shape[place]))
                g = b(Pad(), g, rest, None, b.ints(place))
            g = b(DFT(inverse=1), g, None, axis)
            g = b(Mul(), g, dim_as(b, size, g.type.dtype))
        if x.shape[-1] == 1:
            g = window(b, g, [0], [1], [g.rank - 1])
        return fitted(b, g, x.shape[place], place), None, None

    @staticmethod
    def _twice(b: Builder, g: Value, place: int, size: DimLike) -> Value:
        """2 for the frequencies that stand for their mirror images too, else 1."""
        count = arange(b, g.shape[place])
        twice = b(Add(), count, count)
        single = b(Or(), b(Equal(), count, 0), b(Equal(), twice, scalar(b, size)))
        weight = b(Where(), single, *(b.constant(n, g.type.dtype) for n in (1, 2)))
        return reshape(b, weight, g.shape[place], *(1,) * (g.rank - 1 - place))


@operator
class STFT(Op):
    """The DFT of each frame of a signal (ONNX STFT-17).

    signal: [N, L], [N, L, 1] or, complex, [N, L, 2]; output: [N, frames, frequencies, 2]
    frame_step: from one frame's beginning to the next one's; window: [frame_length], which each
    frame is multiplied with; frame_length: the window's without it, or L
    """

    signature = "signal, frame_step, window?, frame_length? -> output"
    onesided: int = 1

    def infer(
        self,
        signal: TensorType,
        step: TensorType,
        weights: TensorType | None = None,
        length: TensorType | None = None,
    ) -> TensorType:
        same_dtype(require_float(signal), weights)
        if signal.rank not in (2, 3) or (signal.rank == 3 and signal.shape[2] not in (1, 2)):
            raise InferError("NN0204", f"a signal is [N, L, 1] or [N, L, 2], not {signal}")
        if self.onesided and signal.rank == 3 and signal.shape[2] != 1:
            raise InferError("NN0205", f"a onesided STFT takes real numbers, not {signal}")
        size, frames = self._frames(signal, step, weights, length)
        if weights is not None:
            message = f"the window {weights} does not fit frames of {size}"
            if weights.rank != 1:
                raise InferError("NN0204", message, operand=2)
            require_equal(weights.shape[0], size, message)
        bins = floordiv(size, 2) + 1 if self.onesided else size
        return TensorType(signal.dtype, (signal.shape[0], frames, bins, 2))

    @staticmethod
    def _frames(
        signal: TensorType, step: TensorType, weights: TensorType | None, length: TensorType | None
    ) -> tuple[DimLike, DimLike]:
        """The size of a frame, and how many there are."""
        stride = one_size(step, "frame_step")
        if isinstance(stride, int) and stride < 1:
            raise InferError("NN0208", f"frame_step must be positive, not {stride}")
        size = signal.shape[1]
        if length is not None:
            size = one_size(length, "frame_length")
        elif weights is not None:
            size = weights.shape[0]
        rest = signal.shape[1] - size
        if isinstance(rest, int) and rest < 0:
            raise InferError("NN0205", f"a frame of {size} does not fit into {signal}")
        return size, maximum(0, floordiv(rest, stride) + 1)

    def decompose(
        self,
        b: Builder,
        signal: Value,
        step: Value,
        weights: Value | None = None,
        length: Value | None = None,
    ) -> Value:
        types = [None if v is None else v.type for v in (weights, length)]
        size, frames = self._frames(signal.type, step.type, *types)
        if signal.rank == 2:
            signal = b(Unsqueeze(), signal, b.ints(2))
        begin = b(Mul(), arange(b, frames), reshape(b, step, 1))
        places = b(Add(), b(Unsqueeze(), begin, b.ints(1)), arange(b, size))
        parts = b(Gather(axis=1), signal, places)
        if weights is not None:
            parts = b(Mul(), parts, b(Unsqueeze(), weights, b.ints(1)))
        return b(DFT(onesided=self.onesided), parts, None, b.constant(2, DType.I64))


@operator
class CosineWindow(Op):
    """Base of the windows that are sums of cosines: Σ_k terms[k] cos(2πk n / N) for each n below
    size, with N = size, or size - 1 for periodic=0.

    output_datatype: ONNX's number of the dtype
    """

    signature = "size -> output"
    terms: ClassVar[tuple[float, ...]]
    output_datatype: int = 1
    periodic: int = 1

    def infer(self, size: TensorType) -> TensorType:
        return TensorType(numbered_dtype(self.output_datatype), (one_size(size, "the size"),))

    def decompose(self, b: Builder, size: Value) -> Value:
        count = one_size(size.type, "the size")
        whole = count if self.periodic else maximum(1, count - 1)
        turn = b(Mul(), b(Cast(DType.F32), arange(b, count)), 2 * math.pi)
        turn = b(Div(), turn, dim_as(b, whole, DType.F32))
        total = b.constant(self.terms[0], DType.F32)
        for k, term in enumerate(self.terms[1:], start=1):
            angle = turn if k == 1 else b(Mul(), turn, float(k))
            total = b(Add(), total, b(Mul(), b(Cos(), angle), term))
        dtype = numbered_dtype(self.output_datatype)
        return total if dtype is DType.F32 else b(Cast(dtype), total)


@operator
class HannWindow(CosineWindow):
    """½ - ½ cos (ONNX HannWindow-17); see `CosineWindow`."""

    terms = (0.5, -0.5)


@operator
class HammingWindow(CosineWindow):
    """25/46 - 21/46 cos (ONNX HammingWindow-17); see `CosineWindow`."""

    terms = (25 / 46, -21 / 46)


@operator
class BlackmanWindow(CosineWindow):
    """0.42 - ½ cos + 0.08 cos of twice the angle (ONNX BlackmanWindow-17); see `CosineWindow`."""

    terms = (0.42, -0.5, 0.08)


@operator
class MelWeightMatrix(Op):
    """How much of each frequency of a DFT belongs to each bin of the mel scale
    (ONNX MelWeightMatrix-17): [dft_length // 2 + 1, num_mel_bins].

    sample_rate, lower_edge_hertz, upper_edge_hertz: scalars, in Hz
    """

    signature = (
        "num_mel_bins, dft_length, sample_rate, lower_edge_hertz, upper_edge_hertz -> output"
    )
    output_datatype: int = 1

    def infer(
        self,
        bins: TensorType,
        length: TensorType,
        rate: TensorType,
        low: TensorType,
        high: TensorType,
    ) -> TensorType:
        for t, what in ((low, "lower_edge_hertz"), (high, "upper_edge_hertz")):
            require_float(t)
            if t.size != 1:
                raise InferError("NN0204", f"{what} is a scalar, this is {t}")
        if not rate.dtype.is_int or rate.size != 1:
            raise InferError("NN0204", f"sample_rate is an integer scalar, this is {rate}")
        count = one_size(bins, "num_mel_bins")
        frequencies = floordiv(one_size(length, "dft_length"), 2) + 1
        return TensorType(numbered_dtype(self.output_datatype), (frequencies, count))

    def vjp(self, at: Vjp) -> Gradients:
        return (None,) * len(at.inputs)


OPS: tuple[type[Op], ...] = (
    *(DFT, STFT, HannWindow, HammingWindow, BlackmanWindow, MelWeightMatrix),
)
