"""What this processor's blocks are, and what a model says about those it was built for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from nncomp.backends.ort.blocked.operators import DOMAIN
from nncomp.backends.ort.runtime import Device, onnxruntime
from nncomp.errors import error

TARGET = "onnxruntime-cpu"
TARGET_KEY = "nncomp.target"
_PROBED = 4  # channels; ReorderInput takes multiples of four and fills a block up


@cache
def block_size() -> int:
    """The channels of a block, as onnxruntime puts them on this processor: 8 or 16.

    CompileError NN0602 where onnxruntime has no blocked layout.
    """
    shape = [1, _PROBED, 1, 1]
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
        for name, dims in (("x", shape), ("y", None))
    )
    node = helper.make_node("ReorderInput", ["x"], ["y"], domain=DOMAIN)
    model = helper.make_model(
        helper.make_graph([node], "probe", [x], [y]),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)],
        ir_version=8,
    )
    ort = onnxruntime()
    try:
        session = ort.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        (found,) = session.run(None, {"x": np.zeros(shape, np.float32)})
    except Exception:  # which of its exceptions it is depends on the build
        size = 1
    else:
        size = int(found.shape[1])
    if size <= _PROBED:
        raise error(
            "NN0602",
            f"this onnxruntime has no blocked layout on this processor: no target `{TARGET}`",
            help="leave the target out: standard operators run everywhere",
        )
    return size


def target_metadata(block: int) -> dict[str, str]:
    """What a model with blocked operators says about itself."""
    return {TARGET_KEY: json.dumps({"name": TARGET, "block": block})}


def require_processor(proto: onnx.ModelProto, device: Device) -> None:
    """CompileError NN0605 unless the model runs here: it has no blocked operators, or its blocks
    are this processor's."""
    built = _built_for({entry.key: entry.value for entry in proto.metadata_props})
    if built is None:
        return
    again = f"build it again here with `--target {TARGET}`, or without a target"
    if device != "cpu":
        raise error(
            "NN0605", f"the model was built for onnxruntime on the CPU, not on {device}", help=again
        )
    here = block_size()
    if built != here:
        raise error(
            "NN0605",
            f"the model was built for a processor with blocks of {built} channels; this one has "
            f"blocks of {here}",
            help=again,
        )


def _built_for(metadata: Mapping[str, str]) -> int | None:
    """The block that a model was built for; None for a model of standard operators."""
    if TARGET_KEY not in metadata:
        return None
    try:
        written: Any = json.loads(metadata[TARGET_KEY])
        return int(written["block"])
    except (ValueError, TypeError, KeyError):
        raise error("NN0604", f"the model's metadata `{TARGET_KEY}` is broken") from None
