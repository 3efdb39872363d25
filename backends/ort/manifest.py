"""The manifest of a model with state: what a training loop must know to run it.

It stands as JSON in the model's `metadata_props`; `docs/step_graph.md` is its description.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx

from nncomp.backends.ort.naming import DimNames
from nncomp.errors import error
from nncomp.ir.graph import RECOMPUTED, Graph
from nncomp.types import DType, TensorType

MANIFEST_KEY = "nncomp.step"
OUTPUTS_KEY = "nncomp.outputs"
VERSION = 1
_COUNTERS = ("step", "seed")


def step_manifest(
    graph: Graph,
    written: Mapping[str, Mapping[str, str]],
    losses: Sequence[str],
    predictions: Sequence[str],
    dims: DimNames,
) -> dict[str, Any]:
    """The manifest of a graph with parameters.

    written: for "inputs", "parameters", "outputs", "updates" the model's name of each
    losses: names of outputs that are losses; where none are given, the output `loss`
    predictions: names of outputs that are the model's own
    """
    chosen = list(losses) or [name for name in graph.outputs if name == "loss"]
    counters = [v for v in graph.inputs if v.name in _COUNTERS and _is_counter(v.type)]
    batch = [v for v in graph.inputs if v not in counters and v.name not in graph.defaults]
    state = []
    for parameter in graph.parameters:
        entry = {"path": parameter.path, "kind": parameter.kind}
        entry |= _described(written["parameters"][parameter.path], parameter.value.type, dims)
        if parameter.path in graph.updates:
            entry["output"] = written["updates"][parameter.path]
        state.append(entry)
    outputs = {}
    if predictions:
        outputs = {"outputs": {name: written["outputs"][name] for name in predictions}}
    recomputes = {"recomputes": True} if _recomputes(graph) else {}
    return {
        "version": VERSION,
        **recomputes,
        "state": state,
        "batch": {v.name: _described(written["inputs"][v.name], v.type, dims) for v in batch},
        "hyperparameters": {
            v.name: _described(written["inputs"][v.name], v.type, dims)
            | {"default": graph.defaults[v.name]}
            for v in graph.inputs
            if v.name in graph.defaults and v not in counters
        },
        **{v.name: written["inputs"][v.name] for v in counters},
        "losses": {name: written["outputs"][name] for name in chosen},
        "metrics": {
            name: output
            for name, output in written["outputs"].items()
            if name not in chosen and name not in predictions
        },
        **outputs,
    }


def _recomputes(graph: Graph) -> bool:
    return any(step.pass_name == RECOMPUTED for n in graph.nodes for step in n.origin.history)


def _is_counter(type_: TensorType) -> bool:
    return type_.dtype is DType.I64 and type_.rank == 0


def _described(name: str, type_: TensorType, dims: DimNames) -> dict[str, Any]:
    return {"input": name, "dtype": str(type_.dtype), "shape": dims.shape(type_.shape)}


@dataclass(frozen=True)
class Slot:
    """One input of the model: its name there, its type, and what belongs to it.

    path: of a parameter; output: gives its next value, None if it never changes
    default: of a hyperparameter
    """

    input: str
    dtype: DType
    shape: tuple[int | str, ...]
    path: str = ""
    kind: str = ""
    output: str | None = None
    default: float | int | None = None


@dataclass(frozen=True)
class Manifest:
    """The manifest, read back. Each map goes from the name in the source.

    recomputes: to save memory; only if copies are not merged
    """

    state: Mapping[str, Slot]
    batch: Mapping[str, Slot]
    hyperparameters: Mapping[str, Slot]
    losses: Mapping[str, str]
    metrics: Mapping[str, str]
    outputs: Mapping[str, str]
    step: str | None = None
    seed: str | None = None
    recomputes: bool = False


def read_manifest(model: onnx.ModelProto) -> Manifest:
    """The manifest of a step model; CompileError NN0306 if it has none that can be read."""
    props = {entry.key: entry.value for entry in model.metadata_props}
    if MANIFEST_KEY not in props:
        raise error("NN0306", f"this is no step graph: it lacks the metadata `{MANIFEST_KEY}`")
    try:
        raw = json.loads(props[MANIFEST_KEY])
        if raw["version"] != VERSION:
            raise error("NN0306", f"the step graph's manifest has version {raw['version']}")
        return Manifest(
            state={entry["path"]: _slot(entry) for entry in raw["state"]},
            batch={name: _slot(entry) for name, entry in raw["batch"].items()},
            hyperparameters={name: _slot(entry) for name, entry in raw["hyperparameters"].items()},
            losses=raw["losses"],
            metrics=raw["metrics"],
            outputs=raw.get("outputs", {}),
            step=raw.get("step"),
            seed=raw.get("seed"),
            recomputes=raw.get("recomputes", False),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as failure:
        raise error("NN0306", f"the step graph's manifest is broken: {failure!r}") from None


def _slot(entry: Mapping[str, Any]) -> Slot:
    return Slot(
        input=entry["input"],
        dtype=DType(entry["dtype"]),
        shape=tuple(entry["shape"]),
        path=entry.get("path", ""),
        kind=entry.get("kind", ""),
        output=entry.get("output"),
        default=entry.get("default"),
    )
