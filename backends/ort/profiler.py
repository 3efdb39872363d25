"""What onnxruntime spends its time on, told by the nodes of the model that it was given.

onnxruntime runs a graph of its own making: it fuses nodes, and keeps convolutions in a blocked
layout with reorders at its ends. A *kernel* is a node of that graph. What it gives is found by name
(it keeps the names of values, or builds on them: `conv/Relu_nchwc`); it stands for the nodes
between that and what other kernels give. One that gives nothing of the model, as a reorder, serves
the next one that does.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from nncomp.backends.ort.blocked.processor import require_processor
from nncomp.backends.ort.external import openable
from nncomp.backends.ort.runtime import PROFILED, open_session, runtime_errors
from nncomp.types import Array

_LEAST, _MOST, _SECONDS = 3, 50, 2.0  # runs that are measured, and for how long
_CONTROL = ("If", "Loop", "Scan")


@dataclass(frozen=True)
class Kernel:
    """One node as onnxruntime runs it.

    seconds: of one run, the median of several
    nodes: the names of the model's nodes that it stands for
    main: the one among them that is of its operator, if one is: the Conv of a FusedConv
    serves: where it stands for none, the node for whose sake it runs, if that is known
    """

    name: str
    operator: str
    seconds: float
    nodes: tuple[str, ...]
    main: str | None
    serves: str | None


def profile(model: onnx.ModelProto, arrays: Sequence[Array]) -> list[Kernel]:
    """The kernels that a run on the CPU calls, in order; those of bodies count to the node that
    has them.

    arrays: for the model's inputs, in their order
    CompileError NN0604 if onnxruntime fails.
    """
    require_processor(model, "cpu")
    feed = dict(zip([value.name for value in model.graph.input], arrays, strict=True))
    with tempfile.TemporaryDirectory(prefix="nncomp-") as name:
        folder = Path(name)
        with openable(model) as source:
            session = open_session(source, profile=folder)
        with runtime_errors():
            _run(session, feed)
            events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
        ran = onnx.load(folder / PROFILED, load_external_data=False).graph
    return _Attribution(model.graph, ran).kernels(_times(events))


def _run(session: Any, feed: Mapping[str, Array]) -> None:
    """Once to warm up, then until enough is measured."""
    session.run(None, feed)
    began = time.monotonic()
    for count in range(_MOST):
        if count >= _LEAST and time.monotonic() - began > _SECONDS:
            return
        session.run(None, feed)


def _times(events: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Seconds of one run by kernel, in the order in which they ran; the first run is left out."""
    ordered = sorted(events, key=lambda e: (e["ts"], -e["dur"]))
    runs = [e for e in ordered if e["name"] == "model_run"][1:]
    spent: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    within = run = -1
    for event in ordered:
        while run + 1 < len(runs) and event["ts"] >= runs[run + 1]["ts"]:
            run += 1
        if event["cat"] != "Node" or not event["name"].endswith("_kernel_time") or run < 0:
            continue
        if event["ts"] + event["dur"] <= within:
            continue  # of a body
        if event["args"]["op_name"] in _CONTROL:
            within = event["ts"] + event["dur"]
        spent[event["name"].removesuffix("_kernel_time")][run] += event["dur"] / 1e6
    return {name: statistics.median(of.values()) for name, of in spent.items()}


class _Attribution:
    """Whose time a kernel's is.

    given: the model's graph; ran: the graph that onnxruntime made of it
    """

    def __init__(self, given: onnx.GraphProto, ran: onnx.GraphProto) -> None:
        self._ran = ran.node
        self._makers = {name: node for node in given.node for name in node.output if name}
        self._nodes = {node.name: node for node in given.node}
        self._readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        self._writers: dict[str, onnx.NodeProto] = {}
        for node in ran.node:
            for name in _read(node):
                self._readers[name].append(node)
            self._writers.update((name, node) for name in node.output)
        self._ends: dict[str, list[str]] = {}  # of a kernel, the values of the model that it gives
        taken: set[str] = set()
        for node in ran.node:
            found = [name for name in self._given_by(node) if name not in taken]
            self._ends[node.name] = found
            taken.update(found)
        self._stops = taken

    def kernels(self, times: Mapping[str, float]) -> list[Kernel]:
        operators = {node.name: node for node in self._ran}
        found = []
        for name, seconds in times.items():
            node = operators.get(name)
            if node is None:
                found.append(Kernel(name, name, seconds, (), None, None))
                continue
            nodes, main = self._stands_for(node)
            serves = None if nodes else self._served(node)
            found.append(Kernel(name, node.op_type, seconds, nodes, main, serves))
        return found

    def _given_by(self, node: onnx.NodeProto) -> list[str]:
        """The model's values that a kernel gives: by their names, else by its own."""
        found = [name for name in node.output if name in self._makers]
        if found or node.op_type.startswith("Reorder"):
            return found
        name = node.name.removeprefix("fused ")
        while name:
            if name in self._makers:
                return [name]
            if name in self._nodes:
                return [output for output in self._nodes[name].output if output]
            name = name.rpartition("_")[0]
        return []

    def _stands_for(self, kernel: onnx.NodeProto) -> tuple[tuple[str, ...], str | None]:
        """The nodes on the way to what it gives from what other kernels give, and which of them is
        of its operator: it stands for nothing before that one."""
        found: dict[str, None] = {}
        main = None
        pending = list(self._ends[kernel.name])
        while pending:
            node = self._makers.get(pending.pop())
            if node is None or node.name in found:
                continue
            found[node.name] = None
            if kernel.op_type.endswith(node.op_type):
                main = main or node.name
            else:
                pending += [name for name in _read(node) if name not in self._stops]
        return tuple(reversed(found)), main

    def _served(self, node: onnx.NodeProto) -> str | None:
        """The node that a kernel runs for: the next one that gives something, else the last."""
        for ahead in (True, False):
            seen: set[str] = set()
            pending = [node]
            while pending:
                here = pending.pop(0)
                if here.name in seen:
                    continue
                seen.add(here.name)
                gives = self._ends[here.name] or [x for x in here.output if x in self._makers]
                if gives:
                    return str(self._makers[gives[0]].name)
                if ahead:
                    pending += [n for name in here.output for n in self._readers[name]]
                else:
                    pending += [self._writers[x] for x in _read(here) if x in self._writers]
        return None


def _read(node: onnx.NodeProto) -> list[str]:
    """The values that a node reads, those that its bodies capture among them."""
    found = [name for name in node.input if name]
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            inner = {value.name for value in attribute.g.input}
            for inside in attribute.g.node:
                found += [name for name in _read(inside) if name not in inner]
                inner.update(inside.output)
    return found
