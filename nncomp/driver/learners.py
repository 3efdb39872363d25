"""Training steps that run: by onnxruntime, and by NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nncomp.backends.reference.interpreter import Results, run
from nncomp.driver.compiling import COUNTERS, Step, TargetName, data_inputs, onnx_model, sized
from nncomp.driver.running import require_place
from nncomp.errors import require_count
from nncomp.ir.graph import Graph
from nncomp.training.averages import averaged
from nncomp.training.learner import Learner, Numbers
from nncomp.types import Array

if TYPE_CHECKING:
    from nncomp.backends.ort.session import StepSession


class OnnxLearner:
    """The step graph in onnxruntime; its state stays in the runtime's memory.

    state: first values of all parameters, buffers and optimiser states, by path
    batch_size: compiles the step for batches of that size; others go through a session of their
        own, for any size
    threads: for one operator, None for one a core
    """

    def __init__(
        self,
        step: Step,
        state: Mapping[str, Array],
        seed: int = 0,
        device: str = "cpu",
        target: TargetName = "onnx",
        batch_size: int | None = None,
        threads: int | None = None,
    ) -> None:
        self._place: Any = device
        self._target = target
        self._seed = seed
        self._threads = threads
        self._paths = [p.path for p in step.step.parameters]
        self._step_graph = step.step
        self._first = next(iter(data_inputs(step.step)), "")
        self._hyper: dict[str, float] = {}
        fixed = sized(step.step, batch_size)
        self._batch_size = None if fixed is step.step else batch_size
        self._session = self._open(fixed, state)
        self._sessions = {self._batch_size: self._session}
        self._evaluation_graph = step.evaluation
        self._evaluation = self._open(step.evaluation, state)
        self._evaluated = 0
        self._untouched = {path: a for path, a in state.items() if path not in self._paths}

    def _open(self, graph: Graph, state: Mapping[str, Array]) -> StepSession:
        from nncomp.backends.ort.session import StepSession

        model = onnx_model(graph, device=self._place, target=self._target)
        return StepSession(
            model, part(state, graph), self._place, seed=self._seed, threads=self._threads
        )

    @property
    def steps(self) -> int:
        return self._session.step_number

    def step(self, batch: Mapping[str, Array], **hyper: float) -> Numbers:
        self._hyper.update(hyper)
        self._take_over(self._batch_size if self._is_usual(batch) else None)
        return _scalars(self._session.step(batch, **self._hyper))

    def _is_usual(self, batch: Mapping[str, Array]) -> bool:
        """Whether the step was compiled for batches of this size."""
        first = batch.get(self._first)
        return first is not None and np.shape(first)[:1] == (self._batch_size,)

    def _take_over(self, size: int | None) -> None:
        """Goes on in the session for batches of that size, None for any."""
        before = self._session
        if size not in self._sessions:
            self._sessions[size] = self._open(self._step_graph, before.state())
        elif self._sessions[size] is not before:
            self._sessions[size].load(before.state())
        self._session = self._sessions[size]
        self._session.step_number = before.step_number

    def evaluate(self, batch: Mapping[str, Array]) -> Numbers:
        if self._evaluated != self.steps:
            self._load_evaluation(self.state())
        return _scalars(self._evaluation.evaluate(batch))

    def _load_evaluation(self, state: Mapping[str, Array]) -> None:
        self._evaluation.load(part(averaged(state), self._evaluation_graph))
        self._evaluation.step_number = self._evaluated = self.steps

    def state(self) -> dict[str, Array]:
        return self._untouched | self._session.state()

    def before(self) -> dict[str, Array]:
        return self._untouched | self._session.state(before=True)

    def restore(self, state: Mapping[str, Array], steps: int) -> None:
        self._untouched = {path: a for path, a in state.items() if path not in self._paths}
        self._session.load({path: state[path] for path in self._paths if path in state})
        self._session.step_number = steps
        self._load_evaluation(state)

    def fallbacks(self) -> list[str]:
        return self._session.fallbacks()


class NumpyLearner:
    """The step graph in the NumPy interpreter: slow, and the reference."""

    def __init__(self, step: Step, state: Mapping[str, Array], seed: int = 0) -> None:
        self._graphs = step
        self._state = self._before = dict(state)
        self._seed = seed
        self._hyper: dict[str, float] = {}
        self.steps = 0

    def step(self, batch: Mapping[str, Array], **hyper: float) -> Numbers:
        self._hyper.update(hyper)
        results = self._run(self._graphs.step, batch, self._state)
        self._before, self._state = self._state, {**self._state, **results.updates}
        self.steps += 1
        return _scalars(results.outputs)

    def evaluate(self, batch: Mapping[str, Array]) -> Numbers:
        return _scalars(self._run(self._graphs.evaluation, batch, averaged(self._state)).outputs)

    def _run(self, graph: Graph, batch: Mapping[str, Array], state: Mapping[str, Array]) -> Results:
        numbers = {**self._hyper, **counters(self.steps, self._seed)}
        return run(graph, {**scalar_inputs(graph, numbers), **batch}, part(state, graph))

    def state(self) -> dict[str, Array]:
        return dict(self._state)

    def before(self) -> dict[str, Array]:
        return dict(self._before)

    def restore(self, state: Mapping[str, Array], steps: int) -> None:
        self._state = self._before = dict(state)
        self.steps = steps

    def fallbacks(self) -> list[str]:
        return []


def make_learner(
    step: Step,
    state: Mapping[str, Array],
    *,
    seed: int = 0,
    backend: str = "onnx",
    device: str = "cpu",
    target: TargetName = "onnx",
    batch_size: int | None = None,
    threads: int | None = None,
) -> Learner:
    """The step on a backend ("onnx" or "numpy").

    target, batch_size, threads: of onnxruntime's step, see `OnnxLearner`
    """
    require_place(backend, device)
    if threads is not None:
        require_count("threads", threads)
    if backend == "numpy":
        return NumpyLearner(step, state, seed)
    return OnnxLearner(step, state, seed, device, target, batch_size, threads)


def counters(step: int, seed: int) -> dict[str, int]:
    """The inputs that number the steps and key the random streams."""
    return dict(zip(COUNTERS, (step, seed), strict=True))


def scalar_inputs(graph: Graph, numbers: Mapping[str, float]) -> dict[str, Array]:
    """Those of the numbers that are inputs of the graph, in their dtypes."""
    return {
        value.name: np.array(numbers[value.name], value.type.dtype.numpy)
        for value in graph.inputs
        if value.name in numbers
    }


def part(state: Mapping[str, Array], graph: Graph) -> dict[str, Array]:
    """What of the state the graph has as parameters."""
    return {p.path: state[p.path] for p in graph.parameters if p.path in state}


def _scalars(results: Mapping[str, Any]) -> Numbers:
    """The results that are single numbers; a confusion matrix cannot be averaged or drawn."""
    return {
        name: float(value)
        for name, value in results.items()
        if isinstance(value, float) or np.ndim(value) == 0
    }
