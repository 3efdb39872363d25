"""Random numbers: one counter-based stream, the same bits on every backend.

The number at place i depends on (seed, step, site, i) alone. It is made in unsigned 64-bit integers
that wrap, with nothing but products, sums and right shifts, because that is what every provider of
onnxruntime has (where there is no BitShift, a division does it).

Random words are made by Widynski's *Squares* ("Squares: a fast counter-based RNG", arXiv
2004.06278, 2020), which takes 25 operations a word::

    squares(i, key):  x = y = i · key;  z = y + key
                      x ← swap(x² + y);  x ← swap(x² + z);  x ← swap(x² + y)
                      x² + z, where swap exchanges the upper and the lower 32 bits
    odd(x)    = 2 x + 1
    key       = odd(squares(step, odd(squares(seed, KEY)))) + hash(site), which is even
    word(j)   = squares(j + 1, key)

So the key is mixed before it meets a counter: neighbouring seeds, steps and sites share neither
numbers nor an order of them. (Sums in place of the squares would not do: x + (x >> 32) is so nearly
linear that products of it stay so.) The numbers themselves stand in rows of COLUMNS, and words are
made for each column and row, not for each number, which takes seven operations more::

    b[c], d[c] = word(c), word(COLUMNS + c)
    a[r], m[r] = word(2 COLUMNS + 2 r), odd(word(2 COLUMNS + 2 r + 1))
    number i   = ((((a[r] + b[c])² >> 32) + d[c]) · m[r]) >> 40,  r = i // COLUMNS, c = i % COLUMNS

The square makes of each pair of row and column a number that no sum over rows and columns gives;
the product by the row carries it into the upper bits. These 24 make a uniform float32.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

from nncomp.dims import DimLike, product
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.conversion import BitShift, Cast
from nncomp.ops.elementwise import Add, Div, Mul, Sub
from nncomp.ops.elementwise_math import Log, Sqrt
from nncomp.ops.filling import Range, shape_operand
from nncomp.ops.shape import Squeeze, reshaped
from nncomp.ops.shape_joining import Concat, Split
from nncomp.ops.shape_slicing import Slice
from nncomp.ops.trigonometry import Cos, Sin
from nncomp.types import DType, TensorType

KEY = 0xC8E4FD154CE32F6D  # from the paper: digits all unlike, odd
HALF = 32  # bits that change places
UNIFORM_BITS = 24  # what a float32 in [0, 1) holds exactly
COLUMNS = 512  # numbers that share the words of a row; even

Shift = Callable[[Builder, Value, int], Value]


def site_offset(site: int) -> int:
    """An even number that tells the keys of one site from another's."""
    return int.from_bytes(hashlib.sha256(b"site %d" % site).digest()[:8], "little") & ~1


def shift_bits(b: Builder, x: Value, bits: int) -> Value:
    """x >> bits by BitShift, the fastest on CPUs."""
    return b(BitShift(direction="RIGHT"), x, bits)


def shift_by_division(b: Builder, x: Value, bits: int) -> Value:
    """x >> bits by a division, for providers without BitShift."""
    return b(Div(), x, b.constant(2**bits, DType.U64))


@operator
class Random(Op):
    """Numbers of the stream of (seed, step, site), in float32.

    seed, step: i64 scalars; shape: i64 vector
    site: which of the program's random expressions
    distribution: "uniform" in [0, 1), a multiple of 2⁻²⁴, or "normal" (mean 0, variance 1, by Box
        and Muller: two of the first and second half of a row from the uniforms there)
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
        count = product(dims)
        numbers = _uniform(b, self._words(b, seed, step, count, shift), shift)
        if self.distribution == "normal":
            numbers = _box_muller(b, numbers)
        flat = reshaped(b, numbers, (_rows(count) * COLUMNS,))
        if not (isinstance(count, int) and count % COLUMNS == 0):
            flat = b(Slice(), flat, b.ints(0), b.dims((count,)), b.ints(0))
        return flat if len(dims) == 1 else reshaped(b, flat, dims)

    def _words(
        self, b: Builder, seed: Value, step: Value, count: DimLike, shift: Shift
    ) -> tuple[Value, ...]:
        """a, m as [rows, 1]; b, d as [1, COLUMNS]."""
        rows = _rows(count)
        words = _squares(
            b, _counter(b, 2 * COLUMNS + 2 * rows), self._key(b, seed, step, shift), shift
        )
        of_columns, of_rows = b.multi(Split(), words, b.dims((2 * COLUMNS, 2 * rows)))
        sum_row, factor = b.multi(Split(axis=1), reshaped(b, of_rows, (rows, 2)), b.ints(1, 1))
        sum_column, offset = b.multi(Split(), reshaped(b, of_columns, (2, COLUMNS)), b.ints(1, 1))
        factor = b(Add(), b(Add(), factor, factor), b.constant(1, DType.U64))
        return sum_row, factor, sum_column, offset

    def _key(self, b: Builder, seed: Value, step: Value, shift: Shift) -> Value:
        key = b.constant(KEY, DType.U64)
        for part in (seed, step):
            mixed = _squares(b, b(Cast(DType.U64), part), key, shift)
            key = b(Add(), b(Add(), mixed, mixed), b.constant(1, DType.U64))
        return b(Add(), key, b.constant(site_offset(self.site), DType.U64))


def _squares(b: Builder, counter: Value, key: Value, shift: Shift) -> Value:
    y = x = b(Mul(), counter, key)
    z = b(Add(), y, key)
    upper = b.constant(2**HALF, DType.U64)
    for term in (y, z, y):
        x = b(Add(), b(Mul(), x, x), term)
        x = b(Add(), shift(b, x, HALF), b(Mul(), x, upper))
    return b(Add(), b(Mul(), x, x), z)


def _counter(b: Builder, count: DimLike) -> Value:
    """1, 2, … as u64."""
    limit = b(Squeeze(), b.dims((count + 1,)), b.ints(0))
    one = b.constant(1, DType.I64)
    return b(Cast(DType.U64), b(Range(), one, limit, one))


def _rows(count: DimLike) -> DimLike:
    return (count + COLUMNS - 1) // COLUMNS


def _uniform(b: Builder, words: tuple[Value, ...], shift: Shift) -> Value:
    sum_row, factor, sum_column, offset = words
    x = b(Add(), sum_row, sum_column)
    x = b(Add(), shift(b, b(Mul(), x, x), HALF), offset)
    top = shift(b, b(Mul(), x, factor), 64 - UNIFORM_BITS)
    return b(Mul(), b(Cast(DType.F32), top), 2.0**-UNIFORM_BITS)


def _box_muller(b: Builder, numbers: Value) -> Value:
    """√(-2 ln(1 - u)) · cos(2π v), and · sin(2π v), for u and v of the left and the right half of a
    row: 1 - u is never 0."""
    half = COLUMNS // 2
    u, v = b.multi(Split(axis=1), numbers, b.ints(half, half))
    radius = b(Sqrt(), b(Mul(), b(Log(), b(Sub(), 1.0, u)), -2.0))
    angle = b(Mul(), v, 2 * math.pi)
    return b(Concat(axis=1), b(Mul(), radius, b(Cos(), angle)), b(Mul(), radius, b(Sin(), angle)))


OPS: tuple[type[Op], ...] = (Random,)
