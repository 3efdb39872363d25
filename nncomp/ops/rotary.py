"""Rotary positions."""

from __future__ import annotations

from nncomp.dims import equal, floordiv
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import InferError, Op, operator
from nncomp.ops.elementwise import Add, Mul, Sub
from nncomp.ops.forms import reshape, transpose, window
from nncomp.ops.indexing import Gather
from nncomp.ops.rules import require_equal, require_float, require_rank, same_dtype
from nncomp.ops.shape import Unsqueeze
from nncomp.ops.shape_joining import Concat, Split
from nncomp.types import DType, Shape, TensorType


@operator
class RotaryEmbedding(Op):
    """Pairs of each head's numbers turned by angles that grow with the position
    (ONNX RotaryEmbedding-23; Su et al., 2021).

    X: [N, heads, T, d], or [N, T, heads · d] with num_heads
    cos_cache, sin_cache: [positions, r / 2] with position_ids i64 [N, T], else [N, T, r / 2]
    rotary_embedding_dim: r, how many numbers of each head are turned; 0 for all
    interleaved: 1 for pairs side by side; else halves
    """

    signature = "X, cos_cache, sin_cache, position_ids? -> Y"
    interleaved: int = 0
    num_heads: int | None = None
    rotary_embedding_dim: int = 0

    def infer(
        self,
        x: TensorType,
        cos: TensorType,
        sin: TensorType,
        positions: TensorType | None = None,
    ) -> TensorType:
        same_dtype(require_float(x), cos, sin)
        batch, _, length, size = self._split(x)
        turned = self.rotary_embedding_dim or size
        if turned % 2 != 0 or (isinstance(turned, int) and isinstance(size, int) and turned > size):
            raise InferError("NN0205", f"{turned} numbers of a head of {size} make no pairs")
        for t, what in ((cos, "cos_cache"), (sin, "sin_cache")):
            require_rank(t, 3 if positions is None else 2, what)
            require_equal(t.shape[-1] * 2, turned, f"{what} {t} does not fit {turned} numbers")
        if positions is not None:
            if positions.dtype is not DType.I64:
                raise InferError("NN0203", f"positions are i64, these are {positions}", operand=3)
            require_rank(positions, 2, "the matrix of positions")
        places = cos.shape[:2] if positions is None else positions.shape
        for own, wanted in zip(places, (batch, length), strict=True):
            require_equal(own, wanted, f"the angles do not fit {x}: {own} is not {wanted}")
        return TensorType(x.dtype, x.shape)

    def _split(self, x: TensorType) -> Shape:
        """[N, heads, T, d]."""
        if x.rank == 4:
            return x.shape
        require_rank(x, 3, "X of RotaryEmbedding")
        heads = self.num_heads
        if not heads:
            raise InferError("NN0702", f"num_heads says how {x} is split")
        require_equal(x.shape[2] % heads, 0, f"{x.shape[2]} does not split into {heads} heads")
        return (x.shape[0], heads, x.shape[1], floordiv(x.shape[2], heads))

    def decompose(
        self, b: Builder, x: Value, cos: Value, sin: Value, positions: Value | None = None
    ) -> Value:
        own = x.shape
        batch, heads, length, size = self._split(x.type)
        if x.rank == 4:  # time before heads
            x = transpose(b, x, 0, 2, 1, 3)
        x = reshape(b, x, batch, length, heads, size)
        turned = self.rotary_embedding_dim or size
        if positions is not None:
            cos, sin = (b(Gather(axis=0), cache, positions) for cache in (cos, sin))
        cos, sin = (b(Unsqueeze(), cache, b.ints(2)) for cache in (cos, sin))
        part = window(b, x, [0], [turned], [3])
        result = self._turned(b, part, cos, sin)
        if not equal(turned, size):
            rest = window(b, x, [turned], [size - turned], [3])
            result = b(Concat(axis=3), result, rest)
        if len(own) == 4:
            return transpose(b, result, 0, 2, 1, 3)
        return reshape(b, result, *own)

    def _turned(self, b: Builder, x: Value, cos: Value, sin: Value) -> Value:
        half = floordiv(x.shape[3], 2)
        if self.interleaved:
            pairs = reshape(b, x, *x.shape[:3], half, 2)
            one, other = (b(Gather(axis=4), pairs, b.constant(i, DType.I64)) for i in (0, 1))
        else:
            one, other = b.multi(Split(axis=3), x, b.dims((half, half)))
        real = b(Sub(), b(Mul(), cos, one), b(Mul(), sin, other))
        imaginary = b(Add(), b(Mul(), sin, one), b(Mul(), cos, other))
        if not self.interleaved:
            return b(Concat(axis=3), real, imaginary)
        parts = (b(Unsqueeze(), value, b.ints(4)) for value in (real, imaginary))
        return reshape(b, b(Concat(axis=4), *parts), *x.shape)


OPS: tuple[type[Op], ...] = (RotaryEmbedding,)
