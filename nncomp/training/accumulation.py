"""Gradients of several batches, summed before the optimiser acts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from nncomp.errors import error
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.rebuild import remap
from nncomp.ops.comparison import Equal
from nncomp.ops.conversion import Where
from nncomp.ops.elementwise import Add, Div, Mod, Mul
from nncomp.ops.gradient import zeros_like
from nncomp.ops.random import Random
from nncomp.training.states import add_state
from nncomp.types import DType

SUMS = "accumulated."
"""How the paths of sums begin."""


@dataclass(frozen=True)
class Accumulation:
    """What a step graph sums up. due: whether the optimiser acts in this step; totals: the sums
    with this step's gradients, by the paths of their states"""

    due: Value
    totals: Mapping[str, Value]


def accumulated(graph: Graph, learning: Sequence[Node], count: int) -> tuple[Graph, Accumulation]:
    """The optimisers' steps are one in `count` of the graph's: `step` counts those for all but
    random draws; buffers are updated in each.

    The sum s of the gradients is state: s' = s + g, and 0 after the step that uses s' / count. What
    is computed of a parameter's next value is computed of its present one in the steps between.
    learning: the `Grad` nodes whose gradients change parameters
    Raises CompileError NN0404 where a gradient is taken of such a thing: it would be a sum over
    different parameters, and not the gradient of one large batch.
    """
    step = next(value for value in graph.inputs if value.name == "step")
    _require_independent(learning)
    paths = {p.value: p.path for p in graph.parameters}
    kept = _for_random(graph)
    before = {p.path: p for p in graph.parameters}
    parameters, updates = list(graph.parameters), dict(graph.updates)
    waiting = {p: v for p, v in updates.items() if before[p].kind != "buffer"}
    made: dict[Value, list[str]] = {}
    for path, value in waiting.items():
        made.setdefault(value, []).append(path)
    values: dict[Value, Value] = {}
    sums: dict[str, Value] = {}
    totals: dict[str, Value] = {}
    b = Builder(learning[0].origin)
    size = b.constant(count, DType.I64)
    turn = b(Div(), step, size)
    due = b(Equal(), b(Mod(), step, size), b.constant(count - 1, DType.I64))
    for node in graph.nodes:
        if node in kept:
            values.pop(step, None)
        else:
            values[step] = turn
        new = b.append(remap(node, values))
        if node in learning:
            pairs = zip(node.operands[1:], node.outputs, new.outputs, strict=True)
            for parameter, old, gradient in pairs:
                path = _fresh(f"{SUMS}{paths[parameter]}.gradient", sums)
                totals[path] = total = b(
                    Add(), add_state(parameters, path, gradient.type), gradient
                )
                sums[path] = b(Where(), due, zeros_like(b, total), total)
                values[old] = b(Mul(), total, b.constant(1 / count, gradient.type.dtype))
        for old, fresh in zip(node.outputs, new.outputs, strict=True):
            for path in made.get(old, ()):
                updates[path] = b(Where(), due, values.get(old, fresh), before[path].value)
            if old in made:
                values[old] = updates[made[old][0]]
    for path, value in updates.items():
        if value is graph.updates[path]:
            value = values.get(value, value)
            waits = path in waiting
            updates[path] = b(Where(), due, value, before[path].value) if waits else value
    changed = graph.replace(b.nodes, values)
    changed = replace(changed, parameters=tuple(parameters), updates={**updates, **sums})
    return changed, Accumulation(due, totals)


def _fresh(path: str, taken: Collection[str]) -> str:
    """The path, numbered if it is taken: of a parameter with two gradients."""
    number, found = 1, path
    while found in taken:
        number += 1
        found = f"{path}_{number}"
    return found


def _require_independent(learning: Sequence[Node]) -> None:
    for node in learning:
        pending, seen = [*node.operands], set(node.operands)
        while pending:
            above = pending.pop().node
            if above in learning:
                spans = node.origin.spans
                raise error(
                    "NN0404",
                    "gradients of several batches cannot be accumulated here: this loss is of "
                    "parameters that another `minimize` of the step has changed",
                    spans[0] if spans else None,
                    help="put it into a `train` section of its own",
                )
            fresh = [v for v in (above.operands if above else ()) if v not in seen]
            seen.update(fresh)
            pending += fresh


def _for_random(graph: Graph) -> set[Node]:
    """The nodes that make the step of a random draw, and the draws; those with bodies, which may
    draw."""
    kept: set[Node] = set()
    pending = [node for node in graph.nodes if isinstance(node.op, Random) or node.op.bodies]
    while pending:
        node = pending.pop()
        if node not in kept:
            kept.add(node)
            if isinstance(node.op, Random):
                pending += [v.node for v in node.operands[:2] if v.node is not None]
            else:
                pending += [v.node for v in node.operands if v.node and not node.op.bodies]
    return kept
