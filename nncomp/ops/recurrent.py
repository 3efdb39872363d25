"""Recurrent networks of ONNX, by the Scan that each of them is (RNN, GRU, LSTM).

What a sequence gives is projected for all times at once, outside the Scan; a run adds what comes
from the state. Where sequences have lengths, the state stays as it is beyond them, and Y is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from nncomp.dims import DimLike
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import InferError, Op, operator
from nncomp.ops.comparison import Less
from nncomp.ops.control_building import BACKWARD, FORWARD, Values, add_recurrence
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Add, Clip, Mul, Sub
from nncomp.ops.forms import arange, full, reshape, transpose
from nncomp.ops.indexing import Gather
from nncomp.ops.linear import Gemm, MatMul, matrix_transpose
from nncomp.ops.recurrent_functions import Function, function_of, parameters_of
from nncomp.ops.rules import require_equal, require_float, require_one_of, require_rank, same_dtype
from nncomp.ops.shape import Unsqueeze
from nncomp.ops.shape_joining import Concat, Split
from nncomp.records import record
from nncomp.types import DType, TensorType

DIRECTIONS = ("forward", "reverse", "bidirectional")


@record
class Weights:
    """What one direction computes with; W and R transposed."""

    w: Value
    r: Value
    input_bias: Value | None
    state_bias: Value | None
    peepholes: Value | None
    functions: Sequence[Function]


@operator
class Recurrent(Op):
    """Base of the recurrent networks.

    X: [T, N, I]; W: [D, gates · H, I]; R: [D, gates · H, H]; B: [D, 2 · gates · H], those of W
    and then those of R; sequence_lens: i32 [N]; initial_h: [D, N, H]; Y: [T, D, N, H]; Y_h:
    [D, N, H], for D directions. With layout=1 X is [N, T, I], Y [N, T, D, H], states [N, D, H].
    activations: names of functions, for each direction; activation_alpha, activation_beta: of
        those of them that have such, in order
    clip: a limit of what goes into the functions that make gates
    hidden_size: H, if it is given
    """

    gates: ClassVar[int]
    default: ClassVar[tuple[str, ...]]

    activation_alpha: tuple[float, ...] | None = None
    activation_beta: tuple[float, ...] | None = None
    activations: tuple[str, ...] | None = None
    clip: float | None = None
    direction: str = "forward"
    hidden_size: int | None = None
    layout: int = 0

    @property
    def directions(self) -> int:
        return 2 if self.direction == "bidirectional" else 1

    def infer(
        self,
        x: TensorType,
        w: TensorType,
        r: TensorType,
        bias: TensorType | None = None,
        lengths: TensorType | None = None,
        h: TensorType | None = None,
    ) -> tuple[TensorType, ...]:
        return self.shapes(x, w, r, bias, lengths, h)

    def decompose(
        self,
        b: Builder,
        x: Value,
        w: Value,
        r: Value,
        bias: Value | None = None,
        lengths: Value | None = None,
        h: Value | None = None,
    ) -> tuple[Value, ...]:
        return self.run(b, x, w, r, bias, lengths, None, h)

    def shapes(
        self,
        x: TensorType,
        w: TensorType,
        r: TensorType,
        bias: TensorType | None,
        lengths: TensorType | None,
        *states: TensorType | None,
    ) -> tuple[TensorType, TensorType]:
        """The types of Y and Y_h; InferError for operands that do not fit."""
        require_one_of("direction", self.direction, DIRECTIONS)
        self._functions()
        for t, what in ((x, "X"), (w, "W"), (r, "R")):
            require_rank(t, 3, what)
        dtype = same_dtype(require_float(x), w, r, bias, *states)
        hidden, count = r.shape[2], self.directions
        time, batch = x.shape[:2] if self.layout == 0 else x.shape[1::-1]
        if self.hidden_size is not None:
            require_equal(hidden, self.hidden_size, f"hidden_size={self.hidden_size}, but R is {r}")
        self._require(w, (count, hidden * self.gates, x.shape[2]), "W")
        self._require(r, (count, hidden * self.gates, hidden), "R")
        if bias is not None:
            self._require(bias, (count, hidden * self.gates * 2), "B")
        if lengths is not None:
            if lengths.dtype is not DType.I32:
                raise InferError("NN0203", f"sequence_lens are i32, these are {lengths}", operand=4)
            self._require(lengths, (batch,), "sequence_lens")
        last = (count, batch, hidden) if self.layout == 0 else (batch, count, hidden)
        for state in states:
            if state is not None:
                self._require(state, last, "a first state")
        every = (time, *last) if self.layout == 0 else (batch, time, count, hidden)
        return TensorType(dtype, every), TensorType(dtype, last)

    def _require(self, t: TensorType, wanted: tuple[DimLike, ...], what: str) -> None:
        require_rank(t, len(wanted), what)
        for own, size in zip(t.shape, wanted, strict=True):
            message = f"{what} of {self.name} is {list(wanted)}, not {t}: {own} is not {size}"
            require_equal(own, size, message)

    @property
    def parameters(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """All alphas and all betas of the activations, the defaults among them."""
        given = [iter(self.activation_alpha or ()), iter(self.activation_beta or ())]
        found = [parameters_of(name, given) for name in self.activations or ()]
        return tuple(p[0] for p in found if p), tuple(p[1] for p in found if len(p) > 1)

    def _functions(self) -> list[Function]:
        """The activations of all directions, one after the other."""
        names = self.activations or self.default * self.directions
        each = len(self.default)
        if len(names) != each * self.directions:
            raise InferError(
                "NN0208", f"{self.name} has {each} activations for a direction, not {list(names)}"
            )
        given = [iter(self.activation_alpha or ()), iter(self.activation_beta or ())]
        return [function_of(name, given) for name in names]

    def run(
        self,
        b: Builder,
        x: Value,
        w: Value,
        r: Value,
        bias: Value | None,
        lengths: Value | None,
        peepholes: Value | None,
        *firsts: Value | None,
    ) -> tuple[Value, ...]:
        """Y and the last states."""
        if self.layout:
            x = transpose(b, x, 1, 0, 2)
        functions = self._functions()
        every: list[Value] = []
        last: list[list[Value]] = []
        for number in range(self.directions):
            weights = self._weights(b, number, w, r, bias, peepholes, functions)
            states = [self._first(b, number, first, x, r) for first in firsts]
            back = self.direction == "reverse" or number == 1
            *ends, ys = self._scan(b, x, weights, lengths, states, BACKWARD if back else FORWARD)
            every.append(b(Unsqueeze(), ys, b.ints(1)))
            last.append([b(Unsqueeze(), end, b.ints(0)) for end in ends])
        y = every[0] if len(every) == 1 else b(Concat(axis=1), *every)
        joined = [v[0] if len(v) == 1 else b(Concat(axis=0), *v) for v in zip(*last, strict=True)]
        if self.layout:
            return transpose(b, y, 2, 0, 1, 3), *(transpose(b, v, 1, 0, 2) for v in joined)
        return y, *joined

    def _weights(
        self,
        b: Builder,
        number: int,
        w: Value,
        r: Value,
        bias: Value | None,
        peepholes: Value | None,
        functions: Sequence[Function],
    ) -> Weights:
        def own(value: Value) -> Value:
            return b(Gather(axis=0), value, b.constant(number, DType.I64))

        each = len(self.default)
        size = r.shape[1]
        input_bias = state_bias = None
        if bias is not None:
            input_bias, state_bias = b.multi(Split(axis=0), own(bias), b.dims((size, size)))
        return Weights(
            matrix_transpose(b, own(w)),
            matrix_transpose(b, own(r)),
            input_bias,
            state_bias,
            None if peepholes is None else own(peepholes),
            functions[number * each : (number + 1) * each],
        )

    def _first(self, b: Builder, number: int, first: Value | None, x: Value, r: Value) -> Value:
        if first is None:
            return full(b, 0, x.type.dtype, (x.shape[1], r.shape[2]))
        axis = 1 if self.layout else 0
        return b(Gather(axis=axis), first, b.constant(number, DType.I64))

    def _scan(
        self,
        b: Builder,
        x: Value,
        weights: Weights,
        lengths: Value | None,
        firsts: Sequence[Value],
        direction: int,
    ) -> tuple[Value, ...]:
        """The last states, and the first of them at all times."""
        given = b(MatMul(), x, weights.w)
        if weights.input_bias is not None:
            given = b(Add(), given, weights.input_bias)
        tensors = [given]
        if lengths is not None:
            tensors.append(b(Cast(DType.I32), arange(b, x.shape[0])))
            lengths = reshape(b, lengths, lengths.shape[0], 1)

        def step(b: Builder, states: Values, slices: Values) -> tuple[Values, Values]:
            after = self.step(b, weights, slices[0], states)
            if lengths is None:
                return after, [after[0]]
            inside = b(Less(), slices[1], lengths)
            kept = [b(Where(), inside, *pair) for pair in zip(after, states, strict=True)]
            zero = b.constant(0, x.type.dtype)
            return kept, [b(Where(), inside, after[0], zero)]

        return add_recurrence(b, step, firsts, tensors, direction=direction, name=self.name.lower())

    def step(self, b: Builder, weights: Weights, given: Value, states: Values) -> list[Value]:
        """The states after a time at which W gives [N, gates · H]."""
        raise NotImplementedError

    def parts(self, b: Builder, x: Value, count: int) -> list[Value]:
        """Equal parts of the last axis."""
        size = x.shape[-1] // count
        return list(b.multi(Split(axis=x.rank - 1), x, b.dims([size] * count)))

    def clipped(self, b: Builder, x: Value) -> Value:
        if not self.clip:
            return x
        limits = [b.constant(limit, x.type.dtype) for limit in (-self.clip, self.clip)]
        return b(Clip(), x, *limits)

    def gate(self, b: Builder, function: Function, x: Value) -> Value:
        return function(b, self.clipped(b, x))


def _from_state(b: Builder, h: Value, r: Value, bias: Value | None) -> Value:
    return b(Gemm(), h, r, bias)


@operator
class RNN(Recurrent):
    """h' = f(x Wᵀ + h Rᵀ + biases) (ONNX RNN-22); f is Tanh if nothing else is said."""

    signature = "X, W, R, B?, sequence_lens?, initial_h? -> Y?, Y_h?"
    gates = 1
    default = ("Tanh",)
    activations: tuple[str, ...] | None = ("Tanh", "Tanh")

    def _functions(self) -> list[Function]:
        if self.activations == ("Tanh", "Tanh") and self.directions == 1:  # ONNX's default
            return [function_of("Tanh", [])]
        return super()._functions()

    def step(self, b: Builder, weights: Weights, given: Value, states: Values) -> list[Value]:
        both = b(Add(), given, _from_state(b, states[0], weights.r, weights.state_bias))
        return [self.gate(b, weights.functions[0], both)]


@operator
class GRU(Recurrent):
    """Gates z, r and candidate h, in this order in W (ONNX GRU-22; Cho et al., 2014):
    h' = (1 - z) · g(x Whᵀ + (r · h) Rhᵀ + biases) + z · h.

    linear_before_reset: r · (h Rhᵀ + bias) in its place, as cuDNN and PyTorch have it
    """

    signature = "X, W, R, B?, sequence_lens?, initial_h? -> Y?, Y_h?"
    gates = 3
    default = ("Sigmoid", "Tanh")
    linear_before_reset: int = 0

    def step(self, b: Builder, weights: Weights, given: Value, states: Values) -> list[Value]:
        (h,), (f, g) = states, weights.functions
        given_z, given_r, given_h = self.parts(b, given, 3)
        if self.linear_before_reset:
            state = _from_state(b, h, weights.r, weights.state_bias)
            state_z, state_r, state_h = self.parts(b, state, 3)
        else:
            r_z, r_r, r_h = self.parts(b, weights.r, 3)
            biases: list[Value | None] = [None] * 3
            if weights.state_bias is not None:
                biases = [*self.parts(b, weights.state_bias, 3)]
            state_z, state_r = (
                _from_state(b, h, r, bias) for r, bias in zip((r_z, r_r), biases, strict=False)
            )
        z = self.gate(b, f, b(Add(), given_z, state_z))
        reset = self.gate(b, f, b(Add(), given_r, state_r))
        if self.linear_before_reset:
            state_h = b(Mul(), reset, state_h)
        else:
            state_h = _from_state(b, b(Mul(), reset, h), r_h, biases[2])
        new = self.gate(b, g, b(Add(), given_h, state_h))
        return [b(Add(), b(Mul(), b(Sub(), 1.0, z), new), b(Mul(), z, h))]


@operator
class LSTM(Recurrent):
    """Gates i, o, f and candidate c, in this order in W (ONNX LSTM-22; Hochreiter & Schmidhuber,
    1997; Gers et al., 2000): c' = f · c + i · g(…); h' = o · h(c').

    P: [D, 3 · H], what i and f take from the cell before and o from the cell after
    input_forget: 1 for f = 1 - i
    """

    signature = "X, W, R, B?, sequence_lens?, initial_h?, initial_c?, P? -> Y?, Y_h?, Y_c?"
    gates = 4
    default = ("Sigmoid", "Tanh", "Tanh")
    input_forget: int = 0

    def infer(
        self,
        x: TensorType,
        w: TensorType,
        r: TensorType,
        bias: TensorType | None = None,
        lengths: TensorType | None = None,
        h: TensorType | None = None,
        c: TensorType | None = None,
        peepholes: TensorType | None = None,
    ) -> tuple[TensorType, ...]:
        every, last = self.shapes(x, w, r, bias, lengths, h, c)
        if peepholes is not None:
            same_dtype(x, peepholes)
            self._require(peepholes, (self.directions, r.shape[2] * 3), "P")
        return every, last, last

    def decompose(
        self,
        b: Builder,
        x: Value,
        w: Value,
        r: Value,
        bias: Value | None = None,
        lengths: Value | None = None,
        h: Value | None = None,
        c: Value | None = None,
        peepholes: Value | None = None,
    ) -> tuple[Value, ...]:
        return self.run(b, x, w, r, bias, lengths, peepholes, h, c)

    def step(self, b: Builder, weights: Weights, given: Value, states: Values) -> list[Value]:
        (h, cell), (f, g, last) = states, weights.functions
        both = b(Add(), given, _from_state(b, h, weights.r, weights.state_bias))
        i, o, forget, new = self.parts(b, both, 4)
        peep_i = peep_o = peep_f = None
        if weights.peepholes is not None:
            peep_i, peep_o, peep_f = self.parts(b, weights.peepholes, 3)
        i = self.gate(b, f, _peeped(b, i, peep_i, cell))
        if self.input_forget:
            forget = b(Sub(), 1.0, i)
        else:
            forget = self.gate(b, f, _peeped(b, forget, peep_f, cell))
        after = b(Add(), b(Mul(), forget, cell), b(Mul(), i, self.gate(b, g, new)))
        o = self.gate(b, f, _peeped(b, o, peep_o, after))
        return [b(Mul(), o, last(b, after)), after]


def _peeped(b: Builder, gate: Value, weight: Value | None, cell: Value) -> Value:
    return gate if weight is None else b(Add(), gate, b(Mul(), weight, cell))


OPS: tuple[type[Op], ...] = (RNN, GRU, LSTM)
