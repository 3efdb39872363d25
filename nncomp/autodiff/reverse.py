"""Reverse-mode differentiation as ordinary nodes.

For y = f(x) the gradient of operand x is (∂f/∂x)ᵀ · dy, built by the operator's `vjp` rule. The
driver here walks the nodes from y back to what is asked for, accumulates, and sums over the axes
along which an operand was broadcast, so that rules need not. A zero gradient is None and costs
nothing. An operator without a rule is differentiated through its decomposition.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nncomp.autodiff.control import CONTROL
from nncomp.autodiff.rule import ControlVjp
from nncomp.dims import equal
from nncomp.errors import CompileError, Note, error
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Rewrite, Value
from nncomp.ir.op import NoGradientError, Vjp
from nncomp.ir.rebuild import ancestors
from nncomp.ops.elementwise import Add
from nncomp.ops.reduction import ReduceSum
from nncomp.ops.shape import Squeeze

PASS_NAME = "expand-gradients"


def gradients(
    b: Builder, y: Value, wrt: Sequence[Value], dy: Value | None = None
) -> list[Value | None]:
    """The gradient of y with respect to each of `wrt`, None where it is zero.

    y:   a floating scalar; any floating tensor if `dy` is given
    wrt: any values, intermediate ones too
    dy:  the gradient of y itself (1 by default), of y's type

    The nodes go to `b`; each has the spans and scope of the forward node that it belongs to.
    Raises CompileError: NN0401 at a node without a gradient, NN0402 if y is no scalar.
    """
    if dy is None:
        if y.rank != 0 or not y.type.dtype.is_float:
            span = b.origin.spans[0] if b.origin.spans else None
            raise error("NN0402", f"a loss is one floating number, this is {y.type}", span)
        dy = b.constant(1, y.type.dtype)
    return pull_back(b, [(y, dy)], wrt)


def pull_back(
    b: Builder, seeds: Sequence[tuple[Value, Value]], wrt: Sequence[Value]
) -> list[Value | None]:
    """The gradients with respect to `wrt` of what several values lead to, given the gradient of
    each; None where it is zero. Raises CompileError NN0401."""
    return _Reverse(b, wrt).run(seeds)


class _Reverse:
    """One backward sweep."""

    def __init__(self, b: Builder, wrt: Sequence[Value]) -> None:
        self.b = b
        self.wrt = wrt
        self.asked = b.origin  # of the expression that asks for the gradient
        self.active = {v for v in wrt if v.type.dtype.is_float}  # what depends on wrt
        self.found: dict[Value, Value] = {}
        self.same: dict[Value, Value] = {}  # results of a decomposition: the operator's own

    def run(self, seeds: Sequence[tuple[Value, Value]]) -> list[Value | None]:
        pending = self.activate(ancestors(*(y for y, _ in seeds)))
        for y, dy in seeds:
            if y in self.active:
                self.accumulate(y, dy)
        while pending:
            node = pending.pop()
            if not any(v in self.found for v in node.outputs):
                continue
            origin = node.origin.merged((), Rewrite(PASS_NAME, node.op.name))
            with self.b.at(origin):
                try:
                    self.propagate(node)
                except NoGradientError as reason:
                    pending += self.through_meaning(node, reason)
        return [self.found.get(v) for v in self.wrt]

    def activate(self, nodes: Iterable[Node]) -> list[Node]:
        """Of topologically ordered nodes those through which a gradient may flow to `wrt`."""
        through = []
        for node in nodes:
            if any(v in self.active for v in node.operands):
                outputs = [v for v in node.outputs if v.type.dtype.is_float]
                self.active.update(outputs)
                if outputs:
                    through.append(node)
        return through

    def propagate(self, node: Node) -> None:
        """Adds what flows through the node to the gradients of its operands. Raises
        NoGradientError where there is no rule, or none for these attributes or operands."""
        dy = tuple(self.found.get(v) for v in node.outputs)
        outputs = tuple(self.same.get(v, v) for v in node.outputs)
        if type(node.op) in CONTROL:
            active = [v in self.active for v in node.inputs]
            rule = CONTROL[type(node.op)]
            found = rule(ControlVjp(self.b, node, dy, active, pull_back))
        else:
            found = node.op.vjp(Vjp(self.b, node.inputs, outputs, dy))
        for operand, gradient in zip(node.inputs, found, strict=False):
            if operand is not None and gradient is not None and operand in self.active:
                self.accumulate(operand, sum_to(self.b, gradient, operand))

    def accumulate(self, value: Value, gradient: Value) -> None:
        before = self.found.get(value)
        self.found[value] = gradient if before is None else self.b(Add(), before, gradient)

    def through_meaning(self, node: Node, reason: NoGradientError) -> list[Node]:
        """The nodes of the operator's decomposition, if it has one for these attributes."""
        try:
            if not node.op.has_decomposition():
                raise reason
            return self.decompose(node)
        except NoGradientError as refusal:
            raise self.no_gradient(node, str(refusal)) from None

    def decompose(self, node: Node) -> list[Node]:
        """Builds the operator's meaning, hands it the results' gradients, gives its nodes.

        Rules that read a result of the decomposition are given the operator's own, which is
        there already; what only led to it is then computed for nothing and removed as dead.
        """
        start = len(self.b.nodes)
        meaning = node.op.decompose(self.b, *node.inputs)
        results = (meaning,) if isinstance(meaning, Value) else tuple(meaning)
        nodes = self.activate(self.b.nodes[start:])
        inside = set(nodes)
        for outer, inner in zip(node.outputs, results, strict=False):
            if inner.node in inside:
                self.same[inner] = self.same.get(outer, outer)
            gradient = self.found.get(outer)
            if gradient is not None and inner in self.active:
                self.accumulate(inner, gradient)
        return nodes

    def no_gradient(self, node: Node, reason: str = "") -> CompileError:
        span = node.origin.spans[0] if node.origin.spans else None
        asked = self.asked.spans[0] if self.asked.spans else None
        return error(
            "NN0401",
            f"{node.op.name} has no gradient" + (f": {reason}" if reason else ""),
            span,
            notes=(Note("the gradient is asked for here", asked),) if asked else (),
            help="cut the gradient with `stop_gradient`, if it is not needed",
        )


def sum_to(b: Builder, gradient: Value, operand: Value) -> Value:
    """The gradient summed over the axes along which the operand was broadcast to its shape."""
    missing = gradient.rank - operand.rank
    assert missing >= 0, f"the gradient {gradient.type} has fewer axes than {operand.type}"
    stretched = [
        axis
        for axis, dim in enumerate(operand.shape, start=missing)
        if dim == 1 and gradient.shape[axis] != 1
    ]
    summed = [axis for axis in range(missing) if gradient.shape[axis] != 1] + stretched
    unit = [axis for axis in range(missing) if axis not in summed]  # nothing to add up along them
    if summed:
        keep = bool(stretched)  # then the missing axes go by Squeeze
        gradient = b(ReduceSum(keepdims=int(keep)), gradient, b.ints(*summed))
        if not keep:
            unit = [axis - sum(s < axis for s in summed) for axis in unit]
        else:
            unit = list(range(missing))
    if unit:
        gradient = b(Squeeze(), gradient, b.ints(*unit))
    disagree = [p for p in zip(gradient.shape, operand.shape, strict=True) if equal(*p) is False]
    assert not disagree, f"a gradient rule gave {gradient.type} for an operand {operand.type}"
    return gradient
