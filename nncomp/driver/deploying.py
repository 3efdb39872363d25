"""Models in float16 or 8-bit integers: made, and measured beside what they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference import interpreter
from nncomp.deployment.accuracy import Accuracy, Comparison, MetricChange
from nncomp.deployment.float16 import Narrowed, narrowed
from nncomp.deployment.metrics import of_outputs
from nncomp.driver.compiling import COUNTERS, data_inputs, onnx_model, section_of
from nncomp.driver.verifying import backends
from nncomp.equivalence.feeds import feeds_for
from nncomp.errors import CompileError, error, require_choice
from nncomp.ir.graph import Graph, Node, Value
from nncomp.lower.program import Program
from nncomp.training.data import Data, DataSet, Split, load_data, size_of
from nncomp.training.ranges import ranges
from nncomp.training.sources import Reading
from nncomp.types import Array, TensorType

if TYPE_CHECKING:
    import onnx

    from nncomp.backends.ort.quantize import Quantized
    from nncomp.backends.ort.session import Session

_BATCH = 32
Dtype = Literal["float32", "float16"]


@dataclass(frozen=True)
class Deployment:
    """How a model is to be computed where it runs.

    dtype: float16 for what is not safer in float32
    io: in which dtype inputs and outputs are; float16 only with `dtype`
    quantize: int8: products in 8-bit integers; with calibration data their ranges are fixed
    calibration: what `nncomp train --data` takes: to find ranges on, and to measure
    samples: at most so many are used for each
    """

    dtype: Dtype = "float32"
    io: Dtype = "float32"
    quantize: Literal["int8"] | None = None
    calibration: Data | None = None
    reading: Reading = field(default_factory=Reading)
    samples: int = 256

    @property
    def changes(self) -> bool:
        return self.dtype == "float16" or self.quantize is not None

    @property
    def asked(self) -> str:
        """The option that asks for less precision."""
        return f"`--quantize {self.quantize}`" if self.quantize else f"`--dtype {self.dtype}`"


@dataclass(frozen=True)
class Deployed:
    """A model in less precision.

    before: bytes of the model as float32
    float16, int8: what was done; one of them
    """

    model: onnx.ModelProto = field(repr=False)
    before: int
    accuracy: Accuracy
    float16: Narrowed | None = None
    int8: Quantized | None = None


def require_sense(wanted: Deployment) -> None:
    """Raises CompileError NN0606 for what contradicts itself, NN0202 for what there is not."""
    for name, given in (("dtype", wanted.dtype), ("io", wanted.io)):
        require_choice(name, given, get_args(Dtype))
    require_choice("quantize", wanted.quantize, (None, "int8"))
    if wanted.dtype == "float16" and wanted.quantize:
        raise error("NN0606", "a model is either float16 or quantised, not both")
    if wanted.io == "float16" and wanted.dtype != "float16":
        raise error(
            "NN0606", "inputs and outputs in float16 are for models in float16", help="`--dtype`"
        )
    if wanted.calibration is not None and not wanted.changes:
        raise error(
            "NN0606",
            "calibration data is for models in less precision",
            help="with `--dtype float16` or `--quantize int8`",
        )


def deploy(
    program: Program,
    graph: Graph,
    state: Mapping[str, Array],
    wanted: Deployment,
    opset: int | None = None,
) -> Deployed:
    """The optimised graph as it is wanted, as ONNX, and how far its answers are from before.

    Raises CompileError NN0606; NN0501 for calibration data that does not fit; and as `onnx_model`.
    """
    before = onnx_model(graph, opset, metadata=program.metadata)
    samples = _samples(program, graph, wanted)
    half = integers = None
    if wanted.dtype == "float16":
        seen = _largest(graph, samples, state) if wanted.calibration is not None else None
        half = narrowed(graph, ports=wanted.io == "float16", seen=seen)
        model = onnx_model(half.graph, opset, metadata=program.metadata)
    else:
        from nncomp.backends.ort.quantize import quantized

        given = None if wanted.calibration is None else samples.calibration(graph, state)
        integers = quantized(before, given)
        model = integers.model
    accuracy = _measured(program, graph, state, before, model, samples)
    return Deployed(model, _bytes(before), accuracy, half, integers)


def _bytes(model: onnx.ModelProto) -> int:
    size: int = model.ByteSize()
    return size


@dataclass(frozen=True)
class _Samples:
    """Inputs to run a model on.

    name: in words; parts: batches to calibrate with and to measure on, by input name; those that
        are measured on have labels too, if `section` is not None
    """

    name: str
    fitted: Sequence[Mapping[str, Array]]
    measured: Sequence[Mapping[str, Array]]
    labelled: bool

    def calibration(
        self, graph: Graph, state: Mapping[str, Array]
    ) -> Iterator[Mapping[str, Array]]:
        """The batches as a compiled model of the graph takes them."""
        for batch in self.fitted:
            yield _given(graph, state, batch)


def _samples(program: Program, graph: Graph, wanted: Deployment) -> _Samples:
    features = {
        value.name: value.type for value in graph.inputs if value.name not in graph.defaults
    }
    if wanted.calibration is None:
        feeds, _ = feeds_for(graph, {}, backends(runtime=False), 0)
        batches = [feed.inputs for feed in feeds[:2]]
        return _Samples("random numbers", [], batches, labelled=False)
    data, labelled = _data(program, features, wanted)
    test = data.test if size_of(data.test) else data.validation
    test = test if size_of(test) else data.train
    fitted, measured = (
        list(_batches(part, features, wanted.samples)) for part in (data.train, test)
    )
    if not fitted or not measured:
        raise error("NN0501", f"{data.name} has too few samples for one batch of the model")
    count = min(size_of(test), wanted.samples)
    return _Samples(f"{count} samples of {data.name}", fitted, measured, labelled)


def _data(
    program: Program, features: Mapping[str, TensorType], wanted: Deployment
) -> tuple[DataSet, bool]:
    """The data set, and whether it has what the losses and metrics of the model take."""
    assert wanted.calibration is not None
    if program.train:
        _, section = section_of(program)
        inputs = {**data_inputs(section.step), **features}
        try:
            return _loaded(wanted, inputs, section.step), True
        except CompileError:  # without labels: then only the model's inputs are wanted
            pass
    return _loaded(wanted, features, None), False


def _loaded(wanted: Deployment, inputs: Mapping[str, TensorType], step: Graph | None) -> DataSet:
    assert wanted.calibration is not None
    limits = None if step is None else ranges(step)
    split = Split(0.5, 0.0, 0.5)
    return load_data(wanted.calibration, inputs, split=split, limits=limits, reading=wanted.reading)


def _batches(
    part: Mapping[str, object], features: Mapping[str, TensorType], most: int
) -> Iterator[Mapping[str, Array]]:
    fixed = [t.shape[0] for t in features.values() if t.rank and isinstance(t.shape[0], int)]
    size = fixed[0] if fixed else _BATCH
    assert isinstance(size, int)
    count = min(size_of(part), most)  # type: ignore[arg-type]
    ends = range(size, count + 1, size) if fixed else [*range(size, count, size), count]
    for end in ends:
        start = (end - 1) // size * size
        yield {name: np.asarray(a[start:end]) for name, a in part.items()}  # type: ignore[index]


def _given(
    graph: Graph, state: Mapping[str, Array], batch: Mapping[str, Array]
) -> dict[str, Array]:
    """What a compiled model of the graph takes: what it updates are inputs too."""
    given = {p.path: state[p.path] for p in graph.parameters}
    for value in graph.inputs:
        default = graph.defaults.get(value.name)
        given[value.name] = (
            batch[value.name] if default is None else np.array(default, value.type.dtype.numpy)
        )
    return given


def _largest(graph: Graph, samples: _Samples, state: Mapping[str, Array]) -> dict[Value, float]:
    """The largest number that each value of the graph has on the samples."""
    seen: dict[Value, float] = {}

    def note(values: Sequence[Value], arrays: Sequence[Array]) -> None:
        for value, array in zip(values, arrays, strict=False):
            if array.dtype == np.float32 and array.size:
                sizes = np.abs(array)
                largest = float(sizes.max(initial=0.0, where=np.isfinite(sizes)))
                seen[value] = max(largest, seen.get(value, 0.0))

    def watch(node: Node, inputs: Sequence[Value | None], results: Sequence[Array]) -> None:
        note(node.outputs, results)

    parameters = {p.path: state[p.path] for p in graph.parameters}
    inputs = [value for value in graph.inputs if value.name not in graph.defaults]
    for batch in samples.fitted:
        own = {value.name: batch[value.name] for value in inputs}
        note(inputs, list(own.values()))
        interpreter.run(graph, own, parameters, watch)
    return seen


def _measured(
    program: Program,
    graph: Graph,
    state: Mapping[str, Array],
    before: onnx.ModelProto,
    after: onnx.ModelProto,
    samples: _Samples,
) -> Accuracy:
    from nncomp.backends.ort.session import Session

    sessions = [Session(before), Session(after)]
    comparison = Comparison()
    metrics = _Metrics.of(program, graph, state) if samples.labelled else None
    for batch in samples.measured:
        given = _given(graph, state, batch)
        wanted, found = (_run(session, given) for session in sessions)
        comparison.add(
            {name: found[name] for name in graph.outputs},
            {name: wanted[name] for name in graph.outputs},
        )
        if metrics is not None:
            metrics.add(batch, wanted, found)
    changes, notes = ((), ()) if metrics is None else (metrics.changes(), metrics.notes)
    return Accuracy(samples.name, comparison.changes(), changes, notes)


def _run(session: Session, given: Mapping[str, Array]) -> dict[str, Array]:
    taken = {
        name: array.astype(session.inputs[name].dtype.numpy) if array.dtype.kind == "f" else array
        for name, array in given.items()
    }
    return session.run(taken)


class _Metrics:
    """Losses and metrics of a model, from its outputs and the labels, in NumPy."""

    def __init__(self, graph: Graph, parameters: Mapping[str, Array], notes: tuple[str, ...]):
        self.graph = graph
        self.notes = notes
        self._parameters = parameters
        self._names = [v.name for v in graph.inputs if v.name not in graph.defaults]
        self._sums = {name: [0.0, 0.0] for name in graph.outputs}
        self._samples = 0

    @staticmethod
    def of(program: Program, graph: Graph, state: Mapping[str, Array]) -> _Metrics:
        _, section = section_of(program)
        whole = expand_gradients(section.whole_evaluation)
        predictions = {n: whole.outputs[n] for n in section.predictions if n in graph.outputs}
        rest = {n: v for n, v in whole.outputs.items() if n not in section.predictions}
        features = [value.name for value in graph.inputs]
        found, left = of_outputs(replace(whole, outputs=rest), predictions, features)
        notes = [f"{name} is not computed of the outputs alone" for name in left]
        parameters = {p.path: state[p.path] for p in found.parameters}
        return _Metrics(found, parameters, tuple(notes))

    def add(
        self, batch: Mapping[str, Array], before: Mapping[str, Array], after: Mapping[str, Array]
    ) -> None:
        count = len(next(iter(batch.values())))
        self._samples += count
        counters = dict.fromkeys(COUNTERS, np.array(0, np.int64))
        for which, outputs in enumerate((before, after)):
            given = {**counters, **batch, **outputs}
            own = {
                v.name: given[v.name].astype(v.type.dtype.numpy)
                for v in self.graph.inputs
                if v.name in self._names
            }
            for name, array in interpreter.run(self.graph, own, self._parameters).outputs.items():
                self._sums[name][which] += float(array) * count

    def changes(self) -> tuple[MetricChange, ...]:
        count = max(self._samples, 1)
        return tuple(
            MetricChange(name, before / count, after / count)
            for name, (before, after) in self._sums.items()
        )
