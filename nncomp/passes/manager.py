"""The passes of each -O level, and the driver that runs them in order."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nncomp.collector import collector_paused
from nncomp.errors import require_choice
from nncomp.ir.drawn import Drawn
from nncomp.ir.graph import Body, Graph, Node, Value
from nncomp.ir.op import Op
from nncomp.ir.rebuild import remap
from nncomp.ir.verify import verify
from nncomp.ops.grad import DERIVATIVES
from nncomp.passes.base import Evaluate, Pass, PassContext, PassResult, Refusal, Rewritten
from nncomp.passes.eliminate_common_subexpressions import EliminateCommonSubexpressions
from nncomp.passes.eliminate_dead_nodes import EliminateDeadNodes
from nncomp.passes.eliminate_expands import EliminateExpands
from nncomp.passes.eliminate_no_ops import EliminateNoOps
from nncomp.passes.flatten_rows import FlattenRows
from nncomp.passes.fold_batch_norm import FoldBatchNorm
from nncomp.passes.fold_constants import FoldConstants
from nncomp.passes.fold_pads import FoldPads
from nncomp.passes.fuse_activations import FuseActivations
from nncomp.passes.fuse_attention import FuseAttention
from nncomp.passes.fuse_conv_activation import FuseConvActivation
from nncomp.passes.fuse_gelu import FuseGelu
from nncomp.passes.fuse_layer_norm import FuseLayerNorm
from nncomp.passes.fuse_matmul_bias import FuseMatmulBias
from nncomp.passes.fuse_patches import FusePatches
from nncomp.passes.fuse_rms_norm import FuseRmsNorm
from nncomp.passes.fuse_rotary import FuseRotary
from nncomp.passes.hoist_from_scans import HoistFromScans
from nncomp.passes.inline_bodies import InlineBodies
from nncomp.passes.merge_products import MergeProducts
from nncomp.passes.prune_bodies import PruneBodies
from nncomp.passes.recognize_recurrent import RecognizeRecurrent
from nncomp.passes.simplify_shapes import SimplifyShapes
from nncomp.passes.simplify_transposes import SimplifyTransposes
from nncomp.passes.split_slices import SplitSlices
from nncomp.passes.squeeze_reductions import SqueezeReductions

O1: tuple[Pass, ...] = (
    InlineBodies(),
    PruneBodies(),
    SimplifyShapes(),
    EliminateExpands(exact=True),
    FoldConstants(exact=True),
    EliminateNoOps(exact=True),  # after what makes a constant 0 or 1
    EliminateExpands(exact=True),  # of which a no-op was between them and their readers
    EliminateNoOps(exact=True),  # with a 1 that was expanded
    EliminateCommonSubexpressions(),
    EliminateDeadNodes(),
)
"""Changes no bit of a result."""

O2: tuple[Pass, ...] = (
    InlineBodies(),
    PruneBodies(),
    SimplifyShapes(),
    EliminateExpands(),
    FoldConstants(),
    EliminateNoOps(),
    EliminateExpands(),
    EliminateCommonSubexpressions(),
    EliminateDeadNodes(),
    SimplifyTransposes(),
    SqueezeReductions(),
    FusePatches(),
    FuseGelu(),
    FuseLayerNorm(),
    FuseRmsNorm(),
    FuseRotary(),
    FuseAttention(),
    SplitSlices(),
    MergeProducts(),
    FlattenRows(),
    EliminateNoOps(),
    FuseMatmulBias(),
    FoldPads(),
    FoldBatchNorm(),
    FuseMatmulBias(),  # with what was folded
    FuseActivations(),
    FuseConvActivation(),
    RecognizeRecurrent(),
    FoldConstants(),
    MergeProducts(),  # that have taken in what was normalised for all of them
    EliminateCommonSubexpressions(),
    EliminateDeadNodes(),
)
"""Changes rounding, within 1e-5 of a tensor's largest value."""

TRAINING: tuple[Pass, ...] = (
    EliminateDeadNodes(),
    InlineBodies(),  # gradients of loops that run once, too
    PruneBodies(),
    SimplifyShapes(),
    EliminateNoOps(),
    EliminateExpands(later=False),
    FoldConstants(),
    EliminateCommonSubexpressions(),
    HoistFromScans(),
    EliminateCommonSubexpressions(),
    FuseMatmulBias(),
    EliminateNoOps(),
    EliminateCommonSubexpressions(),
    EliminateDeadNodes(),
)
"""For step graphs, after their gradients are expanded."""

O3: tuple[Pass, ...] = tuple(
    RecognizeRecurrent(plain=True) if isinstance(pass_, RecognizeRecurrent) else pass_
    for pass_ in O2
)
"""Rewrites that gain in some runtimes only."""

LEVELS: dict[int, tuple[Pass, ...]] = {0: (), 1: O1, 2: O2, 3: O3}


@dataclass(frozen=True)
class PassRecord(Drawn):
    """One entry of the log: a pass that ran, the graph before it, its result, and the time that
    it took with the check of its graph."""

    pass_: Pass
    before: Graph
    result: PassResult
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        return self.result.graph is not self.before

    @property
    def name(self) -> str:
        return self.pass_.name


@dataclass(frozen=True)
class OptimizeResult(Drawn):
    """An optimised graph, and what each pass did to it."""

    graph: Graph
    log: tuple[PassRecord, ...]

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Every refusal, each once."""
        found = {
            (r.rule, r.node, r.reason): r for record in self.log for r in record.result.refusals
        }
        return tuple(found.values())


OnPass = Callable[[PassRecord], None]


@collector_paused()
def run_passes(
    graph: Graph,
    passes: Sequence[Pass],
    evaluate: Evaluate | None = None,
    on_pass: OnPass | None = None,
) -> OptimizeResult:
    """The graph after the passes, in order; each leaves a graph that the verifier accepts.

    on_pass: called after each pass, for checks and progress
    """
    context = PassContext(evaluate)
    log = []
    for pass_ in passes:
        start = time.perf_counter()
        result = run_everywhere(pass_, graph, context)
        if result.graph is not graph:
            verify(result.graph, before=graph)
        record = PassRecord(pass_, graph, result, time.perf_counter() - start)
        log.append(record)
        if on_pass is not None:
            on_pass(record)
        graph = result.graph
    return OptimizeResult(graph, tuple(log))


def run_everywhere(pass_: Pass, graph: Graph, context: PassContext) -> PassResult:
    """The pass on the bodies of control flow, innermost first, then on the graph itself.

    Bodies wait until every derivative is expanded: what cuts a gradient may stand in one.
    """
    if not graph.holders or any(issubclass(kind, DERIVATIVES) for kind in graph.kinds):
        return pass_.run(graph, context)
    counts: Counter[str] = Counter()
    refusals: list[Refusal] = []
    rewrites: list[Rewritten] = []
    changed: dict[Node, Op] = {}
    for node in graph.holders:
        results = [run_everywhere(pass_, body, context) for body in node.op.bodies]
        for result in results:
            counts.update(result.counts)
            refusals += result.refusals
            rewrites += result.rewrites
        bodies = [result.graph for result in results if isinstance(result.graph, Body)]
        if any(new is not old for new, old in zip(bodies, node.op.bodies, strict=True)):
            changed[node] = node.op.with_bodies(bodies)
    if changed:
        graph = _with_ops(graph, changed)
    result = pass_.run(graph, context)
    counts.update(result.counts)
    told = (*refusals, *result.refusals)
    return PassResult(result.graph, dict(counts), told, (*rewrites, *result.rewrites))


def _with_ops(graph: Graph, changed: Mapping[Node, Op]) -> Graph:
    values: dict[Value, Value] = {}
    nodes = []
    for node in graph.nodes:
        new = remap(node, values)
        if node in changed:
            types = tuple(v.type for v in node.outputs)
            names = tuple(v.name for v in node.outputs)
            new = Node(changed[node], new.inputs, types, node.origin, names)
            values.update(zip(node.outputs, new.outputs, strict=True))
        nodes.append(new)
    return graph.replace(nodes, values)


def pipeline(level: int = 2) -> tuple[Pass, ...]:
    """The passes of -O0 to -O3, in order. Raises CompileError NN0202 for another level."""
    require_choice("level", level, tuple(LEVELS))
    return LEVELS[level]


def optimize(
    graph: Graph,
    level: int = 2,
    evaluate: Evaluate | None = None,
    on_pass: OnPass | None = None,
) -> OptimizeResult:
    """The graph after the passes of a level; see `run_passes`."""
    return run_passes(graph, pipeline(level), evaluate, on_pass)


def optimize_step(
    graph: Graph, evaluate: Evaluate | None = None, on_pass: OnPass | None = None
) -> OptimizeResult:
    """A step graph, with its gradients expanded, after the passes for training."""
    return run_passes(graph, TRAINING, evaluate, on_pass)
