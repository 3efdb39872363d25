"""Each operator of ONNX's domain is declared as `onnx.defs` has it at the IR's opset."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import onnx
import pytest

from nncomp.backends.ort.schemas import ONNX_DTYPES
from nncomp.ir.graph import Body
from nncomp.ir.op import Data, Op
from nncomp.ops import REGISTRY
from nncomp.types import DType

OPSET = 26
BODY = Body("body", (), (), (), {})
STANDARD = [op for op in REGISTRY.values() if op.domain == ""]
_KINDS = {
    onnx.defs.OpSchema.FormalParameterOption.Single: "",
    onnx.defs.OpSchema.FormalParameterOption.Optional: "?",
    onnx.defs.OpSchema.FormalParameterOption.Variadic: "*",
}

standard = pytest.mark.parametrize("op", STANDARD, ids=lambda op: op.__name__)


def _schema(op: type[Op]) -> Any:
    try:
        return onnx.defs.get_schema(op.__name__, OPSET)
    except onnx.defs.SchemaError:  # younger than the opset: it is never written as such
        assert op.has_decomposition()
        return onnx.defs.get_schema(op.__name__)


@standard
def test_operands_and_results(op: type[Op]) -> None:
    schema = _schema(op)

    def formal(parameters: Any) -> list[str]:
        return [p.name + _KINDS[p.option] for p in parameters]

    def declared(operands: Any) -> list[str]:
        return [o.name + "?" * o.optional + "*" * o.variadic for o in operands]

    def without_optional(names: list[str]) -> list[str]:  # infer gives optional results too
        return [name.rstrip("?") for name in names]

    if op.__name__ == "Constant":  # its value is one of several attributes there
        return
    operands = [name for name in declared(op.operands()) if name != "captures*"]
    assert operands == formal(schema.inputs)  # captures are no operands there
    results, expected = declared(op.results()), formal(schema.outputs)
    assert without_optional(results) == without_optional(expected)


@standard
def test_attributes_and_defaults(op: type[Op]) -> None:
    if op.__name__ == "Constant":
        return
    schema = _schema(op)
    fields = {f.name: f for f in dataclasses.fields(op)}
    assert sorted(fields) == sorted(schema.attributes)
    for name, attribute in schema.attributes.items():
        default = fields[name].default
        if attribute.required:
            assert default is dataclasses.MISSING, f"{name} is required"
        elif attribute.default_value.type == 0:
            assert default is None, f"{name} has no default"
        else:
            expected = onnx.helper.get_attribute_value(attribute.default_value)
            assert _same(default, expected), f"{name}: {default} is not {expected}"


def _same(declared: Any, expected: Any) -> bool:
    if isinstance(expected, bytes):
        return bool(declared == expected.decode())
    if isinstance(expected, float):  # ONNX stores attributes in float32
        return bool(np.float32(declared) == np.float32(expected))
    if isinstance(expected, list):
        wanted = (e.decode() if isinstance(e, bytes) else e for e in expected)
        return bool(declared == tuple(wanted))
    return type(declared) is type(expected) and bool(declared == expected)


@pytest.mark.parametrize(
    "op", [op for op in REGISTRY.values() if op.takes or op.containers], ids=lambda op: op.__name__
)
def test_special_operands_are_those_of_the_schema(op: type[Op]) -> None:
    """Narrow numbers, strings, sequences and optional values are taken where ONNX has them."""
    schema = onnx.defs.get_schema(op.__name__, domain=op.domain)
    taken = {name for formal in (*schema.inputs, *schema.outputs) for name in formal.types}
    for dtype in op.takes:
        plain = f"tensor({_NAMES[dtype]})"
        assert plain in taken or f"seq({plain})" in taken, dtype
    held = any(name.startswith(("seq(", "optional(")) for name in taken)
    assert op.containers is (held and op.__name__ != "Scan")


_NAMES = {
    dtype: onnx.TensorProto.DataType.Name(number).lower() for dtype, number in ONNX_DTYPES.items()
}


@pytest.mark.parametrize("op", REGISTRY.values(), ids=lambda op: op.__name__)
def test_operators_are_values_with_a_docstring(op: type[Op]) -> None:
    assert op.__doc__
    assert not op.__doc__.startswith(f"{op.__name__}(")  # not the one that dataclass makes up
    examples: dict[str, Any] = {
        "value": Data(np.zeros(1)),
        "dims": (2,),
        "to": DType.F32,
        "direction": "LEFT",
        "axis": 0,
        "site": 0,
        "equation": "ij->ji",
        "num_scan_inputs": 1,
        **dict.fromkeys(("body", "then_branch", "else_branch"), BODY),
    }
    required = {
        f.name: examples.get(f.name, (1, 1))
        for f in dataclasses.fields(op)
        if f.default is dataclasses.MISSING
    }
    assert op(**required) == op(**required)
    assert hash(op(**required)) == hash(op(**required))
    assert op.__name__ == op(**required).name
