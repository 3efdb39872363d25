"""Regions that are a layer of the standard library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nncomp.decompile.functions import per_axis
from nncomp.decompile.pieces import Hole, Pieces, joined
from nncomp.decompile.regions import Region
from nncomp.ir.graph import Node, ParameterKind, Value
from nncomp.records import record


@record
class Layer:
    """A block of the library. parameters: of a region, with the names that they have in it"""

    block: str
    hyperparameters: Pieces
    parameters: dict[Value, str]

    def kind(self, value: Value) -> ParameterKind:
        return "buffer" if self.parameters[value].startswith("running_") else "param"


def layer_of(region: Region, kinds: Mapping[Value, ParameterKind]) -> Layer | None:
    """The layer that the region is but for the names of its parameters; None if it is none."""
    nodes = [item for item in region.items if isinstance(item, Node)]
    single = len(region.inputs) == 1 and len(region.outputs) == 1
    if not single or len(nodes) != len(region.items) or len(nodes) > 3:
        return None
    if region.outputs[0] is not nodes[-1].outputs[0]:
        return None
    rule = _RULES.get("+".join(node.op.name for node in nodes if not node.op.domain))
    found = rule(region.inputs[0], nodes) if rule else None
    if found is None or found.parameters.keys() != region.parameters.keys():
        return None
    return found if all(kinds[v] == found.kind(v) for v in found.parameters) else None


def _roles(*parameters: tuple[Value | None, str]) -> dict[Value, str]:
    return {value: name for value, name in parameters if value is not None}


def _conv(given: Value, nodes: list[Node]) -> Layer | None:
    (node,) = nodes
    op: Any = node.op
    x, weight, bias = (*node.inputs, None)[:3]
    assert weight is not None
    if x is not given:
        return None
    transposed = op.name == "ConvTranspose"
    n = len(op.kernel_shape or ())
    explicit = n and op.pads and op.strides and op.dilations and op.auto_pad == "NOTSET"
    if not explicit:
        return None
    shape = weight.type.static_shape
    arguments: Pieces = [
        Hole(shape[1] * op.group if transposed else shape[0], "channels"),
        ", ",
        *per_axis(op.kernel_shape, "kernel"),
        *_keyword("stride", op.strides, 1),
    ]
    if op.pads[:n] == op.pads[n:]:
        arguments += _keyword("pad", op.pads[:n], 0)
    elif transposed:
        return None
    else:
        pairs = zip(op.pads[:n], op.pads[n:], strict=True)
        arguments += [", pad=[", *joined(map(_pair, pairs)), "]"]
    arguments += _keyword("dilation", op.dilations, 1)
    arguments.append(Hole(op.group, "groups", "groups", 1))
    if bias is None:
        arguments.append(", use_bias=false")
    if transposed:
        if op.output_shape is not None or op.output_padding is None:
            return None
        arguments += _keyword("output_pad", op.output_padding, 0)
    return Layer(op.name, arguments, _roles((weight, "weight"), (bias, "bias")))


def _pair(pair: tuple[int, int]) -> Pieces:
    return ["(", Hole(pair[0], "pad"), ", ", Hole(pair[1], "pad"), ")"]


def _keyword(name: str, numbers: tuple[int, ...], default: int) -> Pieces:
    if len(set(numbers)) == 1:
        return [Hole(numbers[0], name, name, default)]
    return [f", {name}=", *per_axis(numbers, name)]


def _linear(given: Value, nodes: list[Node]) -> Layer | None:
    turned = nodes[0] if nodes[0].op.name == "Transpose" else None
    product = nodes[1] if turned else nodes[0]
    total = nodes[-1] if nodes[-1].op.name == "Add" else None
    x, weight = product.inputs
    assert x is not None
    assert weight is not None
    if turned is not None:
        if weight is not turned.outputs[0] or turned.op.attributes().get("perm") != (1, 0):
            return None
        weight = turned.inputs[0]
        assert weight is not None
    bias = None
    if total is not None:
        sides = [v for v in total.operands if v is not product.outputs[0]]
        if len(sides) != 1 or sides[0].rank != 1:
            return None
        (bias,) = sides
    if x is not given or weight.rank != 2 or x.rank < 1:
        return None
    out = weight.shape[0 if turned else 1]
    if bias is not None and bias.shape != (out,):
        return None
    arguments: Pieces = [Hole(out, "width")]
    if bias is None:
        arguments.append(", use_bias=false")
    if turned is None:
        arguments.append(", transposed=true")
    return Layer("Linear", arguments, _roles((weight, "weight"), (bias, "bias")))


def _norm(given: Value, nodes: list[Node]) -> Layer | None:
    (node,) = nodes
    op: Any = node.op
    x, weight, bias = (*node.inputs, None)[:3]
    if x is not given or weight is None or weight.rank != 1:
        return None
    if op.attributes().keys() - {"epsilon"} or (op.name == "RMSNormalization" and bias is not None):
        return None
    arguments: Pieces = [f"eps={op.epsilon!r}"] if op.epsilon != 1e-5 else []
    if bias is None and op.name == "LayerNormalization":
        arguments += [", use_bias=false"] if arguments else ["use_bias=false"]
    block = {"LayerNormalization": "LayerNorm", "RMSNormalization": "RMSNorm"}[op.name]
    return Layer(block, arguments, _roles((weight, "weight"), (bias, "bias")))


def _batch_norm(given: Value, nodes: list[Node]) -> Layer | None:
    (node,) = nodes
    op: Any = node.op
    roles = ("weight", "bias", "running_mean", "running_var")
    if node.inputs[0] is not given or op.attributes().keys() - {"epsilon"}:
        return None
    arguments: Pieces = [f"eps={op.epsilon!r}"] if op.epsilon != 1e-5 else []
    return Layer("BatchNorm", arguments, _roles(*zip(node.inputs[1:], roles, strict=True)))


def _embedding(given: Value, nodes: list[Node]) -> Layer | None:
    (node,) = nodes
    weight, index = node.inputs
    assert weight is not None
    if index is not given or node.op.attributes() or weight.rank != 2:
        return None
    count, width = weight.shape
    arguments: Pieces = [Hole(count, "count"), ", ", Hole(width, "width")]
    return Layer("Embedding", arguments, _roles((weight, "weight")))


_RULES: dict[str, Callable[[Value, list[Node]], Layer | None]] = {
    "Conv": _conv,
    "ConvTranspose": _conv,
    "MatMul": _linear,
    "MatMul+Add": _linear,
    "Transpose+MatMul": _linear,
    "Transpose+MatMul+Add": _linear,
    "LayerNormalization": _norm,
    "RMSNormalization": _norm,
    "BatchNormalization": _batch_norm,
    "Gather": _embedding,
}
