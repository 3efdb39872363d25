"""Training a model on a data set, from the file to the trained ONNX."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from nncomp.autodiff.rematerialize import Memory, Rematerialized
from nncomp.dims import Dim
from nncomp.driver.building import build, write_model
from nncomp.driver.compiling import TargetName, compiled_step, data_inputs, rates, section_of
from nncomp.driver.diagnosing import first_bad_operator
from nncomp.driver.learners import make_learner
from nncomp.errors import error, require_number
from nncomp.files import PathLike
from nncomp.lower.program import Program
from nncomp.training.curves import draw_curves
from nncomp.training.data import Data, DataSet, Split, load_data
from nncomp.training.feed import ArrayFeed, Batches, StreamFeed
from nncomp.training.learner import Learner
from nncomp.training.options import Options
from nncomp.training.ranges import ranges
from nncomp.training.reporter import Reporter
from nncomp.training.sources import Reading
from nncomp.training.trainer import BEST, Outcome, Trainer
from nncomp.training.variants import Variant
from nncomp.training.workers import Workers, check_independent
from nncomp.types import Array, TensorType

CURVE = "curve"


@dataclass(frozen=True)
class Trained:
    """A finished training: what it gave, and the files of it.

    curves: the pictures; none without matplotlib
    built: the trained model; None if the model can only be trained
    fallbacks: operators of the step that a CUDA run left to the CPU
    memory: what recomputing saved, where a budget was given
    """

    data: DataSet
    outcome: Outcome
    curves: list[Path]
    checkpoint: Path
    built: Path | None
    fallbacks: list[str]
    memory: Rematerialized | None = None


def data_for(
    program: Program,
    data: Data,
    section: str | None = None,
    *,
    split: Split = Split(),  # noqa: B008 - frozen
    reading: Reading = Reading(),  # noqa: B008 - frozen
) -> DataSet:
    """A data set fitted to the inputs of a train section.

    data: what `nncomp train --data` takes, or arrays by name
    Raises CompileError NN0001, NN0501.
    """
    _, chosen = section_of(program, section)
    inputs, limits = data_inputs(chosen.step), ranges(chosen.step)
    return load_data(data, inputs, split=split, limits=limits, reading=reading)


def stream_for(
    program: Program,
    source: Batches | Callable[[int], Batches],
    section: str | None = None,
    *,
    steps: int | None = None,
) -> StreamFeed:
    """Batches of a Python iterable, checked against the inputs of a train section; see
    `StreamFeed`."""
    _, chosen = section_of(program, section)
    return StreamFeed(source, data_inputs(chosen.step), steps=steps, limits=ranges(chosen.step))


def samples_for(
    program: Program,
    data: Data | Batches | Callable[[int], Batches],
    section: str | None = None,
    *,
    validation: Data | None = None,
    split: Split = Split(),  # noqa: B008 - frozen
    steps: int | None = None,
) -> tuple[DataSet, StreamFeed | None]:
    """What a training run is fed from: a data set, or the batches of an iterable and a data set
    that holds what there is to validate.

    data: as for `data_for` or `stream_for`
    validation: its samples, where `data` does not hold them
    """
    whole = Split(1.0, 0.0, 0.0)
    if validation is not None and not _is_data(validation):
        raise error("NN0501", f"no samples to validate are {_kind(validation)}", help=_FORMS)
    held = data_for(program, validation, section, split=whole) if validation is not None else None
    if _is_data(data):
        if steps is not None:
            raise error("NN0202", "`steps` is of an epoch of batches; samples have their number")
        if held is None:
            return data_for(program, data, section, split=split), None
        rest = dataclasses.replace(split, train=split.train + split.validation, validation=0.0)
        found = data_for(program, data, section, split=rest)
        return dataclasses.replace(found, validation=held.train), None
    if not (callable(data) or isinstance(data, Iterable)):
        raise error("NN0501", f"no data is {_kind(data)}", help=_FORMS)
    feed = stream_for(program, data, section, steps=steps)
    return DataSet(feed.name, {}, held.train if held else {}, {}), feed


_FORMS = "data is a path, arrays by name, or batches: an iterable, or a function that makes one"


def _is_data(given: object) -> TypeGuard[Data]:
    """Whether it is what `--data` takes, or arrays by name."""
    return isinstance(given, str | os.PathLike | Mapping) or (
        isinstance(given, list | tuple) and all(isinstance(part, str) for part in given)
    )


def _kind(given: object) -> str:
    return "None" if given is None else f"of the type `{type(given).__name__}`"


def train(
    program: Program,
    state: Mapping[str, Array],
    data: DataSet,
    options: Options,
    folder: PathLike,
    *,
    stream: StreamFeed | None = None,
    section: str | None = None,
    lr: float | None = None,
    backend: str = "onnx",
    device: str = "cpu",
    target: TargetName = "onnx",
    resume: bool = False,
    reporter: Reporter | None = None,
    memory_budget: int | None = None,
    variant: Variant = Variant(),  # noqa: B008 - frozen
) -> Trained:
    """Trains and writes into the folder: `log.jsonl`, `best.safetensors`, `last.safetensors`,
    `curve.png`, `curve.svg`, and `NAME.onnx` with the best weights (of an imported model: the same
    model with other numbers).

    state: where to start; lr: the learning rate, the model's own if not given
    stream: the training batches, where they are not those of the data set
    memory_budget: bytes that the activations of a step may take; others are computed again
    variant: parameters frozen or averaged, gradients accumulated
    Raises CompileError.
    """
    _, chosen = section_of(program, section)
    chosen = dataclasses.replace(chosen, step=variant.of(chosen.step))
    state = variant.state(chosen.step, state)
    own = rates(chosen.step)
    if lr is not None:
        lr = require_number("lr", lr)
        if not own:
            raise error("NN0403", "the training step takes no learning rate")
        own = dict.fromkeys(own, lr)
    inputs = data_inputs(chosen.step)
    _check_batch(inputs, imported=program.original is not None)
    memory = None
    if memory_budget is not None:
        memory = Memory(memory_budget, _sizes(inputs, data, options.batch_size))
    step = compiled_step(chosen, memory)
    learners = [
        make_learner(
            step,
            state,
            seed=options.seed + i,
            backend=backend,
            device=device,
            target=target,
            batch_size=None if target == "onnx" or options.workers > 1 else options.batch_size,
            threads=max(1, (os.cpu_count() or 1) // options.workers)
            if options.workers > 1
            else None,
        )
        for i in range(options.workers)
    ]
    learner: Learner = learners[0]
    if options.workers > 1:
        check_independent(inputs)
        learner = Workers(learners, options.sync_every)
    root = Path(folder)
    options = dataclasses.replace(options, rates=own)
    feed = stream or ArrayFeed(
        data,
        options.batch_size,
        seed=options.seed,
        shuffle=options.shuffle,
        augmentation=options.augmentation,
        features=[value.name for value in program.graph.inputs] or None,
    )
    outcome = Trainer(
        learner,
        data,
        options,
        root,
        reporter,
        feed=feed,
        diagnose=lambda failure: first_bad_operator(chosen, failure, options.seed),
    ).run(resume)
    original = program.original
    title = f"{original.stem if original else program.name} on {feed.name}"
    curves = draw_curves(outcome.records, root / CURVE, title, outcome.test)
    built = None
    if original is not None:
        built = root / f"{original.stem}.onnx"
        write_model(built, original.with_weights({**state, **outcome.best}), original.external_data)
    elif program.graph.outputs:
        built = root / f"{program.name.lower()}.onnx"
        build(program, {**state, **outcome.best}, built)
    return Trained(data, outcome, curves, root / BEST, built, learner.fallbacks(), step.memory)


def _sizes(inputs: Mapping[str, TensorType], data: DataSet, batch_size: int) -> dict[str, int]:
    """Of the dims that stand alone in the inputs' types: those of a batch of this data."""
    found: dict[str, int] = {}
    for name, type in inputs.items():
        if name not in data.train:
            continue
        shape = (batch_size, *data.train[name].shape[1:])
        for dim, size in zip(type.shape, shape, strict=True):
            if isinstance(dim, Dim) and dim.symbol is not None:
                found[dim.symbol.name] = size
    return found


def _check_batch(inputs: Mapping[str, TensorType], *, imported: bool) -> None:
    """The first dims must leave the batch size open: the last batch of an epoch is smaller."""
    for name, type in inputs.items():
        if isinstance(type.shape[0], int):
            how = f"write a name instead of {type.shape[0]}: `{type.dtype}[N, …]`"
            if imported:
                how = f'export it for any batch: `dynamic_shapes={{"{name}": {{0: "batch"}}}}`'
            raise error(
                "NN0501",
                f"the input `{name}: {type}` fixes the batch size",
                help=how,
            )
