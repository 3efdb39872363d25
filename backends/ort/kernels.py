"""Which kernels onnxruntime has, as it was asked (`docs/ops.py --probe`) and as kernels.json keeps.

A kernel is there for an operator at a version of its schema, and for dtypes of the schema's type
variables (`T`, `Tind`); which go with which is not kept.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nncomp.backends.ort.opsets import FIRST_OPSET, IR_OPSET
from nncomp.backends.ort.schemas import schema
from nncomp.ir.graph import Node
from nncomp.types import DType, is_container

FILE = Path(__file__).parent / "kernels.json"


@dataclass(frozen=True)
class Kernels:
    """version: of the onnxruntime that was asked"""

    version: str
    providers: dict[str, dict[str, dict[str, dict[str, list[str]]]]]

    def of(self, provider: str, name: str, version: int) -> dict[str, list[str]] | None:
        """For each type variable the dtypes with a kernel, and those without, separated by spaces;
        None if nobody has asked."""
        return self.providers.get(provider, {}).get(name, {}).get(str(version))


@cache
def kernels() -> Kernels:
    """What is kept."""
    data: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return Kernels(data["onnxruntime"], data["providers"])


def variables(
    name: str,
    opset: int,
    inputs: Sequence[DType | None] = (),
    outputs: Sequence[DType | None] = (),
) -> dict[str, DType | None]:
    """The type variables of an operator's schema at an opset, those of operands first, and what
    each is where operands and results are of these dtypes."""
    known = schema(name, opset)
    assert known is not None
    found: dict[str, DType | None] = {}
    for formals, dtypes in ((known.inputs, inputs), (known.outputs, outputs)):
        for formal in formals:
            if formal.variable in known.variables:
                found.setdefault(formal.variable, None)
        for place, dtype in enumerate(dtypes):
            if formals:
                variable = formals[min(place, len(formals) - 1)].variable
                if variable in found:
                    found[variable] = found[variable] or dtype
    return found


def lacking(node: Node, opset: int, provider: str) -> tuple[str, DType] | None:
    """The type variable, and its dtype, for which the node's operator has no kernel at an opset;
    None if it has all, or if nobody knows."""
    return _lacking(node.op.name, _dtypes(node), opset, provider)


def may_lack(node: Node, provider: str) -> bool:
    """Whether there is an opset at which the node's operator has no kernel for its dtypes."""
    return not node.op.domain and _may_lack(node.op.name, _dtypes(node), provider)


_Dtypes = tuple[tuple[DType | None, ...], tuple[DType | None, ...]]


def _dtypes(node: Node) -> _Dtypes:
    inputs, outputs = (
        tuple(None if v is None or is_container(v.type) else v.type.dtype for v in values)
        for values in (node.inputs, node.outputs)
    )
    return inputs, outputs


@cache
def _may_lack(name: str, dtypes: _Dtypes, provider: str) -> bool:
    opsets = range(FIRST_OPSET, IR_OPSET + 1)
    return any(_lacking(name, dtypes, opset, provider) is not None for opset in opsets)


@cache
def _lacking(name: str, dtypes: _Dtypes, opset: int, provider: str) -> tuple[str, DType] | None:
    known = schema(name, opset)
    found = known and kernels().of(provider, name, known.since_version)
    if not found:
        return None
    for variable, dtype in variables(name, opset, *dtypes).items():
        if dtype is not None and variable in found and str(dtype) in found[variable][1].split():
            return variable, dtype
    return None
