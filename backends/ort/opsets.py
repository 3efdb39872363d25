"""Older forms of operators: how a node of the IR (opset 26) is spelt at an older opset.

`spell` gives a node's form at one opset, or the reason why that opset cannot express it. What an
adapter does not say is read from ONNX's own schemas: whether the operator exists, takes these
attributes and operands, and these dtypes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from nncomp.backends.ort.schemas import schema, schema_type, told
from nncomp.ir.graph import Node, Value
from nncomp.ops.recurrent import Recurrent
from nncomp.types import Array, DType, TensorType

FIRST_OPSET = 17
IR_OPSET = 26  # the opset that the IR speaks, and the newest that onnxruntime 1.31 loads
VERSIONS = {"ai.onnx.ml": 5}
"""Of the other domains whose operators are declared: the operator set that is written."""

Operand = Value | Array | None


@dataclass(frozen=True)
class Form:
    """A node as it will be written: an array among the inputs becomes an initializer."""

    op_type: str
    inputs: tuple[Operand, ...]
    attributes: dict[str, Any] = field(default_factory=dict)


class InexpressibleError(Exception):
    """An opset cannot express a node; the message says why."""


def lowest_opset(node: Node) -> int:
    """The first opset from 17 on that expresses the node; InexpressibleError if none does."""
    for version in range(FIRST_OPSET, IR_OPSET):
        try:
            spell(node, version)
        except InexpressibleError:
            continue
        return version
    spell(node, IR_OPSET)
    return IR_OPSET


def spell(node: Node, version: int) -> Form:
    """The node's form at an opset; InexpressibleError with the reason if there is none."""
    form = Form(node.op.name, node.inputs, node.op.attributes())
    adapter = _ADAPTERS.get(node.op.name)
    if adapter is not None:
        form = adapter(node, form, version)
    inputs = list(form.inputs)
    while inputs and inputs[-1] is None:
        inputs.pop()
    form = replace(form, inputs=tuple(inputs))
    _check(node, form, version)
    return form


def _check(node: Node, form: Form, version: int) -> None:
    types = tuple(
        None if v is None else schema_type(v.type) if isinstance(v, Value) else _of_array(v)
        for v in form.inputs
    )
    results = tuple(schema_type(value.type) for value in node.outputs)
    reason = _schema_refuses(form.op_type, tuple(form.attributes), types, results, version)
    if reason:
        raise InexpressibleError(reason)


def _of_array(array: Array) -> str:
    return schema_type(TensorType(DType.of(array), ()))


@cache
def _schema_refuses(
    name: str,
    attributes: tuple[str, ...],
    types: tuple[str | None, ...],
    results: tuple[str, ...],
    version: int,
) -> str | None:
    known = schema(name, version)
    if known is None:
        return f"{name} does not exist at opset {version}"
    for attribute in attributes:
        if attribute not in known.attributes:
            return f"{name} has no attribute `{attribute}` at opset {version}"
    if len(types) > known.max_input:
        return f"{name} takes {known.max_input} operands at opset {version}, not {len(types)}"
    for formals, actual in ((known.inputs, types), (known.outputs, results)):
        for i, type_ in enumerate(actual):
            if type_ is None or not formals:
                continue
            formal = formals[min(i, len(formals) - 1)]
            if type_ not in formal.types:
                return f"{name} does not take {told(type_)} at opset {version}"
    return None


def _known(value: Operand, what: str, since: int) -> list[int] | None:
    if value is None:
        return None
    elements = value.type.elements if isinstance(value, Value) else tuple(value.tolist())
    if elements is None or not all(isinstance(e, int) for e in elements):
        raise InexpressibleError(f"{what} that are not known before the run need opset {since}")
    return [e for e in elements if isinstance(e, int)]


def _input(form: Form, index: int) -> Operand:
    return form.inputs[index] if index < len(form.inputs) else None


def _i64(values: Sequence[int]) -> Array:
    return np.asarray(values, np.int64)


def _reduce(node: Node, form: Form, version: int) -> Form:
    if version >= 18:
        return form
    axes = _known(_input(form, 1), "axes of a reduction", 18)
    attributes = dict(form.attributes)
    noop = attributes.pop("noop_with_empty_axes", 0)
    if not axes and noop:
        return Form("Identity", form.inputs[:1])
    if axes:
        attributes["axes"] = tuple(axes)
    return Form(form.op_type, form.inputs[:1], attributes)


def _split(node: Node, form: Form, version: int) -> Form:
    if version >= 18 or _input(form, 1) is not None:
        return form
    attributes = dict(form.attributes)
    attributes.pop("num_outputs", None)
    axis = attributes.get("axis", 0)
    sizes = [value.shape[axis] for value in node.outputs]
    if not all(size == sizes[0] for size in sizes):
        known = [size for size in sizes if isinstance(size, int)]
        if len(known) < len(sizes):
            raise InexpressibleError("an uneven Split of an unknown size needs opset 18")
        return Form("Split", (form.inputs[0], _i64(known)), attributes)
    return Form("Split", form.inputs[:1], attributes)


def _pad(node: Node, form: Form, version: int) -> Form:
    if form.attributes.get("mode") == "wrap" and version < 19:
        raise InexpressibleError("Pad with mode `wrap` needs opset 19")
    axes = _input(form, 3)
    if version >= 18 or axes is None:
        return form
    chosen = _known(axes, "axes of Pad", 18) or []
    pads = _known(form.inputs[1], "pads along chosen axes", 18) or []
    rank = node.outputs[0].rank
    full = [0] * (2 * rank)
    for i, axis in enumerate(chosen):
        full[axis % rank] = pads[i]
        full[rank + axis % rank] = pads[len(chosen) + i]
    return Form("Pad", (form.inputs[0], _i64(full), _input(form, 2)), form.attributes)


def _scatter(node: Node, form: Form, version: int) -> Form:
    if form.attributes.get("reduction") in ("max", "min") and version < 18:
        raise InexpressibleError(f"{form.op_type} with reduction max or min needs opset 18")
    return form


_OLD_GRID_MODES = {"linear": "bilinear", "cubic": "bicubic"}


def _grid_sample(node: Node, form: Form, version: int) -> Form:
    if version >= 20:
        return form
    if node.outputs[0].rank != 4:
        raise InexpressibleError("GridSample of other than four dimensions needs opset 20")
    mode = form.attributes.get("mode", "linear")
    attributes = form.attributes | {"mode": _OLD_GRID_MODES.get(mode, mode)}
    return Form("GridSample", form.inputs, attributes)


def _group_normalization(node: Node, form: Form, version: int) -> Form:
    if version < 21:  # until then scale and bias were given by group, not by channel
        raise InexpressibleError("GroupNormalization with a scale for each channel needs opset 21")
    return form


def _recurrent(node: Node, form: Form, version: int) -> Form:
    """onnxruntime asks for what the weights say, and has defaults of its own."""
    recurrence = node.inputs[2]
    assert recurrence is not None
    hidden = recurrence.shape[2]
    if not isinstance(hidden, int):
        raise InexpressibleError(f"{form.op_type} needs a hidden size that is known")
    assert isinstance(node.op, Recurrent)
    alphas, betas = node.op.parameters  # some defaults are others there
    given = {"hidden_size": hidden, "activation_alpha": alphas, "activation_beta": betas}
    present = {name: value for name, value in given.items() if value != ()}
    return replace(form, attributes=form.attributes | present)


def _dft(node: Node, form: Form, version: int) -> Form:
    """Until 20 the axis was an attribute, and the first after the batch by default."""
    if version >= 20:
        return form
    given = _known(_input(form, 2), "the axis of DFT", 20)
    attributes = form.attributes | {"axis": (given[0] if given else -2) % node.outputs[0].rank}
    return Form("DFT", form.inputs[:2], attributes)


def _mod(node: Node, form: Form, version: int) -> Form:
    if node.outputs[0].type.dtype.is_float and not form.attributes.get("fmod"):
        raise InexpressibleError("Mod of floats with the divisor's sign needs opset 28")
    return form


def _drop(*names: str, before: int) -> Callable[[Node, Form, int], Form]:
    """Leaves out attributes that an older opset lacks and that change nothing there."""

    def adapter(node: Node, form: Form, version: int) -> Form:
        if version >= before:
            return form
        kept = {key: value for key, value in form.attributes.items() if key not in names}
        return Form(form.op_type, form.inputs, kept)

    return adapter


def _unit_dilations(node: Node, form: Form, version: int) -> Form:
    """AveragePool before 19 has no dilations; those of 1 change nothing."""
    dilations = form.attributes.get("dilations")
    if version < 19 and dilations is not None and all(d == 1 for d in dilations):
        return _drop("dilations", before=19)(node, form, version)
    return form


def _attention(node: Node, form: Form, version: int) -> Form:
    """onnxruntime 1.31 knows no windows, which onnx 1.23 has in Attention-25."""
    windows = {"left_window_size", "right_window_size"}
    if any(form.attributes.get(name, -1) != -1 for name in windows):
        raise InexpressibleError("onnxruntime has no windows of Attention")
    kept = {key: value for key, value in form.attributes.items() if key not in windows}
    return replace(form, attributes=kept)


def _control(node: Node, form: Form, version: int) -> Form:
    """Captures are references to the graph around, not operands; left-out operands in front of
    carried values stay as empty names."""
    captures = node.op.bodies[0].captures
    return replace(form, inputs=form.inputs[: len(form.inputs) - captures])


_ADAPTERS: dict[str, Callable[[Node, Form, int], Form]] = {
    **dict.fromkeys(
        [
            *("ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd", "ReduceL1", "ReduceL2"),
            *("ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"),
        ],
        _reduce,
    ),
    **dict.fromkeys(("Scan", "Loop", "If"), _control),
    **dict.fromkeys(("RNN", "GRU", "LSTM"), _recurrent),
    "Attention": _attention,
    "DFT": _dft,
    "Mod": _mod,
    "Split": _split,
    "Pad": _pad,
    "ScatterElements": _scatter,
    "ScatterND": _scatter,
    "GridSample": _grid_sample,
    "GroupNormalization": _group_normalization,
    "Cast": _drop("saturate", "round_mode", before=19),
    "CastLike": _drop("saturate", "round_mode", before=19),
    "AveragePool": _unit_dilations,
}
