"""Writes backends/ort/schemas.json: what ONNX says of its operators at the opsets that are
written.

    python docs/schemas.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from nncomp.backends.ort.opsets import FIRST_OPSET, IR_OPSET
from nncomp.backends.ort.schemas import FILE


def kept() -> dict[str, Any]:
    """What the file holds: see `nncomp.backends.ort.schemas`."""
    sets: dict[str, int] = {}
    operators: dict[str, dict[str, Any]] = {}
    history = onnx.defs.get_all_schemas_with_history()
    for known in sorted(history, key=lambda known: (known.name, known.since_version)):
        if known.domain == "" and _written(known):
            versions = operators.setdefault(known.name, {})
            versions[str(known.since_version)] = None if known.deprecated else _schema(known, sets)
    return {"onnx": onnx.__version__, "types": list(sets), "operators": operators}


def _written(known: onnx.defs.OpSchema) -> bool:
    """Whether it is the operator's schema at an opset that is written."""
    for opset in range(FIRST_OPSET, IR_OPSET + 1):
        try:
            found = onnx.defs.get_schema(known.name, opset, "")
        except onnx.defs.SchemaError:
            continue
        if found.since_version == known.since_version:
            return True
    return False


def _schema(known: onnx.defs.OpSchema, sets: dict[str, int]) -> dict[str, Any]:
    """sets: places of sets of types, to which new ones are added"""

    def place(types: Iterable[str]) -> int:
        return sets.setdefault(" ".join(sorted(types)), len(sets))

    return {
        "attributes": {
            name: attribute.type.name for name, attribute in sorted(known.attributes.items())
        },
        "inputs": [formal.type_str for formal in known.inputs],
        "outputs": [formal.type_str for formal in known.outputs],
        "max_input": known.max_input,
        "min_output": known.min_output,
        "variables": {c.type_param_str: place(c.allowed_type_strs) for c in known.type_constraints},
    }


def text(found: dict[str, Any]) -> str:
    """As JSON, a line for each version of an operator."""
    lines = [f'{{"onnx": {json.dumps(found["onnx"])}, "types": [']
    lines.append(",\n".join(json.dumps(types) for types in found["types"]))
    lines.append('], "operators": {')
    operators = []
    for name, versions in found["operators"].items():
        inner = ",\n".join(f'  "{v}": {json.dumps(known)}' for v, known in versions.items())
        operators.append(f" {json.dumps(name)}: {{\n{inner}}}")
    lines.append(",\n".join(operators))
    lines.append("}}\n")
    return "\n".join(lines)


if __name__ == "__main__":
    FILE.write_text(text(kept()), encoding="utf-8")
