"""Our inferred types beside those of `onnx.shape_inference`, which runs in processes of its own:
there are models on which it aborts."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from nncomp.dims import Dim, DimLike
from nncomp.ir.graph import Graph
from nncomp.onnx_import.dtypes import dtype_of
from nncomp.types import OptionalType, SequenceType, TensorType
from tests.conformance.running import Outcome

Sizes = list[int | str | None] | None
MOST_COARSER = 0.01
"""The part of all values of which ONNX may know more."""


@dataclass(frozen=True)
class Comparison:
    """Values whose types both know; where ours is less precise; where they contradict."""

    values: int
    coarser: tuple[str, ...]
    contradictions: tuple[str, ...]
    crashed: int


def compare(outcomes: Iterable[Outcome]) -> Comparison:
    """All named values of all cases that were imported."""
    imported = [found for found in outcomes if found.graph is not None]
    theirs = onnx_types([found.case.model for found in imported])
    count, coarser, contradictions = 0, [], []
    for found, types in zip(imported, theirs, strict=True):
        assert found.graph is not None
        own = _own_types(found.graph)
        fixed = {
            s
            for v in found.graph.inputs
            for d in v.shape
            if isinstance(d, Dim)
            for s in d.symbols()
        }
        for name in sorted(own.keys() & (types or {}).keys()):
            assert types is not None
            count += 1
            told = f"{found.case.name}: `{name}` is {own[name]} here and {types[name]} there"
            if not _agree(own[name], *types[name]):
                contradictions.append(told)
            elif not _as_precise(own[name], types[name][2], fixed):
                coarser.append(told)
    crashed = sum(types is None for types in theirs)
    return Comparison(count, tuple(coarser), tuple(contradictions), crashed)


def _own_types(graph: Graph) -> dict[str, TensorType]:
    named = {v.name: v.type for node in graph.nodes for v in node.outputs if v.name}
    return named | {name: value.type for name, value in graph.outputs.items()}


def _agree(own: TensorType, kind: str, dtype: int, sizes: Sizes) -> bool:
    if isinstance(own, OptionalType):
        kind, own = kind.removeprefix("optional "), own.content
    if isinstance(own, SequenceType) is not (kind == "sequence"):
        return False
    if own.dtype is not dtype_of(dtype, "a value"):
        return False
    mine = _sizes(own)
    if mine is None or sizes is None:
        return True
    return len(mine) == len(sizes) and all(
        a == b or not (isinstance(a, int) and isinstance(b, int))
        for a, b in zip(mine, sizes, strict=True)
    )


def _as_precise(own: TensorType, sizes: Sizes, fixed: set[Any]) -> bool:
    """Whether we know each size that they know, in numbers or in sizes of inputs."""
    mine = _sizes(own)
    if sizes is None:
        return True
    if mine is None:
        return False
    for a, b in zip(mine, sizes, strict=True):
        if isinstance(b, int) and not isinstance(a, int):
            return False
        if isinstance(b, str) and (a is None or (isinstance(a, Dim) and not a.symbols() <= fixed)):
            return False
    return True


def _sizes(own: TensorType) -> Sequence[DimLike | None] | None:
    own = own.content if isinstance(own, OptionalType) else own
    return own.sizes if isinstance(own, SequenceType) else own.shape


# --- onnx.shape_inference -----------------------------------------------------------------------


def onnx_types(
    models: Sequence[onnx.ModelProto],
) -> list[dict[str, tuple[str, int, Sizes]] | None]:
    """For each model the types that ONNX infers of its nodes' results, by name: kind, number of the
    dtype, sizes. None where the process ended. What models state of results is not believed."""
    with tempfile.TemporaryDirectory() as folder:
        for number, model in enumerate(models):
            Path(folder, f"{number}.onnx").write_bytes(_unstated(model).SerializeToString())
        found: list[dict[str, tuple[str, int, Sizes]] | None] = []
        while len(found) < len(models):
            command = [sys.executable, "-c", _CHILD, folder, str(len(found)), str(len(models))]
            child = subprocess.run(command, capture_output=True, text=True, check=False)
            lines = [json.loads(line) for line in child.stdout.splitlines() if line.endswith("}")]
            found += lines
            if len(found) < len(models):
                assert child.returncode < 0, child.stderr  # a signal: it aborted
                found.append(None)
        return found


def _unstated(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    for info in copy.graph.output:
        if info.type.HasField("tensor_type"):
            info.type.tensor_type.ClearField("shape")
        else:
            info.ClearField("type")
    return copy


_CHILD = """
import json, sys
import onnx
from onnx import shape_inference

def tensor(t):
    if not t.HasField("shape"):
        return None
    # sizes that ONNX does not know either are called unk__0, unk__1, ...
    def named(d):
        return None if d.dim_param.startswith("unk__") else d.dim_param

    value = {"dim_value": lambda d: d.dim_value, "dim_param": named}
    return [value.get(d.WhichOneof("value"), lambda d: None)(d) for d in t.shape.dim]

def described(t):
    kind = t.WhichOneof("value")
    if kind == "optional_type":
        inner = described(t.optional_type.elem_type)
        return inner and ["optional " + inner[0], *inner[1:]]
    if kind == "sequence_type":
        t = t.sequence_type.elem_type.tensor_type
        return ["sequence", t.elem_type, tensor(t)] if t.elem_type else None
    t = t.tensor_type
    return ["tensor", t.elem_type, tensor(t)] if t.elem_type else None

folder, start, end = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for number in range(start, end):
    model = onnx.load(f"{folder}/{number}.onnx")
    made = {name for node in model.graph.node for name in node.output}
    try:
        graph = shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception:
        print("{}", flush=True)
        continue
    found = {v.name: described(v.type) for v in (*graph.value_info, *graph.output)}
    print(json.dumps({k: v for k, v in found.items() if v and k in made}), flush=True)
"""
