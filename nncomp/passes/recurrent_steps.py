"""The step of a Scan read as that of an LSTM, a GRU or an RNN; see `recognize_recurrent`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ops.activation import Relu, Sigmoid, Tanh
from nncomp.ops.control import Scan
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.forms import transpose, window
from nncomp.ops.linear import Gemm, MatMul
from nncomp.ops.recurrent import GRU, LSTM, RNN, Recurrent
from nncomp.passes.gates import Algebra, Atom, Coefficient, Polynomial, Term
from nncomp.passes.rewrite import Facts
from nncomp.types import DType

FUNCTIONS = (Sigmoid, Tanh, Relu)


class UnlikeError(Exception):
    """Why a step is not that of a network, in words."""


@dataclass
class Gate:
    """A function of x w + h r + bias + peephole · cell; w [I, H], r [H, H].

    reset: of a GRU's candidate, what is added to h r before it is reset
    """

    function: str
    w: Value
    r: Value
    bias: Coefficient
    peephole: Coefficient = 0.0
    reset: Coefficient = 0.0


@dataclass(frozen=True)
class Network:
    """What a Scan is: the operator, the sequence [T, N, I], the gates in the operator's order.

    states: which of the Scan's states are h and c
    """

    op: Recurrent
    x: Value
    gates: tuple[Gate, ...]
    states: tuple[int, ...]


class Step:
    """One step of a Scan.

    b: makes the nodes that bring weights into order
    """

    def __init__(self, node: Node, op: Scan, facts: Facts, b: Builder) -> None:
        self.op = op
        self.b = b
        self.hidden = _hidden(op)
        outside = dict(zip(op.body.inputs, node.inputs, strict=True))
        self.tensors = {inner: outside[inner] for inner in op.elements}

        def known(value: Value) -> Value | None:
            outer = outside.get(value) if value in op.captures else None
            return outer if facts.is_known(outer) else None

        given = (*op.states, *op.elements, *op.next_states)
        self.body = Algebra(b, known, given)
        self.around = Algebra(b, lambda v: v if facts.is_known(v) else None, ())
        self.x: Value | None = None
        self.settings: dict[str, Any] = {"hidden_size": self.hidden}
        if any(direction for _, direction in op.input_places):
            self.settings["direction"] = "reverse"

    def network(self) -> Network:
        """What the Scan is. Raises UnlikeError."""
        op, gates, states = self._lstm() if self.op.num_states == 2 else self._one_state()
        if self.x is None:
            raise UnlikeError("its gates read nothing that is scanned")
        if any(value is not self.op.next_states[states[0]] for value in self.op.yields):
            raise UnlikeError("it stacks more than its state, which is all that the operators do")
        return Network(op, self.x, gates, states)

    def _lstm(self) -> tuple[Recurrent, tuple[Gate, ...], tuple[int, ...]]:
        found = next((p for hc in permutations(range(2)) if (p := self._lstm_parts(*hc))), None)
        if found is None:
            raise UnlikeError("its step is not c' = f · c + i · g, h' = o · tanh(c')")
        (h, c), (i, o, f, g), after = found
        before, cell = self.op.states[c], self.op.next_states[c]
        gates = (
            self._gate(i, h, before),
            self._gate(o, h, cell),
            self._gate(f, h, before),
            self._gate(g, h),
        )
        functions = {gate.function for gate in gates[:3]}
        if len(functions) > 1:
            raise UnlikeError(f"its gates are of several functions: {', '.join(sorted(functions))}")
        names = (functions.pop(), gates[3].function, after)
        return LSTM(activations=_unless(names, LSTM.default), **self.settings), gates, (h, c)

    def _lstm_parts(
        self, h: int, c: int
    ) -> tuple[tuple[int, int], tuple[Atom, Atom, Atom, Atom], str] | None:
        """The atoms i, o, f, g, and the function of the cell; None if the step is another."""
        before, cell = self._whole(self.op.states[c]), self._whole(self.op.next_states[c])
        kept = new = None
        for term, factor in self.body.definition(cell.value).items():
            if factor != 1.0 or len(term) != 2:
                return None
            others = [atom for atom in term if atom != before]
            if len(others) == 1:
                kept = others[0]
            else:
                new = term
        result = self._only_term(self.op.next_states[h])
        if kept is None or new is None or result is None or len(result) != 2:
            return None
        bent = [a for a in result if self._operand(a) == {(cell,): 1.0}]
        # of i and g the one that has a sigmoid is i; of two alike either may be
        i, g = sorted(new, key=lambda atom: not isinstance(_op(atom), Sigmoid))
        if len(bent) != 1 or self._operand(i) is None or self._operand(g) is None:
            return None
        (o,) = (a for a in result if a != bent[0])
        return (h, c), (i, o, kept, g), _name(bent[0])

    def _one_state(self) -> tuple[Recurrent, tuple[Gate, ...], tuple[int, ...]]:
        only = self._only_term(self.op.next_states[0])
        if only is not None and len(only) == 1 and self._operand(only[0]) is not None:
            gate = self._gate(only[0], 0)
            return RNN(activations=(gate.function,), **self.settings), (gate,), (0,)
        found = self._gru_parts()
        if found is None:
            raise UnlikeError("its step is neither h' = f(x W + h R) nor h' = (1 - z) · n + z · h")
        z, n, swapped = found
        update = self._gate(z, 0)
        if swapped:  # 1 - sigmoid(a) = sigmoid(-a)
            if update.function != "Sigmoid":
                raise UnlikeError(f"its gate is 1 - {update.function.lower()}, no sigmoid")
            update = self._negative(update)
        reset, candidate, after_product = self._candidate(n)
        if {update.function, reset.function} != {update.function}:
            raise UnlikeError("its two gates are of two functions")
        names = (update.function, candidate.function)
        op = GRU(
            activations=_unless(names, GRU.default),
            linear_before_reset=int(after_product),
            **self.settings,
        )
        return op, (update, reset, candidate), (0,)

    def _gru_parts(self) -> tuple[Atom, Atom, bool] | None:
        """z, n, and whether z is what is taken of n rather than of h."""
        h = self._whole(self.op.states[0])
        terms = dict(self.body.definition(self.op.next_states[0]))
        if len(terms) != 3:
            return None
        alone = [term[0] for term, factor in terms.items() if len(term) == 1 and factor == 1.0]
        pairs = {frozenset(t): f for t, f in terms.items() if len(t) == 2}
        if len(alone) != 1 or len(pairs) != 2:
            return None
        for z in {atom for pair in pairs for atom in pair} - {h, alone[0]}:
            others = {f: (pair - {z}) for pair, f in pairs.items() if z in pair}
            if set(others) != {1.0, -1.0} or any(len(other) != 1 for other in others.values()):
                continue
            (plus,), (minus,) = others[1.0], others[-1.0]
            if minus == alone[0] and {plus, minus} >= {h} and self._operand(z) is not None:
                n = plus if minus == h else minus
                return (z, n, minus == h) if self._operand(n) is not None else None
        return None

    def _candidate(self, n: Atom) -> tuple[Gate, Gate, bool]:
        """The gates r and n, and whether r acts after the product with the state."""
        h = self._whole(self.op.states[0])
        inner = dict(self._operand(n) or {})
        resets = {a for t in inner if len(t) == 2 for a in t if self._operand(a) is not None}
        products = [t[0] for t in inner if len(t) == 1 and _is_product(t[0])]
        if len(resets) == 1:
            (r,) = resets
            reset_terms = {t: f for t, f in inner.items() if r in t}
            plain: Polynomial = {t: f for t, f in inner.items() if r not in t}
            bare = {tuple(a for a in t if a != r): f for t, f in reset_terms.items()}
            added = bare.pop((), 0.0)
            gate = self._gate_of(_name(n), {**plain, **bare}, 0)
            gate.reset = added
            return self._gate(r, 0), gate, True
        for product in products:
            read = dict(self.body.read(_operands(product)[0]))
            ((term, factor),) = read.items() if len(read) == 1 else (((), 0.0),)
            if factor != 1.0 or len(term) != 2 or h not in term:
                continue
            (r,) = (a for a in term if a != h) if term[0] != term[1] else (h,)
            if self._operand(r) is not None:
                gate = self._gate_of(_name(n), inner, 0, state=read)
                return self._gate(r, 0), gate, False
        raise UnlikeError("its candidate is not a(x W + r · (h R)), nor a(x W + (r · h) R)")

    def _negative(self, gate: Gate) -> Gate:
        b = self.b
        return Gate(
            gate.function,
            b(Mul(), gate.w, -1.0),
            b(Mul(), gate.r, -1.0),
            self.body.times(gate.bias, -1.0),
        )

    def _gate(self, atom: Atom, h: int, cell: Value | None = None) -> Gate:
        operand = self._operand(atom)
        if operand is None:
            raise UnlikeError("one of its gates is no sigmoid, tanh or relu")
        if atom.stop - atom.start != self.hidden:
            raise UnlikeError("one of its gates has not the size of the state")
        return self._gate_of(_name(atom), operand, h, cell)

    def _gate_of(
        self,
        function: str,
        polynomial: Polynomial,
        h: int,
        cell: Value | None = None,
        state: Polynomial | None = None,
    ) -> Gate:
        """The gate whose function is taken of the polynomial.

        state: what is multiplied by r, if not h itself
        """
        wanted = state or {(self._whole(self.op.states[h]),): 1.0}
        sums: dict[str, Any] = {"w": None, "r": None, "bias": 0.0, "peephole": 0.0}
        for term, factor in polynomial.items():
            if not term:
                sums["bias"] = self.body.plus(sums["bias"], factor)
                continue
            atom = term[0]
            if len(term) > 1:
                raise UnlikeError("one of its gates is a function of a product of values")
            if cell is not None and atom == self._whole(cell):
                sums["peephole"] = factor
            elif _is_product(atom) and dict(self.body.read(_operands(atom)[0])) == dict(wanted):
                self._add(sums, "r", self._columns(self.body, atom, factor))
            else:
                self._add_input(sums, atom, factor)
        if sums["w"] is None or sums["r"] is None:
            missing = "what is scanned" if sums["w"] is None else "its state by known weights"
            raise UnlikeError(f"one of its gates does not read {missing}")
        return Gate(function, **sums)

    def _add_input(self, sums: dict[str, Any], atom: Atom, factor: Coefficient) -> None:
        """What a gate takes of the sequence: a product in the step, or one done before."""
        if _is_product(atom):
            read = list(self.body.read(_operands(atom)[0]).items())
            element = read[0][0][0].value if len(read) == 1 and len(read[0][0]) == 1 else None
            if element not in self.tensors or read[0][1] != 1.0:
                raise UnlikeError("it multiplies neither its state nor what it scans by weights")
            self._reads(self.tensors[element])
            self._add(sums, "w", self._columns(self.body, atom, factor))
            return
        tensor = self.tensors.get(atom.value)
        if tensor is None:
            what = "its state" if atom.value in self.op.states else f"the result of {_name(atom)}"
            raise UnlikeError(f"one of its gates reads {what} without weights")
        whole = self.around.definition(tensor)
        for term, given in self.around.columns(whole, atom.start, atom.stop).items():
            total = self.body.times(given, factor)
            if not term:
                sums["bias"] = self.body.plus(sums["bias"], total)
            elif len(term) == 1 and _is_product(term[0]):
                self._reads(_operands(term[0])[0])
                self._add(sums, "w", self._columns(self.around, term[0], total))
            else:
                raise UnlikeError("what it scans is no product of a sequence and known weights")

    def _reads(self, x: Value | None) -> None:
        if x is None or x.rank != 3 or self.x not in (None, x):
            raise UnlikeError("its gates read several sequences")
        self.x = x

    def _add(self, sums: dict[str, Any], name: str, value: Value) -> None:
        sums[name] = value if sums[name] is None else self.b(Add(), sums[name], value)

    def _columns(self, algebra: Algebra, atom: Atom, factor: Coefficient) -> Value:
        """The columns of the known matrix by which a product multiplies, times the factor."""
        node = atom.value.node
        assert node is not None
        w = _operands(atom)[1]
        matrix = algebra.known(w)
        if matrix is None or matrix.rank != 2 or (isinstance(node.op, Gemm) and node.op.transA):
            raise UnlikeError("the weights of a gate are computed at run time")
        if isinstance(node.op, Gemm) and node.op.transB:
            matrix = transpose(self.b, matrix, 1, 0)
        if (atom.start, atom.stop) != (0, matrix.shape[1]):
            matrix = window(self.b, matrix, (atom.start,), (atom.stop - atom.start,), (1,))
        return matrix if factor == 1.0 else self.b(Mul(), matrix, factor)

    def _only_term(self, value: Value) -> Term | None:
        found = list(self.body.definition(value).items())
        return found[0][0] if len(found) == 1 and found[0][1] == 1.0 else None

    def _operand(self, atom: Atom) -> Polynomial | None:
        """What a function is taken of, in these columns; None if the atom is no function."""
        node = atom.value.node
        if node is None or not isinstance(node.op, FUNCTIONS):
            return None
        return self.body.columns(self.body.read(node.operands[0]), atom.start, atom.stop)

    def _whole(self, value: Value) -> Atom:
        return Atom(value, 0, self.hidden)


def _hidden(op: Scan) -> int:
    """The size of the state. Raises UnlikeError where a Scan cannot be a recurrent network."""
    if op.num_states not in (1, 2):
        raise UnlikeError(f"it carries {op.num_states} states: an LSTM carries 2, a GRU or RNN 1")
    places = {*op.input_places, *op.output_places}
    if len(places) > 1 or any(axis for axis, _ in places):
        raise UnlikeError("what it scans and stacks does not all run along the first axis, one way")
    first = op.states[0]
    if any(v.rank != 2 or v.shape[-1] != first.shape[-1] for v in op.states):
        raise UnlikeError("its states are not matrices of one size, samples by numbers")
    if any(v.type.dtype is not DType.F32 for v in op.states):
        raise UnlikeError("onnxruntime has the operators for float32 alone")
    if not isinstance(first.shape[1], int):
        raise UnlikeError("the size of its state is symbolic")
    return first.shape[1]


def _unless(names: tuple[str, ...], default: tuple[str, ...]) -> tuple[str, ...] | None:
    return None if names == default else names


def _op(atom: Atom) -> object:
    return atom.value.node.op if atom.value.node is not None else None


def _name(atom: Atom) -> str:
    return atom.value.node.op.name if atom.value.node is not None else "value"


def _is_product(atom: Atom) -> bool:
    return isinstance(_op(atom), MatMul | Gemm)


def _operands(atom: Atom) -> tuple[Value, Value]:
    """A and B of a matrix product."""
    assert atom.value.node is not None
    a, b = atom.value.node.operands[:2]
    return a, b
