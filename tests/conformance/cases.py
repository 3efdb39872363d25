"""ONNX's conformance suite: models, what they are given and what they should give."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
SETS = ("simple", "pytorch-converted", "pytorch-operator")


@dataclass(frozen=True, eq=False)
class Case:
    """A model and its data: arrays, lists of arrays for sequences, None for what is not there.

    data: pairs of inputs by name and outputs in the model's order
    """

    name: str
    model: onnx.ModelProto
    data: tuple[tuple[dict[str, Any], tuple[Any, ...]], ...]
    rtol: float
    atol: float


@cache
def node_cases() -> tuple[Case, ...]:
    """The node suite of the installed onnx."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, while expected values are computed
        found = collect_testcases(None)
    return tuple(
        Case(
            case.name,
            case.model,
            tuple(
                (_named(case.model, [_held(x) for x in xs]), tuple(map(_held, ys)))
                for xs, ys in case.data_sets
            ),
            case.rtol,
            case.atol,
        )
        for case in found
    )


def bundled_cases(kind: str) -> Iterator[Case]:
    """One of `SETS`, which the package has as files."""
    for path in sorted((DATA / kind).iterdir()):
        model = onnx.load(path / "model.onnx")
        data = []
        for folder in sorted(path.glob("test_data_set_*")):
            arrays = [_read(file, model.graph.input) for file in _files(folder, "input")]
            expected = [_read(file, model.graph.output) for file in _files(folder, "output")]
            data.append((_named(model, arrays), tuple(expected)))
        yield Case(path.name, model, tuple(data), 1e-3, 1e-5)


def _named(model: onnx.ModelProto, arrays: list[Any]) -> dict[str, Any]:
    """Inputs by name. Initialisers that are inputs too may be left out."""
    names = [info.name for info in model.graph.input]
    if len(arrays) < len(names):
        given = {tensor.name for tensor in model.graph.initializer}
        names = [name for name in names if name not in given]
    return dict(zip(names, arrays, strict=True))


def _files(folder: Path, kind: str) -> list[Path]:
    return [folder / f"{kind}_{i}.pb" for i in range(len(list(folder.glob(f"{kind}_*.pb"))))]


def _read(path: Path, infos: Any) -> Any:
    info = infos[int(path.stem.rpartition("_")[2])]
    kinds: dict[str, Any] = {
        "sequence_type": onnx.SequenceProto,
        "optional_type": onnx.OptionalProto,
    }
    proto = kinds.get(info.type.WhichOneof("value"), onnx.TensorProto)()
    proto.ParseFromString(path.read_bytes())
    return _held(proto)


def _held(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, onnx.SequenceProto):
        return numpy_helper.to_list(value)
    if isinstance(value, onnx.OptionalProto):
        return numpy_helper.to_optional(value)
    if isinstance(value, list | tuple):
        return [_held(item) for item in value]
    return None if value is None else np.asarray(value)
