"""Training a model on a data set, from the file to the trained ONNX."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nncomp.autodiff.rematerialize import Memory, Rematerialized
from nncomp.dims import Dim
from nncomp.driver.building import build
from nncomp.driver.compiling import (
    TargetName,
    compiled_step,
    data_inputs,
    rates,
    section_of,
)
from nncomp.driver.learners import make_learner
from nncomp.errors import error
from nncomp.files import PathLike
from nncomp.lower.program import Program
from nncomp.training.curves import draw_curves
from nncomp.training.data import DataSet, load_data
from nncomp.training.trainer import BEST, Options, Outcome, Reporter, Trainer
from nncomp.types import Array, TensorType

CURVE = "curve.png"


@dataclass(frozen=True)
class Trained:
    """A finished training: what it gave, and the files of it.

    built: the trained model; None if the model can only be trained
    fallbacks: operators of the step that a CUDA run left to the CPU
    memory: what recomputing saved, where a budget was given
    """

    data: DataSet
    outcome: Outcome
    curve: Path
    checkpoint: Path
    built: Path | None
    fallbacks: list[str]
    memory: Rematerialized | None = None


def data_for(program: Program, spec: str, section: str | None = None) -> DataSet:
    """A data set fitted to the inputs of a train section. Raises CompileError NN0501."""
    _, chosen = section_of(program, section)
    return load_data(spec, data_inputs(chosen.step))


def train(
    program: Program,
    state: Mapping[str, Array],
    data: DataSet,
    options: Options,
    folder: PathLike,
    *,
    section: str | None = None,
    lr: float | None = None,
    backend: str = "onnx",
    device: str = "cpu",
    target: TargetName = "onnx",
    resume: bool = False,
    reporter: Reporter | None = None,
    memory_budget: int | None = None,
) -> Trained:
    """Trains and writes into the folder: `log.jsonl`, `best.safetensors`, `last.safetensors`,
    `curve.png`, and `NAME.onnx` with the best weights.

    state: where to start; lr: the learning rate, the model's own if not given
    memory_budget: bytes that the activations of a step may take; others are computed again
    Raises CompileError.
    """
    _, chosen = section_of(program, section)
    own = rates(chosen.step)
    if lr is not None:
        if not own:
            raise error("NN0403", "the training step takes no learning rate")
        own = dict.fromkeys(own, lr)
    _check_batch(data_inputs(chosen.step), options.batch_size)
    memory = None
    if memory_budget:
        memory = Memory(memory_budget, _sizes(data_inputs(chosen.step), data, options.batch_size))
    step = compiled_step(chosen, memory)
    learner = make_learner(
        step,
        state,
        seed=options.seed,
        backend=backend,
        device=device,
        target=target,
        batch=None if target == "onnx" else options.batch_size,
    )
    root = Path(folder)
    options = dataclasses.replace(options, rates=own)
    outcome = Trainer(learner, data, options, root, reporter).run(resume)
    title = f"{program.name} on {data.name}"
    draw_curves(outcome.records, root / CURVE, title, outcome.test)
    built = None
    if program.graph.outputs:
        built = root / f"{program.name.lower()}.onnx"
        build(program, {**state, **outcome.best}, built)
    return Trained(
        data, outcome, root / CURVE, root / BEST, built, learner.fallbacks(), step.memory
    )


def _sizes(inputs: Mapping[str, TensorType], data: DataSet, batch: int) -> dict[str, int]:
    """Of the dims that stand alone in the inputs' types: those of a batch of this data."""
    found: dict[str, int] = {}
    for name, type in inputs.items():
        shape = (batch, *data.train[name].shape[1:])
        for dim, size in zip(type.shape, shape, strict=True):
            if isinstance(dim, Dim) and dim.symbol is not None:
                found[dim.symbol.name] = size
    return found


def _check_batch(inputs: Mapping[str, TensorType], size: int) -> None:
    """The first dims must leave the batch size open: the last batch of an epoch is smaller."""
    for name, type in inputs.items():
        if isinstance(type.shape[0], int):
            raise error(
                "NN0501",
                f"the input `{name}: {type}` fixes the batch size",
                help=f"write a name instead of {type.shape[0]}: `{type.dtype}[N, …]`",
            )
