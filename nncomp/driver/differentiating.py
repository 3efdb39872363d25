"""Gradients of a model as a graph of their own: compiled, run, written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nncomp.autodiff.request import Request, find, request, scalars_of, unknown
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.driver.building import Written, write_model
from nncomp.driver.compiling import onnx_model, section_of
from nncomp.driver.model import Model
from nncomp.driver.running import Backend, Device, require_place
from nncomp.driver.showing import Shown, sizes_for
from nncomp.driver.stepping import require_named
from nncomp.errors import error
from nncomp.files import PathLike
from nncomp.ir.bind import bind
from nncomp.ir.graph import Graph, Value
from nncomp.ir.rebuild import remap
from nncomp.lower.program import Program
from nncomp.passes.manager import O1, TRAINING, run_passes
from nncomp.passes.selection import Plan
from nncomp.training.results import losses
from nncomp.types import Array, is_number

if TYPE_CHECKING:
    from nncomp.backends.ort.session import Session

PASSES = {0: (), 1: O1, 2: TRAINING, 3: TRAINING}


def grad(
    subject: Model | Program | Graph,
    wrt: str | Iterable[str] | None = None,
    *,
    loss: str | None = None,
    section: str | None = None,
    level: int = 2,
) -> GradientFunction:
    """A loss and its gradients, compiled: `nncomp.grad(model)(image=x, label=y)`.

    wrt: what to differentiate with respect to: paths of parameters or blocks, inputs, values by
        name, patterns (`conv*.weight`); without, all learnt parameters
    loss: an output or a value by name; without, the loss of the train section, else the only
        scalar output
    section: which train section; without, the first
    level: of optimisation, 0 to 3
    Raises CompileError: NN0402 if the loss is no floating number, NN0406 if a name is unknown or
    no loss is obvious, NN0401 for what has no gradient.
    """
    program = subject.program if isinstance(subject, Model) else subject
    asked = find_request(program, wrt, loss=loss, section=section)
    graph = compile_request(asked, level=level)
    return GradientFunction(graph, subject if isinstance(subject, Model) else None)


def find_request(
    subject: Program | Graph,
    wrt: str | Iterable[str] | None = None,
    *,
    loss: str | None = None,
    section: str | None = None,
) -> Request:
    """The graph in which the loss stands, the loss, and what `wrt` names; see `grad`."""
    wanted = [wrt] if isinstance(wrt, str) else wrt if wrt is None else list(wrt)
    graphs = [subject] if isinstance(subject, Graph) else _graphs(subject, section)
    if loss is None:
        graph, loss = _default_loss(graphs)
        return request(graph, loss, wanted)
    holders = [graph for graph in graphs if loss in graph.outputs]
    holders = holders or [graph for graph in graphs if find(graph, loss) is not None]
    if not holders:
        raise unknown(graphs, "loss", loss)
    return request(holders[0], loss, wanted)


def _graphs(program: Program, section: str | None) -> list[Graph]:
    """Where a loss is looked for: the train section, in training mode, then inference."""
    chosen = []
    if program.train or section is not None:
        chosen.append(section_of(program, section)[1].step)
    inference = {id(g): g for g in (program.graph, *program.entries.values()) if g.outputs}
    return [*chosen, *inference.values()]


def _default_loss(graphs: list[Graph]) -> tuple[Graph, str]:
    first = graphs[0]
    named = losses(first.outputs)
    scalars = [n for n, v in first.outputs.items() if is_number(v.type)]
    found = named or scalars
    if len(found) == 1:
        return first, found[0]
    what = f"{len(found)} outputs of {first.name} could be" if found else "no output is"
    raise error(
        "NN0406",
        f"{what} the loss",
        help=f"name it; {scalars_of(first)}"
        if found
        else "name a scalar of the program as the loss, or add `output loss = mean(…)`",
    )


def compile_request(
    asked: Request, weights: Mapping[str, Array] | None = None, *, level: int = 2
) -> Graph:
    """Gradients expanded and optimised.

    weights: values for the parameters, which become constants; without, each is an input, named
        by its path
    """
    graph = asked.gradients()
    if weights is None:
        graph = _with_parameters_as_inputs(graph)
    else:
        graph = bind(graph, {p.path: weights[p.path] for p in graph.parameters})
    return run_passes(graph, PASSES[level], evaluate).graph


def _with_parameters_as_inputs(graph: Graph) -> Graph:
    given = [Value(p.value.type, p.path) for p in graph.parameters]
    values = {p.value: v for p, v in zip(graph.parameters, given, strict=True)}
    nodes = [remap(node, values) for node in graph.nodes]
    inputs = sorted((*graph.inputs, *given), key=lambda v: v.name in graph.defaults)
    return replace(graph.replace(nodes, values), inputs=tuple(inputs), parameters=())


def gradients_of(
    program: Program,
    wrt: Iterable[str] | None = None,
    *,
    loss: str | None = None,
    section: str | None = None,
    level: int | Plan = 2,
    batch_size: int = 1,
    sizes: Mapping[str, int] | None = None,
) -> Shown:
    """The graph of a loss and its gradients, as `grad` finds it, and its passes. Raises
    CompileError NN0401, NN0402, NN0406, NN0103."""
    graph = find_request(program, wrt, loss=loss, section=section).gradients()
    plan = level if isinstance(level, Plan) else Plan(PASSES[level])
    result = run_passes(graph, plan.passes, evaluate, plan.on_pass)
    return Shown(graph, result, sizes_for(graph, batch_size, sizes))


class GradientFunction:
    """A loss and its gradients: `f(image=x, label=y)` gives `{"loss": …, "grad/conv1.weight": …}`.

    graph: optimised; parameters are inputs named by their paths
    inputs: the types of all that it takes, by name; of a `Model` the parameters are known
    """

    def __init__(self, graph: Graph, model: Model | None = None) -> None:
        self.graph = graph
        self.inputs = {value.name: str(value.type) for value in graph.inputs}
        self._model = model
        self._sessions: dict[str, Session] = {}

    def __repr__(self) -> str:
        return f"<nncomp.GradientFunction of {', '.join(self.graph.outputs)}>"

    def __call__(self, *unnamed: Any, **inputs: Any) -> dict[str, Array]:
        """Loss and gradients by name, by onnxruntime on the CPU. Parameters may be given too:
        `f(x=x, **{"fc.weight": w})`. Raises CompileError NN0503 if an input does not fit."""
        require_named(unnamed, [n for n in self.inputs if n not in self._known(inputs)])
        return self.run(inputs)

    def run(
        self, inputs: Mapping[str, Any], *, backend: Backend = "onnx", device: Device = "cpu"
    ) -> dict[str, Array]:
        """Loss and gradients by name. Raises CompileError NN0503, NN0602, NN0604."""
        require_place(backend, device)
        arrays = {**self._known(inputs), **inputs}
        if backend == "numpy":
            given = {name: np.asarray(array) for name, array in arrays.items()}
            return run(self.graph, given).outputs
        if device not in self._sessions:
            from nncomp.backends.ort.session import Session

            self._sessions[device] = Session(onnx_model(self.graph, device=device), device)
        return self._sessions[device].run(arrays)

    def _known(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Defaults, and the parameters of the model as they are now."""
        found: dict[str, Any] = {
            v.name: np.array(self.graph.defaults[v.name], v.type.dtype.numpy)
            for v in self.graph.inputs
            if v.name in self.graph.defaults
        }
        state = self._model.state if self._model is not None else {}
        return found | {name: state[name] for name in self.inputs if name in state}

    def build(self, path: PathLike, *, opset: int | None = None) -> Written:
        """Writes it as ONNX, parameters as inputs. Raises CompileError NN0001, NN0601."""
        return write_model(path, onnx_model(self.graph, opset))
