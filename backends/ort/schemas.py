"""ONNX's schemas of its operators, as `docs/schemas.py` keeps them in schemas.json.

What an opset can express is so known without `onnx`, which takes as long to import as a small
model takes to check. A test holds the file against the `onnx` that is installed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nncomp.types import DType, OptionalType, SequenceType, TensorType

FILE = Path(__file__).parent / "schemas.json"

_DTYPES: dict[DType, tuple[int, str]] = {  # as TensorProto.DataType numbers and names them
    DType.F16: (10, "float16"),
    DType.BF16: (16, "bfloat16"),
    DType.F32: (1, "float"),
    DType.F64: (11, "double"),
    DType.I8: (3, "int8"),
    DType.I16: (5, "int16"),
    DType.I32: (6, "int32"),
    DType.I64: (7, "int64"),
    DType.U8: (2, "uint8"),
    DType.U16: (4, "uint16"),
    DType.U32: (12, "uint32"),
    DType.U64: (13, "uint64"),
    DType.BOOL: (9, "bool"),
    DType.STRING: (8, "string"),
    DType.F8E4M3FN: (17, "float8e4m3fn"),
    DType.F8E4M3FNUZ: (18, "float8e4m3fnuz"),
    DType.F8E5M2: (19, "float8e5m2"),
    DType.F8E5M2FNUZ: (20, "float8e5m2fnuz"),
    DType.F8E8M0: (24, "float8e8m0"),
    DType.F4E2M1: (23, "float4e2m1"),
    DType.I4: (22, "int4"),
    DType.U4: (21, "uint4"),
    DType.I2: (26, "int2"),
    DType.U2: (25, "uint2"),
}
ONNX_DTYPES = {dtype: number for dtype, (number, _) in _DTYPES.items()}
_SCHEMA_NAMES = {dtype: f"tensor({name})" for dtype, (_, name) in _DTYPES.items()}
_TOLD = {name: str(dtype) for dtype, name in _SCHEMA_NAMES.items()}


@dataclass(frozen=True)
class Formal:
    """An operand or result. variable: of which type variable it is, or its type; types: those that
    it may be of"""

    variable: str
    types: frozenset[str]


@dataclass(frozen=True)
class Schema:
    """An operator from a version of the operator set on. attributes: with their kinds, as `INTS`;
    variables: of types"""

    since_version: int
    attributes: Mapping[str, str]
    inputs: tuple[Formal, ...]
    outputs: tuple[Formal, ...]
    max_input: int
    min_output: int
    variables: frozenset[str]


@cache
def schema(name: str, opset: int) -> Schema | None:
    """The operator's schema at an opset, None if there is none such (or it is deprecated)."""
    versions = _kept()["operators"].get(name, {})
    since = max((number for number in map(int, versions) if number <= opset), default=0)
    found = versions.get(str(since))
    if found is None:
        return None
    variables = {name: _types(place) for name, place in found["variables"].items()}

    def formals(names: list[str]) -> tuple[Formal, ...]:
        return tuple(Formal(name, variables.get(name, frozenset((name,)))) for name in names)

    return Schema(
        since,
        found["attributes"],
        formals(found["inputs"]),
        formals(found["outputs"]),
        found["max_input"],
        found["min_output"],
        frozenset(variables),
    )


@cache
def _kept() -> dict[str, Any]:
    """types: sets of types, those of one set separated by spaces; operators: by name and version;
    a deprecated one is null"""
    kept: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return kept


@cache
def _types(place: int) -> frozenset[str]:
    return frozenset(_kept()["types"][place].split())


def schema_type(type_: TensorType) -> str:
    """As ONNX's schemas spell it: `tensor(float)`, `seq(tensor(float))`."""
    if isinstance(type_, OptionalType):
        return f"optional({schema_type(type_.content)})"
    name = _SCHEMA_NAMES[type_.dtype]
    return f"seq({name})" if isinstance(type_, SequenceType) else name


def told(type_: str) -> str:
    """A type of ONNX's schemas as it is told to people: a dtype's own name."""
    return _TOLD.get(type_, type_)
