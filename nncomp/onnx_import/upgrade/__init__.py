"""Operators of older operator sets, by rules: a rule says what changed, and at which opset."""

from __future__ import annotations

from collections.abc import Sequence

from nncomp.ir.graph import Value
from nncomp.onnx_import.upgrade import elementwise, layers, shapes
from nncomp.onnx_import.upgrade.call import Call as Call
from nncomp.onnx_import.upgrade.call import Rules

RULES: Rules = {**elementwise.RULES, **shapes.RULES, **layers.RULES}


def upgrade(call: Call) -> Sequence[Value] | None:
    """Brings the call to the present form of its operator; or the results, where a rule has built
    them. Raises CompileError."""
    if call.opset < 6:
        call.take("consumed_inputs")  # what a framework of 2017 wanted to overwrite
    done: set[str] = set()
    while call.op_type not in done:  # a rule may give the operator another name
        done.add(call.op_type)
        for before, rule in RULES.get(call.op_type, ()):
            if call.opset < before:
                results = rule(call)
                if results is not None:
                    return results
    return None
