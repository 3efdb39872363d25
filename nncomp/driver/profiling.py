"""What onnxruntime spends its time on, told by the nodes of a graph of ours.

Each node is given a place in a text that exists for this only; what is emitted says where it comes
from (its `doc_string`), through all that stands between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from nncomp.driver.compiling import onnx_model
from nncomp.driver.reporting import Inspected, Report
from nncomp.equivalence.draws import STYLES, draw
from nncomp.equivalence.ranges import bounds_of
from nncomp.equivalence.sizes import Sizes, candidates, symbols_of
from nncomp.errors import CompileError, did_you_mean, error
from nncomp.inspect.cost import cost
from nncomp.inspect.latency import Latency, Part
from nncomp.ir.bind import bind
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Value
from nncomp.source import SourceFile, Span
from nncomp.types import Array, is_container

if TYPE_CHECKING:
    import onnx

    from nncomp.backends.ort.profiler import Kernel

_TRIES = 8  # of sizes for symbolic dims that none are given for
_MARK = "\x00node"


@dataclass(frozen=True)
class Profile:
    """Of one run, the median of several.

    parts: of each node, what ran for it; what does the work of several stands at the one that it
        is the operator of, else at the one with the most FLOPs
    sizes: of the inputs' symbolic dims; seconds: of all that ran; known: of `parts`
    """

    parts: Mapping[Node, tuple[Part, ...]]
    sizes: Mapping[str, int]
    seconds: float
    known: float


def profile_of(
    graph: Graph,
    state: Mapping[str, Array],
    *,
    sizes: Mapping[str, int] | None = None,
    given: Mapping[str, Array] | None = None,
    seed: int = 0,
) -> Profile:
    """What an optimised graph spends its time on, compiled for and run by onnxruntime on the CPU.

    state: the values of its parameters
    sizes: of symbolic dims by name; without, 1 where the graph runs with it, else small ones
    given: inputs by name; without, random numbers that the graph can use
    Raises CompileError NN0503 if an input does not fit, NN0602, NN0604.
    """
    from nncomp.backends.ort.profiler import profile

    inputs = [value.name for value in graph.inputs]
    for name in given or {}:
        if name not in inputs:
            raise error(
                "NN0503",
                f"{graph.name} has no input `{name}`",
                help=did_you_mean(name, inputs) or f"its inputs are {', '.join(inputs)}",
            )
    nodes = [node for node in graph.nodes if not isinstance(node.op, Constant)]
    own = {p.path: state[p.path] for p in graph.parameters if p.path not in graph.updates}
    model = onnx_model(bind(_marked(graph, nodes), own))
    failure: CompileError | None = None
    for chosen in islice(_sizes(graph, sizes or {}, given or {}), _TRIES):
        drawn = draw(graph, chosen, STYLES[0], bounds_of(graph), state, seed).inputs
        feed = {**drawn, **(given or {})}
        arrays = [feed[name] for name in inputs]
        arrays += [state[p.path] for p in graph.parameters if p.path in graph.updates]
        try:
            kernels = profile(model, arrays)
        except CompileError as refusal:
            failure = failure or refusal
            continue
        named = {str(symbol): size for symbol, size in chosen.items()}
        return _attributed(graph, nodes, model, kernels, named)
    raise failure or error("NN0503", "no sizes of the symbolic dims fit this graph")


def _marked(graph: Graph, nodes: list[Node]) -> Graph:
    """The graph with the number of each node as its place."""
    text = SourceFile(_MARK, "\n" * (len(nodes) + 1))
    numbers = {node: i for i, node in enumerate(nodes)}
    values: dict[Value, Value] = {}
    marked = []
    for node in graph.nodes:
        spans = (Span(text, numbers[node], numbers[node]),) if node in numbers else ()
        inputs = tuple(None if v is None else values.get(v, v) for v in node.inputs)
        types = tuple(v.type for v in node.outputs)
        names = tuple(v.name for v in node.outputs)
        new = Node(node.op, inputs, types, replace(node.origin, spans=spans), names)
        values.update(zip(node.outputs, new.outputs, strict=True))
        marked.append(new)
    return graph.replace(marked, values)


def _sizes(graph: Graph, known: Mapping[str, int], given: Mapping[str, Array]) -> Iterator[Sizes]:
    """Assignments to try, those first that say least more than is known."""
    symbols = symbols_of(graph)
    fixed = {symbol: known[str(symbol)] for symbol in symbols if str(symbol) in known}
    for value in graph.inputs:
        if value.name in given and not is_container(value.type):  # whose sizes name no dim
            array = given[value.name]
            pairs = [*zip(value.shape, array.shape, strict=False)]
            fits = array.ndim == value.rank and array.dtype == value.type.dtype.numpy
            if not fits or any(isinstance(d, int) and d != n for d, n in pairs):
                what = f"{array.dtype}[{', '.join(map(str, array.shape))}]"
                raise error("NN0503", f"`{value.name}: {value.type}` cannot be {what}")
            fixed |= {d.symbol: n for d, n in pairs if not isinstance(d, int) and d.symbol}
    yield {symbol: fixed.get(symbol, 1) for symbol in symbols}
    if len(fixed) < len(symbols):
        for found in candidates(graph):
            yield {**found, **fixed}


def _attributed(
    graph: Graph,
    nodes: list[Node],
    model: onnx.ModelProto,
    kernels: list[Kernel],
    sizes: Mapping[str, int],
) -> Profile:
    numbers = _numbers(model)
    spent = cost(graph, sizes).nodes

    def weight(node: Node) -> tuple[bool, int, int]:
        return not spent[node].once, spent[node].flops, spent[node].written

    parts: dict[Node, list[Part]] = {}
    seconds = known = 0.0
    for kernel in kernels:
        seconds += kernel.seconds
        names = kernel.nodes or ((kernel.serves,) if kernel.serves else ())
        done = dict.fromkeys(nodes[n] for name in names for n in numbers.get(name, ()))
        if not done:
            continue
        known += kernel.seconds
        mains = [nodes[n] for n in numbers.get(kernel.main or "", ())]
        work = sum(not spent[node].once for node in done) if kernel.nodes else 0
        part = Part(kernel.operator, kernel.seconds, work)
        parts.setdefault(max(mains or done, key=weight), []).append(part)
    return Profile({n: tuple(p) for n, p in parts.items()}, sizes, seconds, known)


def _numbers(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Of each node of the model, by name, the numbers of ours that it comes from. One that comes
    from none, as the computing of a shape, has those of its first reader."""
    found: dict[str, tuple[int, ...]] = {}
    of_value: dict[str, tuple[int, ...]] = {}
    for node in reversed(model.graph.node):
        lines = re.findall(rf"{re.escape(_MARK)}:(\d+):1\b", node.doc_string)
        own = tuple(int(line) - 1 for line in lines)
        own = own or next((of_value[x] for x in node.output if x in of_value), ())
        found[node.name] = own
        if own:
            of_value.update((name, own) for name in node.input)
    return found


def latency_report(
    shown: Inspected,
    state: Mapping[str, Array],
    by: str,
    depth: int | None,
    *,
    given: Mapping[str, Array] | None = None,
    seed: int = 0,
) -> Report:
    """What onnxruntime spends its time on, by "block" or "operator", of the graph that runs.

    state: the values of its parameters
    given: inputs by name; without, random numbers that the graph can use
    Raises CompileError NN0503 if an input does not fit, NN0602, NN0604.
    """
    found = profile_of(shown.final, state, sizes=shown.sizes, given=given, seed=seed)
    table = Latency(shown.final, found.parts, found.seconds, found.sizes)
    first = table.by_operator() if by == "operator" else table.by_block(depth)
    numbers = {"seconds": found.seconds, "known": found.known, "sizes": dict(found.sizes)}
    tables = {
        "blocks": table.by_block(),
        "operators": table.by_operator(),
        "nodes": table.by_node(),
    }
    return Report((first,), first, tables, numbers)
