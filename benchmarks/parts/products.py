"""What matrix products and convolutions alone take of a step: less than that it cannot take."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from nncomp.backends.ort.manifest import read_manifest
from nncomp.backends.ort.runtime import open_session
from nncomp.driver.compiling import compiled_step, onnx_model, sized
from nncomp.types import Array
from parts.networks import Network

PRODUCTS = ("MatMul", "FusedMatMul", "Gemm", "FusedGemm")
CONVOLUTIONS = ("Conv", "FusedConv", "ConvTranspose")
_WARM_UP = 2


def products_of(row: Network, target: Any, threads: int, batch: list[Array], runs: int) -> float:
    """Milliseconds of a run that onnxruntime's profile counts to products, the fewest."""
    model = row.load()
    section = model.program.train["train"]
    size = None if target == "onnx" else row.size
    written = onnx_model(sized(compiled_step(section).step, size), target=target)
    manifest = read_manifest(written)
    inputs = zip(section.step.inputs, batch, strict=False)
    arrays: dict[str, Any] = {value.name: array for value, array in inputs}
    feed = {slot.input: arrays[name] for name, slot in manifest.batch.items()}
    feed |= {slot.input: model.state[path] for path, slot in manifest.state.items()}
    for slot in manifest.hyperparameters.values():
        feed[slot.input] = np.array(slot.default, slot.dtype.numpy)
    counters = [name for name in (manifest.step, manifest.seed) if name is not None]
    feed |= dict.fromkeys(counters, np.array(0))
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(
            written.SerializeToString(),
            threads=threads,
            memory_pattern=False,
            blocked_layout=False,
            profile=Path(folder),
        )
        for _ in range(_WARM_UP + runs):
            session.run(None, feed)
        events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    return _least(events)


def _least(events: Iterable[Mapping[str, Any]]) -> float:
    """Of the runs after the first ones; those of bodies count too."""
    spent: list[float] = []
    for event in sorted(events, key=lambda e: (e["ts"], -e["dur"])):
        if event["name"] == "model_run":
            spent.append(0.0)
        elif event["name"].endswith("_kernel_time") and _is_product(event["args"]):
            spent[-1] += event["dur"] / 1e3
    return min(spent[_WARM_UP:])


def _is_product(kernel: Mapping[str, Any]) -> bool:
    """Whether it sums products over more than the samples: batch norm's are not meant, which the
    target writes as convolutions."""
    if kernel["op_name"] in PRODUCTS:
        return True
    if kernel["op_name"] not in CONVOLUTIONS:
        return False
    x, w = (next(iter(shape.values())) for shape in kernel["input_type_shape"][:2])
    return prod(w[1:]) > 1 and not (w[1] == 1 and w[2:] == x[2:])
