"""Proving passes on a model: `nncomp verify`, `build --verify`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference import interpreter
from nncomp.driver.compiling import entry_of, onnx_model, section_of
from nncomp.equivalence.checking import OnProgress, check_passes
from nncomp.equivalence.compare import Answers
from nncomp.equivalence.draws import lively
from nncomp.equivalence.report import Fault, Report
from nncomp.equivalence.running import Backends, Feed, Run, Watch, next_of
from nncomp.errors import CompileError, Diagnostic, Note
from nncomp.files import PathLike, write_atomic
from nncomp.ir.bind import bind
from nncomp.ir.graph import Graph
from nncomp.ir.text import to_text
from nncomp.lower.program import Program
from nncomp.passes.base import Pass
from nncomp.passes.manager import TRAINING
from nncomp.passes.selection import Plan, plan_of
from nncomp.types import Array, tensors_of
from nncomp.weights import npz_bytes

if TYPE_CHECKING:
    import onnx


def verify_program(
    program: Program,
    state: Mapping[str, Array],
    *,
    entry: str | None = None,
    level: int | Plan = 2,
    trained: bool = False,
    runtime: bool = True,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> Report:
    """The inference graph, or that of an entry, before and after each pass of a level.

    trained: whether the weights are what they will be; without, those of a new batch norm and the
        like are moved, so that no scale is 1 and no shift 0
    runtime: whether onnxruntime is asked, too
    Raises CompileError if the graph itself does not run.
    """
    graph = entry_of(program, entry)
    values = state if trained else lively(state, seed)
    own = {p.path: values[p.path] for p in graph.parameters if p.path not in graph.updates}
    bound = bind(graph, own)
    return _checked(bound, plan_of(level).passes, values, runtime, seed, on_progress)


def verify_step(
    program: Program,
    state: Mapping[str, Array],
    *,
    section: str | None = None,
    passes: Sequence[Pass] | None = None,
    runtime: bool = True,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> Report:
    """A training step, its gradients expanded, before and after each of these passes, or of those
    for training. Raises CompileError, NN0403 without a train section."""
    _, found = section_of(program, section)
    graph = expand_gradients(found.step)
    optimizer = {p.path for p in graph.parameters if p.kind == "state"}
    return _checked(
        graph,
        TRAINING if passes is None else passes,
        lively(state, seed, optimizer),
        runtime,
        seed,
        on_progress,
    )


def _checked(
    graph: Graph,
    passes: Sequence[Pass],
    state: Mapping[str, Array],
    runtime: bool,
    seed: int,
    on_progress: OnProgress | None,
) -> Report:
    parameters = {p.path: state[p.path] for p in graph.parameters}
    return check_passes(
        graph, passes, backends(runtime=runtime), parameters, seed=seed, on_progress=on_progress
    )


def backends(*, runtime: bool = True) -> Backends:
    """NumPy, and onnxruntime with its own optimiser off if it is asked."""
    return Backends(_run_numpy, _open_runtime if runtime else None, interpreter.evaluate)


def _run_numpy(graph: Graph, feed: Feed, watch: Watch | None) -> Answers:
    found = interpreter.run(graph, feed.inputs, feed.parameters, watch, inside=True)
    return {**found.outputs, **{next_of(path): array for path, array in found.updates.items()}}


def _open_runtime(graph: Graph) -> Run:
    from nncomp.backends.ort.session import Session

    session = Session(onnx_model(graph), optimize=False)

    def run(feed: Feed) -> Answers:
        results = session.run({**feed.parameters, **feed.inputs})
        return {name: results[name] for name in graph.outputs}

    return run


def write_fault(fault: Fault, folder: PathLike) -> list[Path]:
    """The smallest graph that shows a fault, before and after the pass: as ONNX and as text, and
    the numbers of its inputs. Raises CompileError NN0001 if they cannot be written."""
    if fault.piece is None:
        return []
    base = Path(folder)
    files: dict[str, bytes] = {}
    forms = {"before": fault.piece.graph, "after": fault.after.graph if fault.after else None}
    for name, graph in forms.items():
        if graph is None:
            continue
        text = to_text(graph, comments=True)
        files[f"{name}.nn"] = text.text.encode()
        if text.constants:
            files[f"{name}.constants.npz"] = npz_bytes(text.constants)
        proto = _onnx_or_none(graph)
        if proto is not None:
            files[f"{name}.onnx"] = proto.SerializeToString(deterministic=True)
    feed = fault.piece.feed
    files["inputs.npz"] = npz_bytes(tensors_of({**feed.parameters, **feed.inputs}))
    for name, data in files.items():
        write_atomic(base / name, data)
    return [base / name for name in files]


def _onnx_or_none(graph: Graph) -> onnx.ModelProto | None:
    try:
        return onnx_model(graph)
    except CompileError:  # no opset expresses it: the text has to do
        return None


def fault_error(fault: Fault, written: Sequence[Path] = ()) -> CompileError:
    """NN0703: which pass and rule change which answer, by how much, and where it is shown."""
    rule = f"{fault.pass_name}/{fault.rule}" if fault.rule else fault.pass_name
    sizes = ", ".join(f"{s.name}={size}" for s, size in fault.sizes.items())
    numbers = f"{fault.style} numbers" + (f" and {sizes}" if sizes else "")
    notes = [Note(f"seen by {fault.judge}, with {numbers}")]
    if fault.rewrites:
        notes.append(Note(f"the {fault.rewrites} rewrites of the pass before it change nothing"))
    if fault.piece is not None and written:
        where = written[0].parent
        graph = f"{fault.piece.size} node{'s' * (fault.piece.size != 1)}"
        notes.append(Note(f"the smallest graph found that shows it, {graph}, is in {where}"))
    return CompileError(
        Diagnostic(
            "NN0703",
            f"`{rule}` changes {_answer(fault)}",
            fault.span,
            "made of this",
            tuple(notes),
            "compile without the pass (`--passes`), and report what was written",
        )
    )


def _answer(fault: Fault) -> str:
    found = fault.difference
    if not found.output:
        return "the graph into one that cannot be run"
    if found.size == float("inf"):
        return f"`{found.output}`"
    return f"`{found.output}` by {found.size:.2g} of its largest number"
