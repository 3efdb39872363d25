"""From programs to graphs that are optimised, and from graphs to ONNX models."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nncomp.autodiff.expand import expand_gradients
from nncomp.autodiff.rematerialize import Memory, Rematerialized, rematerialize
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.driver.programs import graphs
from nncomp.errors import CompileError, did_you_mean, error, require_count
from nncomp.files import PathLike
from nncomp.ir.bind import bind
from nncomp.ir.bind_dims import bind_dims
from nncomp.ir.graph import Graph
from nncomp.lower.program import Program, TrainSection
from nncomp.passes.manager import OptimizeResult, optimize_step, run_passes
from nncomp.passes.selection import Plan, plan_of
from nncomp.renaming import Rename, idle, renamed, rules_of
from nncomp.training.results import losses
from nncomp.training.variants import is_variant_state
from nncomp.types import Array, TensorType
from nncomp.weights import fit, load_weights

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Step:
    """A training step: gradients expanded, optimised; and its evaluation, optimised.

    memory: what recomputing saves, where a budget was given
    """

    step: Graph
    evaluation: Graph
    memory: Rematerialized | None = None


def initial_values(program: Program, seed: int = 0) -> dict[str, Array]:
    """The first value of every parameter, buffer and optimiser state, by path."""
    given = {value.name: seed for value in program.initial.inputs}
    return run(program.initial, {n: _scalar(v) for n, v in given.items()}).outputs


def state_of(
    program: Program,
    weights: PathLike | None,
    seed: int = 0,
    *,
    training: bool = True,
    rename: Rename | None = None,
) -> dict[str, Array]:
    """Values for every path of the program: initial ones, replaced by those of a weights file.

    training: whether states of the program's optimisers in the file matter; those of others, with
        which the file was trained, never do
    rename: from the names of the file; see `nncomp.renaming`
    Raises CompileError NN0001; NN0502 if a learnt parameter or buffer is missing in the file, or
    the file holds something else.
    """
    state = initial_values(program, seed)
    if weights is None:
        return state
    file = load_weights(weights)
    rules = {} if rename is None else rules_of(rename)
    given = renamed(file, rules)
    parameters = {p.path: p for graph in graphs(program) for p in graph.parameters}

    def idle_state(path: str) -> bool:
        if training and path in parameters:
            return False
        return _is_state(path, given) or (path not in parameters and is_variant_state(path))

    given = {path: array for path, array in given.items() if not idle_state(path)}
    wanted = [p for p in parameters.values() if p.kind != "state" or p.path in given]
    try:
        return state | fit(given, wanted, settings=program.settings)
    except CompileError as failure:
        raise CompileError(*idle(file, rules), *failure.diagnostics) from None


def _is_state(path: str, given: Collection[str]) -> bool:
    """Whether it is the path of an optimiser's state, like `adam.conv1.weight.m`, `rules.0.bias.m`:
    that of another tensor between the optimiser's and one more name."""
    parts = path.split(".")
    return any(".".join(parts[i:-1]) in given for i in range(1, len(parts) - 1))


def entry_of(program: Program, name: str | None) -> Graph:
    """The inference graph, or that of an entry, its gradients expanded. Raises CompileError
    NN0306, NN0401."""
    if name is None:
        if not program.graph.outputs:
            raise error(
                "NN0306",
                f"{program.name} has no output: all that there is of it is its training",
                help="`--train` takes the training step; inference needs an `output name = …`",
            )
        return expand_gradients(program.graph)
    if name not in program.entries:
        known = ", ".join(f"`{entry}`" for entry in program.entries) or "none"
        raise error(
            "NN0306",
            f"{program.name} has no entry `{name}`; it has {known}",
            help=did_you_mean(name, program.entries),
        )
    return expand_gradients(program.entries[name])


def section_of(program: Program, name: str | None = None) -> tuple[str, TrainSection]:
    """The train section of that name, or the first. Raises CompileError NN0403."""
    if not program.train:
        raise error(
            "NN0403",
            f"{program.name} has no `train` section",
            help="add `train { minimize … by … }`"
            if program.original is None
            else "say what the model is to learn: `--loss cross_entropy`",
        )
    if name is None:
        return next(iter(program.train.items()))
    if name not in program.train:
        known = ", ".join(f"`{section}`" for section in program.train)
        raise error(
            "NN0403",
            f"{program.name} has no train section `{name}`; it has {known}",
            help=did_you_mean(name, program.train),
        )
    return name, program.train[name]


def optimized(graph: Graph, weights: Mapping[str, Array], level: int | Plan = 2) -> OptimizeResult:
    """An inference graph with its weights as constants, after the passes of a level or plan."""
    own = {p.path: weights[p.path] for p in graph.parameters if p.path not in graph.updates}
    plan = plan_of(level)
    return run_passes(bind(graph, own), plan.passes, evaluate, plan.on_pass)


def compiled_step(section: TrainSection, memory: Memory | None = None) -> Step:
    """Gradients expanded, both graphs optimised; with a memory budget, activations recomputed.
    Raises CompileError NN0401, NN0405."""
    step = optimize_step(expand_gradients(section.step), evaluate).graph
    evaluation = optimize_step(expand_gradients(section.evaluation), evaluate).graph
    if memory is None:
        return Step(step, evaluation)
    lost = [step.outputs[name] for name in losses(step.outputs)]
    saved = rematerialize(step, memory, lost)
    return Step(saved.graph, evaluation, saved)


def compiled_evaluation(section: TrainSection) -> Graph:
    """Losses, metrics and the model's outputs, optimised. Raises CompileError NN0401."""
    return optimize_step(expand_gradients(section.whole_evaluation), evaluate).graph


TargetName = Literal["onnx", "onnxruntime-cpu"]
TARGETS: tuple[TargetName, ...] = ("onnx", "onnxruntime-cpu")


def onnx_model(
    graph: Graph,
    opset: int | None = None,
    device: str = "cpu",
    target: TargetName = "onnx",
    predictions: Collection[str] = (),
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """The graph as an ONNX model.

    device: whose speeds choose between formulas
    target: "onnx" for standard operators, which run everywhere; "onnxruntime-cpu" for those of
        onnxruntime's blocked layout too, which run on processors like this one
    predictions: the outputs of an evaluation that are the model's own
    metadata: further `metadata_props` of the model
    Raises CompileError NN0601, NN0602 (the target is not available), NN0603.
    """
    from nncomp.backends.ort.emit import emit

    lost = [name for name in losses(graph.outputs) if name not in predictions]
    return emit(
        _legal(graph, opset, device, target),
        opset=opset,
        metadata=metadata,
        losses=lost,
        predictions=tuple(predictions),
    )


def require_expressible(graph: Graph) -> None:
    """That `onnx_model` writes the graph. Raises CompileError NN0601, NN0603."""
    from nncomp.backends.ort.versions import choose_opset

    choose_opset(_legal(graph), None)


def _legal(
    graph: Graph, opset: int | None = None, device: str = "cpu", target: TargetName = "onnx"
) -> Graph:
    """The graph in operators that can be written. For arguments and errors see `onnx_model`."""
    from nncomp.backends.ort.legalize import Target, legalize

    if target not in TARGETS:
        known = ", ".join(f"`{name}`" for name in TARGETS)
        raise error("NN0602", f"there is no target `{target}`; there are {known}")
    if target == "onnx":
        return legalize(graph, Target("cuda" if device == "cuda" else "cpu", opset))
    from nncomp.backends.ort.blocked.processor import block_size

    if device != "cpu":
        raise error("NN0602", f"the target `{target}` does not run on {device}")
    return legalize(graph, Target("cpu", opset, block_size()))


def sized(step: Graph, batch_size: int | None) -> Graph:
    """The step for batches of that size only, if one is given: the first axis of the first input
    from the data. CompileError NN0501 if that axis has another size, or is no lone symbol."""
    if batch_size is None:
        return step
    batch_size = require_count("batch_size", batch_size)
    for name, type_ in data_inputs(step).items():
        size = type_.shape[0] if type_.rank else 1
        symbol = None if isinstance(size, int) else size.symbol
        if symbol is not None:
            return bind_dims(step, {symbol: batch_size})
        if size == batch_size:
            return step
        raise error("NN0501", f"batches of `{name}: {type_}` cannot have {batch_size} samples")
    return step


def data_inputs(step: Graph) -> dict[str, TensorType]:
    """What a training step is fed from a data set: all but hyperparameters and counters."""
    return {
        value.name: value.type
        for value in step.inputs
        if value.name not in step.defaults and value.name not in COUNTERS
    }


COUNTERS = ("step", "seed")


def rates(step: Graph) -> dict[str, float]:
    """The learning rates of a step graph with their defaults, by input."""
    return {
        name: float(value)
        for name, value in step.defaults.items()
        if name == "lr" or name.endswith(".lr")
    }


def _scalar(value: int) -> Array:
    import numpy as np

    try:
        return np.array(value, np.int64)
    except OverflowError:
        raise error("NN0005", f"the seed {value} does not fit into 64 bits") from None
