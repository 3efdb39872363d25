"""Gradients of control flow: of a Scan another Scan, of an If another If."""

from __future__ import annotations

from collections.abc import Sequence

from nncomp.autodiff.loops import UncountedError, runs_of
from nncomp.autodiff.rule import ControlVjp, Rule
from nncomp.autodiff.scans import scan_gradient
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Body, Node, Value
from nncomp.ir.op import Gradients, NoGradientError, Op
from nncomp.ir.rebuild import remap
from nncomp.ops.control import If, Loop, Scan
from nncomp.ops.control_building import add_if
from nncomp.ops.gradient import zeros_like


def _if(at: ControlVjp) -> Gradients:
    """Each branch computes what it did again, then its gradients; zeros for what it reads not."""
    node = at.node
    wanted = [i for i, on in enumerate(at.active) if on]
    branches = [_branch(at, body, wanted) for body in node.op.bodies]
    found = [gradients for _, gradients in branches]
    kept = [k for k in range(len(wanted)) if any(f[k] is not None for f in found)]
    if not kept:
        return at.nothing()
    (nodes, ours), (other_nodes, others) = branches
    pairs = [
        (
            _or_zeros(nodes, ours[k], node.inputs[wanted[k]]),
            _or_zeros(other_nodes, others[k], node.inputs[wanted[k]]),
        )
        for k in kept
    ]
    condition = node.inputs[0]
    assert condition is not None
    gradients = at.nothing()
    for k, gradient in zip(kept, add_if(at.b, condition, (nodes, other_nodes), pairs), strict=True):
        gradients[wanted[k]] = gradient
    return gradients


def _branch(
    at: ControlVjp, body: Body, wanted: Sequence[int]
) -> tuple[list[Node], list[Value | None]]:
    """What one branch runs on the way back, and its gradients of the wanted operands."""
    inner = Builder(at.b.origin)
    seeds = [
        (value, gradient)
        for value, gradient in zip(body.outputs.values(), at.dy, strict=True)
        if gradient is not None
    ]
    gradients = at.pull_back(inner, seeds, [body.inputs[i - 1] for i in wanted])
    outer = zip(body.inputs, at.node.inputs[1:], strict=True)
    values = {v: o for v, o in outer if o is not None}
    nodes = [remap(old, values) for old in (*body.nodes, *inner.nodes)]
    return nodes, [None if v is None else values.get(v, v) for v in gradients]


def _or_zeros(nodes: list[Node], gradient: Value | None, operand: Value | None) -> Value:
    if gradient is not None:
        return gradient
    assert operand is not None
    b = Builder()
    zeros = zeros_like(b, operand)
    nodes += b.nodes
    return zeros


def _loop(at: ControlVjp) -> Gradients:
    """Loops whose runs can be counted are Scans by now; this says why another one cannot."""
    try:
        runs_of(at.node)
        reason = "it gives a length that is known at run time only out of the body around"
    except UncountedError as found:
        reason = str(found)
    raise NoGradientError(
        f"nothing says how many runs there are to go back through: {reason}; a `scan`, and a "
        "`loop` while a counter is below a limit known as a dim, have a gradient"
    )


CONTROL: dict[type[Op], Rule] = {Scan: scan_gradient, If: _if, Loop: _loop}
