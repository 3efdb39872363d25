"""Attention over keys and values."""

from __future__ import annotations

import math

import numpy as np

from nncomp.dims import DimLike, equal, floordiv
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import InferError, Op, operator
from nncomp.ops.activation import Softmax, Tanh
from nncomp.ops.comparison import And, GreaterOrEqual, Less, LessOrEqual
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Add, Div, Mul, Sub
from nncomp.ops.elementwise_math import Sqrt
from nncomp.ops.forms import arange, reshape, scalar, transpose
from nncomp.ops.gradient import dim_as
from nncomp.ops.linear import MatMul, matrix_transpose
from nncomp.ops.reduction import ReduceMax
from nncomp.ops.rules import (
    broadcast,
    numbered_dtype,
    require_equal,
    require_float,
    require_rank,
    same_dtype,
)
from nncomp.ops.sequences import require_one_each
from nncomp.ops.shape import Expand, Unsqueeze
from nncomp.ops.shape_joining import Concat
from nncomp.ops.shape_slicing import Pad
from nncomp.types import DType, Shape, TensorType


@operator
class Attention(Op):
    """softmax(scale · Q Kᵀ + mask) V for each head (ONNX Attention-25; Vaswani et al., 2017).

    Q: [N, heads, T, d]; K: [N, kv_heads, S, d]; V: [N, kv_heads, S, e]; Y: [N, heads, T, e]; or
    all of them [N, T, heads · d], with q_num_heads and kv_num_heads. Where there are fewer key
    heads, each serves as many queries' heads as there are for it.
    attn_mask: bool (True takes part) or added to the scores; broadcasts with [N, heads, T, all
    keys], where what the last axis lacks takes no part
    past_key, past_value: [N, kv_heads, P, …], which stand in front; present_key, present_value:
    both together; nonpad_kv_seqlen: i64 [N], how many keys count
    is_causal: query i sees keys up to i, counted from behind what is past
    left_window_size, right_window_size: how far a query sees to each side, -1 for all
    scale: 1 / √d without it; softcap: c · tanh(scores / c)
    softmax_precision: ONNX's number of the dtype that softmax is computed in
    qk_matmul_output_mode: 0 for scores, 1 for those after softcap, 2 after the mask, 3 for weights

    A query that sees no key gives 0.
    """

    signature = (
        "Q, K, V, attn_mask?, past_key?, past_value?, nonpad_kv_seqlen?"
        " -> Y, present_key?, present_value?, qk_matmul_output?"
    )
    is_causal: int = 0
    kv_num_heads: int | None = None
    left_window_size: int = -1
    q_num_heads: int | None = None
    qk_matmul_output_mode: int = 0
    right_window_size: int = -1
    scale: float | None = None
    softcap: float = 0.0
    softmax_precision: int | None = None

    def infer(
        self,
        q: TensorType,
        k: TensorType,
        v: TensorType,
        mask: TensorType | None = None,
        past_key: TensorType | None = None,
        past_value: TensorType | None = None,
        lengths: TensorType | None = None,
    ) -> tuple[TensorType, ...]:
        require_float(q)
        same_dtype(q, k, past_key)
        same_dtype(v, past_value)
        if q.rank not in (3, 4) or k.rank != q.rank or v.rank != q.rank:
            raise InferError("NN0204", f"Q, K and V have 3 axes or 4, not {q}, {k} and {v}")
        if (past_key is None) != (past_value is None):
            raise InferError("NN0702", "past_key and past_value go together")
        if past_key is not None and lengths is not None:
            raise InferError("NN0702", "nonpad_kv_seqlen does not go with past keys")
        if not 0 <= self.qk_matmul_output_mode <= 3:
            raise InferError("NN0208", f"there is no mode {self.qk_matmul_output_mode}")
        if min(self.left_window_size, self.right_window_size) < -1:
            raise InferError("NN0208", "a window size is -1 or more")
        query, key, value = (
            self._split(t, heads)
            for t, heads in (
                (q, self.q_num_heads),
                (k, self.kv_num_heads),
                (v, self.kv_num_heads),
            )
        )
        require_equal(query[0], key[0], f"Q {q} and K {k} differ in their batch")
        require_equal(query[3], key[3], f"Q {q} and K {k} differ in the size of a head")
        for axis, what in ((0, "batch"), (1, "heads"), (2, "length")):
            require_equal(key[axis], value[axis], f"K {k} and V {v} differ in their {what}")
        self._repeats(query[1], key[1])
        if past_key is not None and past_value is not None:
            key, value = self._with_past(key, past_key), self._with_past(value, past_value)
        scores = (query[0], query[1], query[2], key[2])
        if lengths is not None:
            require_one_each(lengths, query[0], "lengths", 6)
        if mask is not None:
            if mask.dtype not in (DType.BOOL, q.dtype):
                raise InferError("NN0203", f"a mask is bool or {q.dtype}, not {mask}", operand=3)
            if mask.rank:
                filled = mask.with_shape((*mask.shape[:-1], key[2]))
                shape = broadcast(q.with_shape(scores), filled.with_dtype(q.dtype), verb="mask")
                if len(shape) > 4:
                    raise InferError("NN0204", f"a mask has 4 axes at most, not {mask}", operand=3)
        y: Shape = (query[0], query[1], query[2], value[3])
        if q.rank == 3:
            y = (query[0], query[2], query[1] * value[3])
        return (
            TensorType(q.dtype, y),
            TensorType(k.dtype, key),
            TensorType(v.dtype, value),
            TensorType(q.dtype, scores),
        )

    def _split(self, t: TensorType, heads: int | None) -> Shape:
        """[N, heads, length, size] of an operand."""
        if t.rank == 4:
            return t.shape
        if heads is None or heads < 1:
            raise InferError("NN0702", f"q_num_heads and kv_num_heads say how {t} is split")
        require_equal(t.shape[2] % heads, 0, f"{t.shape[2]} does not split into {heads} heads")
        return (t.shape[0], heads, t.shape[1], floordiv(t.shape[2], heads))

    @staticmethod
    def _with_past(own: Shape, past: TensorType) -> Shape:
        require_rank(past, 4, "the past")
        for axis in (0, 1, 3):
            message = f"the past {past} does not fit {list(own)} at axis {axis}"
            require_equal(past.shape[axis], own[axis], message)
        return (own[0], own[1], past.shape[2] + own[2], own[3])

    @staticmethod
    def _repeats(queries: DimLike, keys: DimLike) -> int:
        """How many heads of queries share one of keys."""
        if equal(queries, keys):
            return 1
        if not isinstance(queries, int) or not isinstance(keys, int):
            raise InferError("NN0206", f"{queries} and {keys} heads are not known to be equal")
        if keys < 1 or queries % keys:
            raise InferError("NN0205", f"{queries} heads cannot share {keys} of keys")
        return queries // keys

    def decompose(
        self,
        b: Builder,
        q: Value,
        k: Value,
        v: Value,
        mask: Value | None = None,
        past_key: Value | None = None,
        past_value: Value | None = None,
        lengths: Value | None = None,
    ) -> tuple[Value, Value, Value, Value]:
        flat = q.rank == 3
        q = self._heads(b, q, self.q_num_heads)
        k, v = (self._heads(b, x, self.kv_num_heads) for x in (k, v))
        if past_key is not None and past_value is not None:
            k = b(Concat(axis=2), past_key, k)
            v = b(Concat(axis=2), past_value, v)
        times = self._repeats(q.shape[1], k.shape[1])
        keys, values = repeated_heads(b, k, times), repeated_heads(b, v, times)
        factor = self._root_of_scale(b, q)
        scores = b(MatMul(), b(Mul(), q, factor), matrix_transpose(b, b(Mul(), keys, factor)))
        shown = [scores]
        if self.softcap:
            scores = b(Mul(), b(Tanh(), b(Div(), scores, self.softcap)), self.softcap)
        shown.append(scores)
        offset = self._offset(b, q, past_key, lengths)
        weights, masked = self._weights(b, scores, mask, self._allowed(b, scores, offset, lengths))
        shown += [masked, weights]
        y = b(MatMul(), weights, values)
        if flat:
            y = transpose(b, y, 0, 2, 1, 3)
            y = reshape(b, y, y.shape[0], y.shape[1], y.shape[2] * y.shape[3])
        return y, k, v, shown[self.qk_matmul_output_mode]

    def _heads(self, b: Builder, x: Value, heads: int | None) -> Value:
        if x.rank == 4:
            return x
        batch, count, length, size = self._split(x.type, heads)
        return transpose(b, reshape(b, x, batch, length, count, size), 0, 2, 1, 3)

    def _root_of_scale(self, b: Builder, q: Value) -> Value:
        """What Q and K are both multiplied with, so that no product is too large."""
        if self.scale is not None:
            return b.constant(math.sqrt(self.scale), q.type.dtype)
        size = q.shape[3]
        if isinstance(size, int):
            return b.constant(size**-0.25, q.type.dtype)
        return b(Div(), 1.0, b(Sqrt(), b(Sqrt(), dim_as(b, size, q.type.dtype))))

    @staticmethod
    def _offset(b: Builder, q: Value, past_key: Value | None, lengths: Value | None) -> Value:
        """The place of the first query among the keys."""
        if lengths is not None:
            place = b(Sub(), lengths, scalar(b, q.shape[2]))
            return reshape(b, place, lengths.shape[0], 1, 1, 1)
        return scalar(b, 0 if past_key is None else past_key.shape[2])

    def _allowed(
        self, b: Builder, scores: Value, offset: Value, lengths: Value | None
    ) -> Value | None:
        """Where a query may see a key; None for everywhere."""
        queries, keys = scores.shape[2:]
        key = arange(b, keys)
        query = b(Add(), reshape(b, arange(b, queries), queries, 1), offset)
        found = []
        if self.is_causal:
            found.append(b(LessOrEqual(), key, query))
        if self.left_window_size >= 0:
            found.append(b(GreaterOrEqual(), key, b(Sub(), query, self.left_window_size)))
        if self.right_window_size >= 0:
            found.append(b(LessOrEqual(), key, b(Add(), query, self.right_window_size)))
        if lengths is not None:
            found.append(b(Less(), key, reshape(b, lengths, lengths.shape[0], 1, 1, 1)))
        return _all(b, found)

    def _weights(
        self, b: Builder, scores: Value, mask: Value | None, allowed: Value | None
    ) -> tuple[Value, Value]:
        """The weights of the keys, and the scores with the mask."""
        dtype = scores.type.dtype
        least = b.constant(-np.inf, dtype)
        bias: Value | None = None
        if mask is not None:
            mask = _filled(b, mask, scores.shape[3])
            if mask.type.dtype is DType.BOOL:
                allowed = _all(b, [m for m in (allowed, mask) if m is not None])
            else:
                bias = mask
        if allowed is not None:
            zero = b.constant(0, dtype)
            bias = b(Where(), allowed, zero if bias is None else bias, least)
        if bias is None:
            return self._softmax(b, scores), scores
        masked = b(Add(), scores, bias)
        # of a query that sees nothing all weights are 0, without a NaN on the way there or back
        most = b(ReduceMax(), bias, b.ints(-1)) if bias.rank else bias
        sees = b(Less(), least, most)
        safe = b(Where(), sees, masked, b.constant(0, dtype))
        weights = b(Where(), sees, self._softmax(b, safe), b.constant(0, dtype))
        return weights, masked

    def _softmax(self, b: Builder, scores: Value) -> Value:
        own = scores.type.dtype
        if self.softmax_precision is None:
            return b(Softmax(), scores)
        wide = numbered_dtype(self.softmax_precision)
        if wide is own:
            return b(Softmax(), scores)
        return b(Cast(own), b(Softmax(), b(Cast(wide), scores)))


def _all(b: Builder, conditions: list[Value]) -> Value | None:
    if not conditions:
        return None
    first = conditions[0]
    for other in conditions[1:]:
        first = b(And(), first, other)
    return first


def _filled(b: Builder, mask: Value, keys: DimLike) -> Value:
    """The mask for all keys: those that it lacks take no part."""
    if not mask.rank or equal(mask.shape[-1], keys):
        return mask
    missing = keys - mask.shape[-1]
    is_bool = mask.type.dtype is DType.BOOL
    out = b.constant(np.array(False if is_bool else -np.inf, mask.type.dtype.numpy))
    return b(Pad(), mask, b.dims((0, missing)), out, b.ints(mask.rank - 1))


def repeated_heads(b: Builder, x: Value, times: int) -> Value:
    """Each head so many times, one after the other."""
    if times == 1:
        return x
    batch, heads, length, size = x.shape
    wide = b(Unsqueeze(), x, b.ints(2))
    wide = b(Expand(), wide, b.dims((batch, heads, times, length, size)))
    return reshape(b, wide, batch, heads * times, length, size)


OPS: tuple[type[Op], ...] = (Attention,)
