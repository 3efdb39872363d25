"""What a model consists of, block by block, and what each pass changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nncomp.inspect.cost import Cost, Measure, known_before_run
from nncomp.inspect.machines import Machine
from nncomp.inspect.opened import Opened, opened
from nncomp.inspect.operators import Group
from nncomp.ir.graph import Graph, Value
from nncomp.passes.manager import OptimizeResult
from nncomp.types import TensorType


@dataclass
class BlockSummary:
    """One instance of a block, with all that is inside it.

    path: as in parameter paths, "" for the whole model
    output: the type of the last result that is used outside
    parameters: learnt numbers; buffers (running means and the like) are no part of them
    activations: bytes of all results that a run writes
    work: of its nodes, and on a machine if one is given
    """

    path: str
    operators: Counter[str] = field(default_factory=Counter)
    output: TensorType | None = None
    nodes: int = 0
    parameters: int = 0
    buffers: int = 0
    flops: int = 0
    activations: int = 0
    work: Group = field(default_factory=Group)

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def depth(self) -> int:
        """0 for the model, 1 for its blocks."""
        return self.path.count(".") + 1 if self.path else 0

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "output": None if self.output is None else str(self.output),
            "parameters": self.parameters,
            "buffers": self.buffers,
            "flops": self.flops,
            "nodes": self.nodes,
            "activation_bytes": self.activations,
            "operators": dict(self.operators),
            **self._estimate(),
        }

    def _estimate(self) -> dict[str, Any]:
        """On a machine, if one was given."""
        work = self.work
        return {"seconds": work.seconds, "bound": work.limit} if work.limit else {}


@dataclass(frozen=True)
class PassSummary:
    """What one pass did: nodes that run before and after it, how often each rule fired."""

    name: str
    before: int
    after: int
    rules: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        return {
            "pass": self.name,
            "nodes_before": self.before,
            "nodes_after": self.after,
            "rules": dict(self.rules),
        }


@dataclass(frozen=True)
class Totals:
    """Of one run of a graph."""

    nodes: int
    flops: int
    read: int
    written: int

    def to_json(self) -> dict[str, Any]:
        return {
            "nodes": self.nodes,
            "flops": self.flops,
            "bytes_read": self.read,
            "bytes_written": self.written,
        }


@dataclass(frozen=True)
class Summary:
    """Of a model as it is written, and of what the passes made of it.

    blocks: in source order, each after the block that holds it; the first is the model
    state: numbers that an optimiser keeps
    """

    name: str
    blocks: tuple[BlockSummary, ...]
    totals: Totals
    parameters: int
    buffers: int
    state: int
    passes: tuple[PassSummary, ...] = ()
    optimized: Totals | None = None

    @property
    def nodes(self) -> int:
        return self.totals.nodes

    @property
    def flops(self) -> int:
        return self.totals.flops

    def to_json(self) -> dict[str, Any]:
        """`parameters`, `flops`, `nodes` and so on of the model as it is written; `optimized`
        holds what changes when the passes have run."""
        return {
            "model": self.name,
            "parameters": self.parameters,
            "buffers": self.buffers,
            "optimizer_state": self.state,
            **self.totals.to_json(),
            "optimized": None if self.optimized is None else self.optimized.to_json(),
            "blocks": [block.to_json() for block in self.blocks],
            "passes": [pass_.to_json() for pass_ in self.passes],
        }


def summarize(
    graph: Graph,
    optimized: OptimizeResult | None = None,
    sizes: Mapping[str, int] | None = None,
    machine: Machine | None = None,
) -> Summary:
    """The summary of a graph, and of its optimisation if given.

    sizes: the size of symbolic dims by name; 1 for those that are not given
    machine: for which the time of each block is estimated

    What stands in the body of a scan, loop or cond counts in its own block.
    """
    inside = opened(graph)
    costs = inside.cost(sizes or {})
    passes: list[PassSummary] = []
    if optimized is not None:
        for record in optimized.log:
            if record.changed:
                before, after = count_nodes(record.before), count_nodes(record.result.graph)
                passes.append(PassSummary(record.name, before, after, record.result.counts))
    return Summary(
        name=graph.name,
        blocks=_blocks(inside, costs, Measure(sizes or {}), machine),
        totals=_totals(costs),
        parameters=costs.parameters,
        buffers=costs.buffers,
        state=costs.state,
        passes=tuple(passes),
        optimized=None if optimized is None else _totals(opened(optimized.graph).cost(sizes or {})),
    )


def count_nodes(graph: Graph) -> int:
    """The nodes that a run computes, those of bodies among them: no constants, nothing that
    depends on parameters alone."""
    once = known_before_run(graph)
    own = [node for node in graph.nodes if any(v not in once for v in node.outputs)]
    return len(own) + sum(count_nodes(body) for node in own for body in node.op.bodies)


def _totals(costs: Cost) -> Totals:
    running = sum(not c.once for c in costs.nodes.values())
    return Totals(running, costs.flops, costs.read, costs.written)


def _blocks(
    inside: Opened, costs: Cost, measure: Measure, machine: Machine | None
) -> tuple[BlockSummary, ...]:
    blocks: dict[str, BlockSummary] = {"": BlockSummary("")}
    for node, node_cost in costs.nodes.items():
        if node_cost.once:
            continue
        scopes = _scopes(inside.scope(node))
        for path in scopes:
            if path not in blocks:
                blocks[path] = BlockSummary(path)
            block = blocks[path]
            block.nodes += 1
            block.flops += node_cost.flops
            block.activations += node_cost.written
            block.operators[node.op.name] += 1
            block.work.add(node_cost, machine)
        for value in node.outputs:
            for path in scopes[_scopes_kept(inside, value, scopes) :]:
                blocks[path].output = value.type
    for parameter in inside.graph.parameters:
        elements = measure.size(parameter.value)
        if parameter.kind == "state":  # belongs to an optimiser, not to a block
            continue
        owner = parameter.path.rpartition(".")[0] or _readers_scope(inside, parameter.value)
        for path in _scopes(owner):
            block = blocks.setdefault(path, BlockSummary(path))
            if parameter.kind == "param":
                block.parameters += elements
            else:
                block.buffers += elements
    return tuple(_in_tree_order(blocks))


def _scopes(path: str) -> list[str]:
    """The path and those of all that hold it, outermost first: `a.b` -> "", "a", "a.b"."""
    found = [""]
    for part in path.split(".") if path else ():
        found.append(f"{found[-1]}.{part}" if found[-1] else part)
    return found


def _readers_scope(inside: Opened, value: Value) -> str:
    """The innermost instance that holds all readers: where what an exporter named without a path
    belongs."""
    scopes = [_scopes(inside.scope(user)) for user in inside.graph.uses.get(value, ())]
    common = [parts[0] for parts in zip(*scopes, strict=False) if len(set(parts)) == 1]
    return common[-1] if common else ""


def _scopes_kept(inside: Opened, value: Value, scopes: list[str]) -> int:
    """How many of the scopes, outermost first, hold every use of the value."""
    if value in inside.graph.result_values:
        return 0
    kept = len(scopes)
    for user in inside.graph.uses.get(value, ()):
        scope = inside.scope(user)
        while kept > 1 and not (scope + ".").startswith(scopes[kept - 1] + "."):
            kept -= 1
    return kept


def _in_tree_order(blocks: Mapping[str, BlockSummary]) -> list[BlockSummary]:
    """Each block before its parts, otherwise in the order of first appearance."""
    children: dict[str, list[str]] = {}
    for path in blocks:
        if path:
            children.setdefault(path.rpartition(".")[0], []).append(path)
    ordered, pending = [], [""]
    while pending:
        path = pending.pop()
        ordered.append(blocks[path])
        pending.extend(reversed(children.get(path, ())))
    return ordered
