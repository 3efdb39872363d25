"""The Python API: a model with its weights, to be run, trained and built."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from nncomp.autodiff.rematerialize import memory_of
from nncomp.driver.arguments import require_no_step, split_of, variant_of
from nncomp.driver.building import BuildResult, build
from nncomp.driver.compiling import (
    TargetName,
    compiled_step,
    entry_of,
    optimized,
    section_of,
    state_of,
)
from nncomp.driver.deploying import Deployment, Dtype
from nncomp.driver.importing import open_file
from nncomp.driver.learners import make_learner
from nncomp.driver.notebook import register, signature
from nncomp.driver.programs import KINDS, load_program
from nncomp.driver.running import Backend, Device, open_session, require_place, run_numpy, run_onnx
from nncomp.driver.stepping import TrainingStep, require_named
from nncomp.driver.train import Trained, samples_for, train
from nncomp.files import PathLike
from nncomp.ir.drawn import Bundle
from nncomp.ir.graph import Graph
from nncomp.lower.objective import Objective
from nncomp.lower.program import Program
from nncomp.renaming import Rename
from nncomp.training.data import Data
from nncomp.training.feed import Batches
from nncomp.training.options import options_of
from nncomp.training.reporter import Reporter
from nncomp.training.variants import Precision
from nncomp.types import Array
from nncomp.weights import save_weights

if TYPE_CHECKING:
    from nncomp.backends.ort.session import Session


register()


def load(
    path: PathLike,
    model: str | None = None,
    *,
    weights: PathLike | None = None,
    rename: Rename | None = None,
    seed: int = 0,
    with_inputs: Collection[str] = (),
    objective: Objective | str | None = None,
    **settings: Any,
) -> Model:
    """Loads a model of a `.nn` file: `nncomp.load("models/lenet5.nn", classes=10)`; or an ONNX
    model, `nncomp.load("model.onnx")`.

    model: its name; without, the first of the file
    weights: a `.safetensors` or `.npz` file; without, initial values are drawn from `seed`
    rename: the names of that file, if they are foreign: replacements by pattern,
        `{"^bert[.]": ""}`, or the path of a JSON file of them; see `nncomp.renaming`
    with_inputs: optional inputs that the model is to have, when it is built and trained
    objective: what an ONNX model is to learn; a text is a loss, `"cross_entropy"`
    settings: the model's hyperparameters
    Raises CompileError.
    """
    return Model(
        path,
        model,
        settings,
        weights=weights,
        rename=rename,
        seed=seed,
        with_inputs=with_inputs,
        objective=objective,
    )


class Model:
    """A compiled model with values for its parameters.

    source: the text that it is compiled from, or the ONNX file
    """

    def __init__(
        self,
        path: PathLike,
        model: str | None = None,
        settings: Mapping[str, Any] | None = None,
        *,
        weights: PathLike | None = None,
        rename: Rename | None = None,
        seed: int = 0,
        with_inputs: Collection[str] = (),
        objective: Objective | str | None = None,
    ) -> None:
        wanted = Objective(objective) if isinstance(objective, str) else objective
        self.source = open_file(path)
        self._load = partial(
            load_program, self.source, model, settings, KINDS, with_inputs, objective=wanted
        )
        self.program = self._load()
        self.seed = seed
        self._weights, self._rename = weights, rename
        self._variants: dict[frozenset[str], Program] = {}
        self._state = state_of(self.program, weights, seed, rename=rename)
        self._training: TrainingStep | None = None
        self._compiled: dict[tuple[Any, ...], Any] = {}

    def __repr__(self) -> str:
        return f"<nncomp.Model {self.name}{signature(self.inputs, self.outputs)}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        """The picture and the table of blocks, for a notebook."""
        return self.program._repr_mimebundle_()

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def graph(self) -> Graph:
        """The inference graph as it is written, before any pass."""
        return self.program.graph

    @property
    def inputs(self) -> dict[str, str]:
        """The types of the inference inputs by name: `{"image": "f32[N, 1, 28, 28]"}`."""
        return {value.name: str(value.type) for value in self.graph.inputs}

    @property
    def outputs(self) -> dict[str, str]:
        """The types of the inference outputs by name."""
        return {name: str(value.type) for name, value in self.graph.outputs.items()}

    @property
    def state(self) -> dict[str, Array]:
        """All parameters, buffers and optimiser states by path, as the last training step left
        them."""
        step = self._training
        if step is not None and step.fresh:
            self._state |= step.learner.state()
            step.fresh = False
            self._compiled.clear()
        return dict(self._state)

    @property
    def parameters(self) -> dict[str, Array]:
        """The parameters and buffers of the inference graph by path (copies)."""
        state = self.state
        return {p.path: state[p.path].copy() for p in self.graph.parameters}

    def __call__(self, *unnamed: Any, **inputs: Any) -> dict[str, Array]:
        """The outputs by name: `model(image=x)["logits"]`. Runs in onnxruntime, on the CPU.
        Optional inputs that are given are those that the graph has.

        Raises CompileError NN0503 if an input does not fit, or has no name.
        """
        require_named(unnamed, self.inputs)
        return self.run(inputs)

    def run(
        self,
        inputs: Mapping[str, Any],
        *,
        backend: Backend = "onnx",
        device: Device = "cpu",
        entry: str | None = None,
        level: int = 2,
    ) -> dict[str, Array]:
        """The outputs of the model, or of one of its entries, by name.

        level: of optimisation, 0 to 3
        Raises CompileError NN0503, NN0602 (the device is not available), NN0604.
        """
        require_place(backend, device)
        graph = self._optimized(entry, level, inputs)
        if backend == "numpy":
            return run_numpy(graph, self.state, inputs)
        session = self.session(device=device, entry=entry, level=level, given=inputs)
        return run_onnx(session, graph, self.state, inputs)

    def session(
        self,
        *,
        device: Device = "cpu",
        entry: str | None = None,
        level: int = 2,
        optimize: bool = True,
        given: Collection[str] = (),
    ) -> Session:
        """The compiled model in onnxruntime, with the present weights.

        level: of our optimisation; optimize: whether onnxruntime's own follows
        given: names of inputs, the optional ones among which it has
        """
        graph = self._optimized(entry, level, given)
        key = ("session", id(graph), device, optimize)
        if key not in self._compiled:
            self._compiled[key] = open_session(graph, device, optimize)
        session: Session = self._compiled[key]
        return session

    def _optimized(self, entry: str | None, level: int, given: Collection[str]) -> Graph:
        program, state = self._variant(given), self.state
        key = ("graph", id(program), entry, level)
        if key not in self._compiled:
            self._compiled[key] = optimized(entry_of(program, entry), state, level).graph
        graph: Graph = self._compiled[key]
        return graph

    def _variant(self, given: Collection[str]) -> Program:
        """The program with the optional inputs among those given. What parameters it has beyond
        the others' start as those do."""
        chosen = frozenset(given).intersection(self.program.optional)
        if not chosen:
            return self.program
        if chosen not in self._variants:
            self._variants[chosen] = program = self._load(chosen)
            fresh = state_of(program, self._weights, self.seed, rename=self._rename)
            self._state = fresh | self._state
        return self._variants[chosen]

    def build(
        self,
        path: PathLike,
        *,
        train: bool = False,
        entry: str | None = None,
        level: int = 2,
        opset: int | None = None,
        memory_budget: int | None = None,
        sizes: Mapping[str, int] | None = None,
        target: TargetName = "onnx",
        batch_size: int | None = None,
        freeze: Sequence[str] = (),
        average: float | None = None,
        accumulate: int = 1,
        trainable: Sequence[str] = (),
        precision: Precision = "float32",
        dtype: Dtype = "float32",
        io: Dtype = "float32",
        quantize: Literal["int8"] | None = None,
        calibration: Data | None = None,
        external_data: bool | None = None,
    ) -> BuildResult:
        """Writes the model as ONNX, with the present weights.

        train: writes `NAME.train.onnx`, `NAME.eval.onnx`, `NAME.init.safetensors` beside it
        opset: the lowest from 17 on that expresses the graph, if not given
        memory_budget, sizes, target: of the training step; see `training_step`
        batch_size: of the training step, the only size that it takes then
        freeze, average, accumulate, trainable, precision: see `nncomp.training.variants.Variant`
        dtype, io, quantize, calibration: of the inference model; see
            `nncomp.driver.deploying.Deployment`. The result's `deployed` says what they change
        external_data: whether weights lie beside the model; see `nncomp.driver.building.build`
        Raises CompileError NN0001, NN0202 (of the training step, without `train`), NN0601, NN0602,
        NN0403 (nothing to train), NN0404 (gradients cannot be accumulated), NN0405, NN0606.
        """
        memory = memory_of(memory_budget, sizes)
        variant = variant_of(freeze, average, accumulate, trainable, precision)
        if not train:
            given = {"memory_budget": memory, "sizes": sizes, "batch_size": batch_size}
            require_no_step(variant, target, given)
        return build(
            self.program,
            self.state,
            path,
            train=train,
            entry=entry,
            level=level,
            opset=opset,
            memory=memory,
            target=target,
            batch_size=batch_size,
            variant=variant,
            deployment=Deployment(dtype, io, quantize, calibration),
            external_data=external_data,
        )

    def save(self, path: PathLike) -> None:
        """Writes the present parameters and buffers as safetensors (or npz, by the suffix)."""
        save_weights(path, self.parameters)

    def train(
        self,
        data: Data | Batches | Callable[[int], Batches],
        folder: PathLike,
        *,
        validation: Data | None = None,
        split: tuple[float, float, float] = (0.7, 0.1, 0.2),
        steps: int | None = None,
        section: str | None = None,
        lr: float | None = None,
        backend: Backend = "onnx",
        device: Device = "cpu",
        target: TargetName = "onnx",
        memory_budget: int | None = None,
        resume: bool = False,
        reporter: Reporter | None = None,
        freeze: Sequence[str] = (),
        average: float | None = None,
        accumulate: int = 1,
        trainable: Sequence[str] = (),
        precision: Precision = "float32",
        **options: Any,
    ) -> Trained:
        """Trains, as `nncomp train` does; the model then has the best weights.

        data: what `--data` takes; arrays by name; or batches: an iterable of mappings by input name
            (or of tuples), or a function that gives one for the number of the epoch, from 1
        folder: gets the log, the checkpoints, the curves and the trained model
        validation: where `data` does not hold it, in the same forms but batches
        split: shares to train, to validate, to test, of what `data` does not divide itself
        steps: of an epoch of batches
        section, memory_budget, target: see `training_step`
        lr: the learning rate, the model's own if not given
        freeze, average, accumulate, trainable, precision: see `nncomp.training.variants.Variant`
        options: the fields of `nncomp.training.options.Options`: `epochs`, `batch_size`, …
        Raises CompileError.
        """
        chosen = options_of({"seed": self.seed, **options})
        found, stream = samples_for(
            self.program, data, section, validation=validation, split=split_of(split), steps=steps
        )
        trained = train(
            self.program,
            self.state,
            found,
            chosen,
            folder,
            stream=stream,
            section=section,
            lr=lr,
            backend=backend,
            device=device,
            target=target,
            memory_budget=memory_budget,
            resume=resume,
            reporter=reporter,
            variant=variant_of(freeze, average, accumulate, trainable, precision),
        )
        self._state |= {path: a for path, a in trained.outcome.best.items() if path in self._state}
        self._training = None
        self._compiled.clear()
        return trained

    def training_step(
        self,
        section: str | None = None,
        *,
        backend: Backend = "onnx",
        device: Device = "cpu",
        memory_budget: int | None = None,
        sizes: Mapping[str, int] | None = None,
        target: TargetName = "onnx",
        batch_size: int | None = None,
        threads: int | None = None,
        freeze: Sequence[str] = (),
        average: float | None = None,
        accumulate: int = 1,
        trainable: Sequence[str] = (),
        precision: Precision = "float32",
    ) -> TrainingStep:
        """A callable that takes one training step on a batch; see `TrainingStep`.

        section: the name of a train block; without, the first
        memory_budget: bytes that activations may take at once; beyond, they are computed again
        sizes: for which the budget is, of the dims that the inputs leave open: `{"N": 64}`
        target: "onnxruntime-cpu" uses operators of onnxruntime's own, faster with convolutions
        batch_size: the usual size of a batch; others run too, through a graph for any size
        threads: of onnxruntime, one a core if not given
        freeze, average, accumulate, trainable, precision: see `nncomp.training.variants.Variant`
        The model's own parameters follow the step's.
        Raises CompileError NN0403 (nothing to train), NN0401, NN0405, NN0602.
        """
        _, chosen = section_of(self.program, section)
        variant = variant_of(freeze, average, accumulate, trainable, precision)
        chosen = replace(chosen, step=variant.of(chosen.step))
        learner = make_learner(
            compiled_step(chosen, memory_of(memory_budget, sizes)),
            variant.state(chosen.step, self.state),
            seed=self.seed,
            backend=backend,
            device=device,
            target=target,
            batch_size=batch_size,
            threads=threads,
        )
        self._training = TrainingStep(learner, chosen.step)
        return self._training
