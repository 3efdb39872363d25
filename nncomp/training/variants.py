"""Step graphs that learn in another way: frozen parameters, averaged ones, summed gradients.

Each is a rewrite of a step graph whose gradients are still `Grad` nodes, and needs nothing of what
runs it: what it keeps from step to step is state like an optimiser's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from nncomp.errors import (
    CompileError,
    did_you_mean,
    error,
    require_choice,
    require_count,
    require_number,
)
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Node, Parameter
from nncomp.ir.naming import matches
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.grad import Grad
from nncomp.training.accumulation import SUMS, accumulated
from nncomp.training.averages import AVERAGES, average_path
from nncomp.training.precision import FIRST, GOOD, SCALE, mixed
from nncomp.training.states import add_state
from nncomp.types import Array

Precision = Literal["float32", "mixed"]


@dataclass(frozen=True)
class Variant:
    """What is changed of a step.

    freeze: parameters, and buffers, that stay as they are: paths, blocks, or patterns (`conv*`)
    average: the share of itself that the moving average of each parameter keeps in a step; None for
        no averages
    accumulate: the optimiser acts once in so many steps, on the mean of their gradients
    trainable: parameters and buffers that change, the others stay as they are; () for all
    precision: "mixed" computes products in float16, see `nncomp.training.precision`
    """

    freeze: tuple[str, ...] = ()
    average: float | None = None
    accumulate: int = 1
    trainable: tuple[str, ...] = ()
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        require_choice("precision", self.precision, get_args(Precision))
        require_count("accumulate", self.accumulate)
        if self.average is not None:
            require_number("average", self.average, below=1)

    def of(self, step: Graph) -> Graph:
        """The changed step graph. Raises CompileError NN0403 if nothing is left to learn or a
        pattern fits nothing, NN0404 if gradients of several losses were to be summed."""
        if self.freeze or self.trainable:
            step = frozen(step, self.freeze, self.trainable)
        if self.average is not None:
            step = with_averages(step, self.average)
        accumulation = None
        if self.accumulate > 1:
            step, accumulation = accumulated(step, _learning(step), self.accumulate)
        if self.precision == "mixed":
            step = mixed(step, _learning(step), accumulation)
        return step

    def state(self, step: Graph, state: Mapping[str, Array]) -> dict[str, Array]:
        """The state with first values for what a changed step keeps: averages are the parameters
        themselves, sums are zero."""
        copied = {average_path(path): array for path, array in state.items()}
        copied[SCALE] = np.array(FIRST, np.float32)
        fresh = {
            p.path: copied.get(p.path, np.zeros(_sizes(p), p.value.type.dtype.numpy))
            for p in step.parameters
            if p.path not in state
        }
        return {**state, **fresh}


def is_variant_state(path: str) -> bool:
    """Whether it is the path of what only a changed step keeps."""
    return path.startswith((SUMS, AVERAGES)) or path in (SCALE, GOOD)


def _sizes(parameter: Parameter) -> tuple[int, ...]:
    return tuple(size for size in parameter.value.shape if isinstance(size, int))


def frozen(graph: Graph, patterns: Sequence[str], trainable: Sequence[str] = ()) -> Graph:
    """The graph without the updates of what the patterns name, and of what `trainable` does not
    name, if it names anything."""
    paths = [p.path for p in graph.parameters if p.kind != "state"]
    chosen = _named("freeze", patterns, paths)
    if trainable:
        chosen |= set(paths) - _named("learn", trainable, paths)
    states = {p.path for p in graph.parameters if p.kind == "state" and _middle(p.path) in chosen}
    updates = {path: v for path, v in graph.updates.items() if path not in chosen | states}
    if not any(p.path in updates for p in graph.parameters if p.kind == "param"):
        raise error("NN0403", "every parameter is frozen: there is nothing to learn")
    return _pruned(replace(graph, updates=updates))


def _named(what: str, patterns: Iterable[str], paths: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        named = {path for path in paths if matches(pattern, path)}
        if not named:
            raise nothing_of(what, pattern, paths)
        found |= named
    return found


def nothing_of(what: str, pattern: str, paths: Sequence[str]) -> CompileError:
    """The error for a pattern that fits no path, of what is there to freeze or learn."""
    known = ", ".join(f"`{path}`" for path in paths[:8])
    return error(
        "NN0403",
        f"there is nothing to {what} of the name `{pattern}`",
        help=did_you_mean(pattern, _blocks(paths)) or f"known: {known} …",
    )


def _blocks(paths: Iterable[str]) -> set[str]:
    """The paths, and those of the blocks around."""
    return {".".join(p.split(".")[:n]) for p in paths for n in range(1, p.count(".") + 2)}


def _middle(path: str) -> str:
    """`conv1.weight` of the state `adam.conv1.weight.m`."""
    return path.partition(".")[2].rpartition(".")[0]


def _pruned(graph: Graph) -> Graph:
    """Without what nothing needs; states, too."""
    needed = set(graph.results)
    nodes: list[Node] = []
    for node in reversed(graph.nodes):
        if any(value in needed for value in node.outputs):
            needed.update(node.operands)
            nodes.append(node)
    kept = tuple(p for p in graph.parameters if p.kind != "state" or p.value in needed)
    return replace(graph, nodes=tuple(reversed(nodes)), parameters=kept)


def with_averages(graph: Graph, share: float) -> Graph:
    """Beside each parameter that is learnt its moving average, share * average + (1 - share) * new
    (Polyak, Juditsky, 1992)."""
    b = Builder()
    parameters, updates = list(graph.parameters), dict(graph.updates)
    for parameter in graph.parameters:
        if parameter.kind != "param" or parameter.path not in graph.updates:
            continue
        new = graph.updates[parameter.path]
        average = add_state(parameters, average_path(parameter.path), parameter.value.type)
        kept = b(Mul(), average, b.constant(share, average.type.dtype))
        added = b(Mul(), new, b.constant(1 - share, average.type.dtype))
        updates[average_path(parameter.path)] = b(Add(), kept, added)
    nodes = (*graph.nodes, *b.nodes)
    return replace(graph, nodes=nodes, parameters=tuple(parameters), updates=updates)


def _learning(graph: Graph) -> list[Node]:
    """The nodes whose gradients change parameters, but for those that a loss is made of: on the way
    back from a parameter's next value, the first ones."""
    found: dict[Node, None] = {}
    learnt = (p.path for p in graph.parameters if p.kind == "param" and p.path in graph.updates)
    pending = [graph.updates[path] for path in learnt]
    seen = set(pending)
    while pending:
        node = pending.pop().node
        if node is None:
            continue
        if isinstance(node.op, Grad):
            found[node] = None
            continue
        fresh = [value for value in node.operands if value not in seen]
        seen.update(fresh)
        pending += fresh
    return list(found)
