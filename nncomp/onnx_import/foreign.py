"""Operators that nncomp does not know: they stay as they stand, if their result types are said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx

from nncomp.errors import did_you_mean, error
from nncomp.ir.graph import Value
from nncomp.ir.op import Data
from nncomp.ir.opaque import Opaque
from nncomp.onnx_import.operation import Operation
from nncomp.onnx_import.tensors import to_array
from nncomp.ops import REGISTRY


def keep(operation: Operation) -> Sequence[Value]:
    """The results of an operator of which only the types of results are known, from the model.

    CompileError NN0803 where the model does not say them, NN0804 for operands that are no tensors
    or attributes that are graphs.
    """
    node, span = operation.node, operation.span
    domain = "" if node.domain == "ai.onnx" else node.domain
    version = operation.scope.opsets.get(domain, 1)
    title = node.op_type if not domain else f"{domain}.{node.op_type}"
    if not domain and not _is_standard(node.op_type):
        raise error(
            "NN0803",
            f"ONNX has no operator `{node.op_type}`",
            span,
            help=did_you_mean(node.op_type, REGISTRY),
        )
    values: list[Value | None] = []
    for item in operation.operands:
        if item is not None and not isinstance(item, Value):
            raise error("NN0804", f"`{title}` gets a value that is no tensor", span)
        values.append(item)
    types, signatures = [], operation.importer.signatures
    for name in node.output:
        stated = signatures.stated(operation.scope.stated.get(name)) if name else None
        if stated is None:
            raise error(
                "NN0803",
                f"the operator `{title}` is not known, and the model does not say the type of its "
                f"result `{name}`",
                span,
                help="a model with `value_info` for it can be checked and built",
            )
        types.append(stated)
    settings = tuple(
        (name, _setting(operation, name, value))
        for name, value in sorted(operation.attributes.items())
    )
    op = Opaque(node.op_type, domain, version, tuple(types), settings)
    return operation.become(op, values)


def _is_standard(name: str) -> bool:
    try:
        onnx.defs.get_schema(name)
    except onnx.defs.SchemaError:
        return False
    return True


def _setting(operation: Operation, name: str, value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return Data(to_array(value, operation.importer.file.folder, operation.span))
    if isinstance(value, int | float | str | tuple):
        return value
    text = f"the attribute `{name}` of an unknown operator is no number"
    raise operation.refuse("NN0804", text)
