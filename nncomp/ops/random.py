"""Random numbers: one counter-based stream, the same bits on every backend.

The number at place i depends on (seed, step, site, i) alone. All is done in unsigned 64-bit
integers that wrap, with nothing but products, sums and right shifts, because that is what every
provider of onnxruntime has (where there is no BitShift, a division does it)::

    mix(x) = three times: x ← x · M; x ← x + (x >> 32)
    key    = mix(mix(seed) + step) + hash(site)
    x      = key + i · G
    x      = three times: x ← (x + (x >> 32)) · M, with key added after the first

It is the structure of Widynski's *Squares* (2020) with a fixed odd multiplier instead of squaring,
and sums for the xors of Steele's SplitMix (2014). The key is mixed before it meets the counter,
and added once more between the rounds: neighbouring seeds, steps and sites share neither numbers
nor an order of them. The top 24 bits make a uniform float32; bits 16–39 a second one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

from nncomp.dims import DimLike, product
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp
from nncomp.ops.conversion import BitShift, Cast
from nncomp.ops.elementwise import Add, Div, Mul, Sub
from nncomp.ops.elementwise_math import Cos, Log, Sqrt
from nncomp.ops.filling import Range, shape_operand
from nncomp.ops.shape import Squeeze, reshaped
from nncomp.types import DType, TensorType

# odd numbers with about half their bits set: the fractional part of the golden ratio, and the
# multipliers of SplitMix64 and MurmurHash3
GOLDEN = 0x9E3779B97F4A7C15
MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xFF51AFD7ED558CCD)
HALF = 32  # how far the upper half is shifted onto the lower
UNIFORM_BITS = 24  # what a float32 in [0, 1) holds exactly
SECOND_SHIFT = 16  # where the bits of the second uniform begin

Shift = Callable[[Builder, Value, int], Value]


def site_hash(site: int) -> int:
    """64 bits that tell one site from another."""
    return int.from_bytes(hashlib.sha256(b"site %d" % site).digest()[:8], "little")


def shift_bits(b: Builder, x: Value, bits: int) -> Value:
    """x >> bits by BitShift, the fastest on CPUs."""
    return b(BitShift(direction="RIGHT"), x, bits)


def shift_by_division(b: Builder, x: Value, bits: int) -> Value:
    """x >> bits by a division, for providers without BitShift."""
    return b(Div(), x, b.constant(2**bits, DType.U64))


@dataclass(frozen=True)
class Random(Op):
    """Numbers of the stream of (seed, step, site), in float32.

    seed, step: i64 scalars; shape: i64 vector
    site: which of the program's random expressions
    distribution: "uniform" in [0, 1), a multiple of 2⁻²⁴, or "normal" (mean 0, variance 1, by Box
        and Muller from two uniforms)
    """

    signature = "seed, step, shape -> Y"
    domain = "nncomp"
    site: int
    distribution: str = "uniform"

    def infer(self, seed: TensorType, step: TensorType, shape: TensorType) -> TensorType:
        if self.distribution not in ("uniform", "normal"):
            raise InferError("NN0208", f'there is no distribution "{self.distribution}"')
        for t, what in ((seed, "seed"), (step, "step")):
            if t.dtype is not DType.I64 or t.rank != 0:
                raise InferError("NN0201", f"the {what} is i64[], this is {t}")
        return TensorType(DType.F32, shape_operand(shape, "the shape"))

    def vjp(self, at: Vjp) -> Gradients:
        return None, None, None

    def decompose(self, b: Builder, seed: Value, step: Value, shape: Value) -> Value:
        return self.body(b, seed, step, shape, shift_bits)

    def body(self, b: Builder, seed: Value, step: Value, shape: Value, shift: Shift) -> Value:
        """The stream in standard operators, with the given spelling of a right shift."""
        dims = shape_operand(shape.type, "the shape")
        bits = self._bits(b, self._key(b, seed, step, shift), _counter(b, product(dims)), shift)
        top = shift(b, bits, 64 - UNIFORM_BITS)
        numbers = _unit(b, top)
        if self.distribution == "normal":
            lower = b(Sub(), bits, b(Mul(), top, b.constant(2 ** (64 - UNIFORM_BITS), DType.U64)))
            numbers = _box_muller(b, numbers, _unit(b, shift(b, lower, SECOND_SHIFT)))
        return numbers if len(dims) == 1 else reshaped(b, numbers, dims)

    def _key(self, b: Builder, seed: Value, step: Value, shift: Shift) -> Value:
        mixed = _mix(b, b(Cast(DType.U64), seed), shift)
        mixed = _mix(b, b(Add(), mixed, b(Cast(DType.U64), step)), shift)
        return b(Add(), mixed, b.constant(site_hash(self.site), DType.U64))

    @staticmethod
    def _bits(b: Builder, key: Value, counter: Value, shift: Shift) -> Value:
        x = b(Add(), b(Mul(), counter, b.constant(GOLDEN, DType.U64)), key)
        for place, multiplier in enumerate(MULTIPLIERS):
            x = b(Add(), x, shift(b, x, HALF))
            x = b(Mul(), x, b.constant(multiplier, DType.U64))
            if place == 0:
                x = b(Add(), x, key)
        return x


def _mix(b: Builder, x: Value, shift: Shift) -> Value:
    for multiplier in MULTIPLIERS:
        x = b(Mul(), x, b.constant(multiplier, DType.U64))
        x = b(Add(), x, shift(b, x, HALF))
    return x


def _counter(b: Builder, count: DimLike) -> Value:
    """0, 1, … as u64."""
    limit = b(Squeeze(), b.dims((count,)), b.ints(0))
    zero, one = b.constant(0, DType.I64), b.constant(1, DType.I64)
    return b(Cast(DType.U64), b(Range(), zero, limit, one))


def _unit(b: Builder, bits: Value) -> Value:
    """Integers below 2²⁴ as floats in [0, 1)."""
    return b(Mul(), b(Cast(DType.F32), bits), 2.0**-UNIFORM_BITS)


def _box_muller(b: Builder, u: Value, v: Value) -> Value:
    """√(-2 ln(1 - u)) · cos(2π v): 1 - u is never 0."""
    radius = b(Sqrt(), b(Mul(), b(Log(), b(Sub(), 1.0, u)), -2.0))
    return b(Mul(), radius, b(Cos(), b(Mul(), v, 2 * math.pi)))


OPS: tuple[type[Op], ...] = (Random,)
