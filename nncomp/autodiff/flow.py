"""How gradients flow through the runs of a Scan."""

from __future__ import annotations

from nncomp.ir.constant import Constant, Dims
from nncomp.ops.control import Scan


class Flow:
    """Which inputs of a Scan's body lead to which of its results.

    varying: values of the body that may differ from run to run
    """

    def __init__(self, op: Scan) -> None:
        self.op = op
        body, n, m = op.body, op.num_states, op.num_scan_inputs
        masks = {v: 1 << i for i, v in enumerate(body.inputs) if v.type.dtype.is_float}
        varying = set(body.inputs[: n + m])
        for node in body.nodes:
            mask = 0
            for value in node.operands:
                mask |= masks.get(value, 0)
            for value in node.outputs:
                if mask and value.type.dtype.is_float:
                    masks[value] = mask
            fixed = isinstance(node.op, Constant | Dims)
            if not fixed and (not node.op.pure or any(v in varying for v in node.operands)):
                varying.update(node.outputs)
        self.varying = varying
        self.outputs = [masks.get(v, 0) for v in body.outputs.values()]

    def forwards(self, active: set[int]) -> set[int]:
        """The inputs that depend on the active ones, through any number of runs."""
        active = set(active)
        while True:
            mask = sum(1 << i for i in active)
            more = {
                i for i in range(self.op.num_states) if self.outputs[i] & mask and i not in active
            }
            if not more:
                return active
            active |= more

    def backwards(self, live: set[int]) -> set[int]:
        """The states that lead to the live results, through any number of runs."""
        live = set(live)
        while True:
            mask = 0
            for i in live:
                mask |= self.outputs[i]
            more = {i for i in range(self.op.num_states) if mask >> i & 1 and i not in live}
            if not more:
                return {i for i in live if i < self.op.num_states}
            live |= more
