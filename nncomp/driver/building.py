"""Writing a model as ONNX files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nncomp.autodiff.rematerialize import Memory, Rematerialized
from nncomp.driver.compiling import (
    TargetName,
    compiled_evaluation,
    compiled_step,
    entry_of,
    onnx_model,
    optimized,
    section_of,
    sized,
)
from nncomp.driver.deploying import Deployed, Deployment, deploy, require_sense
from nncomp.errors import error
from nncomp.files import PathLike, write_atomic
from nncomp.lower.program import Program
from nncomp.passes.manager import OptimizeResult
from nncomp.passes.selection import Plan, plan_of
from nncomp.training.variants import Variant
from nncomp.types import Array
from nncomp.weights import save_weights

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Written:
    """One ONNX file: where it is, what stands in it, and where its weights are if not in it."""

    path: Path
    nodes: int
    opset: int
    bytes: int
    data: Path | None = None

    def __str__(self) -> str:
        size = f"{self.bytes / 1e6:.2f} MB" if self.bytes >= 10_000 else f"{self.bytes:,} B"
        return f"{self.path}: {self.nodes} nodes, opset {self.opset}, {size}"


@dataclass(frozen=True)
class BuildResult:
    """What was written.

    inference: None for a model that can only be trained
    steps: training steps by the name of their section
    evaluations: losses, metrics and the model's outputs, likewise
    initial: the state that training starts from
    saved: what recomputing activations saves, by section, where a budget was given
    deployed: what less precision changes of the inference model, where it was asked for
    notes: what was asked for and does not hold for all of it
    """

    inference: Written | None
    optimized: OptimizeResult | None = field(repr=False)  # pages long
    steps: Mapping[str, Written]
    evaluations: Mapping[str, Written]
    initial: Path | None
    saved: Mapping[str, Rematerialized] = field(default_factory=dict, repr=False)
    deployed: Deployed | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()


def build(
    program: Program,
    state: Mapping[str, Array],
    path: PathLike,
    *,
    train: bool = False,
    entry: str | None = None,
    level: int | Plan = 2,
    opset: int | None = None,
    memory: Memory | None = None,
    target: TargetName = "onnx",
    batch_size: int | None = None,
    variant: Variant = Variant(),  # noqa: B008 - frozen
    deployment: Deployment = Deployment(),  # noqa: B008 - frozen
    external_data: bool | None = None,
) -> BuildResult:
    """Compiles everything, then writes: `NAME.onnx`, and to train `NAME.train.onnx`,
    `NAME.eval.onnx` (with the section's name in both where there are several) and
    `NAME.init.safetensors`.

    memory: a budget for the activations of training steps
    target, batch_size: of the training steps (see `onnx_model`, `sized`). An inference model needs
        neither: onnxruntime brings its weights, being constants, into its own layout by itself
    variant: parameters frozen or averaged, gradients accumulated by the training steps
    deployment: in which precision the inference model computes
    external_data: whether weights lie beside each model, in `NAME.HASH.data`, which onnxruntime
        maps into memory. None: if those of an imported model do. More than 1 GiB always do
    Raises CompileError.
    """
    require_sense(deployment)
    has_inference = bool(entry or program.graph.outputs or not train)
    if deployment.changes and not has_inference:
        raise error(
            "NN0606",
            f"{program.name} has no outputs: training steps are all that there is to build, and"
            f" {deployment.asked} is for the inference model",
            help="`--precision mixed` trains in float16",
        )
    whole = Path(path)
    stem = whole.with_suffix("") if whole.suffix == ".onnx" else whole
    protos: dict[tuple[str, str], tuple[Path, onnx.ModelProto]] = {}
    saved: dict[str, Rematerialized] = {}
    result = deployed = None
    if has_inference:
        result = optimized(entry_of(program, entry), state, plan_of(level, opset))
        if deployment.changes:
            deployed = deploy(program, result.graph, state, deployment, opset)
            inference = deployed.model
        else:
            inference = onnx_model(result.graph, opset, metadata=program.metadata)
        protos["", ""] = whole, inference
    if train:
        section_of(program)
        used: set[str] = set()
        for name, section in program.train.items():
            base = stem.name if len(program.train) == 1 else f"{stem.name}.{name}"
            section = replace(section, step=variant.of(section.step))
            state = variant.state(section.step, state)
            used |= {p.path for g in (section.step, section.evaluation) for p in g.parameters}
            step = compiled_step(section, memory)
            if step.memory:
                saved[name] = step.memory
            proto = onnx_model(sized(step.step, batch_size), opset, target=target)
            protos["train", name] = stem.with_name(f"{base}.train.onnx"), proto
            whole_evaluation = compiled_evaluation(section)
            proto = onnx_model(whole_evaluation, opset, predictions=section.predictions)
            protos["eval", name] = stem.with_name(f"{base}.eval.onnx"), proto
    if external_data is None:
        external_data = program.original is not None and program.original.external_data
    written = {
        key: write_model(file, proto, external_data) for key, (file, proto) in protos.items()
    }
    initial = stem.with_name(stem.name + ".init.safetensors") if train else None
    if initial:  # without the optimiser's state of frozen parameters
        kept = used | {p.path for p in program.graph.parameters}
        save_weights(initial, {path: array for path, array in state.items() if path in kept})
    steps, evaluations = (
        {name: file for (which, name), file in written.items() if which == kind}
        for kind in ("train", "eval")
    )
    inference_file = written.get(("", ""))
    notes = _notes(deployment, variant) if train else ()
    return BuildResult(inference_file, result, steps, evaluations, initial, saved, deployed, notes)


def _notes(deployment: Deployment, variant: Variant) -> tuple[str, ...]:
    """What was asked of the inference model, and does not hold for the training step."""
    if not deployment.changes or variant.precision == "mixed":
        return ()
    return (
        f"the training step computes in float32: {deployment.asked} is for the inference model,"
        " `--precision mixed` trains in float16",
    )


def write_model(file: PathLike, proto: onnx.ModelProto, external_data: bool = False) -> Written:
    """Writes one model, its weights beside it where they are large or `external_data` asks for it.
    Raises CompileError NN0001."""
    from nncomp.backends.ort.emit import to_bytes
    from nncomp.backends.ort.external import externalize, is_large

    path = Path(file)
    if path.suffix == ".nn":  # most likely the text that it was compiled from
        raise error(
            "NN0001",
            f"cannot write {os.fspath(file)!r}: what is written is an ONNX model, no .nn text",
            help=f"name it {path.with_suffix('.onnx').name}",
        )
    beside, size = None, 0
    external = externalize(proto, path.stem) if external_data or is_large(proto) else None
    if external and external.tensors:
        beside = path.with_name(external.name)
        write_atomic(beside, external.chunks())
        size = beside.stat().st_size
    data = to_bytes(proto)
    write_atomic(path, data)
    opset = max(o.version for o in proto.opset_import if o.domain in ("", "ai.onnx"))
    return Written(path, len(proto.graph.node), opset, size + len(data), beside)
