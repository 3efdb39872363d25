"""Scans that are an LSTM, a GRU or an RNN, as the operators of these names.

A step is read as polynomials of its states, of functions and of matrix products (`gates`), and held
against (`recurrent_steps`)

    LSTM:  c' = f · c + i · g,  h' = o · a(c')           (Hochreiter, Schmidhuber, 1997)
    GRU:   h' = (1 - z) · n + z · h                       (Cho et al., 2014)
    RNN:   h' = a(gate)                                   (Elman, 1990)

where each gate is a function of x W + h R + b, an LSTM's of p · c, too (peepholes), and n is one of
x W + r · (h R + b'), or of x W + (r · h) R. What is scanned may be x, or x W + b. The weights are
brought into ONNX's order as nodes; constant folding evaluates them.

onnxruntime runs an LSTM or GRU in one kernel, faster than the Scan; its RNN takes longer than the
Scan (benchmarks/README.md). So a Scan becomes an RNN at -O3 only, for runtimes that have a better
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Node, Value
from nncomp.ops.control import Scan
from nncomp.ops.filling import ConstantOfShape
from nncomp.ops.forms import reshape, transpose
from nncomp.ops.recurrent import GRU, LSTM, RNN
from nncomp.ops.shape import Expand, Squeeze, Unsqueeze
from nncomp.ops.shape_joining import Concat
from nncomp.passes.gates import Coefficient
from nncomp.passes.recurrent_steps import Network, Step, UnlikeError
from nncomp.passes.rewrite import Answer, Facts, Refused, Replacement, Rule, RulePass


class RecurrentScan(Rule):
    """A Scan whose step is that of an LSTM, a GRU or an RNN with known weights → that operator."""

    name = "scan-to-operator"
    roots = (Scan,)

    def __init__(self, plain: bool) -> None:
        self.plain = plain

    def match(self, node: Node, facts: Facts) -> Answer:
        op = node.op
        assert isinstance(op, Scan)
        b = Builder(node.origin)
        try:
            network = Step(node, op, facts, b).network()
        except UnlikeError as why:
            return Refused(str(why))
        if isinstance(network.op, RNN) and not self.plain:
            return Refused("it is an RNN, whose operator onnxruntime runs slower; -O3 writes it")

        def build(into: Builder) -> Sequence[Value]:
            with b.at(into.origin):
                results = _write(b, node, op, network)
            for made in b.nodes:
                into.append(made)
            return results

        return Replacement(build)


def _write(b: Builder, node: Node, op: Scan, network: Network) -> list[Value]:
    """The network's operator; what stands for the results of the Scan."""
    gates, (_, hidden) = network.gates, op.states[0].shape
    assert isinstance(hidden, int)

    def vector(number: Coefficient) -> Value:
        if isinstance(number, float):
            return b.constant(np.full(hidden, number, np.float32))
        row = number if number.rank == 1 else reshape(b, number, -1)
        return row if row.shape == (hidden,) else b(Expand(), row, b.ints(hidden))

    def joined(values: Sequence[Value], axis: int) -> Value:
        return values[0] if len(values) == 1 else b(Concat(axis=axis), *values)

    def first(value: Value) -> Value:
        return b(Unsqueeze(), value, b.ints(0))

    w, r = (
        first(transpose(b, joined([getattr(gate, side) for gate in gates], 1), 1, 0))
        for side in ("w", "r")
    )
    state_biases = [gate.reset if isinstance(network.op, GRU) else 0.0 for gate in gates]
    bias = joined([vector(n) for n in [*(gate.bias for gate in gates), *state_biases]], 0)
    starts = [node.inputs[k] for k in network.states]
    given = [None if _is_zero(v) else first(v) for v in starts if v is not None]
    operands = [network.x, w, r, first(bias), None, *given]
    if isinstance(network.op, LSTM) and any(gate.peephole != 0.0 for gate in gates[:3]):
        peepholes = joined([vector(gate.peephole) for gate in gates[:3]], 0)
        operands.append(first(peepholes))
    every, *last = b.multi(network.op, *operands)
    results: dict[int, Value] = {
        k: b(Squeeze(), value, b.ints(0)) for k, value in zip(network.states, last, strict=True)
    }
    stacked = [b(Squeeze(), every, b.ints(1))] * len(op.yields)
    return [*(results[k] for k in range(op.num_states)), *stacked]


def _is_zero(value: Value | None) -> bool:
    """Whether the value is zero in every element, as far as its node tells."""
    node = value.node if value is not None else None
    if node is not None and isinstance(node.op, Expand):
        return _is_zero(node.inputs[0])
    if node is None or not isinstance(node.op, Constant | ConstantOfShape):
        return False
    data = node.op.value
    return data is None or not data.array.any()


@dataclass(frozen=True)
class RecognizeRecurrent(RulePass):
    """Scans whose step is that of an LSTM, a GRU or an RNN → ONNX's operator of that name.

    plain: RNNs, too
    """

    name = "recognize-recurrent"
    plain: bool = False

    @property
    def rules(self) -> tuple[Rule, ...]:
        return (RecurrentScan(self.plain),)
