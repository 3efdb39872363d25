"""What a model does on data: how large the gradients of its layers are, what its operators give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nncomp.autodiff.request import PREFIX, Request
from nncomp.backends.reference.interpreter import run
from nncomp.driver.compiling import data_inputs, entry_of, section_of
from nncomp.driver.differentiating import GradientFunction, compile_request, find_request
from nncomp.driver.reporting import Report
from nncomp.errors import error
from nncomp.inspect.activations import Activation, Observer, activation_table
from nncomp.inspect.gradients import Gradients, Layer, Steps, gradient_tables
from nncomp.ir.graph import Graph, Value
from nncomp.ir.rebuild import ancestors
from nncomp.lower.program import Program
from nncomp.ops.control import Scan
from nncomp.training.data import Batch, Data, load_data
from nncomp.training.feed import in_order
from nncomp.training.ranges import ranges
from nncomp.training.sources import Reading
from nncomp.types import Array

_STEPS = "scan {}"  # what the gradient of a scanned tensor is called


def gradients_on(
    program: Program,
    state: Mapping[str, Array],
    data: Data,
    *,
    section: str | None = None,
    samples: int = 64,
    reading: Reading = Reading(),  # noqa: B008 - frozen
) -> Gradients:
    """The gradient of the loss of a train section with respect to each parameter, and to each step
    of what its scans go over, on one batch in training mode, by onnxruntime.

    state: values of all parameters; samples: how many of the training samples, from the first on
    Raises CompileError NN0403, NN0406 (no loss), NN0501.
    """
    asked = find_request(program, section=section)
    scanned = _scanned(asked)
    wrt = {**asked.wrt, **{_STEPS.format(i): value for i, (value, _) in enumerate(scanned)}}
    graph = compile_request(replace(asked, wrt=wrt))
    batch = batch_of(section_of(program, section)[1].step, data, samples, reading)
    known = {v.name: state[v.name] for v in graph.inputs if v.name in state}
    given = {v.name: batch[v.name] for v in graph.inputs if v.name in batch}
    found = GradientFunction(graph)(**known, **given)
    layers: dict[str, Layer] = {}
    for path in asked.wrt:
        name = path.rpartition(".")[0] or path
        layer = layers.setdefault(name, Layer(name))
        layer.add(found[PREFIX + path], state[path])
    steps = []
    for i, (value, scan) in enumerate(scanned):
        gradient = np.moveaxis(found[PREFIX + _STEPS.format(i)], scan.axis, 0)
        norms = np.sqrt(np.square(gradient, dtype=np.float64).sum(tuple(range(1, gradient.ndim))))
        order = norms[::-1] if scan.backward else norms
        steps.append(Steps(scan.scope, value.name or f"operand {i + 1}", tuple(order.tolist())))
    loss = float(found[asked.name])
    return Gradients(asked.name, loss, _count(batch), tuple(layers.values()), tuple(steps))


class _Place:
    """Where a scan takes its slices: its block, the axis, the direction."""

    def __init__(self, scope: str, axis: int, backward: bool) -> None:
        self.scope, self.axis, self.backward = scope, axis, backward


def _scanned(asked: Request) -> list[tuple[Value, _Place]]:
    """The floating tensors that scans between the data and the loss go over."""
    found = []
    for node in ancestors(asked.loss):
        if isinstance(node.op, Scan):
            first = node.op.num_states
            places = node.op.input_places
            operands = node.inputs[first : first + len(places)]
            for value, (axis, direction) in zip(operands, places, strict=True):
                if value is not None and value.type.dtype.is_float:
                    found.append((value, _Place(node.origin.scope, axis, bool(direction))))
    return found


def activations_on(
    program: Program,
    state: Mapping[str, Array],
    data: Data,
    *,
    entry: str | None = None,
    samples: int = 64,
    reading: Reading = Reading(),  # noqa: B008 - frozen
) -> tuple[int, list[Activation]]:
    """What each operator of the inference graph gives on one batch, by NumPy; and the batch size.
    Raises CompileError NN0501."""
    graph = entry_of(program, entry)
    fed = graph
    if program.train and entry is None:  # which data the names of the train section fit
        fed = next(iter(program.train.values())).step
        if not {v.name for v in graph.inputs if v.name not in graph.defaults} <= {
            *data_inputs(fed)
        }:
            fed = graph
    batch = batch_of(fed, data, samples, reading)
    observer = Observer(graph)
    own = {p.path: state[p.path] for p in graph.parameters}
    given = {v.name: batch[v.name] for v in graph.inputs if v.name in batch}
    run(graph, given, own, observer.watch)
    return _count(batch), observer.found


def batch_of(graph: Graph, data: Data, samples: int, reading: Reading) -> Batch:
    """The first training samples of a data set, for the inputs of a graph."""
    inputs = data_inputs(graph)
    if not inputs:
        raise error("NN0501", f"{graph.name} takes no data")
    found = load_data(data, inputs, limits=ranges(graph), reading=reading)
    return next(iter(in_order(found.train, samples)))


def _count(batch: Batch) -> int:
    return len(next(iter(batch.values())))


def gradient_report(
    program: Program,
    state: Mapping[str, Array],
    data: Data,
    *,
    section: str | None = None,
    samples: int = 64,
    reading: Reading = Reading(),  # noqa: B008 - frozen
) -> Report:
    """See `gradients_on`."""
    found = gradients_on(program, state, data, section=section, samples=samples, reading=reading)
    tables = gradient_tables(found)
    names = ["layers", *(f"scan {i}" for i in range(len(found.steps)))]
    numbers = {"loss": found.value, "samples": found.samples}
    return Report(tuple(tables), tables[0], dict(zip(names, tables, strict=True)), numbers)


def activation_report(
    program: Program,
    state: Mapping[str, Array],
    data: Data,
    *,
    entry: str | None = None,
    samples: int = 64,
    depth: int | None = None,
    reading: Reading = Reading(),  # noqa: B008 - frozen
) -> Report:
    """See `activations_on`. depth: of the blocks that people are shown."""
    count, found = activations_on(
        program, state, data, entry=entry, samples=samples, reading=reading
    )
    shown, whole = (activation_table(found, count, d) for d in (depth, None))
    return Report((shown,), whole, {"operators": whole}, {"samples": count})
