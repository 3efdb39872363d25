"""What is written on the boxes and edges of a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nncomp.inspect.families import family
from nncomp.inspect.opened import Given
from nncomp.inspect.view.outline import Box
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Rewrite, Value

SHORT = {
    "BatchNormalization": "BatchNorm",
    "BatchNormTraining": "BatchNorm",
    "LayerNormalization": "LayerNorm",
    "GroupNormalization": "GroupNorm",
    "InstanceNormalization": "InstanceNorm",
    "RMSNormalization": "RMSNorm",
    "GlobalAveragePool": "GlobalAvgPool",
    "AveragePool": "AvgPool",
    "AveragePoolGrad": "AvgPoolGrad",
    "SoftmaxCrossEntropyLoss": "CrossEntropy",
}


@dataclass(frozen=True)
class Chip:
    """An operator's name with its family; a fused node has several."""

    text: str
    family: str


def chips(node: Node) -> tuple[Chip, ...]:
    """The operators that a node does the work of: `Conv`, `BatchNorm`, `Add`, `Relu`."""
    op = node.op
    own = family(op)
    if op.name == "FusedConv":
        found = [Chip("Conv", own)]
        if _folded_batch_norm(node.origin.history):
            found.append(Chip("BN", "normalization"))
        if len(node.inputs) > 3 and node.inputs[3] is not None:
            found.append(Chip("Add", "elementwise"))
        activation = getattr(op, "activation", "")
        return (*found, Chip(activation, "activation")) if activation else tuple(found)
    weighted = op.name in ("Conv", "Gemm", "MatMul", "ConvTranspose")
    if weighted and _folded_batch_norm(node.origin.history):
        return (Chip(op.name, own), Chip("BN", "normalization"))
    return (Chip(SHORT.get(op.name, op.name), own),)


def _folded_batch_norm(history: Sequence[Rewrite]) -> bool:
    return any("batch-norm" in step.pass_name or "batch-norm" in step.rule for step in history)


def detail(node: Node) -> str:
    """The attributes that matter, in few words: `7×7, 64, stride 2`."""
    op = node.op
    weight = node.inputs[1] if len(node.inputs) > 1 else None
    if family(op) == "convolution" and weight is not None and hasattr(op, "group"):
        return _convolution(op, weight.shape)
    if op.name in ("MaxPool", "AveragePool", "LpPool"):
        return ", ".join([_times(op.kernel_shape), *_windows(op)])  # type: ignore[attr-defined]
    if op.name in ("Gemm", "MatMul") and node.operands[0].rank and node.outputs[0].rank:
        return f"{node.operands[0].shape[-1]} → {node.outputs[0].shape[-1]}"
    if op.name == "Transpose" and getattr(op, "perm", None):
        return " ".join(map(str, op.perm))  # type: ignore[attr-defined]
    if op.name == "Cast":
        return f"to {op.to}"  # type: ignore[attr-defined]
    if isinstance(op, Given):
        return op.called
    parts = []
    for formal, value in zip(op.operands(), node.inputs, strict=False):
        if value is not None and value.node is not None and isinstance(value.node.op, Constant):
            array = value.node.op.value.array
            if array.size <= 4 and not formal.variadic:
                numbers = ", ".join(map(_number, array.reshape(-1).tolist()))
                parts.append(numbers if len(node.inputs) == 2 else f"{formal.name} {numbers}")
    if "axis" in op.attributes():
        parts.append(f"axis {op.attributes()['axis']}")
    return ", ".join(parts)


def _number(value: float) -> str:
    """`2.5`; ∞ for an end of a slice that lies beyond every axis."""
    if isinstance(value, int) and abs(value) >= 2**31 - 1:
        return "∞" if value > 0 else "-∞"
    return f"{value:g}"


def _convolution(op: Any, weight: Sequence[object]) -> str:
    parts = [_times(weight[2:])]
    if op.name in ("Conv", "FusedConv"):
        parts.append(str(weight[0]))
    parts += _windows(op)
    if op.group != 1:
        parts.append("depthwise" if op.group == weight[0] else f"{op.group} groups")
    return ", ".join(parts)


def _windows(op: Any) -> list[str]:
    parts = []
    for name, word in (("strides", "stride"), ("dilations", "dilation")):
        steps = getattr(op, name, None)
        if steps and any(s != 1 for s in steps):
            same = len(set(steps)) == 1
            parts.append(f"{word} {steps[0] if same else _times(steps)}")
    return parts


def _times(sizes: Sequence[object]) -> str:
    return "×".join(map(str, sizes))


def working(nodes: Sequence[Node]) -> list[Node]:
    """Those that are nodes, not marks of what a body is given."""
    return [node for node in nodes if not isinstance(node.op, Given)]


def operators(nodes: Sequence[Node]) -> list[str]:
    """What is in a block: `3 Conv`, `3 BatchNorm`, `3 Relu`, `Add`."""
    names = Counter(" + ".join(chip.text for chip in chips(node)) for node in working(nodes))
    return [name if n == 1 else f"{n} {name}" for name, n in names.most_common()]


def tooltip(graph: Graph, box: Box, nodes: Sequence[Node]) -> str:
    """The full story of a box, a line for each fact."""
    if box.node is None:
        lines = [box.path or box.name, f"{len(working(nodes))} nodes", ", ".join(operators(nodes))]
        return "\n".join(line for line in lines if line)
    node = box.node
    attributes = ", ".join(f"{k}={v}" for k, v in node.op.attributes().items())
    lines = [f"{node.op.name}({attributes})"]
    if node.origin.scope:
        lines.append(f"in {node.origin.scope}")
    for formal, value in zip(node.op.operands(), node.inputs, strict=False):
        if value is not None:
            lines.append(f"{formal.name}: {_named(value)}")
    lines += [f"→ {_named(value)}" for value in node.outputs]
    lines += [f"at {span}" for span in node.origin.spans]
    if node.origin.history:
        lines.append("made by " + ", ".join(map(str, node.origin.history)))
    updated = {value: path for path, value in graph.updates.items()}
    lines += [f"next value of {updated[v]}" for v in node.outputs if v in updated]
    return "\n".join(lines)


def _named(value: Value) -> str:
    return f"{value.name}: {value.type}" if value.name else str(value.type)
