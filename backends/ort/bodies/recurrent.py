"""Bodies of recurrent networks: onnxruntime has time before batch alone."""

from __future__ import annotations

from dataclasses import replace

from nncomp.backends.ort.bodies.body import Body, Results, Target, constant_cost
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node
from nncomp.ops.forms import transpose
from nncomp.ops.recurrent import GRU, LSTM, RNN, Recurrent

_STATES = (5, 6)  # places of the first states


def _refuses(node: Node, target: Target) -> str | None:
    assert isinstance(node.op, Recurrent)
    return None if node.op.layout else "time comes first already"


def _time_first(b: Builder, node: Node) -> Results:
    """X and the states turned round, and all results back."""
    assert isinstance(node.op, Recurrent)
    turned = [
        transpose(b, value, 1, 0, 2) if value is not None and place in (0, *_STATES) else value
        for place, value in enumerate(node.inputs)
    ]
    y, *states = b.multi(replace(node.op, layout=0), *turned)
    return transpose(b, y, 2, 0, 1, 3), *(transpose(b, v, 1, 0, 2) for v in states)


BODIES = tuple(
    Body("time-first", op, _refuses, constant_cost(1.0), _time_first) for op in (RNN, GRU, LSTM)
)
