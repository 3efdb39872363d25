"""Attention whose memory is one matrix, and the convolution that goes before it."""

from __future__ import annotations

from nncomp.dims import DimLike, equal, floordiv
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import InferError, Op, operator
from nncomp.ops.activation import Swish
from nncomp.ops.control_building import Values, add_recurrence
from nncomp.ops.conv import Conv
from nncomp.ops.conversion import Cast
from nncomp.ops.elementwise import Add, Div, Mul, Sub
from nncomp.ops.elementwise_math import Exp, Sqrt
from nncomp.ops.forms import full, reshape, transpose, window
from nncomp.ops.gradient import dim_as
from nncomp.ops.linear import MatMul, matrix_transpose
from nncomp.ops.rules import require_equal, require_float, require_one_of, require_rank, same_dtype
from nncomp.ops.shape_joining import Concat
from nncomp.types import DType, Shape, TensorType

RULES = ("linear", "gated", "delta", "gated_delta")


@operator
class LinearAttention(Op):
    """o = scale · Sᵀ q of a state S that each time adds k vᵀ to (ONNX LinearAttention-27; Yang et
    al., 2024).

    query: [N, T, q_num_heads · d]; key: [N, T, kv_num_heads · d]; value: [N, T, kv_num_heads · e];
    past_state, present_state: [N, kv_num_heads, d, e]; output: [N, T, q_num_heads · e]. Each
    state serves as many queries' heads as there are for it.
    update_rule: "linear"; "gated": S is first multiplied with exp(decay), decay [N, T,
    kv_num_heads] or one for each number of a key; "delta": beta · (v - Sᵀ k) in place of v, beta
    [N, T, kv_num_heads] or [N, T, 1]; "gated_delta": both
    scale: 0 for 1 / √d; chunk_size: changes nothing here
    """

    signature = "query, key, value, past_state?, decay?, beta? -> output, present_state"
    kv_num_heads: int
    q_num_heads: int
    chunk_size: int = 64
    scale: float = 0.0
    update_rule: str = "gated_delta"

    def infer(
        self,
        query: TensorType,
        key: TensorType,
        value: TensorType,
        past: TensorType | None = None,
        decay: TensorType | None = None,
        beta: TensorType | None = None,
    ) -> tuple[TensorType, TensorType]:
        require_one_of("update_rule", self.update_rule, RULES)
        if min(self.q_num_heads, self.kv_num_heads) < 1 or self.q_num_heads % self.kv_num_heads:
            raise InferError(
                "NN0208", f"{self.q_num_heads} heads cannot share {self.kv_num_heads} of keys"
            )
        for operand, name, rules in ((decay, "decay", RULES[1::2]), (beta, "beta", RULES[2:])):
            if (operand is not None) != (self.update_rule in rules):
                needs = "needs" if operand is None else "has no"
                raise InferError("NN0702", f'the rule "{self.update_rule}" {needs} {name}')
        same_dtype(require_float(query), key, value, decay, beta)
        for t, what in ((query, "query"), (key, "key"), (value, "value")):
            require_rank(t, 3, what)
            for axis in (0, 1):
                message = f"{what} {t} does not fit the query {query}"
                require_equal(t.shape[axis], query.shape[axis], message)
        width = self._each(query, self.q_num_heads)
        require_equal(
            self._each(key, self.kv_num_heads), width, f"heads of {query} and {key} differ in size"
        )
        size = self._each(value, self.kv_num_heads)
        state = (query.shape[0], self.kv_num_heads, width, size)
        if past is not None:
            require_rank(past, 4, "past_state")
            for own, wanted in zip(past.shape, state, strict=True):
                require_equal(own, wanted, f"past_state is {list(state)}, not {past}")
        self._check_gate(decay, query, (self.kv_num_heads, width * self.kv_num_heads), "decay")
        self._check_gate(beta, query, (self.kv_num_heads, 1), "beta")
        output = (query.shape[0], query.shape[1], size * self.q_num_heads)
        present = query.dtype if past is None else require_float(past).dtype
        return TensorType(query.dtype, output), TensorType(present, state)

    @staticmethod
    def _each(t: TensorType, heads: int) -> DimLike:
        require_equal(t.shape[2] % heads, 0, f"{t.shape[2]} does not split into {heads} heads")
        return floordiv(t.shape[2], heads)

    @staticmethod
    def _check_gate(
        t: TensorType | None, query: TensorType, sizes: tuple[DimLike, DimLike], what: str
    ) -> None:
        if t is None:
            return
        require_rank(t, 3, what)
        for axis in (0, 1):
            require_equal(t.shape[axis], query.shape[axis], f"{what} {t} does not fit {query}")
        if not any(equal(t.shape[2], size) for size in sizes):
            raise InferError("NN0205", f"{what} has {sizes[0]} or {sizes[1]} columns, not {t}")

    def decompose(
        self,
        b: Builder,
        query: Value,
        key: Value,
        value: Value,
        past: Value | None = None,
        decay: Value | None = None,
        beta: Value | None = None,
    ) -> tuple[Value, Value]:
        own = query.type.dtype
        wide = DType.F64 if own is DType.F64 else DType.F32  # sums of many products
        heads = self.kv_num_heads
        # rows [T, N, heads, 1, d], of queries as many rows as share a state
        shared = self.q_num_heads // heads
        rows = self._rows(b, query, wide, (heads, shared))
        tensors = [rows, *(self._rows(b, x, wide, (heads, 1)) for x in (key, value))]
        if decay is not None:  # a column that multiplies rows of the state
            columns = decay.shape[2]
            each = (heads, 1) if equal(columns, heads) else (heads, floordiv(columns, heads))
            tensors.append(b(Exp(), self._rows(b, decay, wide, (*each, 1))))
        if beta is not None:
            each = (heads, 1) if equal(beta.shape[2], heads) else (1, 1)
            tensors.append(self._rows(b, beta, wide, (*each, 1)))
        first = self._first(b, rows, tensors[2], past, wide)

        def step(b: Builder, states: Values, slices: Values) -> tuple[Values, Values]:
            (state,), (q, k, v, *gates) = states, slices
            if decay is not None:
                state = b(Mul(), state, gates[0])
            if beta is not None:
                v = b(Mul(), b(Sub(), v, b(MatMul(), k, state)), gates[-1])
            state = b(Add(), state, b(MatMul(), matrix_transpose(b, k), v))
            return [state], [b(MatMul(), q, state)]

        state, found = add_recurrence(b, step, [first], tensors, name="linear_attention")
        output = b(Mul(), found, self._factor(b, rows.shape[-1], wide))
        output = transpose(b, output, 1, 0, 2, 3, 4)
        batch, time, width = query.shape[0], query.shape[1], value.shape[2]
        output = reshape(b, output, batch, time, floordiv(width, heads) * self.q_num_heads)
        present = own if past is None else past.type.dtype
        return _cast(b, output, own), _cast(b, state, present)

    @staticmethod
    def _rows(b: Builder, x: Value, wide: DType, parts: tuple[DimLike, ...]) -> Value:
        """[T, N, *parts, rest]: the last axis of [N, T, …] in parts."""
        rest = x.shape[2]
        for part in parts:
            rest = floordiv(rest, part)
        x = transpose(b, _cast(b, x, wide), 1, 0, 2)
        known = parts if len(parts) == 3 else (*parts, rest)
        return reshape(b, x, x.shape[0], x.shape[1], *known)

    @staticmethod
    def _first(b: Builder, rows: Value, values: Value, past: Value | None, wide: DType) -> Value:
        if past is not None:
            return _cast(b, past, wide)
        shape: Shape = (rows.shape[1], rows.shape[2], rows.shape[4], values.shape[4])
        return full(b, 0, wide, shape)

    def _factor(self, b: Builder, width: DimLike, dtype: DType) -> Value:
        if self.scale:
            return b.constant(self.scale, dtype)
        return b(Div(), 1.0, b(Sqrt(), dim_as(b, width, dtype)))


def _cast(b: Builder, x: Value, dtype: DType) -> Value:
    return x if x.type.dtype is dtype else b(Cast(dtype), x)


@operator
class CausalConvWithState(Op):
    """A convolution of each channel by itself that sees nothing ahead (ONNX
    CausalConvWithState-27).

    input, output: [N, C, T]; weight: [C, 1, k]; bias: [C]; past_state: [N, C, k - 1], what went
    before, 0 if left out; present_state: the last k - 1 elements, for the next call
    activation: "none", or "silu", also called "swish"
    """

    signature = "input, weight, bias?, past_state? -> output, present_state"
    activation: str = "none"

    def infer(
        self,
        x: TensorType,
        weight: TensorType,
        bias: TensorType | None = None,
        past: TensorType | None = None,
    ) -> tuple[TensorType, TensorType]:
        require_one_of("activation", self.activation, ("none", "silu", "swish"))
        require_rank(x, 3, "the input")
        require_rank(weight, 3, "the weights")
        dtype = same_dtype(require_float(x), weight, bias, past)
        channels, length = x.shape[1], weight.shape[2] - 1
        for own, wanted in zip(weight.shape, (channels, 1), strict=False):
            require_equal(
                own, wanted, f"weights of {channels} channels are [C, 1, k], not {weight}"
            )
        if bias is not None:
            require_rank(bias, 1, "the bias")
            require_equal(bias.shape[0], channels, f"{bias} is no bias of {channels} channels")
        state = (x.shape[0], channels, length)
        if past is not None:
            require_rank(past, 3, "past_state")
            for own, wanted in zip(past.shape, state, strict=True):
                require_equal(own, wanted, f"past_state is {list(state)}, not {past}")
        if not isinstance(channels, int):
            raise InferError("NN0212", f"the channels of CausalConvWithState must be known: {x}")
        return TensorType(dtype, x.shape), TensorType(dtype, state)

    def decompose(
        self,
        b: Builder,
        x: Value,
        weight: Value,
        bias: Value | None = None,
        past: Value | None = None,
    ) -> tuple[Value, Value]:
        channels, length = x.shape[1], weight.shape[2] - 1
        assert isinstance(channels, int)
        if past is None:
            past = full(b, 0, x.type.dtype, (x.shape[0], channels, length))
        whole = b(Concat(axis=2), past, x)
        y = b(Conv(group=channels), whole, weight, bias)
        if self.activation != "none":
            y = b(Swish(), y)
        return y, window(b, whole, [x.shape[2]], [length], [2])


OPS: tuple[type[Op], ...] = (LinearAttention, CausalConvWithState)
