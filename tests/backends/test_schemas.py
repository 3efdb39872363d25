"""ONNX's schemas are kept as the `onnx` that is installed has them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import onnx
import pytest

from nncomp.backends.ort.opsets import FIRST_OPSET, IR_OPSET
from nncomp.backends.ort.schemas import FILE, ONNX_DTYPES, schema, schema_type
from nncomp.types import DType, TensorType

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "schemas.py"


def test_the_file_is_up_to_date() -> None:
    """`python docs/schemas.py` writes it."""
    spec = importlib.util.spec_from_file_location("schemas_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert FILE.read_text(encoding="utf-8") == script.text(script.kept())


@pytest.mark.parametrize("opset", range(FIRST_OPSET, IR_OPSET + 1))
def test_what_is_read_is_what_onnx_says(opset: int) -> None:
    for name in {known.name for known in onnx.defs.get_all_schemas()}:
        found = schema(name, opset)
        try:
            known = onnx.defs.get_schema(name, opset, "")
        except onnx.defs.SchemaError:
            assert found is None
            continue
        if known.deprecated:
            assert found is None
            continue
        assert found is not None
        assert found.since_version == known.since_version
        assert (found.max_input, found.min_output) == (known.max_input, known.min_output)
        assert found.attributes == {n: a.type.name for n, a in known.attributes.items()}
        for ours, theirs in ((found.inputs, known.inputs), (found.outputs, known.outputs)):
            assert [(f.variable, f.types) for f in ours] == [(f.type_str, f.types) for f in theirs]


@pytest.mark.parametrize("dtype", DType)
def test_dtypes_have_onnx_numbers_and_names(dtype: DType) -> None:
    name = onnx.TensorProto.DataType.Name(ONNX_DTYPES[dtype])
    assert schema_type(TensorType(dtype, ())) == f"tensor({name.lower()})"
